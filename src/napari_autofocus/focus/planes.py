"""The planes of one field with their drive positions, read one at a time.

Measures nothing; that is in ``zstack.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.peak import FloatArray
from napari_autofocus.optics import Objective


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
    objective : Objective or None
        None where the file does not say.
    focus_direction : int
        +1 if a growing z brings sample and objective together, −1 if apart.

    Raises
    ------
    InputError
        If there are fewer than two planes, z does not fit the planes, is not finite or does not increase.
    """

    data: Any
    z_um: FloatArray
    pixel_size_um: float | None = None
    source: str = ""
    objective: Objective | None = None
    focus_direction: int = 1

    def __post_init__(self) -> None:
        z = np.array(self.z_um, np.float64)
        object.__setattr__(self, "z_um", z)
        name = self.source or "The stack"
        if len(self.data.shape) not in (3, 4):
            raise InputError(
                f"{name} has {len(self.data.shape)} axes; a z-stack has three (Z, Y, X), or four with colour."
            )
        if z.ndim != 1 or z.size != self.data.shape[0]:
            raise InputError(f"{name} has {self.data.shape[0]} planes but {z.size} z positions; give one z a plane.")
        if z.size < 2:
            raise InputError(f"{name} holds a single plane; a z-stack needs several planes of the same field.")
        _check_increasing(z, name)
        if self.focus_direction not in (-1, 1):
            raise InputError(f"The focus direction of a stack is +1 or -1; found {self.focus_direction}.")

    def __len__(self) -> int:
        return int(self.z_um.size)

    @classmethod
    def from_unsorted(cls, data: Any, z_um: Sequence[float] | FloatArray, **others: Any) -> ZStack:
        """The stack with its planes sorted by z.

        Raises
        ------
        InputError
            As the class; duplicate z among the reasons.
        """
        z = np.asarray(z_um, np.float64)
        order = np.argsort(z, kind="stable")
        if np.array_equal(order, np.arange(z.size)):
            return cls(data, z, **others)
        return cls(_Reordered(data, order), z[order], **others)

    @property
    def field_shape(self) -> tuple[int, int]:
        """Height and width of the field, px."""
        return int(self.data.shape[1]), int(self.data.shape[2])

    @property
    def step_um(self) -> float:
        """Median distance between neighbouring planes, µm."""
        return float(np.median(np.diff(self.z_um)))

    @property
    def dof_um(self) -> float | None:
        """Depth of field, µm; None where the objective is unknown."""
        return None if self.objective is None else self.objective.dof_um

    def plane(self, index: int) -> npt.NDArray[Any]:
        """One plane in memory, shape (Y, X) or (Y, X, C). Raises InputError if it holds NaN or infinity."""
        image = np.asarray(self.data[index])
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise InputError(
                f"{self.source or 'The stack'}: the plane at z = {self.z_um[index]:g} µm holds"
                f" {np.count_nonzero(~np.isfinite(image))} pixels that are NaN or infinite; mend or remove that plane."
            )
        return image


def planes_ahead(stack: ZStack) -> Iterator[npt.NDArray[Any]]:
    """The planes in order, each read by a thread of its own while the one before it is worked on.

    Raises
    ------
    InputError
        If a plane cannot be read, when its turn comes.
    """
    with ThreadPoolExecutor(1, "next-plane") as reader:
        following = reader.submit(stack.plane, 0)
        for index in range(1, len(stack)):
            plane, following = following.result(), reader.submit(stack.plane, index)
            yield plane
        yield following.result()


class _Reordered:
    """Planes of a lazy array in another order, without touching the data."""

    def __init__(self, data: Any, order: npt.NDArray[np.intp]) -> None:
        self._data, self._order = data, order
        self.shape, self.dtype, self.ndim = tuple(data.shape), data.dtype, len(data.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Any:
        first, *others = key if isinstance(key, tuple) else (key,)
        if isinstance(first, (int, np.integer)):
            plane = np.asarray(self._data[int(self._order[first])])
            return plane[tuple(others)] if others else plane
        planes = np.stack([np.asarray(self._data[int(i)]) for i in self._order[first]])
        return planes[(slice(None), *others)] if others else planes

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype)


def _check_increasing(z: FloatArray, name: str) -> None:
    if not np.isfinite(z).all():
        raise InputError(f"{name} has a z position that is not a number; give every plane its z in µm.")
    steps = np.diff(z)
    if (steps == 0).any():
        raise InputError(
            f"{name} has two planes at z = {z[int(np.argmin(steps != 0))]:g} µm; remove one or correct its z."
        )
    if (steps < 0).any():
        raise InputError(f"{name} has z positions that do not increase; use ZStack.from_unsorted.")
