"""Autofocus inside acquisitions: 5 positions x 20 time points x 5 planes while the sample drifts.

    python benchmarks/mda.py [--microscope simulated|demo] [--model brightfield-20x] [--times 20]

Simulated: 20x/0.75, H&E, fields of 512 x 612 px, 1 µm of play, drift of 0.5 µm from one time point to the next (one
minute of the virtual clock), one position on bare glass, the planned z of each position off by up to 3 µm, and one
autofocus that fails by injection, its second try too. What is told is the true defocus of the frame that is meant to be
in focus (the middle plane), which is harder than that of the best of five planes 1 µm apart.

Demo: the same acquisition on Micro-Manager's C++ DemoCamera ("Fluorescent Beads", which blur with distance from z = 0
and do not drift), focused by a sweep. Writes benchmarks/results/mda.json, a part for each microscope.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from useq import AxesBasedAF, MDASequence

from napari_autofocus.errors import HardwareError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.predictor import load_model
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.mda import (
    MdaFinder,
    MdaFocusRecord,
    acquire_with_autofocus,
    model_finder,
    read_frames,
    sweep_finder,
)

RESULTS = Path(__file__).parent / "results" / "mda.json"
SEED = 7
DOF_UM = 1.0
PLACES_UM = ((0.0, 0.0), (400.0, 0.0), (800.0, 0.0), (0.0, 500.0), (400.0, 500.0))
EMPTY = 3
FAILING = 37
"""Which autofocus fails, counted from 0: position 2 at the eighth time point."""
DRIFT_UM, INTERVAL_S = 0.5, 60.0


class Slide:
    """A slide with one place of bare glass; remembers the truth of its places."""

    def __init__(self) -> None:
        self._scene = Scene.build("he", "dense", "20x/0.75", seed=SEED, shape=(512, 612))
        self._glass = Scene.build("he", "empty", "20x/0.75", seed=SEED, shape=(512, 612))
        self._truth: dict[tuple[float, float], float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene, name)

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        place = round(x_um, 1), round(y_um, 1)
        if place not in self._truth:
            self._truth[place] = self._scene.best_focus_um(x_um, y_um)
        return self._truth[place]

    def snap(self, x_um: float, y_um: float, *rest: Any, **settings: Any) -> Any:
        is_glass = np.hypot(x_um - PLACES_UM[EMPTY][0], y_um - PLACES_UM[EMPTY][1]) < 50
        return (self._glass if is_glass else self._scene).snap(x_um, y_um, *rest, **settings)


def failing_at(finder: MdaFinder, number: int) -> MdaFinder:
    """The same, but one attempt and its second try are ended by a device."""
    asked: list[None] = []

    def find(microscope: Any) -> Generator[Any, None, Any]:
        asked.append(None)
        if len(asked) - 1 in (number, number + 1):
            raise HardwareError("The camera did not answer (injected).")
        record = yield from finder.find(microscope)
        return record

    return replace(finder, find=find)


def plan(heights_um: list[float], times: int) -> MDASequence:
    """The acquisition."""
    places = [(x, y, z) for (x, y), z in zip(PLACES_UM, heights_um, strict=True)]
    return MDASequence(
        stage_positions=places,
        time_plan={"interval": 0, "loops": times},
        z_plan={"range": 4, "step": 1},
        autofocus_plan=AxesBasedAF(axes=("t", "p")),
    )


def told(record: MdaFocusRecord, frames: list[dict[str, Any]], wall_s: float, expected: int) -> dict[str, Any]:
    """What both microscopes have in common."""
    complete = all(frame["autofocus"].get("outcome") and frame["autofocus"].get("finder") for frame in frames)
    others = [event for event in record.events if not event.found]
    return {
        "outcome": record.outcome,
        "frames": record.frames,
        "frames_expected": expected,
        "frames_with_whole_metadata": len(frames) if complete else 0,
        "autofocus_runs": len(record.events),
        "found": sum(event.found for event in record.events),
        "by_policy": sorted({f"{event.outcome} -> {event.policy}" for event in others}),
        "by_policy_runs": len(others),
        "frames_exposed_to_focus": sum(event.frames for event in record.events),
        "microscope_s": round(record.seconds, 1),
        "wall_s": round(wall_s, 1),
    }


def simulated(model_name: str, times: int) -> dict[str, Any]:
    """On the simulated microscope, against its truth."""
    model, slide, rng = load_model(model_name), Slide(), np.random.default_rng(SEED)
    errors: dict[tuple[int, int], dict[int, float]] = {}
    with simulated_rig(
        slide,
        backlash_um=1.0,
        settling_s=0.05,
        exposure_ms=slide.camera.default_exposure_ms,
        clock=VirtualClock(),
        seed=SEED,
    ) as rig:
        rig.z_stage.drift_um_s = DRIFT_UM / INTERVAL_S
        heights_um = [slide.best_focus_um(*place) + float(rng.uniform(-3, 3)) for place in PLACES_UM]
        last_t = [0]

        def on_event(event: Any) -> None:
            if event.index["t"] != last_t[0]:
                last_t[0] = event.index["t"]
                rig.clock.sleep(INTERVAL_S)

        def on_frame(_: Any, event: Any, __: Any) -> None:
            at = event.index["t"], event.index["p"]
            errors.setdefault(at, {})[event.index["z"]] = rig.true_defocus_um()

        rig.core.mda.events.eventStarted.connect(on_event)
        rig.core.mda.events.frameReady.connect(on_frame)
        config = RefocusConfig(
            optics=ImageOptics(slide.objective), sweep=SweepConfig(dof_um=DOF_UM, range_um=model.card.range_um)
        )
        finder = failing_at(model_finder(model, config), FAILING)
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            record = acquire_with_autofocus(rig.microscope, plan(heights_um, times), finder, out=Path(folder) / "run")
            result = told(record, read_frames(Path(folder) / "run"), time.perf_counter() - began, 25 * times)
    content = {at: planes for at, planes in errors.items() if at[1] != EMPTY}
    middle = np.abs([planes[2] for planes in content.values()])
    best = np.abs([min(planes.values(), key=abs) for planes in content.values()])
    by_policy = {(event.index["t"], event.index["p"]): event for event in record.events if not event.found}
    kept = [abs(planes[2]) for at, planes in content.items() if at in by_policy]
    return {
        **result,
        "model": model.name,
        "fingerprint": model.fingerprint,
        "places_and_times_with_content": len(content),
        "middle_plane_within_half_dof": float((middle <= DOF_UM / 2).mean()),
        "middle_plane_mae_um": round(float(middle.mean()), 3),
        "middle_plane_worst_um": round(float(middle.max()), 3),
        "best_plane_within_half_dof": float((best <= DOF_UM / 2).mean()),
        "best_plane_worst_um": round(float(best.max()), 3),
        "middle_plane_where_autofocus_failed_um": [round(value, 3) for value in kept],
        "drifted_um": round(DRIFT_UM * (times - 1), 1),
    }


def demo(times: int) -> dict[str, Any]:
    """On the C++ DemoCamera; its beads are sharpest at z = 0."""
    from pymmcore_plus import CMMCorePlus

    from napari_autofocus.microscope.mmcore import CoreMicroscope

    core, rng = CMMCorePlus(), np.random.default_rng(SEED)
    core.loadSystemConfiguration()
    core.setProperty("Camera", "Mode", "Fluorescent Beads")
    microscope = CoreMicroscope(
        core, focus_direction=1, limits_um=(-60, 60), backlash_um=0, reject_repeats=False
    )  # the beads have no noise
    heights: list[tuple[int, float]] = []
    core.mda.events.frameReady.connect(lambda _, event, __: heights.append((event.index["z"], core.getPosition("Z"))))
    finder = failing_at(
        sweep_finder(SweepConfig(dof_um=DOF_UM, range_um=6, method="coarse-to-fine", polarity="max")), FAILING
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        acquisition = plan([float(z) for z in rng.uniform(-3, 3, len(PLACES_UM))], times)
        record = acquire_with_autofocus(microscope, acquisition, finder, out=Path(folder) / "run")
        result = told(record, read_frames(Path(folder) / "run"), time.perf_counter() - began, 25 * times)
    microscope.close()
    middle = np.abs([z_um for plane, z_um in heights if plane == 2])
    return {
        **result,
        "finder": record.finder,
        "middle_plane_within_half_dof": float((middle <= DOF_UM / 2).mean()),
        "middle_plane_worst_um": round(float(middle.max()), 3),
    }


def main() -> None:
    """Run the benchmark on one microscope and write its figures beside those of the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--microscope", choices=("simulated", "demo"), default="simulated")
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    part = demo(options.times) if options.microscope == "demo" else simulated(options.model, options.times)
    part["command"] = f"python benchmarks/mda.py --microscope {options.microscope} --times {options.times}"
    part |= {"seed": SEED, "date": date.today().isoformat()}
    print(json.dumps(part, indent=1))
    result = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    result[options.microscope] = part
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
