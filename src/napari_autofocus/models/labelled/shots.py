"""Planes of labelled stacks in threes, as virtual refocusing takes them: the one in focus, and two shots around it.

The image in focus is a camera's own frame, with its noise; so neither shot is ever that frame.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.registration import moved, shift_between
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.models.labelled_stacks import LabelledDataset, LabelledStack, StackSkipped, optics_of
from napari_autofocus.models.refocus.evaluation import KnownShots, as_light
from napari_autofocus.models.refocus.verdict import may_be_taken_out
from napari_autofocus.optics import Objective

LADDER_DOF = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Half distances that are measured on, in depths of field: those of Li et al. at 20x/0.75."""
LADDER_TOLERANCE = 0.2
"""Relative. How far the planes of a stack may lie from such a half distance."""
MOST_ASTRAY = 2.0
"""Standard deviations that the middle of two shots may miss focus by."""
WORTH_MOVING_PX = 0.25
"""Planes that lie less than this aside are left as they are: that is how well a shift is told far from focus."""
_EDGE = 1e-3  # relative; z comes from files as float32


@dataclass(frozen=True)
class ShotReach:
    """Which two planes of a stack count as two shots.

    Parameters
    ----------
    half_um : tuple of float
        Least and largest half of their distance, µm.
    error_um : float
        Standard deviation of the middle between them from focus, µm.
    dof_um : float
        Depth of field, µm: the plane in focus lies within half of it of best focus.
    """

    half_um: tuple[float, float]
    error_um: float
    dof_um: float

    @property
    def ladder_um(self) -> tuple[float, ...]:
        """Half distances to measure on, µm, those that are within reach."""
        low, high = self.half_um
        rungs = (float(f"{rung * self.dof_um:.3g}") for rung in LADDER_DOF)
        return tuple(rung for rung in rungs if low * (1 - LADDER_TOLERANCE) <= rung <= high * (1 + LADDER_TOLERANCE))


@dataclass(frozen=True)
class Trio:
    """Numbers of three planes, half the distance of the two shots, and their middle against best focus, µm."""

    truth: int
    low: int
    high: int
    half_um: float
    error_um: float


def defocus_of(stack: LabelledStack, best_z_um: float | None = None) -> npt.NDArray[np.float64]:
    """Defocus of each plane against a place's own best focus (the field's unless given), µm, shape (Z,)."""
    best = stack.best_z_um if best_z_um is None else best_z_um
    return np.asarray(stack.stack.focus_direction * (stack.stack.z_um.astype(np.float64) - best), np.float64)


def trios(stack: LabelledStack, reach: ShotReach, best_z_um: float | None = None) -> list[Trio]:
    """All pairs of planes that count as two shots of a stack, with its plane in focus.

    Parameters
    ----------
    stack : LabelledStack
        With or without its patches.
    reach : ShotReach
        Which pairs count.
    best_z_um : float, optional
        Best focus of a place of the field, in place of the field's own, µm.
    """
    defocus = defocus_of(stack, best_z_um)
    truth = int(np.argmin(np.abs(defocus)))
    if abs(defocus[truth]) > reach.dof_um / 2 * (1 + _EDGE):
        return []
    order = [int(index) for index in np.argsort(defocus, kind="stable") if index != truth]
    low_um, high_um = reach.half_um[0] * (1 - _EDGE), reach.half_um[1] * (1 + _EDGE)
    found = []
    for place, low in enumerate(order):
        for high in order[place + 1 :]:
            half = float(defocus[high] - defocus[low]) / 2
            error = float(defocus[high] + defocus[low]) / 2
            if low_um <= half <= high_um and abs(error) <= MOST_ASTRAY * reach.error_um:
                found.append(Trio(truth, low, high, half, error))
    return found


def measured_trios(stack: LabelledStack, reach: ShotReach) -> list[tuple[float, Trio]]:
    """Which pairs of a stack are measured on: for each half distance one around focus, and one to either side of it.

    Returns
    -------
    list of (float, Trio)
        The half distance that a pair stands for, µm, and the pair; each pair once.
    """
    found, taken = [], set[Trio]()
    possible = trios(stack, reach)
    for rung in reach.ladder_um:
        near = [trio for trio in possible if abs(trio.half_um - rung) <= LADDER_TOLERANCE * rung]
        for wished in (0.0, -reach.error_um, reach.error_um):
            left = [trio for trio in near if trio not in taken and abs(trio.error_um - wished) <= reach.error_um / 2]
            if left:
                best = min(left, key=lambda trio: _unlike(trio, rung, wished, reach))
                taken.add(best)
                found.append((rung, best))
    return found


def _unlike(trio: Trio, half_um: float, error_um: float, reach: ShotReach) -> float:
    return abs(trio.half_um - half_um) / half_um + abs(trio.error_um - error_um) / reach.error_um


def count_measured(dataset: LabelledDataset, reach: ShotReach) -> int:
    """How many pairs :func:`known_shots` will give, if none turns out to be bad."""
    return sum(len(measured_trios(stack, reach)) for stack in dataset.stacks)


