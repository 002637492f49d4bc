"""Classical sweeps on the simulated microscope: where they end, and what they cost.

    python benchmarks/sweeps.py [--runs 50] [--seed 7] [--methods brent,...] [--stain he] [--density dense]

Random starts within ±10 µm of true focus at random fields, drives of both directions with 1 µm of play, exposure 25 ms,
stage 1000 µm/s with 50 ms to settle; time is simulated (frames take their exposure, computing is free).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.trials import describe_run, run_trials, summarise

RESULTS = Path(__file__).parent / "results"
SHAPE = (512, 612)
EXPOSURE_MS = 25.0
SETTLING_S = 0.05
Routine = Callable[[Microscope], Generator[Any, None, Any]]


def try_method(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """All runs of one method, half of them on a drive of either direction."""

    def sweeping(objective: Objective) -> Routine:
        config = SweepConfig.for_objective(objective, method=method, polarity=options.polarity)
        return lambda microscope: sweep(microscope, config)

    runs = all_runs(sweeping, options)
    for run in runs:
        if not abs(run["end_um"]) <= run["dof_um"] / 2:
            print(f"  {method}: {run}", file=sys.stderr)
    return summarise(runs, runs[0]["dof_um"])


def all_runs(routine_for: Callable[[Objective], Routine], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every run of a routine as the shell tells it, half of them on a drive of either direction.

    Parameters
    ----------
    routine_for : callable
        Makes the routine for an objective.
    options : argparse.Namespace
        With ``stain``, ``density``, ``objective``, ``seed`` and ``runs``.
    """
    runs: list[dict[str, Any]] = []
    for direction in (1, -1):
        scene = Scene.build(
            options.stain,
            options.density,
            options.objective,
            seed=options.seed,
            shape=SHAPE,
            camera=Camera(default_exposure_ms=EXPOSURE_MS),
        )
        with simulated_rig(
            scene,
            focus_direction=direction,
            backlash_um=1.0,
            settling_s=SETTLING_S,
            exposure_ms=EXPOSURE_MS,
            clock=VirtualClock(),
            seed=options.seed,
        ) as rig:
            trials = run_trials(
                rig,
                routine_for(scene.objective),
                trials=options.runs // 2,
                focus_direction=direction,
                rng=np.random.default_rng([options.seed, direction % 3]),
            )
            dof_um = scene.objective.dof_um
            runs += [describe_run(t.record, t.start_um, t.end_um) | {"dof_um": dof_um} for t in to_end(trials)]
    return runs


def to_end(generator: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as finished:
            return finished.value


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--methods", default=",".join(SEARCHES))
    parser.add_argument("--stain", default="he")
    parser.add_argument("--density", default="dense")
    parser.add_argument("--objective", default="20x/0.75")
    parser.add_argument("--polarity", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "sweeps.json")
    options = parser.parse_args()
    print(
        f"{'method':<16}{'in DOF/2':>9}{'median µm':>11}{'largest':>9}{'frames':>8}{'moves':>7}{'seconds':>9}  outcomes"
    )
    table = {}
    for method in options.methods.split(","):
        table[method] = row = try_method(method, options)
        print(
            f"{method:<16}{row['within_half_dof']:>9.0%}{row['median_error_um']:>11.3f}{row['largest_error_um']:>9.2f}"
            f"{row['mean_frames']:>8.1f}{row['mean_moves']:>7.1f}{row['mean_seconds']:>9.2f}  {row['outcomes']}",
            flush=True,
        )
    command = f"python benchmarks/sweeps.py {' '.join(sys.argv[1:])}".strip()
    settings = {key: str(value) for key, value in vars(options).items() if key != "out"}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"command": command, **settings, "methods": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
