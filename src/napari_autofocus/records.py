"""What a run leaves behind: plain frozen records that go to JSON and come back unchanged.

A record knows no hardware and no image; lengths are in µm, times in seconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt

Record = TypeVar("Record")

Outcome = Literal[
    "focused",
    "already_in_focus",
    "skipped_no_content",
    "refused",
    "reverted",
    "cancelled",
    "timed_out",
    "failed",
]


@dataclass(frozen=True)
class CurvePoint:
    """One sample of a focus curve: the drive position read back, µm, and the sharpness found there."""

    z_um: float
    sharpness: float


@dataclass(frozen=True)
class SweepRecord:
    """One classical autofocus run.

    Parameters
    ----------
    method : str
        The search, as spelled on the command line.
    outcome : str
        ``focused`` (the drive stands at the peak), ``reverted`` (no trustworthy peak: the drive is back at the start),
        ``cancelled``, ``timed_out``, ``refused`` (nothing moved) or ``failed`` (hardware).
    start_um, end_um : float
        Drive position before and after, read back, µm.
    best_z_um, uncertainty_um : float or None
        Peak of the focus curve and its standard uncertainty; None where there is none to trust.
    verdict : str
        Verdict on the focus curve.
    reasons : tuple of str
        Sentences with the numbers behind the outcome.
    frames, moves : int
        Frames exposed and moves commanded (a backlash approach counts as one).
    seconds : float
        By the microscope's clock.
    curve : tuple of CurvePoint
        Every sample in the order it was taken.
    """

    method: str
    outcome: Outcome
    start_um: float
    end_um: float
    best_z_um: float | None
    uncertainty_um: float | None
    verdict: str
    reasons: tuple[str, ...]
    frames: int
    moves: int
    seconds: float
    curve: tuple[CurvePoint, ...] = ()

    def to_json(self) -> str:
        """The record as one JSON object."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str) -> SweepRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        return _rebuilt(cls, "a sweep", text)


@dataclass(frozen=True)
class Shot:
    """One frame of a run and what was read in it.

    Parameters
    ----------
    z_um : float
        Drive position read back, µm.
    phase : str
        What the frame was for: ``shot``, ``verify``, ``second``, ``probe``, ``edge``, ``scan``, ``neighbour``,
        ``apart`` (the first of two shots, read with the next one) or ``again`` (two shots below focus).
    verdict : str
        Of the estimate; empty where none was made.
    defocus_um, uncertainty_um : float or None
        Estimated defocus (positive: too close) and its standard uncertainty, µm.
    direction_probability : float
        Probability that the sign is right.
    patches_read, patches : int
        Patches read at full resolution, and patches in all.
    sharpness : float or None
        On the patches that were read, in the units of the focus measure.
    """

    z_um: float
    phase: str
    verdict: str = ""
    defocus_um: float | None = None
    uncertainty_um: float | None = None
    direction_probability: float = 0.5
    patches_read: int = 0
    patches: int = 0
    sharpness: float | None = None


