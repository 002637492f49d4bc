"""What the panels say about a result: words and numbers, no Qt."""

from __future__ import annotations

from napari_autofocus.focus.zstack import FocusCurve, StackFocus
from napari_autofocus.records import SweepRecord

VERDICTS = {
    "peak": "peak",
    "phase_minimum": "minimum between two peaks (transparent specimen)",
    "no_peak": "no peak",
    "peak_at_edge": "highest at the edge of the range",
    "several_peaks": "several peaks",
    "spike": "a single sharp plane, not a focus peak",
    "undersampled": "too few planes across the peak",
}


def signed_um(value: float) -> str:
    """A distance with its sign, as it is printed: a true minus, two decimals."""
    return f"{value:+.2f} µm".replace("-", "−")


def plain_um(value: float, uncertainty: float | None = None) -> str:
    """A position, with its standard uncertainty where there is one."""
    text = f"{value:.2f} µm" if uncertainty is None else f"{value:.2f} ± {max(uncertainty, 0.01):.2f} µm"
    return text.replace("-", "−")


def sweep_sentence(record: SweepRecord) -> str:
    """What a sweep did, in words and numbers."""
    effort = f"{record.frames} frames, {record.seconds:.1f} s"
    if record.outcome == "focused":
        moved = f"Moved {signed_um(record.end_um - record.start_um)}, {effort}"
        return f"{moved}; focus curve: {_found(record.verdict, record.best_z_um, record.uncertainty_um)}."
    back = f"the drive stands at {plain_um(record.end_um)}"
    endings = {
        "reverted": f"Not focused ({VERDICTS.get(record.verdict, record.verdict)})",
        "cancelled": "Stopped",
        "timed_out": "Out of time",
        "refused": "Refused",
        "failed": "Failed",
    }
    return f"{endings[record.outcome]}: {back}, {effort}."


def stack_sentence(focus: StackFocus) -> str:
    """Where a stack is in focus, or that it cannot be told."""
    field = focus.field
    if field.trusted:
        return f"Best focus {plain_um(field.best_z_um or 0.0, field.uncertainty_um)}: {VERDICTS[field.verdict]}."
    return f"Best focus of the field is not to be trusted: {VERDICTS[field.verdict]}."


def patches_sentence(focus: StackFocus) -> str:
    """How many patches can be trusted, and how far their best focus spreads."""
    best = [patch.best_z_um for patch in focus.patches if patch.trusted and patch.best_z_um is not None]
    count = f"{len(best)} of {len(focus.patches)} patches trusted"
    return f"{count}, from {plain_um(min(best))} to {plain_um(max(best))}." if best else f"{count}."


def _found(verdict: str, best_z_um: float | None, uncertainty_um: float | None) -> str:
    name = "minimum" if verdict == "phase_minimum" else "peak"
    return (
        f"{name} at {plain_um(best_z_um, uncertainty_um)}" if best_z_um is not None else VERDICTS.get(verdict, verdict)
    )


def curve_reasons(curve: FocusCurve) -> str:
    """The reasons of a verdict, each on a line of its own."""
    return "\n".join(curve.reasons)
