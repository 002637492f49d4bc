"""What the panels say about a result: words and numbers, no Qt."""

from __future__ import annotations

from napari_autofocus.focus.zstack import FocusCurve, StackFocus
from napari_autofocus.records import FocusRecord, RefocusRecord, SweepRecord
from napari_autofocus.routines.refocus_config import Proposal, RefocusStep

VERDICTS = {
    "peak": "peak",
    "phase_minimum": "minimum between two peaks (transparent specimen)",
    "no_peak": "no peak",
    "peak_at_edge": "highest at the edge of the range",
    "several_peaks": "several peaks",
    "spike": "a single sharp plane, not a focus peak",
    "undersampled": "too few planes across the peak",
}

PHASES = {
    "shot": "Looking",
    "verify": "Verifying",
    "second": "Second shot",
    "probe": "Finding out which way the drive focuses",
    "edge": "Looking from the edge of the range",
    "scan": "Scanning the uneven field",
    "neighbour": "Looking at a neighbouring field",
    "sweep": "Sweeping",
    "composite": "All-in-focus image made",
    "apart": "First of two shots",
    "again": "Two shots below focus",
}
_SAME_UM = 0.05
_ENDINGS = {
    "skipped_no_content": "No content to focus on",
    "refused": "Refused to move by this estimate",
    "reverted": "Not focused, went back",
    "cancelled": "Stopped",
    "timed_out": "Out of time",
    "failed": "Failed",
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


def refocus_sentence(record: RefocusRecord) -> str:
    """What a refocus did, in words and numbers."""
    frames = f"{record.frames} frame{'s' * (record.frames != 1)}, {_seconds(record.seconds)}"
    moved = signed_um(record.end_um - record.start_um)
    if record.outcome == "focused":
        return f"Moved {moved} in {record.moves} move{'s' * (record.moves != 1)}, {frames}; {_now(record)}."
    if record.outcome == "already_in_focus":
        stood = abs(record.end_um - record.start_um) < _SAME_UM
        way = "nothing moved" if not record.moves else "left there" if stood else f"moved {moved}"
        return f"Already in focus, {way}, {frames}; {_now(record)}."
    return f"{_ENDINGS[record.outcome]}: the drive stands at {plain_um(record.end_um)}, {frames}."


def run_sentence(record: FocusRecord) -> str:
    """What any focusing run did, in words and numbers."""
    return sweep_sentence(record) if isinstance(record, SweepRecord) else refocus_sentence(record)


def step_sentence(step: RefocusStep) -> str:
    """What a refocus is doing, from its newest frame."""
    found = ""
    if step.estimate is not None and step.estimate.defocus_um is not None:
        found = f": {signed_um(step.estimate.defocus_um)} ({step.estimate.verdict.replace('_', ' ')})"
    onwards = "" if step.target_um is None else f"; next z {plain_um(step.target_um)}"
    return f"{PHASES[step.phase]}, frame {step.index + 1} at z {plain_um(step.z_um)}{found}{onwards}."


def proposal_sentence(proposal: Proposal) -> str:
    """What a refocus would do."""
    if proposal.target_um is None:
        return f"No move to propose: {proposal.reason}"
    way = signed_um(proposal.target_um - proposal.frame.z_um)
    return f"Would move {way}, from {plain_um(proposal.frame.z_um)} to {plain_um(proposal.target_um)}."


def _now(record: RefocusRecord) -> str:
    if record.after_um is None:
        return "verified by its sharpness"
    return f"now {signed_um(record.after_um)} ({abs(record.after_um) / record.dof_um:.2f} DOF)"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


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
