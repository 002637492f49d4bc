"""Z-stacks and their focus curves: where a field and each of its patches is sharpest, and whether to believe it.

Under construction: the names and signatures below are what other rooms build on.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.optics import Objective

CurveVerdict = Literal["peak", "phase_minimum", "no_peak", "peak_at_edge", "several_peaks", "spike", "undersampled"]
Polarity = Literal["auto", "max", "min"]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ZStack:
    """Images of one field with their drive positions.

    Parameters
    ----------
    data : array-like, shape (Z, Y, X) or (Z, Y, X, C)
        NumPy, or anything lazy that gives a plane when indexed (dask, zarr, a reader's proxy).
    z_um : np.ndarray, shape (Z,)
        Drive position of each plane, strictly increasing, µm; the spacing may be irregular. Use
        :meth:`from_unsorted` for planes in any order.
    pixel_size_um : float or None
        None where the file does not say; never invented.
    source : str
        Where the stack comes from, for messages and tables.
    """

    data: Any
    z_um: FloatArray
    pixel_size_um: float | None = None
    source: str = ""
    objective: Objective | None = None
    focus_direction: int = 1

    def __len__(self) -> int: ...

    @classmethod
    def from_unsorted(cls, data: Any, z_um: Sequence[float], **others: Any) -> ZStack:
        """The stack with its planes sorted by z. Raises InputError on duplicate or non-finite z."""
        raise NotImplementedError

    def plane(self, index: int) -> npt.NDArray[Any]:
        """One plane in memory, shape (Y, X) or (Y, X, C). Raises InputError if it holds NaN or infinity."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class FocusCurve:
    """Sharpness against z, and what it says about focus."""

    z_um: FloatArray
    sharpness: FloatArray
    verdict: CurveVerdict
    trusted: bool
    best_z_um: float | None
    uncertainty_um: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PatchFocus:
    """What the z-stack says about one patch: (y, x) upper left corner and size in px."""

    y: int
    x: int
    size: int
    best_z_um: float | None
    uncertainty_um: float | None
    importance: float
    trusted: bool
    verdict: CurveVerdict


@dataclass(frozen=True, eq=False)
class StackFocus:
    """Best focus of a field and of its patches."""

    source: str
    planes: int
    field: FocusCurve
    grid: PatchGrid
    patches: tuple[PatchFocus, ...]
    patch_curves: FloatArray  # (patches, planes)


@dataclass(frozen=True)
class FocusSettings:
    """How a stack is judged."""

    polarity: Polarity = "auto"
    measure: str = "brenner"
    patch_px: int = 128


@dataclass(frozen=True)
class PlaneDone:
    """Progress: how many planes have been measured."""

    done: int
    total: int


def judge_curve(
    z_um: npt.ArrayLike, sharpness: npt.ArrayLike, *, noise: float | None = None, polarity: Polarity = "auto"
) -> FocusCurve:
    """Find the peak of a focus curve (any sampling) and say whether to trust it."""
    raise NotImplementedError


def measure_stack(stack: ZStack, settings: FocusSettings | None = None) -> Generator[PlaneDone, None, StackFocus]:
    """Judge a field and its patches, one plane in memory at a time; yields after each plane, returns the result."""
    raise NotImplementedError
