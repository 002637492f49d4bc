"""The microscope that is calibrated: a simulated one with the faults it is told, or a real one after asking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.output import say
from napari_autofocus.cli.parts.stand import SimulatedSlide, Stand, connected, lens_of, require_yes, simulated
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.workflows.calibration_plan import CalibrationPlan

ABERRATIONS = "Faults of the simulated objective"


@dataclass(frozen=True)
class Faults:
    """What is wrong with the simulated objective; None where it is as the shipped models' was."""

    spherical_waves: Annotated[
        float | None,
        typer.Option(
            "--spherical-waves",
            help="Spherical aberration of the simulated objective, in waves; 0.25 as the shipped models' unless given.",
            rich_help_panel=ABERRATIONS,
        ),
    ] = None
    chromatic_shift_um: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--chromatic-shift-um",
            help="Where red, green and blue focus through the simulated objective, in µm.",
            rich_help_panel=ABERRATIONS,
        ),
    ] = None

    def told(self) -> dict[str, Any]:
        """Those that were named."""
        return {name: value for name, value in vars(self).items() if value is not None}


@contextmanager
def calibrating_microscope(
    stand: Stand, slide: SimulatedSlide, faults: Faults, settings: dict[str, Any]
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

    lens = lens_of(stand)
    if lens is None:
        raise InputError("The objective of a real microscope must be stated: give --objective, as in 20x/0.75.")
    plan = CalibrationPlan(lens, **settings)
    if stand.is_simulated:
        with simulated(stand, slide.scene(stand, lens, **faults.told())) as rig:
            yield rig.microscope, plan
        return
    around_um = None if stand.limits_um is not None else 2 * (plan.looking_um + plan.reach_um)
    with connected(replace(stand, around_um=around_um)) as real:
        yield real, _with_pixels(plan, real, stand.pixel_um)


def _with_pixels(plan: CalibrationPlan, microscope: CoreMicroscope, pixel_um: float | None) -> CalibrationPlan:
    """The plan with the size of a pixel as stated, otherwise as the microscope says."""
    pixel_um = pixel_um if pixel_um is not None else microscope.snap().pixel_size_um
    if pixel_um is None:
        raise InputError("The microscope does not state the size of its pixels: give --pixel-um, in µm in the sample.")
    return replace(plan, objective=plan.objective.with_pixel_size(pixel_um))


def undertake(microscope: CoreMicroscope, plan: CalibrationPlan, folder: Path, stand: Stand) -> None:
    """Say what will happen; on a real microscope go on only with a yes."""
    from napari_autofocus.workflows.calibration.record import read_record
    from napari_autofocus.workflows.calibration_plan import undertaking

    begun = read_record(folder)
    if begun is not None and begun.verdict is not None:
        return  # it is only told again
    for sentence in undertaking(plan, microscope, None if begun is None else begun.begun_at).sentences():
        say(sentence)
    if not stand.is_simulated:
        require_yes(stand, "Is it safe to do that?")
