"""``napari-autofocus calibrate-lens``: the curve of a tunable lens, measured with the stage and kept in a file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.lens_slide import measure_on_steps
from napari_autofocus.cli.parts.options import AroundUm
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.cli.parts.stand import SimulatedSlide, Stand, ask_to_move, lens_of, slide_microscope
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.lens_knob import PropertyKnob
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.routines.lens_calibration import LensConfig, LensRecord

LENS = "Lens"


def calibrate_lens(
    out: Annotated[
        Path, typer.Option(help="File for the curve; refocus, sweep, survey and acquire take it as --lens.")
    ],
    *,
    device: Annotated[
        str, typer.Option(help="Label of the device that drives the lens.", rich_help_panel=LENS)
    ] = "Lens",
    property_name: Annotated[
        str, typer.Option("--property", help="Its property, which takes numbers.", rich_help_panel=LENS)
    ] = "Current-mA",
    value_range: Annotated[
        str,
        typer.Option(
            "--range", help="Lowest and highest value to measure, in the property's unit.", rich_help_panel=LENS
        ),
    ] = "-120:120",
    step: Annotated[float, typer.Option(help="Distance of the values.", rich_help_panel=LENS)] = 10.0,
    zero: Annotated[
        float, typer.Option(help="Value at which the focal shift is called 0: parfocal.", rich_help_panel=LENS)
    ] = 0.0,
    settle_ms: Annotated[
        float, typer.Option("--settle-ms", help="Time for the lens to come to rest, in ms.", rich_help_panel=LENS)
    ] = 50.0,
    overshoot: Annotated[
        float,
        typer.Option(
            help="Set the lens so much lower before each value, so that its hysteresis is taken up from the same side.",
            rich_help_panel=LENS,
        ),
    ] = 0.0,
    search_um: Annotated[
        float,
        typer.Option(
            "--search-um",
            help="How far the stage looks for the focus of the first value, in µm to either side; later ones are looked"
            " for where those before point to.",
            rich_help_panel=LENS,
        ),
    ] = 20.0,
    steps: Annotated[
        Path | None,
        typer.Option(
            help="For a stand without a motorised focus stage: a CSV file with the columns x_um, y_um, height_um of a"
            " slide's known steps. The lens is swept at each.",
            rich_help_panel=LENS,
        ),
    ] = None,
    stand: Stand,
    range_um: AroundUm = None,
    slide: SimulatedSlide,
    as_json: Annotated[
        bool,
        typer.Option("--json", help='Print one JSON object: {"out", "outcome", "points": \\[...], "rms_um", ...}.'),
    ] = False,
) -> None:
    """Measure the curve of a tunable lens: by how many µm each value of a device property shifts the focus.

    Put a field with much content under the objective, roughly in focus. The lens goes through its values in rising
    order, and at each the stage looks for the sharpest plane. Lens and stage end where they began, whatever happens.
    The fit is monotone; where the focus turns back, or nothing can be focused, there is no file, and the place is told.

    Exit code 3: some values found no focus and are left out, or there is no curve at all; "outcome" tells which.

    Examples:

        napari-autofocus calibrate-lens --device Lens --property Current-mA --range -120:120 --step 10 --out lens.json
        napari-autofocus refocus --model brightfield-20x --lens lens.json --runs 5
        napari-autofocus calibrate-lens --microscope MMConfig.cfg --objective 20x/0.75 --range-um 40 --out lens.json
    """
    with reserved_stdout(as_json):
        _require_target(out)
        lens = lens_of(stand)
        if lens is None:
            raise InputError("The step of the search cannot be derived: give --objective, as in 20x/0.75.")
        low, high = parse_range(value_range)
        wishes = {"low": low, "high": high, "step": step, "zero": zero, "overshoot": overshoot, "range_um": search_um}
        config = _config(lens, settle_ms, stand.focus_direction, wishes)
        stand = replace(stand, around_um=range_um)
        if steps is not None:
            record = measure_on_steps(stand, (device, property_name), config, steps)
        else:
            with slide_microscope(stand, slide, lens) as (seen, _):
                record = _measure(seen, stand, (device, property_name), config)
        if record.curve is not None:
            record.curve.save(out)
        _tell(record, out, as_json)
    if record.outcome != "done":
        raise typer.Exit(DONE_IN_PART)


def parse_range(text: str) -> tuple[float, float]:
    """Read ``-120:120`` as lowest and highest value. Raises InputError."""
    low, colon, high = text.partition(":")
    try:
        values = float(low), float(high)
    except ValueError:
        values = math.nan, math.nan
    if not colon or not values[0] < values[1]:
        raise InputError(f"Cannot read {text!r} as a range; write lowest:highest, as in -120:120.")
    return values


def _require_target(out: Path) -> None:
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"The curve cannot be written to {out}; name a file in a folder that exists.")


def _config(lens: Objective, settle_ms: float, focus_direction: int | None, wishes: dict[str, Any]) -> LensConfig:
    from datetime import date

    from napari_autofocus.routines.lens_calibration import LensConfig

    return LensConfig(
        dof_um=lens.dof_um,
        settle_s=settle_ms / 1000,
        focus_direction=focus_direction or 0,
        objective=lens.name,
        date=date.today().isoformat(),
        **wishes,
    )


def _measure(microscope: CoreMicroscope, stand: Stand, which: tuple[str, str], config: LensConfig) -> LensRecord:
    from napari_autofocus.microscope.lens_knob import PropertyKnob
    from napari_autofocus.routines.lens_calibration import calibrate_lens as begin

    knob = PropertyKnob(microscope.core, *which, clock=microscope.clock, settle_s=config.settle_s)
    work = begin(microscope, knob, config)
    ask_to_move(stand, _what_moves(microscope, knob, config))
    with progress_bar("calibrating the lens") as advance:

        def follow(step: Any) -> None:
            at = f"{step.value:g} {knob.unit}".rstrip()
            advance(step.number, step.values, f"{at}: stage at {step.z_um:.2f} µm")

        return run_to_end(work, follow)


def _what_moves(microscope: CoreMicroscope, knob: PropertyKnob, config: LensConfig) -> str:
    drive, values = microscope.focus, config.values
    low, high = drive.limits_um
    return (
        f"{knob.device} will be set to {knob.name} from {values[0]:g} to {values[-1]:g} and back to {knob.value():g};"
        f" the focus drive {drive.label} stands at {drive.position_um():.2f} µm and will move between {low:.2f} and"
        f" {high:.2f} µm, overshoot included."
    )


def _tell(record: LensRecord, out: Path, as_json: bool) -> None:
    told = _described(record, out)
    if as_json:
        print_json(told)
        return
    for reason in record.reasons:
        say(reason)
    if record.curve is None:
        say("There is no curve, and nothing was written.")
        return
    for point in told["points"]:
        shifts = f"{point['shift_um']:>9.2f} µm   residual {point['residual_um']:+.2f} µm"
        typer.echo(f"{point['value']:>9g} {record.unit:<4}{shifts}")
    low, high = record.curve.range_um
    say(
        f"The curve reaches from {low:.2f} to {high:.2f} µm, its points lie {record.curve.rms_um:.2f} µm from it (root"
        f" mean square), {record.frames} frames. It is in {out}."
    )


def _described(record: LensRecord, out: Path) -> dict[str, Any]:
    curve = record.curve
    points = []
    if curve is not None:
        for point, fitted_um in zip(curve.points, curve.fitted_um, strict=True):
            residual_um = point.shift_um - fitted_um
            points.append({**vars(point), "fitted_um": fitted_um, "residual_um": residual_um})
    names = ("outcome", "reasons", "device", "property", "unit", "frames", "seconds")
    return {
        "out": None if curve is None else str(out),
        **{name: getattr(record, name) for name in names},
        "points": points,
        "missing": [vars(reading) for reading in record.readings if reading.best_z_um is None],
        "range_um": None if curve is None else curve.range_um,
        "rms_um": None if curve is None else curve.rms_um,
        "largest_residual_um": record.largest_residual_um,
        "focus_direction": None if curve is None else curve.facts.focus_direction,
    }
