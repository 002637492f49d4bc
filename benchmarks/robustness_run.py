"""Asks models about the frames of ``robustness.py`` and keeps their answers on disk, so that a run goes on anywhere.

Answers lie in one ``.jsonl`` a model (by the hash of its file), a line for what was asked of one field in one case.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.evaluation import KnownFrame, result_of
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.models.predictor import ModelPredictor
from robustness_fields import CLEAN, DENSITIES, RENDERED, Ask, Draw, Field, Place
from single_shot_networks import fingerprint, package_of, predictor_of

JUDGED = (CLEAN, "jpeg=75", "motion-um=1")
"""What targets are judged by is asked of so many times as many frames."""
MORE_DRAWS = 4
Answers = dict[tuple[Field, str], list[FieldResult]]


@dataclass(frozen=True, eq=False)
class Asked:
    """A model, and where its answers are kept."""

    predictor: ModelPredictor
    fingerprint: str
    file: Path

    @classmethod
    def of(cls, model: str, work: Path) -> Asked:
        """Open a model by name or file."""
        package = package_of(model)
        work.mkdir(parents=True, exist_ok=True)
        key = fingerprint(package.path)
        return cls(predictor_of(package, threads=1), key, work / f"{key}.jsonl")

    def kept(self) -> Answers:
        """Every answer on disk."""
        answers: Answers = {}
        for line in self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else ():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut short when the run was killed; that is done again
            so_far = answers.setdefault((Field(record["density"], record["number"]), record["ask"]), [])
            if record["first"] == len(so_far):
                so_far += [_result(row) for row in record["results"]]
        return answers

    def keep(self, field: Field, ask: Ask, first: int, results: list[FieldResult]) -> None:
        """Put answers to one case at one field on disk, from the draw ``first`` on."""
        rows = [asdict(result) for result in results]
        with self.file.open("a", encoding="utf-8") as file:
            record = {**asdict(field), "ask": str(ask), "first": first, "results": rows}
            file.write(json.dumps(record, allow_nan=False) + "\n")


def fields_of(count: int) -> list[Field]:
    """So many of each density, in an order in which a run that is stopped has seen all of them."""
    return [Field(density, number) for number in range(count) for density in DENSITIES]


def draws_of(ask: Ask, draws: int) -> int:
    """Frames of a field: more where a target is to be judged, half as many where each has to be rendered."""
    if str(ask) in JUDGED:
        return draws * MORE_DRAWS
    return max(draws // 2, 1) if ask.case in RENDERED else draws


def answers_of(asked: Asked, fields: Sequence[Field], asks: Sequence[Ask], draws: int) -> Answers:
    """What a model says about every field and case, from disk or asked now."""
    answers, begun, frames = asked.kept(), time.perf_counter(), 0
    for done, field in enumerate(fields):
        missing = [ask for ask in asks if len(answers.get((field, str(ask)), ())) < draws_of(ask, draws)]
        if not missing:
            continue
        place = Place(field, asked.predictor.card)
        for ask in missing:
            so_far = answers.setdefault((field, str(ask)), [])
            more = place.draws(ask, len(so_far), draws_of(ask, draws))
            results = [_answer(asked, place, ask, draw) for draw in more]
            asked.keep(field, ask, len(so_far), results)
            so_far += results
            frames += len(results)
        pace = (time.perf_counter() - begun) / max(frames, 1)
        print(f"{done + 1} of {len(fields)} fields, {pace:.2f} s a frame", file=sys.stderr)
    wanted = {(field, str(ask)): draws_of(ask, draws) for field in fields for ask in asks}
    return {key: answers[key][:count] for key, count in wanted.items()}


def _answer(asked: Asked, place: Place, ask: Ask, draw: Draw) -> FieldResult:
    """An answer beside its truth; a tilted field's is the focus of its centre, as the verdict says it."""
    estimate = asked.predictor.estimate(draw.image, optics=ImageOptics(place.lens))
    at_centre = ask.case == "tilt" and estimate.verdict == "tilted"
    true_um = draw.centre_um if at_centre else draw.true_um
    name = f"{place.field.seed}"
    return result_of(estimate, KnownFrame(draw.image, true_um, name, name, place.stain, place.field.density))


def _result(row: dict[str, Any]) -> FieldResult:
    interval = row["interval90_um"]
    return FieldResult(**{**row, "interval90_um": None if interval is None else tuple(interval)})


def results_at(answers: Answers, name: str, densities: Iterable[str], *, beside: str = "") -> list[FieldResult]:
    """All answers to one case at one strength, in the order of fields and draws.

    With ``beside`` only those of the frames that another case has as well.
    """
    wanted = set(densities)
    return [
        result
        for (field, asked), results in sorted(answers.items(), key=lambda each: each[0])
        if asked == name and field.density in wanted
        for result in results[: len(answers[field, beside]) if beside else None]
    ]
