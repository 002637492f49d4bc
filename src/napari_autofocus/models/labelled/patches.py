"""Best focus and content importance of a stack's patches, for training: what people said before what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_autofocus.focus.zstack import PatchFocus, StackFocus
from napari_autofocus.labelling.painting import Painting

Corner = tuple[int, int, int]
"""Upper left corner and side of a patch: y, x, size, px."""

SEEN = 0.5
"""Least importance of a patch whose focus a person saw: that of a clear curve. Our own choice."""


@dataclass(frozen=True)
class PatchLabel:
    """Best focus and content importance of a patch.

    Parameters
    ----------
    y, x, size : int
        Upper left corner and side, px.
    best_z_um : float or None
        Drive position of best focus, µm; None where it is not known.
    importance : float
        In [0, 1].
    """

    y: int
    x: int
    size: int
    best_z_um: float | None
    importance: float


@dataclass(frozen=True)
class PatchSaid:
    """What people said about one patch.

    Parameters
    ----------
    best_z_um : float or None
        Drive position of best focus, µm.
    importance : float or None
        In [0, 1]; None where nothing was said.
    of_focus : bool
        Whether ``best_z_um`` was said. True beside None: it has no focus to learn from, or people differ.
    """

    best_z_um: float | None = None
    importance: float | None = None
    of_focus: bool = False


@dataclass(frozen=True, eq=False)
class PatchesSaid:
    """What people said about the patches of a stack.

    Parameters
    ----------
    corners : mapping
        By upper left corner and side.
    painting : Painting or None
        Where they painted the field as important or not.
    """

    corners: Mapping[Corner, PatchSaid] = field(default_factory=dict)
    painting: Painting | None = None


def patch_labels(focus: StackFocus, said: PatchesSaid) -> tuple[PatchLabel, ...]:
    """What is known of each patch of the measured grid.

    A patch that somebody labelled speaks for every patch that it covers by more than half; positions that were measured
    and are not trusted are left out.

    Parameters
    ----------
    focus : StackFocus
        What was measured.
    said : PatchesSaid
        What people said.

    Returns
    -------
    tuple of PatchLabel
        In the order of the grid.
    """
    return tuple(_label(patch, said) for patch in focus.patches)


def _label(patch: PatchFocus, said: PatchesSaid) -> PatchLabel:
    corner = (patch.y, patch.x, patch.size)
    own = _said_of(corner, said.corners)
    best_z_um = patch.best_z_um if patch.trusted else None
    importance = patch.importance
    if own.of_focus:
        best_z_um = own.best_z_um
        importance = 0.0 if own.best_z_um is None else max(importance, SEEN)
    painted = said.painting.importance_of(*corner) if said.painting is not None else None
    for stated in (painted, own.importance):
        importance = importance if stated is None else stated
    return PatchLabel(*corner, best_z_um, importance)


def _said_of(corner: Corner, corners: Mapping[Corner, PatchSaid]) -> PatchSaid:
    """What was said of the patch itself, otherwise of the one that covers most of it, if more than half."""
    if corner in corners or not corners:
        return corners.get(corner, PatchSaid())
    places = list(corners)
    shares = [_covered(corner, place) for place in places]
    most = int(np.argmax(shares))
    return corners[places[most]] if shares[most] > 0.5 else PatchSaid()


def _covered(patch: Corner, by: Corner) -> float:
    """Share of a patch's area that another one covers."""
    height, width = (
        max(min(patch[axis] + patch[2], by[axis] + by[2]) - max(patch[axis], by[axis]), 0) for axis in (0, 1)
    )
    return height * width / patch[2] ** 2
