"""Planes of labelled stacks two by two, as shots a known distance apart: what models of two shots are evaluated on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from napari_autofocus.errors import AutofocusError
from napari_autofocus.models.evaluation import KnownPair
from napari_autofocus.models.labelled_stacks import LabelledDataset, LabelledStack, StackSkipped, optics_of
from napari_autofocus.models.seeing.optics_check import DISTANCE_TOLERANCE
from napari_autofocus.optics import Objective

Pair = tuple[int, int, float]
"""Numbers of the first and the second plane, and the defocus of the second minus the first's, µm."""


def planes_apart(stack: LabelledStack, range_um: float, dz_um: float) -> list[Pair]:
    """The planes of a stack that make pairs: every second one within ±range that has a first one Δ below it.

    Parameters
    ----------
    stack : LabelledStack
        With or without its patches.
    range_um : float
        The second plane lies within ± this of best focus, µm.
    dz_um : float
        Defocus of the second minus the first's, µm; the nearest plane is taken, if it is as near as a model asks.
    """
    defocus = stack.defocus_um.astype(np.float64)
    found = []
    for second in np.flatnonzero(np.abs(defocus) <= range_um):
        first = int(np.argmin(np.abs(defocus[second] - dz_um - defocus)))
        apart = float(defocus[second] - defocus[first])
        if abs(apart - dz_um) <= DISTANCE_TOLERANCE * dz_um:
            found.append((first, int(second), apart))
    return found


def known_pairs(
    dataset: LabelledDataset,
    range_um: float,
    dz_um: float,
    *,
    lens: Objective | None = None,
    pixel_size_um: float | None = None,
    on_skip: Callable[[StackSkipped], None] | None = None,
) -> Iterator[KnownPair]:
    """Every pair of planes of every stack, as two shots whose defocus is known; read one pair at a time.

    Parameters
    ----------
    dataset : LabelledDataset
        What was read of a folder of stacks.
    range_um, dz_um : float
        As for :func:`planes_apart`, µm.
    lens, pixel_size_um, on_skip
        As for :func:`~napari_autofocus.models.labelled_stacks.known_frames`; told too of a stack without pairs.
    """
    for labelled in dataset.stacks:
        optics = optics_of(labelled.stack, lens=lens, pixel_size_um=pixel_size_um)
        pairs = planes_apart(labelled, range_um, dz_um)
        if not pairs and on_skip is not None:
            reason = f"{labelled.path} has no two planes {dz_um:g} µm apart near focus; take planes closer together."
            on_skip(StackSkipped(str(labelled.path), reason, "unpaired"))
        for first, second, apart_um in pairs:
            try:
                shots = labelled.stack.plane(first), labelled.stack.plane(second)
            except (AutofocusError, OSError) as error:
                if on_skip is None:
                    raise
                on_skip(StackSkipped(str(labelled.path), str(error), "unreadable"))
                break
            yield KnownPair(
                *shots,
                dz_um=apart_um,
                true_um=float(labelled.defocus_um[second]),
                source=str(labelled.path),
                slide=labelled.slide,
                stain=labelled.stain,
                density=labelled.density,
                optics=optics,
            )


def count_pairs(dataset: LabelledDataset, range_um: float, dz_um: float) -> int:
    """How many pairs :func:`known_pairs` will give, if none turns out to be bad."""
    return sum(len(planes_apart(stack, range_um, dz_um)) for stack in dataset.stacks)
