"""The microscope that a survey runs on: a simulated slide with its true surface, or a real one after asking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.options import SLIDE
from napari_autofocus.cli.parts.stand import (
    SimulatedSlide,
    Stand,
    ask_to_move,
    connected,
    drive_words,
    simulated,
    stage_words,
)
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.routines.survey import Place
    from napari_autofocus.simulation.scene import Scene
    from napari_autofocus.workflows.reports.survey_figures import TrueSurface

WAVE_LENGTH_UM = 6000.0
TILT_OVER_MM = 10.0
XY_SPEED_UM_S, XY_ACCELERATION_UM_S2, SETTLING_S = 20_000.0, 200_000.0, 0.05
START_WITHIN_UM = 8.0


@dataclass(frozen=True)
class Relief:
    """How a simulated slide lies, and how much of it is bare."""

    tilt_um: Annotated[
        float, typer.Option("--tilt-um", help="How much the slide rises over 10 mm, in µm.", rich_help_panel=SLIDE)
    ] = 30.0
    waves_um: Annotated[
        float, typer.Option("--waves-um", help="Height of waves 6 mm and longer, in µm.", rich_help_panel=SLIDE)
    ] = 5.0
    empty: Annotated[
        float, typer.Option(help="Share of the slide that is bare glass, from 0 to 1.", rich_help_panel=SLIDE)
    ] = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.empty < 1:
            raise InputError(
                f"--empty is the share of the slide that is bare glass, from 0 to below 1; found {self.empty}."
            )
        if not self.waves_um >= 0:
            raise InputError(f"--waves-um is zero or a positive number of µm; found {self.waves_um:g}.")


@contextmanager
def surveyed_microscope(
    stand: Stand, slide: SimulatedSlide, relief: Relief, lens: Objective | None
) -> Iterator[tuple[CoreMicroscope, TrueSurface | None]]:
    """The microscope to survey with and, where it is simulated, the truth; closed on leaving."""
    if not stand.is_simulated:
        with connected(stand) as real:
            yield real, None
        return
    from napari_autofocus.workflows.reports.survey_figures import true_surface

    assert lens is not None  # the model's own, where none was named
    scene = _scene(stand, slide, relief, lens)
    with simulated(
        stand,
        scene,
        settling_s=SETTLING_S,
        xy_speed_um_s=XY_SPEED_UM_S,
        xy_acceleration_um_s2=XY_ACCELERATION_UM_S2,
    ) as rig:
        yield rig.microscope, true_surface(scene, stand.simulated_direction())


def _scene(stand: Stand, slide: SimulatedSlide, relief: Relief, lens: Objective) -> Scene:
    from napari_autofocus.simulation.topography import Topography

    # Along the diagonal, so that both ways of the stage go up and down.
    slope = relief.tilt_um / TILT_OVER_MM / 2**0.5
    topography = Topography(slope, slope, wave_um=relief.waves_um, wave_length_um=WAVE_LENGTH_UM)
    return slide.scene(stand, lens, topography=topography, bare=relief.empty)


def leave_defocused(microscope: CoreMicroscope, truth: TrueSurface, place: Place, seed: int) -> None:
    """Stand at a place as a person leaves it: up to some µm out of focus, as far as the limits of the drive allow."""
    import numpy as np

    from napari_autofocus.microscope.protocol import walk_to

    low, high = microscope.focus.limits_um
    off_um = float(np.random.default_rng([seed, 7]).uniform(-START_WITHIN_UM, START_WITHIN_UM))
    walk_to(microscope.focus, min(max(truth(*place) + off_um, low), high))


def mirrored_of(text: str | None, stand: Stand) -> tuple[bool, bool] | None:
    """Whether columns grow against x and rows against y; None where nobody said. Raises InputError."""
    if text is None:
        return (False, False) if stand.is_simulated else None
    if text not in ("no", "x", "y", "xy"):
        raise InputError(f"--mirrored is no, x, y or xy; found {text!r}.")
    return "x" in text, "y" in text


def optics_of(lens: Objective | None) -> ImageOptics | None:
    """How frames are taken, for the model; None where nobody said, which it refuses."""
    from napari_autofocus.focus.estimate import ImageOptics

    return None if lens is None else ImageOptics(lens)


def ask_to_survey(microscope: CoreMicroscope, places: Sequence[Place], stand: Stand) -> None:
    """Say what may move and how far; go on only with a yes. Raises InputError without one, or beyond the stage."""
    (x_um, y_um), xy = zip(*places, strict=True), microscope.xy
    x0, y0, x1, y1 = xy.limits_um
    if min(x_um) < x0 or max(x_um) > x1 or min(y_um) < y0 or max(y_um) > y1:
        raise InputError(
            f"The places reach from x {min(x_um):.0f} to {max(x_um):.0f} and y {min(y_um):.0f} to {max(y_um):.0f} µm,"
            f" beyond the limits of the XY stage (x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f} µm); take a smaller"
            " area, or move the stage to its middle."
        )
    stage = f"{stage_words(places)}, and a field's width beyond"
    ask_to_move(stand, f"{drive_words(microscope.focus)}; {stage}; places: {len(places)}.")
