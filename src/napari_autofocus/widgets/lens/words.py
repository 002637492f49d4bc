"""What the Tunable lens panel says: words and numbers, no Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.routines.lens_config import LensConfig, LensRecord, LensStep
from napari_autofocus.widgets.parts.sentences import plain_um, signed_um

if TYPE_CHECKING:
    from napari_autofocus.microscope.drives import StageDrive
    from napari_autofocus.microscope.lens_knob import LensProperty
    from napari_autofocus.widgets.parts.forms import Tone

_FRAMES_EACH = 16
_UNKNOWN = (
    " The stage does not tell which way it focuses, so the lens will not know either; state it in the Microscope panel."
)


def with_unit(value: float, unit: str) -> str:
    """A value of the lens as it is printed."""
    return f"{value:g} {unit}".rstrip().replace("-", "−")


def plan_words(config: LensConfig, chosen: LensProperty, drive: StageDrive) -> str:
    """What will move, and how far."""
    values, (low, high) = config.values, drive.limits_um
    lens = f"{chosen.device} goes from {with_unit(values[0], chosen.unit)} to {with_unit(values[-1], chosen.unit)}"
    frames = _FRAMES_EACH * len(values)
    known = drive.focus_direction or config.focus_direction
    return (
        f"{lens} in {len(values)} values and back; the stage {drive.label} moves between {plain_um(low)} and"
        f" {plain_um(high)} and back; about {frames} frames.{'' if known else _UNKNOWN}"
    )


def step_words(step: LensStep, unit: str) -> str:
    """What is being done, from the newest step."""
    value = f"{with_unit(step.value, unit)} ({step.number + 1} of {step.values})"
    if step.reading is None:
        return f"Lens at {value}: the stage looks at {plain_um(step.z_um)}."
    if step.reading.best_z_um is None:
        return f"Lens at {value}: {step.reading.reason}"
    return f"Lens at {value}: sharpest at {plain_um(step.reading.best_z_um, step.reading.uncertainty_um)}."


def curve_words(curve: LensCurve) -> str:
    """What a curve is."""
    (low, high), facts = curve.range_um, curve.facts
    origin = ", ".join(part for part in (facts.name, facts.objective, facts.date) if part)
    return (
        f"Reaches from {signed_um(low)} to {signed_um(high)}; its {len(curve.points)} points lie"
        f" {plain_um(curve.rms_um)} from it (root mean square). {origin}."
    )


def ended_words(record: LensRecord) -> tuple[str, Tone]:
    """What came of a calibration, and how it is meant."""
    stage = "" if record.end_um is None else f", the stage at {plain_um(record.end_um)}"
    back = f"The lens is at {with_unit(record.end_value, record.unit)}{stage}."
    if record.curve is None:
        stopped = record.outcome == "cancelled"
        why = "Stopped." if stopped else " ".join(record.reasons)
        return (f"{why} {back}" if stopped else why), ("plain" if stopped else "error")
    if record.outcome == "done":
        return f"{curve_words(record.curve)} {back}", "good"
    return f"{record.reasons[0]} {curve_words(record.curve)}", "warning"


def focusing_words(drive: StageDrive) -> str:
    """Who focuses now."""
    low, high = drive.limits_um
    if drive.kind == "lens":
        return f"The lens focuses, from {signed_um(low)} to {signed_um(high)} of focal shift; the stage stays."
    return f"The stage {drive.label} focuses."
