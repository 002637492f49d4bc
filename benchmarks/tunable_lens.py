"""Focusing by a tunable lens on the simulated microscope: its calibration, refocusing through it, and cells counted.

    python benchmarks/tunable_lens.py [--model brightfield-20x] [--runs 100] [--fields 12] [--seed 11]

calibration  −120 to 120 mA in steps of 10 mA (Liao et al. 2021) by Brenner's gradient, on a dense H&E field of
             320 x 256 px at 20x/0.75; the lens settles within 25 ms and has a hysteresis of 2 mA, which the calibration
             is told as 30 ms and an overshoot of 5 mA. Residuals, and the error against the true curve.
refocus      --runs refocuses through that very curve from random starts within ±9 µm of true focus (what the lens can
             undo), H&E, IHC, cytology and blood, dense and sparse in turn, on slides that no calibration has seen. The
             stage never moves.
cells        --fields of dense H&E: nuclei counted (focus/counting.py) before, after, and in focus.

Time is simulated. What is done is kept in the --work folder, and gone on with. Writes
benchmarks/results/tunable_lens.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Generator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.focus.counting import count_cells
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.lens_knob import PropertyKnob
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.optics import Objective
from napari_autofocus.routines.lens_calibration import LensConfig, calibrate_lens
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.workflows.trial_slides import TrialSlide, TrialSlides
from napari_autofocus.workflows.trials import run_trials

RESULT = Path(__file__).parent / "results" / "tunable_lens.json"
SHAPE, EXPOSURE_MS = (512, 612), 25.0
SETTLING_S, HYSTERESIS_MA = 0.025, 2.0
START_WITHIN_UM = 9.0
STAINS, DENSITIES = ("he", "ihc", "cytology", "blood"), ("dense", "sparse")
TRIALS_A_SLIDE = 10
CALIBRATION_SHAPE = (256, 320)


def rig_of(slide: TrialSlide, seed: int, lens: LensCurve | None) -> SimulatedRig:
    """A microscope whose lens takes its time and remembers where it came from."""
    rig = simulated_rig(slide.scene, exposure_ms=EXPOSURE_MS, clock=VirtualClock(), seed=seed, lens=lens)
    rig.lens.settling_s, rig.lens.hysteresis_ma = SETTLING_S, HYSTERESIS_MA
    return rig


def slide_of(
    stain: str, density: str, objective: Objective, seed: int, trials: int, shape: tuple[int, int] = SHAPE
) -> TrialSlide:
    """One simulated slide."""
    return next(TrialSlides(stain, density, objective, seed, shape, EXPOSURE_MS).slides(trials))


def calibrated(objective: Objective, seed: int) -> tuple[LensCurve, dict[str, Any]]:
    """The curve, and how far it lies from the true one."""
    config = LensConfig(dof_um=objective.dof_um, settle_s=0.03, overshoot=5.0, objective=objective.name)
    with rig_of(slide_of("he", "dense", objective, seed, 1, CALIBRATION_SHAPE), seed, None) as rig:
        knob = PropertyKnob(rig.core, "Lens", "Current-mA", clock=rig.clock, settle_s=config.settle_s)
        work = calibrate_lens(rig.microscope, knob, config)
        record = finished(work)
        true_curve = rig.lens._curve
    assert record.curve is not None, record.reasons
    values, shift_um = record.curve.sampled(241)
    acting = np.interp(values - HYSTERESIS_MA / 2, *true_curve) - np.interp(-HYSTERESIS_MA / 2, *true_curve)
    error_um = shift_um - acting
    return record.curve, {
        "outcome": record.outcome,
        "values": len(record.readings),
        "frames": record.frames,
        "seconds": record.seconds,
        "range_um": record.curve.range_um,
        "residual_rms_um": record.curve.rms_um,
        "residual_largest_um": record.largest_residual_um,
        "error_rms_um": float(np.sqrt(np.mean(error_um**2))),
        "error_largest_um": float(np.abs(error_um).max()),
        "points": [[point.value, round(point.shift_um, 4)] for point in record.curve.points],
    }


def finished(work: Generator[Any, None, Any]) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def refocused(
    model: ModelPredictor, curve: LensCurve, objective: Objective, runs: int, seed: int, kept: Path
) -> list[Any]:
    """Runs through the lens, each with its truth."""
    done = json.loads(kept.read_text()) if kept.exists() else []
    while len(done) < runs:
        number = len(done) // TRIALS_A_SLIDE
        rng = np.random.default_rng([seed, number])
        stain, density = STAINS[number % 4], DENSITIES[number // 4 % 2]
        slide = slide_of(stain, density, objective, seed + 1000 + number, min(TRIALS_A_SLIDE, runs - len(done)))
        with rig_of(slide, seed + number, curve) as rig:
            routine = lambda microscope: run_once(microscope, model, objective)  # noqa: E731
            trials = run_trials(
                rig,
                routine,
                trials=slide.trials,
                focus_direction=1,
                rng=rng,
                within_um=START_WITHIN_UM,
                serves=slide.serves,
            )
            for trial in finished(trials):
                record = trial.record[0]
                done.append(
                    {
                        "stain": stain,
                        "density": density,
                        "start_um": trial.start_um,
                        "end_um": trial.end_um,
                        "outcome": record.outcome,
                        "frames": record.frames,
                        "moves": record.moves,
                        "seconds": record.seconds,
                    }
                )
            assert rig.z_stage.commands_um == []
        kept.write_text(json.dumps(done))
        print(f"{len(done)} of {runs}: {done[-1]}", flush=True)
    return done


def run_once(
    microscope: Microscope, model: ModelPredictor, objective: Objective
) -> Generator[Any, None, tuple[Any, Frame | None]]:
    """A refocus, and the first frame of it."""
    work, first = refocus(microscope, model, RefocusConfig(optics=ImageOptics(objective))), None
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            return end.value, first
        first = first or step.frame
        yield step


def counted(model: ModelPredictor, curve: LensCurve, objective: Objective, fields: int, seed: int) -> list[Any]:
    """Nuclei before and after, and in focus."""
    rng, rows = np.random.default_rng(seed + 1), []
    slide = slide_of("he", "dense", objective, seed + 5000, fields)
    with rig_of(slide, seed, curve) as rig:

        def routine(microscope: Microscope) -> Generator[Any, None, Any]:
            _, first = yield from run_once(microscope, model, objective)
            after = microscope.snap()
            sharp = slide.scene.snap(after.x_um, after.y_um, slide.scene.best_focus_um(after.x_um, after.y_um), rng=rng)
            assert first is not None
            size_um = slide.scene.pixel_size_um
            return [count_cells(each, pixel_size_um=size_um).count for each in (first.image, after.image, sharp)]

        trials = run_trials(
            rig, routine, trials=fields, focus_direction=1, rng=rng, within_um=START_WITHIN_UM, serves=slide.serves
        )
        for trial in finished(trials):
            before, after, sharp = trial.record
            rows.append({"start_um": trial.start_um, "before": before, "after": after, "in_focus": sharp})
    return rows


def summed_up(runs: list[Any], dof_um: float) -> dict[str, Any]:
    """The figures of the runs."""
    ends = np.array([abs(run["end_um"]) for run in runs])
    return {
        "runs": len(runs),
        "within_half_dof": float(np.mean(ends <= dof_um / 2)),
        "mae_um": float(ends.mean()),
        "largest_um": float(ends.max()),
        **{f"mean_{name}": float(np.mean([run[name] for run in runs])) for name in ("frames", "moves", "seconds")},
        "outcomes": {each: sum(run["outcome"] == each for run in runs) for each in {run["outcome"] for run in runs}},
        "missed": [run for run in runs if abs(run["end_um"]) > dof_um / 2],
    }


def main() -> None:
    """All three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--fields", type=int, default=12)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "tunable_lens")
    asked = parser.parse_args()
    model = load_model(asked.model)
    optics = model.card.optics
    objective = Objective.parse(optics.objective.name, pixel_size_um=optics.pixel_size_um)
    asked.work.mkdir(parents=True, exist_ok=True)
    curve_file, figures_file = asked.work / "curve.json", asked.work / "calibration.json"
    if not figures_file.exists():
        curve, calibration = calibrated(objective, asked.seed)
        curve.save(curve_file)
        figures_file.write_text(json.dumps(calibration))
    curve, calibration = LensCurve.load(curve_file), json.loads(figures_file.read_text())
    print({name: value for name, value in calibration.items() if name != "points"}, flush=True)
    runs = refocused(model, curve, objective, asked.runs, asked.seed, asked.work / "runs.json")
    print(json.dumps(summed_up(runs, objective.dof_um)), flush=True)
    cells = counted(model, curve, objective, asked.fields, asked.seed)
    total = {name: sum(row[name] for row in cells) for name in ("before", "after", "in_focus")}
    told = {
        "command": f"python benchmarks/tunable_lens.py --model {asked.model} --runs {asked.runs} --seed {asked.seed}",
        "date": date.today().isoformat(),
        "dof_um": objective.dof_um,
        "calibration": calibration,
        "refocus": summed_up(runs, objective.dof_um),
        "cells": {**total, "fields": cells},
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(total)


if __name__ == "__main__":
    main()
