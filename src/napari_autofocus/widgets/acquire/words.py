"""What the Acquire panel says: estimates, progress and what came of a run, in sentences."""

from __future__ import annotations

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import AcquireRecord, AcquireStep
from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquire.plan import seconds_of_stacks

UNKNOWN_DIRECTION = (
    "Nobody has said which way this drive focuses, so the stacks cannot say either: refocus once in the Autofocus"
    " panel, which asks, before you train on them."
)
_GIGA = 1e9


def estimate_words(stacks: int, planes: int, focus: str, frame: Frame | None, free_bytes: int) -> tuple[str, Tone]:
    """How long it will take and how large it will get, by the newest frame; a warning if the disk is too small."""
    if frame is None:
        return "Time and space are known once a frame has been shown (Snap or Live).", "plain"
    seconds = seconds_of_stacks(stacks, planes, frame.exposure_ms, find=focus != "here")
    needed = stacks * planes * frame.image.nbytes
    told = f"About {_time(seconds)}, at most {_size(needed)}; {_size(free_bytes)} are free."
    return (f"{told} That is too little: choose another folder.", "warning") if needed > free_bytes else (told, "plain")


def step_words(step: AcquireStep) -> str:
    """What is being done."""
    if step.result is not None:
        return f"Position {step.number + 1} is done."
    if step.phase == "find":
        return f"Position {step.number + 1}: looking for focus"
    return f"Position {step.number + 1}: plane {step.plane} of {step.planes}"


def ended_words(record: AcquireRecord, stacks: int, wanted: int) -> tuple[str, Tone]:
    """What came of a run."""
    skipped = f" {len(record.skipped)} places had nothing to offer." if record.skipped else ""
    if record.outcome == "done":
        return f"Done: {stacks} stacks.{skipped} Slide and drive are back.", "good"
    if record.outcome == "cancelled":
        return f"Stopped with {stacks} of {wanted} stacks; Go on takes the rest. Slide and drive are back.", "plain"
    tone: Tone = "warning" if record.outcome == "done_in_part" else "error"
    return f"{stacks} of {wanted} stacks.{skipped} {' '.join(record.reasons)}", tone


def found_words(book: AcquisitionBook) -> str:
    """What a folder holds."""
    done, wanted = len(book.written), book.plan.stacks
    if not book.left:
        return f"This folder holds all of its {done} stacks; choose another folder for more."
    return f"This folder holds {done} of {wanted} stacks; Go on takes the rest by the same plan."


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _size(count: float) -> str:
    return f"{count / _GIGA:.1f} GB" if count >= _GIGA else f"{count / 1e6:.0f} MB"
