"""What focusing during an acquisition leaves behind: each attempt, each frame left out, and how the run ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt

MdaEnd = Literal["done", "stopped", "cancelled", "failed"]


@dataclass(frozen=True)
class FocusEvent:
    """One attempt to focus, and what the frames after it used.

    Parameters
    ----------
    number : int
        From 0, in the order of the run.
    index : mapping of str to int
        Where in the acquisition: ``{"t": 0, "p": 3}``.
    position : str
        Name of the place; empty where it has none.
    x_um, y_um : float or None
        Stage position, µm; None without an XY stage.
    planned_um : float
        Where the acquisition itself puts the focus of this place, µm of drive position.
    start_um : float
        Where the search began, µm.
    found_um : float or None
        Drive position of best focus that was found, µm.
    used_um : float or None
        The one that the frames of this place are taken around, µm; None where they are left out.
    outcome : str
        Of the focusing run, as in its own record.
    verdict : str
        On the first frame, or on the focus curve.
    defocus_um, residual_um, uncertainty_um : float or None
        Estimated defocus before and after, and the standard uncertainty of the latter, µm (positive: too close).
    model, fingerprint : str
        What read the frames: a model and its SHA-256; a sweep's method and nothing.
    policy : str
        What was done where nothing was found: ``keep``, ``map``, ``skip`` or ``stop``; ``neighbours`` where the focus
        of neighbouring fields was taken; empty where focus was found.
    reason : str
        Sentences with the numbers behind it.
    frames, moves : int
        Frames exposed and moves commanded for it.
    seconds : float
        By the microscope's clock.
    """

    number: int
    index: Mapping[str, int]
    position: str
    x_um: float | None
    y_um: float | None
    planned_um: float
    start_um: float
    found_um: float | None
    used_um: float | None
    outcome: str
    verdict: str
    defocus_um: float | None
    residual_um: float | None
    uncertainty_um: float | None
    model: str
    fingerprint: str
    policy: str
    reason: str
    frames: int
    moves: int
    seconds: float

    @property
    def found(self) -> bool:
        """Whether best focus was found here."""
        return self.found_um is not None


@dataclass(frozen=True)
class SkippedFrames:
    """Frames that were planned and not taken.

    Parameters
    ----------
    index : mapping of str to int
        Of the first of them.
    frames : int
        How many.
    reason : str
        Why.
    """

    index: Mapping[str, int]
    frames: int
    reason: str


@dataclass(frozen=True)
class MdaFocusRecord:
    """One acquisition with autofocus.

    Parameters
    ----------
    outcome : str
        ``done``, ``stopped`` (by the policy for failures), ``cancelled`` (by a person) or ``failed``.
    reasons : tuple of str
        Sentences that say why it ended so.
    policy : str
        What was to be done where a field cannot be focused.
    finder : str
        What focused: a model, or a sweep.
    events : tuple of FocusEvent
        Every attempt to focus.
    skipped : tuple of SkippedFrames
        What was left out.
    frames : int
        Frames acquired; those taken to focus are counted in ``events``.
    seconds : float
        By the microscope's clock.
    """

    outcome: MdaEnd
    reasons: tuple[str, ...]
    policy: str
    finder: str
    events: tuple[FocusEvent, ...]
    skipped: tuple[SkippedFrames, ...]
    frames: int
    seconds: float

    @property
    def missing(self) -> int:
        """Frames that were planned and left out."""
        return sum(each.frames for each in self.skipped)

    def summary(self) -> str:
        """The run in a sentence or two."""
        found = sum(event.found for event in self.events)
        text = f"{self.frames} frames acquired; focused {found} of {len(self.events)} times"
        unsure = len(self.events) - found
        text += f", {unsure} by the policy for failures ({self.policy})." if unsure else "."
        if self.missing:
            text += f" {self.missing} frames were left out: {self.skipped[0].reason}"
        return " ".join((text, *self.reasons))

    def to_json(self) -> str:
        """The record as one JSON object."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> MdaFocusRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            return rebuilt(cls, read_plain_json(text))
        except UNUSABLE as error:
            raise InputError(f"This is not the record of an acquisition with autofocus: {error}.") from error
