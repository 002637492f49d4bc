"""What a run leaves behind: plain frozen records that go to JSON and come back unchanged.

A record knows no hardware and no image; lengths are in µm, times in seconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from napari_autofocus.errors import InputError

Outcome = Literal["focused", "reverted", "cancelled", "timed_out", "refused", "failed"]


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
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> SweepRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            fields: dict[str, Any] = json.loads(text)
            curve = tuple(CurvePoint(**point) for point in fields.pop("curve"))
            return cls(**{**fields, "reasons": tuple(fields["reasons"]), "curve": curve})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"This is not the record of a sweep: {error}.") from error