@dataclass(frozen=True)
class RefocusRecord:
    """One refocus by a model.

    Parameters
    ----------
    method : str
        ``one-shot`` or ``two-shot``; followed by what had to help (``one-shot, two-shot, sweep``).
    outcome : str
        ``focused`` (verified by a second shot), ``already_in_focus`` (nothing moved), ``skipped_no_content`` (no
        content to focus on), ``refused`` (no move by an estimate that is not to be trusted), ``reverted`` (back at the
        start: it would have ended worse, or could not be verified), ``cancelled``, ``timed_out`` or ``failed``.
    start_um, end_um : float
        Drive position before and after, read back, µm.
    x_um, y_um : float or None
        Place on the slide, µm; None without an XY stage.
    before_um, after_um : float or None
        Estimated defocus of the first and of the last frame, µm.
    after_uncertainty_um : float or None
        Standard uncertainty of ``after_um``, µm.
    dof_um : float
        Depth of field of the model's optics, µm.
    focus_direction : int
        +1 or −1 as used, 0 if it stayed unknown.
    verdict : str
        On the first estimate.
    model, fingerprint : str
        Name of the model, and the SHA-256 that tells it from any other; those of two where a second one helped.
    warnings : tuple of str
        What the estimates warned of.
    reasons : tuple of str
        Sentences with the numbers behind the outcome.
    frames, moves : int
        Frames exposed and moves commanded (a backlash approach counts as one).
    seconds : float
        By the microscope's clock.
    shots : tuple of Shot
        Every frame, in the order taken.
    curve : tuple of CurvePoint
        Samples of the sweep or scan that helped.
    tilt_um_per_mm, tilt_error_um_per_mm : tuple of float or None
        How far the sample rises towards the objective along x and y of the image, µm per mm, and the standard errors,
        by the last frame that told it.
    field_um : tuple of float or None
        Height and width of the field that this is about, µm.
    """

    method: str
    outcome: Outcome
    start_um: float
    end_um: float
    x_um: float | None
    y_um: float | None
    before_um: float | None
    after_um: float | None
    after_uncertainty_um: float | None
    dof_um: float
    focus_direction: int
    verdict: str
    model: str
    fingerprint: str
    warnings: tuple[str, ...]
    reasons: tuple[str, ...]
    frames: int
    moves: int
    seconds: float
    shots: tuple[Shot, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    tilt_um_per_mm: tuple[float, float] | None = None
    tilt_error_um_per_mm: tuple[float, float] | None = None
    field_um: tuple[float, float] | None = None

    def to_json(self) -> str:
        """The record as one JSON object."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str) -> RefocusRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        return _rebuilt(cls, "a refocus", text)


FocusRecord = SweepRecord | RefocusRecord
"""What any focusing run leaves behind."""


HoldEnd = Literal[
    "cancelled",
    "refused",
    "no_content",
    "unsure",
    "uneven",
    "out_of_range",
    "sharpness_fell",
    "drifted_away",
    "wrong_way",
    "at_limit",
    "halted",
    "hardware",
]
"""What ended a hold of focus: a person (``cancelled``, ``halted``), or the hold itself."""


@dataclass(frozen=True)
class TrackSample:
    """One round of a hold of focus.

    Parameters
    ----------
    at_s : float
        Since the hold began, by the microscope's clock.
    state : str
        ``holding`` (inside the dead band), ``corrected`` (has moved), ``missed`` (no estimate to trust), ``paused``
        (a person moves the stage), ``resumed`` or ``stopped``.
    z_um : float
        Drive position read back, µm, after the move if there was one.
    best_z_um : float or None
        Running mean of the position of best focus, µm.
    defocus_um : float or None
        Estimated defocus of this round's frame, µm (positive: too close); None where it was not to be trusted.
    drift_um : float or None
        How far best focus has moved since the hold began or, after a pause, took a new place; µm of drive position.
    moved_um : float
        Way that the drive was moved, µm.
    """

    at_s: float
    state: str
    z_um: float
    best_z_um: float | None = None
    defocus_um: float | None = None
    drift_um: float | None = None
    moved_um: float = 0.0


@dataclass(frozen=True)
class TrackRecord:
    """One hold of focus, from its start to its end.

    Parameters
    ----------
    ended : str
        What ended it: ``cancelled`` or ``halted`` by a person, ``refused`` (nothing moved), a miss repeated too often
        (``no_content``, ``unsure``, ``uneven``, ``out_of_range``), ``sharpness_fell``, ``drifted_away``, ``wrong_way``
        (corrections led away from focus), ``at_limit`` (the drive must not go where best focus is) or ``hardware``.
    reasons : tuple of str
        Sentences with the numbers behind the end.
    start_um, end_um : float
        Drive position before and after, read back, µm.
    x_um, y_um : float or None
        Place on the slide where it ended, µm; None without an XY stage.
    dof_um : float
        Depth of field of the model's optics, µm.
    focus_direction : int
        +1 or −1 as used, 0 if unknown.
    model, fingerprint : str
        Name of the model, and the SHA-256 that tells it from any other.
    warnings : tuple of str
        What the estimates warned of.
    rounds, misses, pauses, moves : int
        Rounds in all, rounds without an estimate to trust, pauses for a person, and moves commanded.
    seconds : float
        By the microscope's clock.
    samples : tuple of TrackSample
        Every round.
    """

    ended: HoldEnd
    reasons: tuple[str, ...]
    start_um: float
    end_um: float
    x_um: float | None
    y_um: float | None
    dof_um: float
    focus_direction: int
    model: str
    fingerprint: str
    warnings: tuple[str, ...]
    rounds: int
    misses: int
    pauses: int
    moves: int
    seconds: float
    samples: tuple[TrackSample, ...] = ()

    @property
    def drift_um(self) -> float | None:
        """The last drift told, µm of drive position; None where there was none."""
        return next((sample.drift_um for sample in reversed(self.samples) if sample.drift_um is not None), None)

    def to_json(self) -> str:
        """The record as one JSON object."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str) -> TrackRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        return _rebuilt(cls, "a hold of focus", text)


def _to_json(record: FocusRecord | TrackRecord) -> str:
    return json.dumps(asdict(record), allow_nan=False)


def _rebuilt(kind: type[Record], what: str, text: str) -> Record:
    """A record from its JSON."""
    try:
        return rebuilt(kind, read_plain_json(text))
    except UNUSABLE as error:
        raise InputError(f"This is not the record of {what}: {error}.") from error
