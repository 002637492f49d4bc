"""Focus maps of simulated slides: errors, time and exposures of one shot a point, beside a z-stack a point.

    python benchmarks/survey.py [--only dense-16 sparse-16 ...]

The slide: 10 x 10 mm, tilted by 30 µm in 10 mm, waves of ±5 µm at least 6 mm long, a fifth of it bare glass, H&E
under 20x/0.75 (model brightfield-20x), fields of 512 x 612 px, the drive 6 µm out of focus at the start. XY at 20 mm/s
and 200 mm/s², z settling 50 ms with 1 µm of play, exposure 25 ms, all on a virtual clock. The time that the model takes
is not on that clock; it is told beside it (``reading_s``), by the wall of the machine that ran this.

``stacks`` cases are the z-stack survey (21 planes a point, 1 µm apart, Brenner). Its time depends on planes and moves
alone, not on what is seen, so those of 8 x 8 and 16 x 16 points look at a small texture with the same true surface,
and every one-shot case is compared with the one of as many points; ``sparse-4-stacks`` looks at the slide itself.
``texture`` cases of one shot have the truth for a model: what a survey of 8 x 8, 16 x 16 and 24 x 24 points costs.
Results are written after each case (benchmarks/results/survey.json); cases found there are done again only if named.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.files import replacing
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.optics import Objective
from napari_autofocus.routines.survey import (
    Place,
    SurveyConfig,
    SurveyRecord,
    SweepSurveyConfig,
    survey,
    survey_by_sweep,
)
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.workflows.reports.survey_figures import (
    TrueSurface,
    map_of,
    point_errors_um,
    summarise_survey,
    true_surface,
)

RESULTS = Path(__file__).parent / "results" / "survey.json"
SEED = 12
SIDE_UM, TILT_UM, WAVES_UM, WAVE_LENGTH_UM, BARE = 10_000.0, 30.0, 5.0, 6000.0, 0.2
SHAPE = (512, 612)
START_UM = 6.0
CASES = {
    "dense-16": ("dense", 16, "one-shot"),
    "sparse-16": ("sparse", 16, "one-shot"),
    "extremely-sparse-16": ("extremely-sparse", 16, "one-shot"),
    "texture-16-stacks": ("texture", 16, "z-stack"),
    "dense-8": ("dense", 8, "one-shot"),
    "extremely-sparse-8": ("extremely-sparse", 8, "one-shot"),
    "sparse-8": ("sparse", 8, "one-shot"),
    "sparse-24": ("sparse", 24, "one-shot"),
    "texture-8-stacks": ("texture", 8, "z-stack"),
    "texture-8": ("texture", 8, "truth"),
    "texture-16": ("texture", 16, "truth"),
    "texture-24": ("texture", 24, "truth"),
    "sparse-8-down": ("sparse", 8, "one-shot"),
    "sparse-4-stacks": ("sparse", 4, "z-stack"),
}


class TextureScene:
    """A small random texture that blurs evenly, in focus where the slide is: for times, which no content changes."""

    shape, pixel_size_um = (64, 80), 0.325

    def __init__(self, truth: TrueSurface) -> None:
        self.best_focus_um = truth
        self._texture = np.random.default_rng(1).random((*self.shape, 3), dtype=np.float32)

    def snap(self, x_um: float, y_um: float, axial_um: float, *, rng: np.random.Generator, **_: Any) -> Any:
        """A frame, u8."""
        away_um = min(abs(axial_um - self.best_focus_um(x_um, y_um)), 40.0)
        noisy = 20 + 200 * cv2.GaussianBlur(self._texture, (0, 0), 0.8 + 0.2 * away_um)
        return np.clip(noisy + rng.normal(size=noisy.shape), 0, 255).astype(np.uint8)


def grid(points: int) -> list[Place]:
    """A square grid over the slide, back and forth."""
    at = (np.arange(points) - (points - 1) / 2) * SIDE_UM / points
    return [(float(x), float(y)) for row, y in enumerate(at) for x in (at if row % 2 == 0 else at[::-1])]


@dataclass(frozen=True)
class TruthCard:
    """What a routine asks of a model."""

    dof_um: float = 1.0
    range_um: float = 10.0


class Truth:
    """A model that knows."""

    name, fingerprint, card = "truth", "0" * 64, TruthCard()

    def __init__(self, rig: SimulatedRig) -> None:
        self._rig = rig

    def estimate(self, *_: Any, **__: Any) -> FocusEstimate:
        """The true defocus of the field under the objective."""
        return FocusEstimate("flat", self._rig.true_defocus_um(), 0.05, direction_probability=1.0)


def rig_of(density: str, direction: int) -> tuple[SimulatedRig, TrueSurface]:
    """The issue's slide on the issue's stages, out of focus at the first place."""
    share = TILT_UM / (SIDE_UM / 1000) / np.sqrt(2)
    topography = Topography(share, share, wave_um=WAVES_UM, wave_length_um=WAVE_LENGTH_UM)
    camera = Camera(default_exposure_ms=25.0)
    stain_at = "sparse" if density == "texture" else density
    scene = Scene.build(
        "he", stain_at, "20x/0.75", seed=SEED, shape=SHAPE, topography=topography, bare=BARE, camera=camera
    )
    rig = simulated_rig(
        TextureScene(true_surface(scene, 1)) if density == "texture" else scene,
        focus_direction=direction,
        backlash_um=1.0,
        settling_s=0.05,
        exposure_ms=25.0,
        xy_speed_um_s=20_000.0,
        xy_acceleration_um_s2=200_000.0,
        clock=VirtualClock(),
        seed=SEED,
    )
    return rig, true_surface(scene, direction)


def run(name: str, model: ModelPredictor) -> dict[str, Any]:
    """One case, with its figures."""
    density, points, method = CASES[name]
    direction = -1 if name.endswith("-down") else 1
    places = grid(points)
    rig, truth = rig_of(density, direction)
    memory: list[float] = []
    reading_s = 0.0
    with rig:
        walk_to(rig.microscope.focus, truth(*places[0]) + START_UM)
        optics = ImageOptics(Objective.parse("20x/0.75"))
        if method == "z-stack":
            steps = survey_by_sweep(rig.microscope, SweepSurveyConfig(dof_um=1.0), places)
        else:
            sweep = SweepConfig(dof_um=1.0, range_um=10.0)
            config = SurveyConfig(optics=optics, sweep=sweep, mirrored=(False, False))
            steps = survey(rig.microscope, Truth(rig) if method == "truth" else model, config, places)
        began = time.perf_counter()
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                record: SurveyRecord = finished.value
                break
            reading_s += (step.estimate.seconds or 0.0) if step.estimate is not None else 0.0
            if step.phase == "point":
                memory.append(resident_mb())
                if step.done % 32 == 0:
                    print(f"{name}: {step.done} of {step.total} after {time.perf_counter() - began:.0f} s", flush=True)
    told = summarise_survey(record, map_of(record), truth)
    quarter = len(memory) // 4
    return {
        **told,
        "density": density,
        "direction": direction,
        "p95_um": percentile(point_errors_um(record.points, truth)),
        "reading_s": reading_s,
        "seconds_a_point": record.seconds / len(places),
        "memory_mb": [memory[quarter], memory[2 * quarter], memory[-1]],
        "reasons": record.reasons,
        "refused": [point.reason for point in record.points if point.outcome in ("refused", "failed")][:5],
        "again": sum("second" in point.reason for point in record.points),
        "wall_s": time.perf_counter() - began,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def percentile(errors: Any) -> float | None:
    """The error that 95 % of points do not exceed, µm."""
    return float(np.percentile(errors, 95)) if errors.size else None


def resident_mb() -> float:
    """Memory that this process holds now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def rounded(value: Any) -> Any:
    """Figures for a file that people read."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def compared(cases: dict[str, Any]) -> dict[str, Any]:
    """Each one-shot case beside the z-stack survey of as many points; with the model's own time as well."""
    stacks = {case["places"]: case for case in cases.values() if case["method"] == "z-stack"}
    told = {}
    for name, case in cases.items():
        if case["method"] == "one-shot" and case["density"] != "texture" and (beside := stacks.get(case["places"])):
            told[name] = {
                "time_ratio": case["seconds"] / beside["seconds"],
                "time_ratio_with_reading": (case["seconds"] + case["reading_s"]) / beside["seconds"],
                "exposures_ratio": case["exposures"] / beside["exposures"],
            }
    return told


def main() -> None:
    """Run cases, print what came of them and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = load_model(options.model)
    for name in options.only:
        case = run(name, model)
        kept = json.loads(options.out.read_text())["cases"] if options.out.exists() else {}
        cases = {key: case if key == name else kept[key] for key in CASES if key == name or key in kept}
        result = {
            "command": "python benchmarks/survey.py",
            "seed": SEED,
            "model": options.model,
            "slide": f"{SIDE_UM / 1000:g} mm, tilt {TILT_UM:g} µm, waves ±{WAVES_UM:g} µm, {BARE:.0%} bare",
            "compared": compared(cases),
            "cases": cases,
        }
        with replacing(options.out) as part:
            part.write_text(json.dumps(rounded(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(name, json.dumps(rounded(case)), flush=True)


if __name__ == "__main__":
    main()
