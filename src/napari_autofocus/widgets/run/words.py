"""How the table of runs calls the end of a run, and how good news it is."""

from __future__ import annotations

from napari_autofocus.records import HoldEnd, Outcome, TrackRecord
from napari_autofocus.widgets.hold.words import ENDS, counted, duration
from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.widgets.parts.sentences import run_sentence, signed_um
from napari_autofocus.workflows.run_log import RunEntry

OUTCOME_WORDS: dict[Outcome, str] = {
    "focused": "focused",
    "already_in_focus": "was in focus",
    "skipped_no_content": "no content",
    "refused": "refused",
    "reverted": "went back",
    "cancelled": "stopped",
    "timed_out": "out of time",
    "failed": "failed",
}
HOLD_WORDS: dict[HoldEnd, str] = {
    "cancelled": "held",
    "halted": "halted",
    "refused": "refused",
    "no_content": "no content",
    "unsure": "unsure",
    "uneven": "uneven field",
    "out_of_range": "out of range",
    "sharpness_fell": "blurred",
    "drifted_away": "drifted off",
    "wrong_way": "wrong way",
    "at_limit": "at a limit",
    "hardware": "failed",
}
"""Words for the end of a hold: one that a person ended has held."""

_GOOD = ("focused", "was in focus", "held")
_BAD = ("refused", "failed")


def word_of(entry: RunEntry) -> str:
    """How a run ended, in a word or two."""
    words: dict[str, str] = HOLD_WORDS if isinstance(entry.record, TrackRecord) else OUTCOME_WORDS
    return words[entry.outcome]


def tone_of(entry: RunEntry) -> Tone:
    """``good``, ``warning`` or ``error``."""
    word = word_of(entry)
    return "good" if word in _GOOD else "error" if word in _BAD else "warning"


def sentence_of(entry: RunEntry) -> str:
    """What a run did, in words and numbers."""
    record = entry.record
    if not isinstance(record, TrackRecord):
        return run_sentence(record)
    began = ENDS.get(record.ended, "Held focus")
    drift = "" if record.drift_um is None else f"; drift {signed_um(record.drift_um)}"
    counts = f"{counted(record.moves, 'move')}, {counted(record.pauses, 'pause')} in {duration(record.seconds)}"
    return f"{began}: {counts}{drift}."
