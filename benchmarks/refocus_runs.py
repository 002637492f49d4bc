"""Runs the refocuses of ``refocus.py``, judges each against the truth and keeps what came of it on disk.

Results lie in one ``.jsonl`` a case, a line a run; runs found there are not done again.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import cv2

from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.library import find_model
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.records import Outcome, RefocusRecord
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from refocus_stands import Start, rig_of
from single_shot_networks import fingerprint, package_of, predictor_of

RUNS_A_JOB = 6
TIMEOUT_S = 60.0
WAY_BACK_S = 60.0
"""A run may take its time-out and this, by the microscope's clock; longer, and it hangs."""
MOST_STEPS = 100
HANGS_AFTER_S = 120
"""By the wall."""
SAME_PLACE_UM = 0.2
IN_FOCUS = ("focused", "already_in_focus")


class Hangs(BaseException):
    """A run does not come to an end."""


UNWANTED = (AutofocusError, RuntimeError, LookupError, TypeError, ValueError, AssertionError, ImportError, Hangs)
"""A run that raises any of these is counted as broken, and the others go on."""


class Worker:
    """One process's model; made when the process starts."""

    predictor: ModelPredictor

    @classmethod
    def start(cls, model: str) -> None:
        cv2.setNumThreads(1)
        cls.predictor = predictor_of(package_of(model), threads=1)


def run_starts(starts: list[Start]) -> list[dict[str, Any]]:
    """What came of a few runs."""
    return [run_start(start) for start in starts]


def run_start(start: Start) -> dict[str, Any]:
    """One run, with the truth before and after."""
    begun = time.perf_counter()
    with rig_of(start) as rig:
        before = {"start_um": rig.true_defocus_um(), "start_z_um": rig.core.getPosition()}
        record, raised = _refocused(rig, start)
        after = {"end_um": rig.true_defocus_um(), "end_z_um": rig.core.getPosition()}
        found = {**before, **after, "raised": raised, "record": None if record is None else asdict(record)}
        found |= _kept_promises(rig, start, found, record)
    return {
        **asdict(start),
        "stain": start.field.stain,
        "density": start.field.density,
        "focus_direction": start.focus_direction,
        "wrong": start.wrong,
        "dof_um": start.dof_um,
        "faults": [asdict(fault) for fault in start.faults],
        **found,
        "wall_s": round(time.perf_counter() - begun, 3),
    }


def _refocused(rig: SimulatedRig, start: Start) -> tuple[RefocusRecord | None, str]:
    """The record, and what was raised where nothing should be."""
    kept: list[RefocusRecord] = []
    config = RefocusConfig(optics=start.told_optics, insist=bool(start.wrong), timeout_s=TIMEOUT_S)
    steps = refocus(rig.microscope, Worker.predictor, config, keep=kept.append)
    signal.signal(signal.SIGALRM, _hang)
    signal.alarm(HANGS_AFTER_S)
    raised = ""
    try:
        for number, _ in enumerate(steps):
            if number >= MOST_STEPS:
                raise Hangs
    except UNWANTED as error:
        raised = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return (kept[0] if kept else None), raised


def _hang(*_: object) -> None:
    raise Hangs


def _kept_promises(
    rig: SimulatedRig, start: Start, found: dict[str, Any], record: RefocusRecord | None
) -> dict[str, bool]:
    """Whether the drive stayed inside its limits, and the record is to be believed."""
    low, high = rig.microscope.focus.limits_um
    kept = {
        "inside_limits": all(low <= z_um <= high for z_um in rig.z_stage.commands_um),
        "ended": record is not None and not found["raised"],
    }
    if record is None:
        return kept
    way_um = abs(found["end_z_um"] - found["start_z_um"])
    told = f"{found['end_z_um']:.2f}" in " ".join(record.reasons)
    in_focus = record.outcome in IN_FOCUS
    return {
        **kept,
        "in_time": record.seconds <= TIMEOUT_S + WAY_BACK_S,
        "named": record.outcome in get_args(Outcome) and bool(record.reasons),
        "tells_where": abs(record.end_um - found["end_z_um"]) <= 1e-6,
        "stands": abs(found["end_um"]) <= start.dof_um if in_focus else way_um <= SAME_PLACE_UM or told,
        "is_back": not in_focus and way_um <= SAME_PLACE_UM,
    }


def runs_of(starts: list[Start], model: str, work: Path, workers: int) -> list[dict[str, Any]]:
    """What came of every run, from the work folder or made now, two processes side by side if wanted."""
    folder = work / fingerprint(find_model(model))
    folder.mkdir(parents=True, exist_ok=True)
    done = {(run["case"], run["number"]): run for run in _kept(folder)}
    missing = [start for start in starts if (start.case, start.number) not in done]
    for run in _run_missing(missing, model, workers):
        with (folder / f"{run['case']}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(run, allow_nan=False) + "\n")
        done[run["case"], run["number"]] = run
    return [done[start.case, start.number] for start in starts]


def _run_missing(missing: list[Start], model: str, workers: int) -> Iterator[dict[str, Any]]:
    if not missing:
        return
    begun, finished = time.perf_counter(), 0
    with ProcessPoolExecutor(workers, get_context("spawn"), Worker.start, (model,)) as pool:
        jobs = [pool.submit(run_starts, job) for job in _jobs(missing)]
        try:
            for job in as_completed(jobs):
                yield from job.result()
                finished += len(job.result())
                left_min = (time.perf_counter() - begun) / finished * (len(missing) - finished) / 60
                print(f"\r{finished} of {len(missing)} runs, {left_min:.0f} min left ", end="", file=sys.stderr)
        finally:
            pool.shutdown(cancel_futures=True)
    print(file=sys.stderr)


def _jobs(starts: list[Start]) -> list[list[Start]]:
    """A few runs each, those through the same optics together, since making optics costs most."""
    ordered = sorted(starts, key=lambda start: (start.wrong, start.number))
    return [ordered[first : first + RUNS_A_JOB] for first in range(0, len(ordered), RUNS_A_JOB)]


def _kept(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # cut short when the benchmark was killed; that run is done again
