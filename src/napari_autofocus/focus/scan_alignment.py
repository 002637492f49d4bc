"""The planes of a scan laid over each other: what the stage or the sample has moved sideways while z was scanned.

Every plane is compared with its neighbour, which shows the same in nearly the same focus, from the sharpest plane
outwards; shifts add up. A change of magnification with z is not taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.registration import moved, shift_between
from napari_autofocus.focus.sharpness import sharpness

Image = npt.NDArray[Any]

LEAST_QUALITY = 0.5
"""Correlation of two neighbouring planes below which their shift cannot be told (ours); noise alone stays below 0.1."""
LEAST_MOVED_PX = 1.5
"""A scan whose planes lie within this of each other is left as it is (ours): where focus changes at an edge, that edge
seems to move by up to a pixel as it blurs, and taking out what is not there does harm."""
LONGEST_STEP_SHARE = 0.1
"""Two neighbouring planes are never farther apart than this share of the field (ours): beyond, it is a mistake."""


@dataclass(frozen=True, eq=False)
class AlignedScan:
    """The planes of a scan where they belong.

    Parameters
    ----------
    planes : tuple of np.ndarray
        As they were given, those that lay elsewhere moved; what is missing at the border is mirrored.
    shifts_px : tuple of (float, float)
        How far down and right each plane lay against the sharpest one, px; (0, 0) where nothing was taken out.
    untold : tuple of int
        Planes whose shift against their neighbour could not be told; they count as lying where that does.
    """

    planes: tuple[Image, ...]
    shifts_px: tuple[tuple[float, float], ...]
    untold: tuple[int, ...] = ()

    @property
    def largest_px(self) -> float:
        """The largest shift that was taken out, px."""
        return max((float(np.hypot(*shift)) for shift in self.shifts_px), default=0.0)


def align(planes: Sequence[Image], z_um: Sequence[float] | npt.NDArray[np.float64]) -> AlignedScan:
    """Lay the planes of a scan over each other.

    Parameters
    ----------
    planes : sequence of np.ndarray, shape (Y, X) or (Y, X, C)
        Of one shape and type.
    z_um : sequence of float
        Drive position of each, µm, in any order.

    Raises
    ------
    InputError
        If the planes differ in shape, or cannot be measured.
    """
    order = [int(index) for index in np.argsort(np.asarray(z_um, np.float64), kind="stable")]
    values = [float(sharpness(to_grey(np.asarray(planes[index], np.float32)))) for index in order]
    start = int(np.argmax(values))
    lies: dict[int, tuple[float, float]] = {order[start]: (0.0, 0.0)}
    untold: list[int] = []
    for way in (order[start:], order[start::-1]):
        for before, index in pairwise(way):
            step = _step(planes[before], planes[index])
            if step is None:
                untold.append(index)
            down, right = step or (0.0, 0.0)
            lies[index] = (lies[before][0] + down, lies[before][1] + right)
    shifts = tuple(lies[index] for index in range(len(planes)))
    if max(float(np.hypot(*shift)) for shift in shifts) < LEAST_MOVED_PX:
        return AlignedScan(tuple(planes), ((0.0, 0.0),) * len(planes), tuple(sorted(untold)))
    laid = tuple(
        np.asarray(plane) if shift == (0.0, 0.0) else moved(np.asarray(plane), -shift[0], -shift[1])
        for plane, shift in zip(planes, shifts, strict=True)
    )
    return AlignedScan(laid, shifts, tuple(sorted(untold)))


def _step(before: Image, plane: Image) -> tuple[float, float] | None:
    """How far a plane lies from its neighbour, px; None where that cannot be told."""
    shift = shift_between(before, plane)
    too_far = shift.length_px > LONGEST_STEP_SHARE * min(plane.shape[:2])
    return None if shift.quality < LEAST_QUALITY or too_far else (shift.dy, shift.dx)
