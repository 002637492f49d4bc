"""What people and Brenner say about a stack, and what they agree on: the stack's place in the work list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from napari_autofocus.labelling.opinion import (
    BRENNER,
    BRENNER_SOURCE,
    Opinion,
    Verdict,
    brenner_opinion,
    is_same_measurement,
    newest_of_each,
    opinion_of,
)

__all__ = [
    "BRENNER",
    "BRENNER_SOURCE",
    "DEFAULT_TOLERANCE_UM",
    "Consensus",
    "Opinion",
    "Status",
    "Verdict",
    "brenner_opinion",
    "consensus",
    "is_same_measurement",
    "known_dof_um",
    "newest_of_each",
    "opinion_of",
    "tolerance_um",
]

Status = Literal["unlabelled", "brenner", "confirmed", "disputed", "skipped"]

DEFAULT_TOLERANCE_UM = 0.5
"""How far persons may differ where a stack's depth of field is unknown: half of that of a 20x/0.75 objective, µm."""


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
        Drive position of best focus, µm: the median of the persons', otherwise Brenner's, which is a guess where there
        is a ``reason``; None where the stack is not sharp anywhere, or persons differ.
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
        return Consensus(
            "skipped" if verdict == "skip" else "confirmed", verdict, reason=f"Nothing to learn from: {all_say}."
        )
    places = [opinion.best_z_um for opinion in persons if opinion.best_z_um is not None]
    apart_um = max(places) - min(places)
    if apart_um > tolerance_um:
        far = f"{apart_um:.2f} µm apart, more than {tolerance_um:.2f} µm"
        return Consensus("disputed", reason=f"Annotators differ: {all_say}, {far}.")
    doubted = [opinion for opinion in persons if not opinion.trusted]
    reason = f"Not to be trusted: {doubted[0].words}, with doubt." if doubted else ""
    return Consensus("confirmed", verdict, float(np.median(places)), reason=reason)
