"""A lens calibrated at the shell without a motorised stage: on the known heights of a calibration slide."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.focus_runs import Stand, agreed
from napari_autofocus.cli.options import SIMULATED
from napari_autofocus.cli.output import say
from napari_autofocus.cli.progress import progress_bar, run_to_end
from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.routines.lens_calibration import LensConfig, LensRecord
    from napari_autofocus.routines.lens_steps import SlideStep

COLUMNS = ("x_um", "y_um", "height_um")


def read_steps(path: Path) -> list[SlideStep]:
    """Heights of a slide from a table. Raises InputError."""
    from napari_autofocus.routines.lens_steps import SlideStep

    try:
        with path.open(newline="", encoding="utf-8-sig") as table:
            return [SlideStep(*(float(line[name]) for name in COLUMNS)) for line in csv.DictReader(table)]
    except (OSError, csv.Error, *UNUSABLE) as error:
        raise InputError(
            f"The heights cannot be read from {path}: {error}. Give a CSV file with the columns {', '.join(COLUMNS)}, a"
            " line for each step, heights growing towards the objective."
        ) from error


def measure_on_steps(stand: Stand, which: tuple[str, str], config: LensConfig, table: Path) -> LensRecord:
    """The curve of a lens by the steps of a table, after asking. Raises InputError, HardwareError."""
    from napari_autofocus.focus.lens_curve import LensFacts
    from napari_autofocus.microscope.controls import set_exposure_ms
    from napari_autofocus.microscope.lens_knob import unit_of
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.routines.lens_steps import StepsConfig, calibrate_lens_on_steps, raw_curve

    if stand.microscope == SIMULATED:
        raise InputError("The simulated slide has no known steps; leave out --steps, or name a --microscope.")
    places = read_steps(table)
    facts = LensFacts(
        *which,
        unit_of(which[1]),
        objective=config.objective,
        date=config.date,
        settle_s=config.settle_s,
        overshoot=config.overshoot,
    )
    raw = raw_curve(facts, config.low, config.high)
    with CoreMicroscope.connect(stand.microscope, lens=raw, tolerance_um=config.step / 10) as microscope:
        if stand.exposure_ms is not None:
            set_exposure_ms(microscope, stand.exposure_ms)
        work = calibrate_lens_on_steps(
            microscope, places, StepsConfig(facts, config.step / 2, config.zero, config.timeout_s)
        )
        _ask(microscope, places, stand, facts.unit)
        with progress_bar("calibrating the lens") as advance:

            def follow(step: Any) -> None:
                advance(step.number, step.values, f"height {step.z_um:g} µm: lens at {step.value:.4g}")

            return run_to_end(work, follow)


def _ask(microscope: CoreMicroscope, places: list[SlideStep], stand: Stand, unit: str) -> None:
    """Say what may move and how far; go on only with a yes."""
    (low, high), drive = microscope.focus.limits_um, microscope.focus
    x_um, y_um = [place.x_um for place in places], [place.y_um for place in places]
    say(
        f"{drive.label} will be set between {low:g} and {high:g} {unit}".rstrip()
        + f" and back; the stage will move between x {min(x_um):.0f} and {max(x_um):.0f}, y {min(y_um):.0f} and"
        f" {max(y_um):.0f} µm; the focus stage, if there is one, stays."
    )
    if not (stand.yes or agreed("Is it safe to move there?")):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")
