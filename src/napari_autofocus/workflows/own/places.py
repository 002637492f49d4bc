"""A user's z-stacks as virtual refocusing learns from them: places seen in focus and in pairs of planes around it.

Knows no networks; those are taught in ``refocusers.py``.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey
from napari_autofocus.models.labelled.shots import AlignedPlanes, ShotReach, Trio, trios
from napari_autofocus.models.labelled_stacks import LabelledStack
from napari_autofocus.models.refocus.evaluation import as_light
from napari_autofocus.models.refocus.samples import FULL_SCALE, RefocusSample, write_refocus_shard
from napari_autofocus.workflows.own.stacks import StackStored, patch_focus_um

SIDE_PX = 192
"""Side of a stored place, px; of smaller fields, what is left of them in whole multiples of :data:`STRIDE_PX`."""
STRIDE_PX = 16
PAIRS = 6
"""Pairs of shots of each place."""
MOST_PLACES = 400
"""Places kept of all stacks together: 1.2 GB in colour."""
DIM, LIT = 0.25, 0.6
"""Stacks whose brightest pixels are below the one share of full scale are brightened to the other (:func:`gain_of`)."""
_BRIGHTEST = 99.9
_LEAST_CHANCE = 0.02


@dataclass(frozen=True)
class Place:
    """Upper left corner of a place, px, and the pairs it is seen in."""

    y: int
    x: int
    pairs: tuple[Trio, ...]


def side_of(stacks: Sequence[LabelledStack]) -> int:
    """Side of the places that all of these stacks can give, px; below :data:`STRIDE_PX` where one is too small."""
    smallest = min(int(side) for stack in stacks for side in stack.stack.plane(0).shape[:2])
    return min(SIDE_PX, smallest // STRIDE_PX * STRIDE_PX)


def store_places(
    stacks: Sequence[LabelledStack], folder: Path, *, reach: ShotReach, side_px: int, seed: int
) -> Generator[StackStored, None, None]:
    """Write places of stacks as shards, one a stack; those that are there already are kept.

    Parameters
    ----------
    stacks : sequence of LabelledStack
        Each has a pair of planes within reach. In the shards a stack is named by its path.
    folder : Path
        Of the shards.
    reach : ShotReach
        Which pairs count.
    side_px : int
        Of a place.
    seed : int
        Picks places and pairs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    most = max(MOST_PLACES // len(stacks), 1)
    for number, stack in enumerate(stacks):
        shard = folder / f"shard-{number:04d}"
        if not shard.exists():
            write_refocus_shard(shard, samples_of(stack, reach, side_px, most, np.random.default_rng([seed, number])))
        yield StackStored(number + 1, len(stacks))


def samples_of(
    stack: LabelledStack, reach: ShotReach, side_px: int, most: int, rng: np.random.Generator
) -> list[RefocusSample]:
    """Places of one stack, the likelier the more contrast they have in focus, at most so many.

    Parameters
    ----------
    stack : LabelledStack
        Read with its patches, or without.
    reach : ShotReach
        Which pairs count.
    side_px, most : int
        Side of a place, and how many at most.
    rng : np.random.Generator
        Picks.
    """
    planes = AlignedPlanes(stack.stack, trios(stack, reach)[0].truth)
    places = _places(stack, planes.truth, reach, side_px, most, rng)
    gain = gain_of(planes.truth)
    wanted = {index for place in places for trio in place.pairs for index in (trio.truth, trio.low, trio.high)}
    seen: dict[tuple[int, int], npt.NDArray[np.uint16]] = {}
    for index in sorted(wanted):  # a stack may be larger than memory
        plane = planes.plane(index)
        for number, place in enumerate(places):
            if any(index in (trio.truth, trio.low, trio.high) for trio in place.pairs):
                part = plane[place.y : place.y + side_px, place.x : place.x + side_px]
                seen[number, index] = _stored(part, gain)
    return [
        RefocusSample(
            truth=seen[number, place.pairs[0].truth],
            shots=np.stack([np.stack([seen[number, t.low], seen[number, t.high]]) for t in place.pairs]),
            half_um=np.array([t.half_um for t in place.pairs], np.float32),
            error_um=np.array([t.error_um for t in place.pairs], np.float32),
            noisy=True,
            slide=str(stack.path),
            stain=stack.stain or "",
        )
        for number, place in enumerate(places)
    ]


def gain_of(truth: npt.NDArray[np.generic]) -> float:
    """By how much a stack is brightened before it is learned from.

    A camera of 12 bits in files of 16 fills a sixteenth of their scale. Networks answer to brightness in proportion,
    but their loss has a floor under which nothing is learned.
    """
    brightest = float(np.percentile(as_light(truth), _BRIGHTEST))
    return LIT / brightest if 0 < brightest < DIM else 1.0


def _stored(part: npt.NDArray[np.generic], gain: float) -> npt.NDArray[np.uint16]:
    light = as_light(part) * np.float32(gain * FULL_SCALE)
    planes = light if light.ndim == 3 else light[..., None]
    return np.asarray(np.clip(planes + 0.5, 0, FULL_SCALE), np.uint16)


def _places(
    stack: LabelledStack,
    truth: npt.NDArray[np.generic],
    reach: ShotReach,
    side_px: int,
    most: int,
    rng: np.random.Generator,
) -> list[Place]:
    corners = _corners(truth.shape[:2], side_px)
    grey = np.asarray(to_grey(truth), np.float64)
    contrast = np.array([grey[y : y + side_px, x : x + side_px].std() for y, x in corners])
    chance = contrast + _LEAST_CHANCE * contrast.max() + 1e-12
    order = rng.choice(len(corners), min(most, len(corners)), replace=False, p=chance / chance.sum())
    places = []
    for number in order:
        y, x = corners[int(number)]
        own = trios(stack, reach, _focus_of_place(stack, y, x, side_px)) or trios(stack, reach)
        places.append(Place(y, x, _picked(own, reach, rng)))
    return places


def _corners(shape: tuple[int, ...], side_px: int) -> list[tuple[int, int]]:
    """Upper left corners of places that overlap by half and cover the field."""

    def along(length: int) -> list[int]:
        count = 1 + -(-2 * (length - side_px) // side_px)
        return [round(start) for start in np.linspace(0, length - side_px, count)]

    return [(y, x) for y in along(shape[0]) for x in along(shape[1])]


def _picked(possible: list[Trio], reach: ShotReach, rng: np.random.Generator) -> tuple[Trio, ...]:
    """Pairs of a place: every half distance alike, the middle by a normal distribution around focus."""
    halves = np.round([trio.half_um / reach.dof_um for trio in possible], 1)
    _, group, sizes = np.unique(halves, return_inverse=True, return_counts=True)
    errors = np.array([trio.error_um for trio in possible]) / reach.error_um
    chance = np.exp(-(errors**2) / 2) / sizes[group]
    chosen = rng.choice(len(possible), PAIRS, replace=len(possible) < PAIRS, p=chance / chance.sum())
    return tuple(possible[int(index)] for index in chosen)


def _focus_of_place(stack: LabelledStack, y: int, x: int, side_px: int) -> float | None:
    """Where a place is in focus, by the patches within it; None where they do not say it."""
    if stack.focus is None or not stack.patches:
        return None
    size = stack.focus.grid.size
    best = patch_focus_um(stack).ravel()
    middles = np.array([(patch.y + size / 2, patch.x + size / 2) for patch in stack.focus.patches])
    inside = ((middles >= (y, x)) & (middles <= (y + side_px, x + side_px))).all(axis=1) & np.isfinite(best)
    return float(np.median(best[inside])) if inside.any() else None
