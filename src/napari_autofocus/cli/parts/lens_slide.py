"""A lens calibrated at the shell without a motorised stage: on the known heights of a calibration slide."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.cli.parts.stand import Stand, ask_to_move, stage_words
from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.routines.lens.steps import SlideStep
    from napari_autofocus.routines.lens_calibration import LensConfig, LensRecord

COLUMNS = ("x_um", "y_um", "height_um")


def read_steps(path: Path) -> list[SlideStep]:
    """Heights of a slide from a table. Raises InputError."""
    from napari_autofocus.routines.lens.steps import SlideStep

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
    from napari_autofocus.routines.lens.steps import StepsConfig, calibrate_lens_on_steps, raw_curve

    if stand.is_simulated:
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
        ask_to_move(stand, _what_moves(microscope, places, facts.unit))
        with progress_bar("calibrating the lens") as advance:

            def follow(step: Any) -> None:
                advance(step.number, step.values, f"height {step.z_um:g} µm: lens at {step.value:.4g}")

            return run_to_end(work, follow)


def _what_moves(microscope: CoreMicroscope, places: list[SlideStep], unit: str) -> str:
    low, high = microscope.focus.limits_um
    lens = f"{microscope.focus.label} will be set between {low:g} and {high:g} {unit}".rstrip()
    stage = stage_words([(place.x_um, place.y_um) for place in places])
    return f"{lens} and back; {stage}; the focus stage, if there is one, stays."
