"""What the Hold tab says: the states of a hold, what ended it, times and counts."""

from __future__ import annotations

from napari_autofocus.widgets.parts.forms import Tone

STATES: dict[str, tuple[str, Tone]] = {
    "holding": ("Holding", "good"),
    "corrected": ("Corrected", "good"),
    "missed": ("Not sure", "warning"),
    "paused": ("Paused", "warning"),
    "resumed": ("Resumed", "good"),
    "stopped": ("Stopped", "warning"),
}
ENDS = {
    "refused": "Refused",
    "no_content": "Stopped: no content",
    "unsure": "Stopped: the model is unsure",
    "uneven": "Stopped: the field has no single focus",
    "out_of_range": "Stopped: out of the model's range",
    "sharpness_fell": "Stopped: sharpness fell",
    "drifted_away": "Stopped: drifted too far",
    "wrong_way": "Stopped: went the wrong way",
    "at_limit": "Stopped at a limit",
    "halted": "Stopped: the drive was halted",
    "hardware": "Stopped: the microscope failed",
}


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(count: int, what: str) -> str:
    """A number of things."""
    return f"{count} {what}{'' if count == 1 else 's'}"
