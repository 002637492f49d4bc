"""Renders the fields of ``single_shot.py``, asks the model about every frame and keeps the answers on disk.

Answers lie in one ``.jsonl`` a case, a line a field; fields found there are not done again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

from napari_autofocus.models.evaluation import KnownFrame, result_of
from napari_autofocus.models.library import find_model
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.models.predictor import ModelPredictor
from single_shot_fields import CASES, Field, content_share, draws_of, told_optics
from single_shot_networks import baselines, fingerprint, package_of, predictor_of

FIELDS_A_JOB = 2


@dataclass(frozen=True)
class Plan:
    """What is asked of every field.

    Parameters
    ----------
    model : str
        Name or file.
    draws : int
        Frames a field; a quarter of them of an empty one, which looks the same everywhere.
    baseline_fields : int
        Nominal fields of each density on which the network is also run on all patches.
    """

    model: str
    draws: int
    baseline_fields: int

    def frames(self, field: Field) -> int:
        """Number of frames of a field."""
        return max(1, self.draws // 4) if field.case == "empty" else self.draws

    def has_baseline(self, field: Field) -> bool:
        """Whether the network runs on all patches too."""
        return field.case == "nominal" and field.number < self.baseline_fields


class Worker:
    """One process's model; made when the process starts."""

    predictor: ModelPredictor
    plan: Plan

    @classmethod
    def start(cls, plan: Plan) -> None:
        cv2.setNumThreads(1)
        cls.plan, cls.predictor = plan, predictor_of(package_of(plan.model), threads=1)


def run_fields(fields: list[Field]) -> list[dict[str, Any]]:
    """The records of a few fields that share their optics."""
    return [_run_field(field) for field in fields]


def _run_field(field: Field) -> dict[str, Any]:
    plan, optics = Worker.plan, told_optics(field)
    start, results, without = time.perf_counter(), [], []
    for draw in draws_of(field, plan.frames(field)):
        frame = KnownFrame(draw.image, draw.true_um, str(field.seed), str(field.seed), field.stain, field.density)
        estimate = Worker.predictor.estimate(draw.image, optics=optics, insist=field.case == "even")
        results.append(asdict(result_of(estimate, frame)))
        if plan.has_baseline(field):
            without.append(baselines(Worker.predictor, draw.image))
    return {
        "case": field.case,
        "density": field.density,
        "number": field.number,
        "seed": field.seed,
        "content": content_share(field),
        "seconds": round(time.perf_counter() - start, 3),
        "results": results,
        "baselines": without,
    }


def records_of(fields: list[Field], plan: Plan, work: Path, workers: int) -> list[dict[str, Any]]:
    """The record of every field, from the work folder or made now, two processes side by side if wanted."""
    folder = work / fingerprint(find_model(plan.model))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {(field.case, field.density, field.number): field for field in fields}
    kept = ((wanted[place], record) for place, record in _kept(folder) if place in wanted)
    done = {field: record for field, record in kept if _complete(record, field, plan)}
    missing = [field for field in fields if field not in done]
    for record in _run_missing(missing, plan, workers):
        with (folder / f"{record['case']}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
        done[wanted[_place(record)]] = record
    return [done[field] for field in fields]


def _run_missing(missing: list[Field], plan: Plan, workers: int) -> Iterator[dict[str, Any]]:
    if not missing:
        return
    begun, finished = time.perf_counter(), 0
    with ProcessPoolExecutor(workers, get_context("spawn"), Worker.start, (plan,)) as pool:
        jobs = [pool.submit(run_fields, job) for job in _jobs(missing)]
        try:
            for job in as_completed(jobs):
                yield from job.result()
                finished += len(job.result())
                left_min = (time.perf_counter() - begun) / finished * (len(missing) - finished) / 60
                print(f"\r{finished} of {len(missing)} fields, {left_min:.0f} min left ", end="", file=sys.stderr)
        finally:
            pool.shutdown(cancel_futures=True)
    print(file=sys.stderr)


def _jobs(fields: list[Field]) -> Iterator[list[Field]]:
    """A few fields each; all fields seen through the same drawn optics together, since making optics costs most."""
    ordered = sorted(fields, key=lambda field: (CASES.index(field.case), field.optics_set))
    for (case, _), group in groupby(ordered, key=lambda field: (field.case, field.optics_set)):
        members = list(group)
        size = len(members) if case == "off-nominal" else FIELDS_A_JOB
        yield from (members[start : start + size] for start in range(0, len(members), size))


def _kept(folder: Path) -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut short when the run was killed; that field is done again
            yield _place(record), record


def _place(record: dict[str, Any]) -> tuple[str, str, int]:
    return record["case"], record["density"], record["number"]


def _complete(record: dict[str, Any], field: Field, plan: Plan) -> bool:
    enough = len(record["results"]) == plan.frames(field)
    return enough and (bool(record["baselines"]) or not plan.has_baseline(field))


def results_of(records: Iterable[dict[str, Any]]) -> list[FieldResult]:
    """Every answer of some fields."""
    return [_result(row) for record in records for row in record["results"]]


def baselines_of(records: Iterable[dict[str, Any]], name: str) -> list[FieldResult]:
    """What the network says about the same frames without importance."""
    return [
        FieldResult(*(row[key] for key in ("source", "slide", "stain", "density", "true_um")), told[name])
        for record in records
        for row, told in zip(record["results"], record["baselines"], strict=False)
    ]


def _result(row: dict[str, Any]) -> FieldResult:
    interval = row["interval90_um"]
    return FieldResult(**{**row, "interval90_um": None if interval is None else tuple(interval)})
