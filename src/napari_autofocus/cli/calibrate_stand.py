"""The microscope that is calibrated: a simulated one with the faults it is told, or a real one after asking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.acquire_stand import DEFAULT_EXPOSURE_MS, lens_of
from napari_autofocus.cli.focus_runs import Stand, agreed, connected
from napari_autofocus.cli.options import SIMULATED, parse_shape
from napari_autofocus.cli.output import say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.microscope.simulated import SimulatedRig
    from napari_autofocus.optics import Objective
    from napari_autofocus.workflows.calibration_plan import CalibrationPlan

ABERRATIONS = "Faults of the simulated objective"
Simulated = tuple[str, str, str, float | None, tuple[float, float, float] | None]
"""Stain, density, shape of a field, spherical aberration in waves, chromatic shift in µm."""


@contextmanager
def calibrating_microscope(
    stand: Stand, objective: str | None, pixel_um: float | None, simulated: Simulated, settings: dict[str, Any]
) -> Iterator[tuple[CoreMicroscope, CalibrationPlan]]:
    """The microscope and the plan of its calibration; closed on leaving.

    Raises
    ------
    InputError
        If the objective of a real microscope or the size of its pixels is not stated, or the plan makes no sense.
    HardwareError
        If a device does not answer.
    """
    from napari_autofocus.workflows.calibration_plan import CalibrationPlan

    lens = lens_of(objective, pixel_um, stand.microscope)
    if lens is None:
        raise InputError("The objective of a real microscope must be stated: give --objective, as in 20x/0.75.")
    plan = CalibrationPlan(lens, **settings)
    if stand.microscope == SIMULATED:
        with _rig(stand, lens, *simulated) as rig:
            yield rig.microscope, plan
        return
    around_um = None if stand.limits_um is not None else 2 * (plan.looking_um + plan.reach_um)
    with connected(replace(stand, around_um=around_um)) as real:
        yield real, _with_pixels(plan, real, pixel_um)


def _with_pixels(plan: CalibrationPlan, microscope: CoreMicroscope, pixel_um: float | None) -> CalibrationPlan:
    """The plan with the size of a pixel as stated, otherwise as the microscope says."""
    pixel_um = pixel_um if pixel_um is not None else microscope.snap().pixel_size_um
    if pixel_um is None:
        raise InputError("The microscope does not state the size of its pixels: give --pixel-um, in µm in the sample.")
    return replace(plan, objective=plan.objective.with_pixel_size(pixel_um))


def _rig(
    stand: Stand,
    lens: Objective,
    stain: str,
    density: str,
    shape: str,
    spherical_waves: float | None,
    chromatic_shift_um: tuple[float, float, float] | None,
) -> SimulatedRig:
    from napari_autofocus.microscope.clock import VirtualClock
    from napari_autofocus.microscope.simulated import simulated_rig
    from napari_autofocus.simulation.cameras import usual_camera
    from napari_autofocus.simulation.scene import Scene

    lit_ms = stand.exposure_ms or DEFAULT_EXPOSURE_MS
    faults: dict[str, Any] = {"spherical_waves": spherical_waves, "chromatic_shift_um": chromatic_shift_um}
    scene = Scene.build(
        stain,
        density,
        lens,
        seed=stand.seed,
        shape=parse_shape(shape),
        camera=usual_camera(stain, stand.camera, exposure_ms=lit_ms),
        **{name: value for name, value in faults.items() if value is not None},
    )
    return simulated_rig(
        scene,
        focus_direction=stand.focus_direction or 1,
        backlash_um=1.0 if stand.backlash_um is None else stand.backlash_um,
        exposure_ms=lit_ms,
        clock=VirtualClock(),
        seed=stand.seed,
        limits_um=stand.limits_um,
    )


def undertake(microscope: CoreMicroscope, plan: CalibrationPlan, folder: Path, stand: Stand) -> None:
    """Say what will happen; on a real microscope go on only with a yes."""
    from napari_autofocus.workflows.calibration_plan import undertaking
    from napari_autofocus.workflows.calibration_record import read_record

    begun = read_record(folder)
    if begun is not None and begun.verdict is not None:
        return  # it is only told again
    for sentence in undertaking(plan, microscope, None if begun is None else begun.middle).sentences():
        say(sentence)
    if stand.microscope != SIMULATED and not (stand.yes or agreed("Is it safe to do that?")):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")
