"""Refocusing by any shipped model of one shot, on the microscope and the samples that it was made for.

    python benchmarks/refocus_models.py --model fluorescence-20x [--runs 60] [--shape 512x612] [--fresh]

Runs start anywhere within the model's range, on slides that no training has seen, with all of its stains and densities
in turn and drives of both directions (1 µm of play, 50 ms to settle); time is simulated. A run that was done is kept in
build/benchmarks by the hash of the model, and is not done again. Writes benchmarks/results/refocus_NAME.json.

NAME is a shipped model or a file. refocus.py measures more cases (faults, wrong optics) of brightfield-20x.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.cli.parts.options import parse_shape
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.workflows.trial_slides import MIXED_DENSITIES, TrialSlides
from napari_autofocus.workflows.trials import describe_run, run_trials, summarise

HERE = Path(__file__).parent
FIRST_SEED = 920_000
"""Far from the seeds of training (from 0), calibration (from 600,000) and evaluation (from 700,000)."""
EXPOSURE_MS = 25.0
FIGURES = ("within_half_dof", "median_error_um", "largest_error_um", "ended_worse", "largest_loss_um", "outcomes")


def one_run(model: ModelPredictor, number: int, shape: tuple[int, int]) -> dict[str, Any]:
    """A run of its own slide, field, start and drive, all drawn from its number."""
    card, seed, direction = model.card, FIRST_SEED + number, (-1) ** number
    lens = Objective.parse(card.optics.objective.name, pixel_size_um=card.optics.pixel_size_um)
    density = MIXED_DENSITIES[number % len(MIXED_DENSITIES)]
    stain = card.stains[number // len(MIXED_DENSITIES) % len(card.stains)]
    slide = next(TrialSlides(stain, density, lens, seed, shape, EXPOSURE_MS, camera=card.optics.colour).slides(1))
    config = RefocusConfig(optics=ImageOptics(lens))
    with simulated_rig(
        slide.scene,
        focus_direction=direction,
        settling_s=0.05,
        exposure_ms=EXPOSURE_MS,
        clock=VirtualClock(),
        seed=seed,
    ) as rig:
        trials = run_trials(
            rig,
            lambda microscope: refocus(microscope, model, config),
            trials=1,
            focus_direction=direction,
            rng=np.random.default_rng(seed),
            within_um=card.range_um,
            serves=slide.serves,
        )
        while True:
            try:
                next(trials)
            except StopIteration as ended:
                done = ended.value[0]
                break
    return describe_run(done.record, done.start_um, done.end_um, stain=stain, density=density, number=number)


def all_runs(model: ModelPredictor, runs: int, shape: tuple[int, int], kept: Path) -> list[dict[str, Any]]:
    """Those on disk, then the others, each written at once."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    for number in range(len(done), runs):
        done.append(one_run(model, number, shape))
        with kept.open("a") as lines:
            lines.write(json.dumps(done[-1]) + "\n")
        print(f"{number + 1} of {runs}: {done[-1]['outcome']}", file=sys.stderr, flush=True)
    return done[:runs]


def rows_of(runs: list[dict[str, Any]], dof_um: float) -> dict[str, Any]:
    """Figures of all runs, and of each density and stain."""
    rows = {"all": summarise(runs, dof_um)}
    for key in ("density", "stain"):
        for value in dict.fromkeys(run[key] for run in runs):
            found = summarise([run for run in runs if run[key] == value], dof_um)
            rows[f"{key}: {value}"] = {name: found[name] for name in ("runs", *FIGURES)}
    return rows


def main() -> None:
    """Do the runs that are missing, and write what came of all."""
    parser = argparse.ArgumentParser(description="Refocus by a shipped model on the microscope it was made for.")
    parser.add_argument("--model", default="brightfield-20x", help="name or file")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--shape", default="512x612", help="height x width of a frame, px")
    parser.add_argument("--fresh", action="store_true", help="do all runs again")
    wanted = parser.parse_args()
    model = load_model(wanted.model)
    kept = HERE.parent / "build" / "benchmarks" / f"refocus_{model.name}_{model.fingerprint[:12]}_{wanted.shape}.jsonl"
    if wanted.fresh:
        kept.unlink(missing_ok=True)
    runs = all_runs(model, wanted.runs, parse_shape(wanted.shape), kept)
    result = {
        "command": f"python {' '.join(('benchmarks/refocus_models.py', *sys.argv[1:]))}",
        "date": datetime.date.today().isoformat(),
        "model": model.name,
        "model_sha256": model.fingerprint[:32],
        "dof_um": model.card.dof_um,
        "start_within_um": model.card.range_um,
        "first_seed": FIRST_SEED,
        "rows": rows_of(runs, model.card.dof_um),
    }
    target = HERE / "results" / f"refocus_{model.name}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["rows"]["all"], indent=1))


if __name__ == "__main__":
    main()
