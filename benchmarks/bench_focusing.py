"""Refocusing by a model beside every classical sweep, and the one-shot survey beside the one by z-stacks.

All on the simulated microscope and its virtual clock: frames take their exposure, moves their time, computing is free
(it stands under "One shot"). Sweeps and refocuses start alike, within ±10 µm of focus, half on drives of either
direction, with 1 µm of play. Surveys are those of ``survey.py`` that look at a small texture, whose model knows the
truth: their time and exposures depend on places and moves alone.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import survey as surveys
from bench_rows import Findings, Growth, Limit, Row
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, sweep
from single_shot_networks import package_of, predictor_of
from sweeps import EXPOSURE_MS, SETTLING_S, Routine, all_runs

MODEL = "brightfield-20x"
RUNS, QUICK_RUNS = 8, 2
SEED = 7
SPEED_UM_S = 1000.0
POINTS, QUICK_POINTS = (8, 16), (4,)
XY_SPEED_UM_S, XY_ACCELERATION_UM_S2 = 20_000.0, 200_000.0
FIGURES = {"frames": "frames", "moves": "moves", "seconds": "s"}
_REFOCUS = "by the model"
_REFOCUS_BEYOND = (
    "the play of the drive is taken up from one side, which makes two moves of some; a second correction follows where"
    " the verifying frame is not within a third of the depth of field"
)
_SURVEY_BEYOND = (
    "the drive follows the slope of the slide and settles, and places without content are looked at a second time"
)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    runs = QUICK_RUNS if quick else RUNS
    found = Findings(facts={"runs of each method": runs, "seed": SEED, "model": MODEL, "threads": threads})
    _measure_focusing(found, runs, threads)
    _measure_surveys(found, QUICK_POINTS if quick else POINTS)
    return found


def _measure_focusing(found: Findings, runs: int, threads: int) -> None:
    predictor = predictor_of(package_of(MODEL), threads)

    def refocusing(objective: Objective) -> Routine:
        return lambda microscope: refocus(microscope, predictor, RefocusConfig(optics=ImageOptics(objective)))

    def sweeping(method: str) -> Any:
        return lambda lens: lambda microscope: sweep(microscope, SweepConfig.for_objective(lens, method=method))

    routines: dict[str, Any] = {_REFOCUS: refocusing}
    routines |= {f"sweep, {method}": sweeping(method) for method in SEARCHES}
    options = argparse.Namespace(stain="he", density="dense", objective="20x/0.75", seed=SEED, runs=runs)
    done = {name: all_runs(routine, options) for name, routine in routines.items()}
    starts = np.abs([run["start_um"] for run in done[_REFOCUS]])
    least = {"frames": 2.0, "moves": 1.0, "seconds": _least_seconds(float(np.median(starts)))}
    why = {
        "frames": "one to see, one to prove it",
        "moves": "one",
        "seconds": "two exposures and one move that settles",
    }
    for figure, unit in FIGURES.items():
        values = {name: [float(run[figure]) for run in each] for name, each in done.items()}
        others = {name: float(np.median(each)) for name, each in values.items() if name != _REFOCUS}
        limit = Limit(least[figure], why[figure], _REFOCUS_BEYOND)
        name = f"a refocus, {figure}{' of simulated time' if figure == 'seconds' else ''}"
        found.rows.append(Row.of_values(name, unit, values[_REFOCUS], against=others, limit=limit))
    found.facts["within half a depth of field"] = {
        name: f"{sum(abs(run['end_um']) <= run['dof_um'] / 2 for run in each)} of {len(each)}"
        for name, each in done.items()
    }


def _least_seconds(way_um: float) -> float:
    return 2 * EXPOSURE_MS / 1000 + way_um / SPEED_UM_S + SETTLING_S


def _measure_surveys(found: Findings, points: tuple[int, ...]) -> None:
    seconds: dict[str, list[float]] = {"survey by one shot": [], "survey by z-stacks": []}
    for side in points:
        one, stacks = (surveys.run(_case(side, method), Nobody()) for method in ("truth", "z-stack"))  # type: ignore[arg-type]
        limit = Limit(_least_survey_s(side), "an exposure a place, and the way between them", _SURVEY_BEYOND)
        for figure, unit in (("seconds", "s"), ("exposures", "exposures")):
            found.rows.append(
                Row.of_values(
                    f"survey of {side} x {side} places, {figure}{' of simulated time' if unit == 's' else ''}",
                    unit,
                    [one[figure]],
                    against={"z-stack survey": float(stacks[figure])},
                    limit=limit if unit == "s" else Limit(float(side**2), "one a place", _SURVEY_BEYOND),
                )
            )
        seconds["survey by one shot"].append(one["seconds"])
        seconds["survey by z-stacks"].append(stacks["seconds"])
    for name, values in seconds.items():
        if len(values) > 1:
            found.growths.append(Growth(name, "places", tuple(float(s**2) for s in points), tuple(values), "s"))


class Nobody:
    """Stands where a survey that knows the truth, or takes z-stacks, asks no model."""


def _case(side: int, method: str) -> str:
    name = f"texture-{side}{'-stacks' if method == 'z-stack' else ''}"
    surveys.CASES.setdefault(name, ("texture", side, method))
    return name


def _least_survey_s(side: int) -> float:
    """Exposures, and the way from place to place by the shortest path at the stage's speed and acceleration."""
    step_um = surveys.SIDE_UM / side
    reaches_speed = step_um > XY_SPEED_UM_S**2 / XY_ACCELERATION_UM_S2
    one_s = (
        step_um / XY_SPEED_UM_S + XY_SPEED_UM_S / XY_ACCELERATION_UM_S2
        if reaches_speed
        else 2 * np.sqrt(step_um / XY_ACCELERATION_UM_S2)
    )
    return float(side**2 * EXPOSURE_MS / 1000 + (side**2 - 1) * one_s)
