"""What people and Brenner say about a stack, and what they agree on: the stack's place in the work list."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.curve import CurveVerdict
from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling.entries import LabelEntry

Verdict = Literal["sharp", "no_content", "two_depths", "skip"]
Status = Literal["unlabelled", "brenner", "confirmed", "disputed", "skipped"]

BRENNER = "Brenner"
"""The annotator under whose name measured positions are stored."""
BRENNER_SOURCE = "brenner"
DEFAULT_TOLERANCE_UM = 0.5
"""How far persons may differ where a stack's depth of field is unknown: half of that of a 20x/0.75 objective, µm."""

_SAID_AS: dict[CurveVerdict, Verdict] = {"several_peaks": "two_depths", "no_peak": "no_content"}
_WORDS: dict[Verdict, str] = {
    "sharp": "sharp",
    "no_content": "no content",
    "two_depths": "two depths",
    "skip": "skip it",
}


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


@dataclass(frozen=True)
class Consensus:
    """What the opinions on a stack amount to.

    Parameters
    ----------
    status : str
        ``unlabelled``; ``brenner`` (measured, seen by nobody); ``confirmed`` by a person; ``disputed`` between persons;
        ``skipped`` by all who looked.
    verdict : str or None
        What holds; None where nothing was said or persons differ.
    best_z_um : float or None
        Drive position of best focus, µm: the median of the persons', otherwise Brenner's; None unless it holds.
    opinions : tuple of Opinion
        One of each annotator, Brenner's too.
    reason : str
        A sentence that says why the stack should not be used as it is, and by whom; empty where it may.
    """

    status: Status
    verdict: Verdict | None = None
    best_z_um: float | None = None
    opinions: tuple[Opinion, ...] = field(default=(), repr=False)
    reason: str = ""

    @property
    def needs_person(self) -> bool:
        """Whether somebody should look: nobody did, or those who did differ."""
        return self.status in ("unlabelled", "brenner", "disputed")

    @property
    def is_usable(self) -> bool:
        """Whether a model may learn from the stack, and be measured on it."""
        return self.best_z_um is not None and not self.reason

    @property
    def brenner(self) -> Opinion | None:
        """What was measured."""
        return next((opinion for opinion in self.opinions if opinion.is_brenner), None)

    @property
    def persons(self) -> tuple[Opinion, ...]:
        """What people say, oldest first."""
        return tuple(opinion for opinion in self.opinions if not opinion.is_brenner)


def consensus(opinions: Iterable[Opinion], tolerance_um: float = DEFAULT_TOLERANCE_UM) -> Consensus:
    """What several opinions on one stack amount to; persons go before Brenner.

    Parameters
    ----------
    opinions : iterable of Opinion
        One of each annotator.
    tolerance_um : float
        Persons whose positions lie farther apart dispute the stack, µm: half its depth of field.
    """
    said = tuple(opinions)
    persons = [opinion for opinion in said if not opinion.is_brenner]
    if persons:
        return replace(_of_persons(persons, tolerance_um), opinions=said)
    return replace(_of_brenner(said[-1]), opinions=said) if said else Consensus("unlabelled")


def known_dof_um(opinions: Iterable[Opinion]) -> float | None:
    """Depth of field of a stack, µm, as one of its opinions states it; None where none does."""
    return next((opinion.dof_um for opinion in opinions if opinion.dof_um), None)


def tolerance_um(opinions: Sequence[Opinion], dof_um: Callable[[], float | None]) -> float:
    """How far persons may differ on a stack, µm: half its depth of field, otherwise :data:`DEFAULT_TOLERANCE_UM`.

    Parameters
    ----------
    opinions : sequence of Opinion
        Those on the stack, one of which may state its depth of field.
    dof_um : callable
        Looks for the depth of field elsewhere, which may take time; asked only where it matters.
    """
    places = {opinion.best_z_um for opinion in opinions if not opinion.is_brenner and opinion.verdict == "sharp"}
    dof = (known_dof_um(opinions) or dof_um()) if len(places) > 1 else None
    return dof / 2 if dof else DEFAULT_TOLERANCE_UM


def _of_brenner(opinion: Opinion) -> Consensus:
    if opinion.trusted:
        return Consensus("brenner", opinion.verdict, opinion.best_z_um)
    reason = f"Brenner's focus curve cannot be trusted; a person should look. {opinion.reason}".strip()
    return Consensus("brenner", opinion.verdict, opinion.best_z_um, reason=reason)


def _of_persons(persons: Sequence[Opinion], tolerance_um: float) -> Consensus:
    all_say = "; ".join(opinion.words for opinion in persons)
    if len({opinion.verdict for opinion in persons}) > 1:
        return Consensus("disputed", reason=f"Annotators differ: {all_say}.")
    verdict = persons[0].verdict
    if verdict != "sharp":
        return Consensus("skipped" if verdict == "skip" else "confirmed", verdict, reason=f"Set aside: {all_say}.")
    places = [opinion.best_z_um for opinion in persons if opinion.best_z_um is not None]
    apart_um = max(places) - min(places)
    if apart_um > tolerance_um:
        far = f"{apart_um:.2f} µm apart, more than {tolerance_um:.2f} µm"
        return Consensus("disputed", reason=f"Annotators differ: {all_say}, {far}.")
    doubted = [opinion for opinion in persons if not opinion.trusted]
    reason = f"Not to be trusted: {doubted[0].words}, with doubt." if doubted else ""
    return Consensus("confirmed", verdict, float(np.median(places)), reason=reason)


def _finite(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise InputError(f"{name} of an opinion is a finite number of µm or left out; found {value!r}.")
    return float(value)
