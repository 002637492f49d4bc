"""Holding focus by a model while the sample drifts: how far from focus the field gets, how often the drive moves.

    python benchmarks/hold.py [--model brightfield-20x] [--minutes 5]

The simulated microscope lives by a virtual clock: 20x/0.75, fields of 512 x 512 px in focus at the start, 1 µm of play,
drift of either sign, a look every 5 s. Writes benchmarks/results/hold.json.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.routines.track import TrackConfig, track
from napari_autofocus.simulation.scene import Scene

RESULTS = Path(__file__).parent / "results" / "hold.json"
FIELDS = (("he", "sparse"), ("cytology", "extremely-sparse"), ("blood", "dense"))
DRIFTS_UM_MIN = (0.6, -0.6, 0.2)
PLACE_UM = (300.0, 200.0)
SEED = 5
SETTLED = 5
"""Looks before which nothing is counted: the average has to fill."""


def held(model: ModelPredictor, stain: str, density: str, drift_um_min: float, minutes: float) -> dict[str, Any]:
    """One hold, from a field in focus."""
    scene = Scene.build(stain, density, "20x/0.75", seed=SEED, shape=(512, 512))
    with simulated_rig(scene, backlash_um=1.0, settling_s=0.05, clock=VirtualClock(), seed=1) as rig:
        drive = rig.microscope.focus
        rig.microscope.move_xy_to(*PLACE_UM)
        drive.move_to(drive.position_um() - rig.true_defocus_um())
        rig.z_stage.drift_um_s = drift_um_min / 60
        config, errors, states = TrackConfig(optics=ImageOptics(scene.objective)), [], []
        steps = track(rig.microscope, model, config)
        for step in steps:
            errors.append(abs(rig.true_defocus_um()))
            states.append(step.state)
            rig.clock.sleep(step.wait_s)
            if step.at_s >= 60 * minutes:
                steps.close()
    counted = np.array(errors[SETTLED:])
    return {
        "stain": stain,
        "density": density,
        "drift_um_per_min": drift_um_min,
        "looks": len(states),
        "moves": states.count("corrected"),
        "missed": states.count("missed"),
        "stopped_itself": states[-1] == "stopped",
        "mean_um": round(float(counted.mean()), 3),
        "largest_um": round(float(counted.max()), 3),
    }


def main() -> None:
    """Run the benchmark, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    model = load_model(options.model)
    rows = []
    for (stain, density), drift in product(FIELDS, DRIFTS_UM_MIN):
        rows.append(held(model, stain, density, drift, options.minutes))
        print(rows[-1], flush=True)
    result = {
        "command": "python benchmarks/hold.py",
        "model": model.name,
        "fingerprint": model.fingerprint,
        "rows": rows,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
