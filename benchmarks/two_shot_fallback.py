"""A refocus whose model of one shot asks a model of two where it is in doubt, on stands that one shot cannot tell.

    python benchmarks/two_shot_fallback.py [--runs 20] [--model brightfield-20x] [--fallback two-shot-20x]

Slides that no training has seen, dense and sparse in turn, all stains in turn, fields of 612 x 512 px, starts within
±10 µm of true focus, drives of both directions with 1 µm of play, 0.02 µm/s of drift, 50 ms to settle. The same runs
with and without the second model.

nominal    the optics that both models were made for.
even       20x/0.75 without any aberration: the same image stands for both sides of focus. Told as the models' own.
mirrored   aberrations of the opposite sign, told as the models' own: one shot is sure of the wrong side.

A run counts as in focus where its record says so; ``within half a depth of field`` is judged by the true defocus where
it ends; no run may end farther from focus than it began by more than a depth of field (``worse``). Time is simulated.
Writes benchmarks/results/two_shot_fallback.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_pair_model
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.optics import PRESETS
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.simulation import Optics, Scene
from refocus_stands import BACKLASH_UM, DRIFT_UM_S, LIMITS_UM, MIRRORED, SETTLING_S, START_WITHIN_UM, OnePlace
from single_shot_fields import Field, placed

RESULT = Path(__file__).parent / "results" / "two_shot_fallback.json"
PRESET = PRESETS["20x/0.75"]
OPTICS = {"nominal": Optics(PRESET), "even": Optics(PRESET, even=True), "mirrored": MIRRORED}
SHAPE = (512, 612)
FIRST_NUMBER = 90_000
IN_FOCUS = ("focused", "already_in_focus")


def rig_of(stand: str, number: int) -> SimulatedRig:
    """The microscope of a run, standing at its start; the same for both models."""
    rng = np.random.default_rng([FIRST_NUMBER, [*OPTICS].index(stand), number])
    slide, place = placed(Field("nominal", ("dense", "sparse")[number % 2], FIRST_NUMBER + number // 2))
    view = OnePlace(Scene(slide.specimen, OPTICS[stand], slide.camera, SHAPE), place)
    direction = 1 if number // 4 % 2 else -1
    rig = simulated_rig(
        view,
        focus_direction=direction,
        backlash_um=BACKLASH_UM,
        settling_s=SETTLING_S,
        drift_um_s=float(rng.choice([-1, 1])) * DRIFT_UM_S,
        exposure_ms=slide.camera.default_exposure_ms,
        clock=VirtualClock(),
        seed=number,
        limits_um=LIMITS_UM,
    )
    view.lit = True
    drive, wanted_um = rig.microscope.focus, float(rng.uniform(-START_WITHIN_UM, START_WITHIN_UM))
    walk_to(drive, drive.position_um() + direction * (wanted_um - rig.true_defocus_um()))
    return rig


def run_one(stand: str, number: int, model: ModelPredictor, pair: PairModelPredictor | None) -> dict[str, Any]:
    """One run, with the truth before and after."""
    kept: list[RefocusRecord] = []
    with rig_of(stand, number) as rig:
        start_um = rig.true_defocus_um()
        for _ in refocus(rig.microscope, model, RefocusConfig(optics=ImageOptics(PRESET)), keep=kept.append, pair=pair):
            pass
        end_um = rig.true_defocus_um()
    record = kept[0]
    return {
        "start_um": round(start_um, 3),
        "end_um": round(end_um, 3),
        "outcome": record.outcome,
        "method": record.method,
        "frames": record.frames,
        "seconds": round(record.seconds, 3),
        "reason": record.reasons[-1] if record.reasons else "",
    }


def row_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one stand and model."""
    dof_um, ends = PRESET.dof_um, [abs(run["end_um"]) for run in runs]
    done = [end for run, end in zip(runs, ends, strict=True) if run["outcome"] in IN_FOCUS]
    return {
        "runs": len(runs),
        "in_focus": sum(end <= dof_um / 2 for end in done),
        "claims_focus_wrongly": sum(end > dof_um for end in done),
        "worse": sum(end > abs(run["start_um"]) + dof_um for run, end in zip(runs, ends, strict=True)),
        "error_where_focused_um": round(float(np.mean(done)), 3) if done else None,
        "asked_the_second_model": sum("two-shot" in run["method"] for run in runs),
        "frames": round(float(np.mean([run["frames"] for run in runs])), 2),
        "seconds": round(float(np.mean([run["seconds"] for run in runs])), 3),
        "outcomes": {name: sum(run["outcome"] == name for run in runs) for name in {run["outcome"] for run in runs}},
    }


def main() -> None:
    """Run all stands, with and without the second model, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--fallback", default="two-shot-20x")
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    one, two = load_model(chosen.model).on_one_thread(), load_pair_model(chosen.fallback).on_one_thread()
    rows: dict[str, Any] = {}
    every: dict[str, Any] = {}
    for stand in OPTICS:
        for name, pair in (("one shot", None), ("with the fallback", two)):
            runs = [run_one(stand, number, one, pair) for number in range(chosen.runs)]
            rows[f"{stand}, {name}"], every[f"{stand}, {name}"] = row_of(runs), runs
            print(f"{stand}, {name}: {rows[f'{stand}, {name}']}", file=sys.stderr)
    result = {
        "command": f"python benchmarks/two_shot_fallback.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "model": one.name,
        "fallback": two.name,
        "dof_um": PRESET.dof_um,
        "shape": list(SHAPE),
        "rows": rows,
        "all_runs": {
            name: [[run["start_um"], run["end_um"], run["outcome"], run["method"]] for run in runs]
            for name, runs in every.items()
        },
    }
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