def known_shots(
    dataset: LabelledDataset,
    reach: ShotReach,
    *,
    lens: Objective | None = None,
    pixel_size_um: float | None = None,
    most_px: int | None = None,
    on_skip: Callable[[StackSkipped], None] | None = None,
) -> Iterator[KnownShots]:
    """Pairs of planes of every stack with the plane in focus; read one pair at a time.

    A shot that lies aside of the plane in focus is moved onto it. ``half_um`` is the half distance that a pair stands
    for, to within a fifth.

    Parameters
    ----------
    dataset : LabelledDataset
        What was read of a folder of stacks.
    reach : ShotReach
        Which pairs count.
    lens, pixel_size_um
        As for :func:`~napari_autofocus.models.labelled_stacks.known_frames`.
    most_px : int, optional
        Of larger fields the middle is taken, so many pixels a side.
    on_skip : callable, optional
        Told of a stack without pairs, or whose planes turn out to be bad; without it that is an error.
    """
    for labelled in dataset.stacks:
        wanted = measured_trios(labelled, reach)
        if not wanted and on_skip is not None:
            on_skip(StackSkipped(str(labelled.path), no_pairs(labelled, reach), "unpaired"))
        try:
            yield from _shots_of(
                labelled, wanted, optics_of(labelled.stack, lens=lens, pixel_size_um=pixel_size_um), most_px
            )
        except (AutofocusError, OSError) as error:
            if on_skip is None:
                raise
            on_skip(StackSkipped(str(labelled.path), str(error), "unreadable"))


def no_pairs(labelled: LabelledStack, reach: ShotReach) -> str:
    """Why a stack gives no pair, a sentence."""
    low, high = reach.half_um
    return (
        f"{labelled.path} has no plane within {reach.dof_um / 2:.3g} µm of focus with two others {2 * low:.3g} to"
        f" {2 * high:.3g} µm apart around it; take planes closer together, and to either side of focus."
    )


def _shots_of(
    labelled: LabelledStack, wanted: Sequence[tuple[float, Trio]], optics: Any, most_px: int | None
) -> Iterator[KnownShots]:
    if not wanted:
        return
    planes = AlignedPlanes(labelled.stack, wanted[0][1].truth)
    part = _middle(planes.truth.shape, most_px)
    for rung, trio in wanted:
        first, second = (planes.plane(index)[part] for index in (trio.low, trio.high))
        yield KnownShots(
            first=first,
            second=second,
            truth=planes.truth[part],
            light=as_light(planes.truth[part]),
            half_um=rung,
            error_um=trio.error_um,
            slide=labelled.slide,
            stain=labelled.stain or "",
            density=labelled.density or "",
            optics=optics,
            source=str(labelled.path),
        )


def _middle(shape: tuple[int, ...], most_px: int | None) -> tuple[slice, slice]:
    if most_px is None:
        return slice(None), slice(None)
    starts = (max(0, (side - most_px) // 2) for side in shape[:2])
    top, left = starts
    return slice(top, top + most_px), slice(left, left + most_px)


class AlignedPlanes:
    """Planes of a stack, each moved onto the one in focus where it lies aside; read when asked for.

    Shifts are told from plane to plane and added up: neighbours look alike, while blur that turns contrast over (far
    from focus, on one side) looks like a shift of several pixels against the plane in focus.

    Parameters
    ----------
    stack : ZStack
        To read from.
    truth : int
        Number of the plane in focus.
    """

    def __init__(self, stack: ZStack, truth: int) -> None:
        self._stack = stack
        self._order = [int(each) for each in np.argsort(stack.z_um, kind="stable")]
        self._middle = self._order.index(truth)
        self.truth: npt.NDArray[Any] = np.asarray(stack.plane(truth))
        self._aside: dict[int, tuple[float, float]] = {truth: (0.0, 0.0)}

    def plane(self, index: int) -> npt.NDArray[Any]:
        """A plane (Y, X) or (Y, X, C), of the file's type."""
        image = np.asarray(self._stack.plane(index))
        dy, dx = self.aside(index)
        return moved(image, -dy, -dx) if math.hypot(dy, dx) >= WORTH_MOVING_PX else image

    def aside(self, index: int) -> tuple[float, float]:
        """How far (down, right) a plane lies against the one in focus, px."""
        if index not in self._aside:
            self._walk_to(index)
        return self._aside[index]

    def _walk_to(self, index: int) -> None:
        """Tell the shifts of all planes from the one in focus to this one."""
        place = self._order.index(index)
        step = 1 if place > self._middle else -1
        way = [self._order[number] for number in range(self._middle, place + step, step)]
        for before, own in itertools.pairwise(way):
            if own not in self._aside:
                shift = shift_between(np.asarray(self._stack.plane(before)), np.asarray(self._stack.plane(own)))
                known = may_be_taken_out(shift, self.truth.shape[:2])
                dy, dx = self._aside[before]
                self._aside[own] = (dy + shift.dy, dx + shift.dx) if known else (dy, dx)
