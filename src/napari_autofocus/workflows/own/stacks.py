"""A user's labelled z-stacks as training takes them: their optics, what is held out, and the patches learned from.

Knows no networks; those are taught in ``own_models.py``.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Picking, write_shard
from napari_autofocus.models.labelled.pairs import planes_apart
from napari_autofocus.models.labelled_stacks import LabelledStack, optics_of
from napari_autofocus.models.package import CardOptics
from napari_autofocus.models.package.card import Colour
from napari_autofocus.models.samples import FieldSample, FloatArray
from napari_autofocus.models.seeing.optics_check import differences
from napari_autofocus.optics import Objective

LEAST_STACKS = 3
"""One to learn from, one to calibrate with, one to measure on."""
LEAST_IMPORTANCE = 0.3
"""Patches below it are not learned from."""
MOST_PATCHES = 24_000
"""Patches kept of all stacks together: 1.2 GB in 8-bit colour."""
_PLANES_AT_ONCE = 12
_TILE = 7  # patches along a tile's side: 512 px, as the shipped models' fields


@dataclass(frozen=True)
class StackStored:
    """Progress: the patches of so many stacks are stored."""

    done: int
    total: int


def common_optics(
    stacks: Sequence[LabelledStack], *, lens: Objective | None = None, pixel_size_um: float | None = None
) -> tuple[Objective, Colour]:
    """The optics that all stacks were taken with.

    Parameters
    ----------
    stacks : sequence of LabelledStack
        At least one.
    lens : Objective, optional
        The objective, in place of what the files say.
    pixel_size_um : float, optional
        Size of a pixel in the sample, µm, in place of what the files say.

    Raises
    ------
    InputError
        If they are unknown, or not the same for all; the message lists what there is.
    """
    kinds: list[tuple[Objective, Colour, list[str]]] = []
    for each in stacks:
        objective = optics_of(each.stack, lens=lens, pixel_size_um=pixel_size_um).objective
        if objective is None:
            raise InputError(
                f"{each.path} does not state its objective and pixel size, and a model is made for certain optics;"
                " give --objective (as in 20x/0.75) and --pixel-um."
            )
        colour: Colour = "rgb" if len(each.stack.data.shape) == 4 else "mono"
        for known, its_colour, names in kinds:
            if not differences(CardOptics.of(known, its_colour), ImageOptics(objective), colour):
                names.append(each.path.name)
                break
        else:
            kinds.append((objective, colour, [each.path.name]))
    if len(kinds) > 1:
        listed = "; ".join(f"{_optics_words(lens, colour)}: {_some(names)}" for lens, colour, names in kinds)
        raise InputError(
            f"The stacks differ in their optics, and a model is made for one kind ({listed}); put each kind into its"
            " own folder, or state what holds for all with --objective and --pixel-um."
        )
    return kinds[0][0], kinds[0][1]


def _optics_words(objective: Objective, colour: Colour) -> str:
    return f"{objective.name} at {objective.pixel_size_um:.4g} µm a pixel, {'colour' if colour == 'rgb' else 'grey'}"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def is_usable(stack: LabelledStack) -> bool:
    """Whether a stack has a patch to learn from: important, and with a known focus."""
    return any(patch.best_z_um is not None and patch.importance >= LEAST_IMPORTANCE for patch in stack.patches)


def covered_range_um(stacks: Sequence[LabelledStack]) -> float:
    """How far from focus the planes reach on both sides, in half of the stacks at least; µm, rounded down to 0.1."""
    below = np.median([-stack.defocus_um.min() for stack in stacks])
    above = np.median([stack.defocus_um.max() for stack in stacks])
    return math.floor(10 * float(min(below, above)) + 1e-3) / 10


def patch_focus_um(stack: LabelledStack) -> FloatArray:
    """Drive position at which each patch is in focus, µm, shape (rows, columns); NaN where it is not known.

    What Brenner says of the patches, moved as a whole so that their median is where a person or a table says that the
    field is in focus; unless a label store speaks of the patches themselves. Ours.
    """
    assert stack.focus is not None
    best = np.array([math.nan if patch.best_z_um is None else patch.best_z_um for patch in stack.patches])
    measured = [patch.best_z_um if patch.trusted else None for patch in stack.focus.patches]
    said = any(patch.best_z_um != own for patch, own in zip(stack.patches, measured, strict=True))
    if stack.how != "Brenner" and not said and np.isfinite(best).any():
        best += stack.best_z_um - np.nanmedian(best)
    return np.asarray(best.reshape(stack.focus.grid.shape), np.float32)


def store_patches(
    stacks: Sequence[LabelledStack], folder: Path, *, range_um: float, seed: int, dz_um: float | None = None
) -> Generator[StackStored, None, None]:
    """Write patches and overviews of stacks as shards, one a stack; those that are there already are kept.

    Parameters
    ----------
    stacks : sequence of LabelledStack
        Read with their patches. In the shards a stack is named by its path.
    folder : Path
        Of the shards.
    range_um : float
        Planes within ± this are learned from, µm.
    seed : int
        Picks planes and patches.
    dz_um : float, optional
        Store pairs of planes that far apart, µm, the first one's channels before the second's.
    """
    grids = [stack.focus.grid for stack in stacks if stack.focus is not None]
    side = min(_TILE, *(min(grid.shape) for grid in grids))
    tiles = sum(
        len(_shots(stack, range_um, dz_um)) * len(_tiles(grid, side)) for stack, grid in zip(stacks, grids, strict=True)
    )
    picking = Picking(
        patches_per_plane=min(max(MOST_PATCHES // max(tiles, 1), 1), side**2),
        least_importance=LEAST_IMPORTANCE,
        overviews_per_field=3 if dz_um is None else 0,
    )
    for number, stack in enumerate(stacks):
        shard = folder / f"shard-{number:04d}"
        if not shard.exists():
            rng = np.random.default_rng([seed, number])
            write_shard(shard, _samples(stack, _shots(stack, range_um, dz_um), side, rng), picking, rng)
        yield StackStored(number + 1, len(stacks))


def _shots(stack: LabelledStack, range_um: float, dz_um: float | None) -> list[tuple[int, ...]]:
    """What is shown together: single planes within ±range, or two; the label is that of the last."""
    if dz_um is None:
        return [(int(index),) for index in np.flatnonzero(np.abs(stack.defocus_um) <= range_um)]
    return [(first, second) for first, second, _ in planes_apart(stack, range_um, dz_um)]


def _joined(stack: LabelledStack, planes: tuple[int, ...]) -> npt.NDArray[Any]:
    """Planes as the channels of one image."""
    read = [stack.stack.plane(index) for index in planes]
    return read[0] if len(read) == 1 else np.dstack(read)


def _samples(
    stack: LabelledStack, shots: list[tuple[int, ...]], side: int, rng: np.random.Generator
) -> Iterator[FieldSample]:
    """Square parts of a stack, a few planes at a time and in any order, so that a stack larger than memory works."""
    assert stack.focus is not None
    grid, best = stack.focus.grid, patch_focus_um(stack)
    importance = np.array([patch.importance for patch in stack.patches], np.float32).reshape(grid.shape)
    order = rng.permutation(len(shots))
    for start in range(0, order.size, _PLANES_AT_ONCE):
        together = [shots[number] for number in order[start : start + _PLANES_AT_ONCE]]
        frames = [_joined(stack, planes) for planes in together]
        some = [planes[-1] for planes in together]
        away = stack.stack.focus_direction * (stack.stack.z_um[some, None, None] - best)
        for rows, columns in _tiles(grid, side):
            y, x = _pixels(grid, rows, 0), _pixels(grid, columns, 1)
            yield FieldSample(
                frames=tuple(frame[y, x] for frame in frames),
                grid=PatchGrid((y.stop - y.start, x.stop - x.start), grid.size, grid.step),
                defocus_um=np.asarray(away[:, rows, columns], np.float32),
                importance=importance[rows, columns],
                signed=True,
                slide=str(stack.path),
                stain=stack.stain or "",
                density=stack.density or "",
            )


def _tiles(grid: PatchGrid, side: int) -> list[tuple[slice, slice]]:
    """Squares of ``side`` patches that cover the grid, overlapping where they do not fit: rows and columns."""

    def along(count: int) -> list[slice]:
        starts = np.linspace(0, count - side, math.ceil(count / side)).round().astype(int)
        return [slice(int(start), int(start) + side) for start in starts]

    return [(rows, columns) for rows in along(grid.shape[0]) for columns in along(grid.shape[1])]


def _pixels(grid: PatchGrid, patches: slice, axis: int) -> slice:
    start = grid.origin[axis] + patches.start * grid.step
    return slice(start, start + (patches.stop - patches.start - 1) * grid.step + grid.size)
