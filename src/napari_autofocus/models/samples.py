"""What networks learn from: a field seen at several defocus values, with the truth for each of its patches.

A field comes from the simulation (``simulated/fields.py``) or from a labelled z-stack (``labelled_stacks.py``); both
arrive here in the same form. Storing them is ``dataset.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.noise_free import noise_of_brenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.zstack import CLEAR

FloatArray = npt.NDArray[np.float32]

#: A patch whose own curve peaks farther than this many depths of field from its truth shows a neighbour's blur.
FARTHEST_PEAK_DOF = 1.5


@dataclass(frozen=True, eq=False)
class FieldSample:
    """One field at several defocus values.

    Parameters
    ----------
    frames : tuple of np.ndarray, each (Y, X) or (Y, X, 3), uint8 or uint16
        The planes.
    grid : PatchGrid
        Where the patches lie.
    defocus_um : np.ndarray, shape (planes, rows, columns), float32
        True defocus of each patch in each plane, µm; NaN where it is not known.
    importance : np.ndarray, shape (rows, columns), float32
        Content importance of each patch, in [0, 1]: the label of stage one.
    signed : bool
        False for even optics, whose images at +d and −d are the same: only the distance can be learned.
    slide : str
        Fields of one slide stay together when data are split.
    stain, density : str
        For tables; empty where unknown.
    """

    frames: tuple[npt.NDArray[Any], ...]
    grid: PatchGrid
    defocus_um: FloatArray
    importance: FloatArray
    signed: bool
    slide: str
    stain: str = ""
    density: str = ""

    def __post_init__(self) -> None:
        if self.defocus_um.shape != (len(self.frames), *self.grid.shape) or self.importance.shape != self.grid.shape:
            raise InputError(
                f"A field of {len(self.frames)} planes and {self.grid.shape} patches needs as many labels; found"
                f" {self.defocus_um.shape} defocus values and {self.importance.shape} importances."
            )


def importance_from_planes(
    frames: tuple[npt.NDArray[Any], ...], defocus_um: FloatArray, grid: PatchGrid, dof_um: float
) -> FloatArray:
    """Content importance of each patch from its own focus curve, with planes too few and uneven to judge its shape.

    As in :mod:`napari_autofocus.focus.zstack`, s/(s + 20) for a curve that rises s times its noise; 0 where it is
    highest far from the known focus. Our own choice; the paper does not say how importance is labelled.

    Parameters
    ----------
    frames : tuple of np.ndarray
        The planes, one of them within half a depth of field of focus.
    defocus_um : np.ndarray, shape (planes, rows, columns)
        Known defocus of each patch.
    grid : PatchGrid
        Where the patches lie.
    dof_um : float
        Depth of field, µm.

    Returns
    -------
    np.ndarray, shape (rows, columns), float32, in [0, 1]
    """
    splits = [split_brenner(frame, grid) for frame in frames]
    curves = np.stack([split.brenner for split in splits])
    noise = np.min([noise_of_brenner(split) for split in splits], axis=0)
    highest = np.argmax(curves, axis=0)
    peak_at = np.take_along_axis(defocus_um, highest[None], axis=0)[0]
    rise = (curves.max(axis=0) - np.median(curves, axis=0)) / np.maximum(noise, 1e-12)
    clear = np.abs(peak_at) <= FARTHEST_PEAK_DOF * dof_um
    return np.where(clear, rise / (rise + CLEAR), 0.0).astype(np.float32)
