"""Which of a user's stacks teach, and which are held out: a part of them once, or every one in its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS
from napari_autofocus.models.labelled_stacks import LabelledStack

BEYOND = 1.2
"""Planes are learned from up to this many times the range, so that what lies outside is seen as such."""
HELD_SHARE = 0.2
"""Share of the slides that is held out to calibrate with, and again to measure on."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which stacks teach, and which are held out.

    Parameters
    ----------
    training, calibration, evaluation : tuple of LabelledStack
        No stack is in two of them; calibration may be empty.
    by : {'slide', 'stack'}
        Whether whole slides were held out, or stacks of the slide that was trained on.
    note : str
        What that means for the figures, a sentence.
    folds : tuple of tuple of LabelledStack
        For cross-validation: every stack teaches, and is held out in one fold; empty without.
    """

    training: tuple[LabelledStack, ...]
    calibration: tuple[LabelledStack, ...]
    evaluation: tuple[LabelledStack, ...]
    by: Literal["slide", "stack"]
    note: str
    folds: tuple[tuple[LabelledStack, ...], ...] = ()

    @property
    def watched(self) -> tuple[LabelledStack, ...]:
        """Stacks that training is watched on; nothing is chosen by them."""
        return self.calibration or self.evaluation

    def to_json(self) -> dict[str, Any]:
        """Number of stacks by what they are for; no paths, which are nobody else's business."""
        numbers = {name: len(getattr(self, name)) for name in ("training", "calibration", "evaluation")}
        return {"by": self.by, **numbers} | ({"folds": len(self.folds)} if self.folds else {})


def split_stacks(stacks: Sequence[LabelledStack], range_um: float, seed: int, *, calibrated: bool = True) -> Split:
    """Divide stacks into those that teach and those that are held out, by whole slides where there are several.

    With three slides and more, a fifth of them (at least one) is held out to calibrate with, and as many to measure
    on; to calibrate with, more are taken until they have fifty frames, as long as half of the slides are left to learn
    from. Of two slides the smaller one is held out. The stacks of a single slide are divided like slides.

    Parameters
    ----------
    stacks : sequence of LabelledStack
        At least three.
    range_um : float
        Planes within ± this count as frames, µm.
    seed : int
        Decides which are held out.
    calibrated : bool
        Whether any are held out to calibrate with; two stacks suffice where none are.
    """
    slides: dict[str, list[LabelledStack]] = {}
    for stack in stacks:
        slides.setdefault(stack.slide, []).append(stack)
    rng = np.random.default_rng([seed, 23])
    if len(slides) == 2:
        smaller, larger = sorted(slides.values(), key=len)
        half = len(smaller) // 2 if calibrated else 0
        held = [smaller[i] for i in rng.permutation(len(smaller))]
        note = "There are two slides: one was trained on, the other held out."
        return Split(tuple(larger), tuple(held[:half]), tuple(held[half:]), "slide", note)
    if len(slides) > 2:
        training, calibration, evaluation = _divide(list(slides.values()), range_um, rng, calibrated)
        named = not all(stack.slide == str(stack.path) for stack in stacks)
        return Split(training, calibration, evaluation, "slide", _SLIDES_NAMED if named else _SLIDES_UNNAMED)
    training, calibration, evaluation = _divide([[stack] for stack in stacks], range_um, rng, calibrated)
    return Split(training, calibration, evaluation, "stack", _ONE_SLIDE)


_SLIDES_NAMED = "Whole slides were held out."
_SLIDES_UNNAMED = (
    "Nobody says which slide a stack is of, so each counts as a slide of its own: if several are of one, the figures"
    " may be optimistic (labels.csv may name them in a column slide)."
)
_ONE_SLIDE = (
    "All stacks are of one slide, so stacks of the slide that was trained on were held out: on other slides the"
    " figures may be worse."
)
_Stacks = tuple[LabelledStack, ...]


def _divide(
    units: Sequence[Sequence[LabelledStack]], range_um: float, rng: np.random.Generator, calibrate: bool
) -> tuple[_Stacks, _Stacks, _Stacks]:
    """Training, calibration and evaluation stacks; every unit goes one way."""
    order = [units[i] for i in rng.permutation(len(units))]
    measured = max(1, round(HELD_SHARE * len(order)))
    if not calibrate:
        return _flat(order[measured:]), (), _flat(order[:measured])
    calibrated = measured

    def frames(held: Sequence[Sequence[LabelledStack]]) -> int:
        return sum(int((np.abs(stack.defocus_um) <= range_um).sum()) for unit in held for stack in unit)

    while frames(order[measured : measured + calibrated]) < FEWEST_FIELDS and 2 * (measured + calibrated + 1) <= len(
        order
    ):
        calibrated += 1
    held = measured + calibrated
    return _flat(order[held:]), _flat(order[measured:held]), _flat(order[:measured])


def _flat(units: Sequence[Sequence[LabelledStack]]) -> _Stacks:
    return tuple(stack for unit in units for stack in unit)


def fold_stacks(stacks: Sequence[LabelledStack], folds: int, seed: int) -> Split:
    """Divide stacks into folds of about equal size, by whole slides where there are enough of them.

    Parameters
    ----------
    stacks : sequence of LabelledStack
        At least two.
    folds : int
        How many are wanted; never more than there are stacks.
    seed : int
        Decides who goes where.
    """
    slides: dict[str, list[LabelledStack]] = {}
    for stack in stacks:
        slides.setdefault(stack.slide, []).append(stack)
    by: Literal["slide", "stack"] = "slide" if len(slides) >= folds else "stack"
    units = list(slides.values()) if by == "slide" else [[stack] for stack in stacks]
    order = [units[i] for i in np.random.default_rng([seed, 29]).permutation(len(units))]
    parts: list[list[LabelledStack]] = [[] for _ in range(min(folds, len(order)))]
    for unit in sorted(order, key=len, reverse=True):
        min(parts, key=len).extend(unit)
    named = by == "slide" and not all(stack.slide == str(stack.path) for stack in stacks)
    note = _FOLDED_SLIDES if named else _FOLDED_STACKS
    return Split(tuple(stacks), (), (), by, note, tuple(tuple(part) for part in parts))


_FOLDED_SLIDES = "Each slide was judged by a model that had not seen it."
_FOLDED_STACKS = (
    "Each stack was judged by a model that had not seen it, though it may have seen others of the same slide: on"
    " other slides the figures may be worse."
)
