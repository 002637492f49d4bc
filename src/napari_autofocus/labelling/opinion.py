"""What one annotator, or Brenner, says about the focus of a stack or of a patch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.curve import CurveVerdict
from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling.entries import LabelEntry

Verdict = Literal["sharp", "no_content", "two_depths", "skip"]

BRENNER = "Brenner"
"""The annotator under whose name measured positions are stored."""
BRENNER_SOURCE = "brenner"

_SAID_AS: dict[CurveVerdict, Verdict] = {"several_peaks": "two_depths", "no_peak": "no_content"}
_WORDS: dict[Verdict, str] = {"no_content": "no content", "two_depths": "two depths", "skip": "skip it"}


@dataclass(frozen=True)
class Opinion:
    """What somebody says about the focus of a stack.

    Parameters
    ----------
    verdict : str
        ``sharp`` (at ``best_z_um``), ``no_content``, ``two_depths`` or ``skip``.
    best_z_um, uncertainty_um : float or None
        Drive position of best focus and its standard uncertainty, µm. Beside a verdict other than ``sharp`` a guess.
    trusted : bool
        False where a person should look before it is used.
    annotator, source, time_utc : str
        Who said it, what made the statement and when; set by the store.
    curve : str or None
        What the focus curve shows, where it was measured.
    reason : str
        Why it is not trusted, sentences.
    dof_um : float or None
        Depth of field of the stack, µm, where it was known when this was said.

    Raises
    ------
    InputError
        If the verdict is unknown, or a stack is called sharp without saying where.
    """

    verdict: Verdict
    best_z_um: float | None = None
    uncertainty_um: float | None = None
    trusted: bool = True
    annotator: str = ""
    source: str = "person"
    time_utc: str = ""
    curve: CurveVerdict | None = None
    reason: str = ""
    dof_um: float | None = None

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise InputError(f"An opinion is one of {', '.join(get_args(Verdict))}; found {self.verdict!r}.")
        for name in ("best_z_um", "uncertainty_um", "dof_um"):
            object.__setattr__(self, name, _finite(getattr(self, name), name))
        if self.verdict == "sharp" and self.best_z_um is None:
            raise InputError("A stack that is called sharp needs the z of its sharpest plane, in µm; none was given.")

    @property
    def is_brenner(self) -> bool:
        """Whether it was measured, not seen by a person."""
        return self.source == BRENNER_SOURCE or self.annotator == BRENNER

    @property
    def words(self) -> str:
        """Who says what, such as ``ann says 1.25 µm``."""
        what = f"{self.best_z_um:.2f} µm".replace("-", "−") if self.verdict == "sharp" else _WORDS[self.verdict]
        return f"{self.annotator or 'somebody'} says {what}"

    def to_value(self) -> dict[str, Any]:
        """As a label store keeps it; who and when stand beside it there."""
        optional = {"uncertainty_um": self.uncertainty_um, "curve": self.curve, "dof_um": self.dof_um}
        value: dict[str, Any] = {"verdict": self.verdict, "best_z_um": self.best_z_um, "trusted": self.trusted}
        value |= {name: given for name, given in optional.items() if given is not None}
        return value | ({"reason": self.reason} if self.reason else {})


def opinion_of(entry: LabelEntry) -> Opinion:
    """The opinion that an entry holds: one of ours, a bare number of µm, or ``{"best_z_um": …}`` with None for nowhere.

    Raises
    ------
    InputError
        If it is something else.
    """
    value: Any = entry.value if isinstance(entry.value, dict) else {"best_z_um": entry.value}
    best_z_um = value.get("best_z_um")
    if best_z_um is not None and (isinstance(best_z_um, bool) or not isinstance(best_z_um, int | float)):
        raise InputError(f"The label of {entry.stack} says {entry.value!r}, which is no best_z_um; correct it.")
    try:
        return Opinion(
            verdict=value.get("verdict") or ("no_content" if best_z_um is None else "sharp"),
            best_z_um=best_z_um,
            uncertainty_um=value.get("uncertainty_um"),
            trusted=bool(value.get("trusted", True)),
            annotator=entry.annotator,
            source=entry.source,
            time_utc=entry.time_utc,
            curve=value.get("curve"),
            reason=str(value.get("reason", "")),
            dof_um=value.get("dof_um"),
        )
    except InputError as error:
        raise InputError(f"The label of {entry.stack} by {entry.annotator} cannot be read: {error}") from error


def is_same_measurement(value: Any, other: Any) -> bool:
    """Whether two stored values of Brenner's say the same; one of them may not know the depth of field."""
    if not (isinstance(value, dict) and isinstance(other, dict)):
        return False
    return {**value, "dof_um": None} == {**other, "dof_um": None}


def brenner_opinion(focus: StackFocus, dof_um: float | None = None) -> Opinion:
    """What Brenner says of a stack: its trusted position, or the best guess with the reason not to trust it."""
    curve, trusted = focus.field, focus.best_z_um is not None
    best_z_um = focus.best_z_um if trusted else curve.best_z_um
    by_patches = trusted and not curve.trusted
    verdict: Verdict = "sharp" if trusted else _SAID_AS.get(curve.verdict, "sharp")
    return Opinion(
        "no_content" if best_z_um is None and verdict == "sharp" else verdict,
        best_z_um,
        None if by_patches else curve.uncertainty_um,
        trusted,
        BRENNER,
        BRENNER_SOURCE,
        curve=curve.verdict,
        reason="" if trusted else " ".join(curve.reasons),
        dof_um=dof_um,
    )


def newest_of_each(opinions: Iterable[Opinion]) -> tuple[Opinion, ...]:
    """The newest opinion of each annotator, oldest first: where several label stores speak of one stack."""
    newest: dict[str, Opinion] = {}
    for opinion in sorted(opinions, key=lambda each: each.time_utc):
        newest.pop(opinion.annotator, None)
        newest[opinion.annotator] = opinion
    return tuple(newest.values())


def _finite(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise InputError(f"{name} of an opinion is a finite number of µm or left out; found {value!r}.")
    return float(value)
