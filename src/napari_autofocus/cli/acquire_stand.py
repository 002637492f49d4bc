"""The microscope that stacks are acquired with: a simulated one with its truth, or a real one after asking."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.focus_runs import Stand, agreed, connected
from napari_autofocus.cli.options import SIMULATED, parse_shape
from napari_autofocus.cli.output import say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.workflows.acquisition import AcquisitionPlan

DEFAULT_EXPOSURE_MS = 25.0
DEFAULT_RANGE_UM, DEFAULT_RANGE_DOF = 10.0, 3.6
"""How far to search unless told: so many µm or, where that is more, so many depths of field."""

Truth = Callable[[float, float], float | None]
"""Best focus of a simulated field by its place, µm; None on a real microscope."""


@contextmanager
def acquiring_microscope(
    stand: Stand, stain: str, density: str, lens: Objective | None, shape: str
) -> Iterator[tuple[CoreMicroscope, Truth]]:
    """The microscope to acquire with, simulated or real, and what is known of the truth; closed on leaving."""
    if stand.microscope != SIMULATED:
        with connected(stand) as real:
            yield real, _unknown
        return
    with _simulated(stand, stain, density, lens, parse_shape(shape)) as rig:
        sign = stand.focus_direction or 1
        yield rig.microscope, lambda x_um, y_um: sign * rig.scene.best_focus_um(x_um, y_um)


def _simulated(stand: Stand, stain: str, density: str, lens: Objective | None, shape: tuple[int, int]) -> Any:
    from napari_autofocus.microscope.clock import VirtualClock
    from napari_autofocus.microscope.simulated import simulated_rig
    from napari_autofocus.simulation.cameras import usual_camera
    from napari_autofocus.simulation.scene import Scene

    lit_ms = stand.exposure_ms or DEFAULT_EXPOSURE_MS
    camera = usual_camera(stain, stand.camera, exposure_ms=lit_ms)
    scene = Scene.build(stain, density, lens or "20x/0.75", seed=stand.seed, shape=shape, camera=camera)
    return simulated_rig(
        scene,
        focus_direction=stand.focus_direction or 1,
        backlash_um=1.0 if stand.backlash_um is None else stand.backlash_um,
        exposure_ms=lit_ms,
        clock=VirtualClock(),
        seed=stand.seed,
        limits_um=stand.limits_um,
    )


def lens_of(objective: str | None, pixel_um: float | None, microscope: str) -> Objective | None:
    """The objective that was named; 20x/0.75 where none was and the microscope is simulated. Raises InputError."""
    from napari_autofocus.optics import Objective

    if objective is None and microscope != SIMULATED:
        return None
    if pixel_um is not None and not 0 < pixel_um < float("inf"):
        raise InputError(f"--pixel-um must be a positive number of µm; found {pixel_um:g}.")
    return Objective.parse(objective or "20x/0.75", pixel_size_um=pixel_um)


def usual_range_um(lens: Objective | None, named_um: float | None = None) -> float:
    """How far to either side a search for focus looks: what was named, otherwise 10 µm or 3.6 depths of field."""
    if named_um is not None:
        return named_um
    return DEFAULT_RANGE_UM if lens is None else max(DEFAULT_RANGE_UM, DEFAULT_RANGE_DOF * lens.dof_um)


def _unknown(_x_um: float, _y_um: float) -> None:
    return None


def ask_to_move(microscope: CoreMicroscope, plan: AcquisitionPlan, stand: Stand) -> None:
    """Say what may move and how far; go on only with a yes."""
    drive = microscope.focus
    low, high = drive.limits_um
    say(
        f"The focus drive {drive.label} stands at {drive.position_um():.2f} µm and will move between {low:.2f} and"
        f" {high:.2f} µm, overshoot included{_stage_words(plan)}; stacks: {plan.stacks} of {plan.config.planes} planes."
    )
    if not (stand.yes or agreed("Is it safe to move there?")):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")


def _stage_words(plan: AcquisitionPlan) -> str:
    """Where the stage will go; nothing where there is none."""
    x_um, y_um = zip(*plan.positions, strict=True)
    if math.isnan(x_um[0]):
        return ""
    return (
        f"; the stage will move between x {min(x_um):.0f} and {max(x_um):.0f}, y {min(y_um):.0f} and {max(y_um):.0f} µm"
    )
