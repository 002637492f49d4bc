"""Models of one's own for microscopes unlike the shipped model's: how good they get, and what they say about that.

    python benchmarks/calibrate.py [--minutes 3 | --samples N] [--folds 3] [--only NAME] [--repeats 2]

Six simulated microscopes: aberration of the other sign, other chromatic shift, NA 0.5 to 0.95, pixels of 0.2 to 0.5 µm.
Of each, eight stacks of two slides (planes half a depth of field apart over ±12, three starts in turn) are labelled by
Brenner and taught to brightfield-20x; the model is then asked about 100 frames of ten other slides within ±10 depths of
field, whose truth is the optics' own. Writes benchmarks/results/calibrate.json after each calibration and goes on from
there; the files lie in build/calibrate.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.models.evaluation import Evaluation, FieldResult, KnownFrame, result_of
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.psf import DEFAULT_CHROMATIC_SHIFT
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.own_models import OwnModel, train_own
from napari_autofocus.workflows.own_plan import OwnSettings

RESULTS = Path(__file__).parent / "results" / "calibrate.json"
FILES = Path(__file__).parents[1] / "build" / "calibrate"
BASE = "brightfield-20x"
STACKS, FRESH = 8, 100
SHAPE = (1024, 1224)
REACH_DOF, STEP_DOF, RANGE_DOF = 12.0, 0.5, 10.0
DENSITIES = ("dense", "dense", "dense", "sparse")


@dataclass(frozen=True)
class Stand:
    """A microscope with its slides.

    Parameters
    ----------
    name, stain : str
        What it is called here, and how its slides are stained.
    objective : Objective
        Sets NA, pixel size and depth of field.
    spherical_waves : float
        Spherical aberration; the shipped model's optics have 0.25.
    colour : float
        Chromatic shift as a multiple of the shipped model's.
    """

    name: str
    stain: str
    objective: Objective
    spherical_waves: float
    colour: float

    def scene(self, slide: int, density: str) -> Scene:
        """A slide under this microscope."""
        depth_um = 0.54 / self.objective.na**2
        red, green, blue = (self.colour * share * depth_um for share in DEFAULT_CHROMATIC_SHIFT)
        return Scene.build(
            self.stain,
            density,
            self.objective,
            seed=slide,
            shape=SHAPE,
            spherical_waves=self.spherical_waves,
            chromatic_shift_um=(red, green, blue),
        )


STANDS = (
    Stand("mirrored", "he", Objective.parse("20x/0.75"), -0.25, -1.0),
    Stand("other colours", "ihc", Objective.parse("20x/0.75", pixel_size_um=0.4), -0.1, -1.0),
    Stand("NA 0.5", "he", Objective(20, 0.5, camera_pixel_um=6.5), -0.2, 0.5),
    Stand("NA 0.5, coarse", "cytology", Objective(20, 0.5, camera_pixel_um=10), 0.15, -1.0),
    Stand("NA 0.6, strong", "he", Objective(25, 0.6, camera_pixel_um=6.5), -0.5, -0.5),
    Stand("NA 0.95", "he", Objective(40, 0.95, camera_pixel_um=8.0), -0.3, 0.6),
)


def write_stacks(stand: Stand, repeat: int, folder: Path) -> None:
    """Eight stacks of two slides, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    dof_um = stand.objective.dof_um
    for number in range(STACKS):
        path = folder / f"stack-{number}.ome.tif"
        if path.exists():
            continue
        rng = np.random.default_rng([repeat, number, 1])
        scene = stand.scene(100 + 10 * repeat + number // 4, DENSITIES[number % 4])
        x_um, y_um = rng.uniform(-3000, 3000, 2)
        best_um = float(rng.uniform(-1, 1) * dof_um)
        start_um = (number % 3 - 1) * STEP_DOF * dof_um / 3
        z_um = np.arange(-REACH_DOF, REACH_DOF + STEP_DOF / 2, STEP_DOF) * dof_um + start_um
        planes = list(scene.stack(x_um, y_um, scene.best_focus_um(x_um, y_um) + z_um - best_um, rng))
        write_stack(path, ZStack(np.stack(planes), z_um, scene.pixel_size_um, path.name, objective=stand.objective))


def fresh_frames(stand: Stand, repeat: int) -> Iterator[KnownFrame]:
    """Frames of slides that nobody has learned from, at any defocus within the range."""
    rng = np.random.default_rng([repeat, 2])
    for number in range(FRESH):
        density = DENSITIES[number % 4]
        scene = stand.scene(1000 + 100 * repeat + number % 10, density)
        x_um, y_um = rng.uniform(-3000, 3000, 2)
        true_um = float(rng.uniform(-RANGE_DOF, RANGE_DOF) * stand.objective.dof_um)
        image = scene.snap(x_um, y_um, scene.best_focus_um(x_um, y_um) + true_um, rng=rng)
        optics = ImageOptics(stand.objective)
        yield KnownFrame(image, true_um, f"fresh-{number}", f"slide-{number % 10}", stand.stain, density, optics)


def taught(folder: Path, settings: OwnSettings) -> OwnModel:
    """The model of one's own."""
    steps = train_own(folder / "stacks", folder / "model.zip", settings, work=folder / "work")
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            made: OwnModel = finished.value
            return made


def asked(predictors: dict[str, ModelPredictor], stand: Stand, repeat: int) -> dict[str, dict[str, Any]]:
    """What each model says about the fresh frames, in depths of field of this microscope."""
    results: dict[str, list[FieldResult]] = {name: [] for name in predictors}
    for frame in fresh_frames(stand, repeat):
        for name, predictor in predictors.items():
            estimate = predictor.estimate(frame.image, optics=frame.optics, insist=True)
            results[name].append(result_of(estimate, frame))
    dof_um = stand.objective.dof_um
    return {name: figures(tuple(found), dof_um) for name, found in results.items()}


def figures(results: tuple[FieldResult, ...], dof_um: float) -> dict[str, Any]:
    """Accuracy over the answered frames, and over all with a number."""
    found = Evaluation("", results, dof_um, RANGE_DOF * dof_um).figures()
    every = np.array([abs(result.error_um) for result in results if result.error_um is not None])
    names = ("mae_dof", "within_half_dof", "within_dof", "direction_success", "interval90_coverage")
    return {
        **{name: found[name] for name in names},
        "refused": found["refused"]["all"],
        "mae_dof_of_every_number": float(every.mean() / dof_um) if every.size else None,
    }


def calibrated(stand: Stand, repeat: int, settings: OwnSettings) -> dict[str, Any]:
    """One calibration, from the stacks to the fresh frames."""
    folder = FILES / f"{stand.name.replace(' ', '-').replace(',', '')}-{repeat}"
    write_stacks(stand, repeat, folder / "stacks")
    began = time.monotonic()
    made = taught(folder, settings)
    assert made.cross_validation is not None
    told, dof_um = made.cross_validation.estimate, stand.objective.dof_um
    predictors = {"before": load_model(BASE), "after": load_model(made.package.path)}
    answers = asked(predictors, stand, repeat)
    found = answers["after"]["mae_dof"]
    return {
        "microscope": stand.name,
        "repeat": repeat,
        "objective": stand.objective.name,
        "pixel_um": stand.objective.pixel_size_um,
        "dof_um": dof_um,
        "stain": stand.stain,
        "spherical_waves": stand.spherical_waves,
        "chromatic_shift_of_shipped": stand.colour,
        "minutes": settings.minutes,
        "samples": settings.samples,
        "folds": made.cross_validation.folds,
        "stacks": len(made.dataset.stacks),
        "set_aside": len(made.dataset.skipped),
        "seconds": round(time.monotonic() - began),
        **answers,
        "told": {
            "mae_dof": told.mae_um / dof_um,
            "low_dof": told.low_um / dof_um,
            "high_dof": told.high_um / dof_um,
            "direction": told.direction,
            "works": told.works,
            "reasons": list(told.reasons),
            "by_stack_dof": by_stack(made, dof_um),
        },
        "holds": found is not None and told.low_um <= found * dof_um <= told.high_um,
    }


def by_stack(made: OwnModel, dof_um: float) -> list[float]:
    """Mean error of each stack while it was held out, over the depth of field."""
    assert made.cross_validation is not None
    errors: dict[str, list[float]] = {}
    for result in made.cross_validation.evaluation.results:
        if result.error_um is not None and not result.refused:
            errors.setdefault(result.source, []).append(abs(result.error_um) / dof_um)
    return [round(float(np.mean(each)), 3) for each in errors.values()]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the calibrations show together."""
    first = list({row["microscope"]: row for row in reversed(rows)}.values())
    errors = [row["after"]["mae_dof"] for row in first]
    return {
        "microscopes": len(first),
        "mae_dof_mean": round(float(np.mean(errors)), 3),
        "mae_dof_worst": round(float(np.max(errors)), 3),
        "direction_least": min(row["after"]["direction_success"] for row in first),
        "estimate_holds": f"{sum(row['holds'] for row in rows)} of {len(rows)}",
        "widest_interval": round(
            max((row["told"]["high_dof"] - row["told"]["low_dof"]) / 2 / row["told"]["mae_dof"] for row in rows), 3
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="of teaching, and as many for each fold")
    parser.add_argument("--samples", type=int, help="patches to show instead, whatever time that takes")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--only", help="name of one microscope")
    parser.add_argument("--repeats", type=int, default=2, help="calibrations of each microscope, with other slides")
    arguments = parser.parse_args()
    budget = (
        {"minutes": arguments.minutes} if arguments.samples is None else {"samples": arguments.samples, "minutes": 1e6}
    )
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text())["calibrations"] if RESULTS.exists() else []
    for repeat in range(arguments.repeats):
        for stand in STANDS:
            done = any(row["microscope"] == stand.name and row["repeat"] == repeat for row in rows)
            if done or arguments.only not in (None, stand.name):
                continue
            rows.append(calibrated(stand, repeat, OwnSettings(base=BASE, folds=arguments.folds, seed=repeat, **budget)))
            RESULTS.write_text(json.dumps({"summary": summary(rows), "calibrations": rows}, indent=1) + "\n")
            print(
                json.dumps({key: rows[-1][key] for key in ("microscope", "repeat", "before", "after", "told", "holds")})
            )
            print(json.dumps(summary(rows)), flush=True)


if __name__ == "__main__":
    main()
