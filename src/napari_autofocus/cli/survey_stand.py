"""The microscope that a survey runs on: a simulated slide with its true surface, or a real one after asking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.acquire_stand import DEFAULT_EXPOSURE_MS
from napari_autofocus.cli.focus_runs import Stand, agreed, connected
from napari_autofocus.cli.options import SIMULATED
from napari_autofocus.cli.output import say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.models.predictor import ModelPredictor
    from napari_autofocus.optics import Objective
    from napari_autofocus.routines.survey import Place
    from napari_autofocus.workflows.survey_figures import TrueSurface

WAVE_LENGTH_UM = 6000.0
TILT_OVER_MM = 10.0
XY_SPEED_UM_S, XY_ACCELERATION_UM_S2, SETTLING_S = 20_000.0, 200_000.0, 0.05
START_WITHIN_UM = 8.0


@dataclass(frozen=True)
class SlideWish:
    """What the simulated slide is to be like."""

    stain: str
    density: str
    shape: tuple[int, int]
    tilt_um: float
    waves_um: float
    empty: float

    def __post_init__(self) -> None:
        if not 0 <= self.empty < 1:
            raise InputError(
                f"--empty is the share of the slide that is bare glass, from 0 to below 1; found {self.empty}."
            )
        if not self.waves_um >= 0:
            raise InputError(f"--waves-um is zero or a positive number of µm; found {self.waves_um:g}.")


@contextmanager
def surveyed_microscope(
    stand: Stand, wish: SlideWish, lens: Objective | None
) -> Iterator[tuple[CoreMicroscope, TrueSurface | None]]:
    """The microscope to survey with and, where it is simulated, the truth; closed on leaving."""
    if stand.microscope != SIMULATED:
        with connected(stand) as real:
            yield real, None
        return
    from napari_autofocus.workflows.survey_figures import true_surface

    assert lens is not None  # the model's own, where none was named
    with _rig(stand, wish, lens) as rig:
        yield rig.microscope, true_surface(rig.scene, stand.focus_direction or 1)


def _rig(stand: Stand, wish: SlideWish, lens: Objective) -> Any:
    """The slide on quick stages that live by a virtual clock."""
    from napari_autofocus.microscope.clock import VirtualClock
    from napari_autofocus.microscope.simulated import simulated_rig
    from napari_autofocus.simulation.cameras import usual_camera
    from napari_autofocus.simulation.scene import Scene
    from napari_autofocus.simulation.topography import Topography

    lit_ms = stand.exposure_ms or DEFAULT_EXPOSURE_MS
    # Along the diagonal, so that both ways of the stage go up and down.
    slope = wish.tilt_um / TILT_OVER_MM / 2**0.5
    scene = Scene.build(
        wish.stain,
        wish.density,
        lens,
        seed=stand.seed,
        shape=wish.shape,
        topography=Topography(slope, slope, wave_um=wish.waves_um, wave_length_um=WAVE_LENGTH_UM),
        bare=wish.empty,
        camera=usual_camera(wish.stain, stand.camera, exposure_ms=lit_ms),
    )
    return simulated_rig(
        scene,
        focus_direction=stand.focus_direction or 1,
        backlash_um=1.0 if stand.backlash_um is None else stand.backlash_um,
        settling_s=SETTLING_S,
        xy_speed_um_s=XY_SPEED_UM_S,
        xy_acceleration_um_s2=XY_ACCELERATION_UM_S2,
        exposure_ms=lit_ms,
        clock=VirtualClock(),
        seed=stand.seed,
        limits_um=stand.limits_um,
    )


def leave_defocused(microscope: CoreMicroscope, truth: TrueSurface, place: Place, seed: int) -> None:
    """Stand at a place as a person leaves it: up to some µm out of focus, as far as the limits of the drive allow."""
    import numpy as np

    from napari_autofocus.microscope.protocol import walk_to

    low, high = microscope.focus.limits_um
    off_um = float(np.random.default_rng([seed, 7]).uniform(-START_WITHIN_UM, START_WITHIN_UM))
    walk_to(microscope.focus, min(max(truth(*place) + off_um, low), high))


def lens_of_survey(
    objective: str | None, pixel_um: float | None, predictor: ModelPredictor | None, microscope: str
) -> Objective | None:
    """The objective that was named; the model's own where none was and the microscope is simulated."""
    from napari_autofocus.optics import Objective

    if pixel_um is not None and not 0 < pixel_um < float("inf"):
        raise InputError(f"--pixel-um must be a positive number of µm; found {pixel_um:g}.")
    if objective is not None:
        return Objective.parse(objective, pixel_size_um=pixel_um)
    if microscope != SIMULATED or predictor is None:
        return None
    own = predictor.card.optics
    return Objective.parse(own.objective.name, pixel_size_um=own.pixel_size_um if pixel_um is None else pixel_um)


def mirrored_of(text: str | None, microscope: str) -> tuple[bool, bool] | None:
    """Whether columns grow against x and rows against y; None where nobody said. Raises InputError."""
    if text is None:
        return (False, False) if microscope == SIMULATED else None
    if text not in ("no", "x", "y", "xy"):
        raise InputError(f"--mirrored is no, x, y or xy; found {text!r}.")
    return "x" in text, "y" in text


def optics_of(lens: Objective | None) -> ImageOptics | None:
    """How frames are taken, for the model; None where nobody said, which it refuses."""
    from napari_autofocus.focus.estimate import ImageOptics

    return None if lens is None else ImageOptics(lens)


def ask_to_survey(microscope: CoreMicroscope, places: Sequence[Place], stand: Stand) -> None:
    """Say what may move and how far; go on only with a yes. Raises InputError without one, or beyond the stage."""
    drive, xy = microscope.focus, microscope.xy
    (low, high), (x_um, y_um) = drive.limits_um, zip(*places, strict=True)
    x0, y0, x1, y1 = xy.limits_um
    if min(x_um) < x0 or max(x_um) > x1 or min(y_um) < y0 or max(y_um) > y1:
        raise InputError(
            f"The places reach from x {min(x_um):.0f} to {max(x_um):.0f} and y {min(y_um):.0f} to {max(y_um):.0f} µm,"
            f" beyond the limits of the XY stage (x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f} µm); take a smaller"
            " area, or move the stage to its middle."
        )
    if stand.microscope == SIMULATED:
        return
    say(
        f"The focus drive {drive.label} stands at {drive.position_um():.2f} µm and will move between {low:.2f} and"
        f" {high:.2f} µm, overshoot included; the stage will move between x {min(x_um):.0f} and {max(x_um):.0f}, y"
        f" {min(y_um):.0f} and {max(y_um):.0f} µm, and a field's width beyond; places: {len(places)}."
    )
    if not (stand.yes or agreed("Is it safe to move there?")):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")
