"""What a file says about a stack before the user is asked for the rest; planes stay in the file until needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.optics import Objective

Plane = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

MICRONS = {
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("inch", "in"), 25400.0),
}


def to_um(value: object, unit: str | None) -> float | None:
    """A length in µm, or None where the number or its unit does not say how long that is."""
    factor = MICRONS.get((unit or "").strip().lower())
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number * factor if factor is not None and np.isfinite(number) else None


def even_steps(count: int, step_um: float) -> FloatArray:
    """Positions of planes that follow one another at the same distance, the first at 0, µm."""
    return np.arange(count, dtype=np.float64) * np.float64(step_um)


class LazyPlanes:
    """Planes that are read one at a time, when indexed; looks enough like an array for dask and napari.

    Parameters
    ----------
    readers : sequence of callables
        One a plane, returning it with shape (Y, X) or (Y, X, C).
    plane_shape : tuple of int
        Shape that every plane has.
    dtype : dtype
        Data type that every plane has, in the machine's byte order.
    """

    def __init__(
        self, readers: Sequence[Callable[[], Plane]], plane_shape: tuple[int, ...], dtype: npt.DTypeLike
    ) -> None:
        self._readers = tuple(readers)
        self.shape = (len(self._readers), *plane_shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")

    @property
    def ndim(self) -> int:
        """Number of axes: 3, or 4 with colour."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """A plane for an integer; for a slice or a list of indices the chosen planes, still unread.

        With further indices (``planes[2, 10:20]``) the planes are read and the rest is applied to them.
        """
        if key is ... or (isinstance(key, tuple) and any(part is ... for part in key)):
            return np.asarray(self)[key]
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            plane = self._read(int(first))
            return plane[tuple(rest)] if rest else plane
        chosen = np.arange(len(self))[first]
        if not rest:
            return LazyPlanes([self._readers[i] for i in chosen], self.shape[1:], self.dtype)
        return self._stacked(chosen, tuple(rest))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Plane:
        """Every plane, in memory."""
        everything = self._stacked(np.arange(len(self)), ())
        return everything if dtype is None else everything.astype(dtype, copy=False)

    def _stacked(self, chosen: npt.NDArray[np.intp], rest: tuple[Any, ...]) -> Plane:
        if not chosen.size:
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
        return np.stack([self._read(int(i))[rest] for i in chosen])

    def _read(self, index: int) -> Plane:
        plane = self._readers[index]()
        dtype = plane.dtype.newbyteorder("=")
        if plane.shape != self.shape[1:] or dtype != self.dtype:
            raise InputError(
                f"Plane {index} has shape {plane.shape} and type {dtype}, but the stack's first plane has"
                f" {self.shape[1:]} and {self.dtype}; a z-stack's planes are alike, so take the odd ones out."
            )
        return plane.astype(dtype, copy=False)


@dataclass(frozen=True, eq=False)
class FileStack:
    """A stack as a file tells it: what it does not say is None.

    Parameters
    ----------
    planes : LazyPlanes
        In the order of the file.
    z_um : np.ndarray or None
        Position of each plane, µm.
    names : tuple of str
        What to call each plane in a message (file names); empty: its number.
    unknown_z : str
        Why z is unknown, for the sentence that asks for it.
    """

    planes: LazyPlanes
    z_um: FloatArray | None = None
    pixel_size_um: float | None = None
    objective: Objective | None = None
    focus_direction: int = 1
    names: tuple[str, ...] = ()
    unknown_z: str = "does not say at which z its planes were taken"

    def to_zstack(
        self, source: str, *, step_um: float | None, z_um: Sequence[float] | None, pixel_size_um: float | None
    ) -> ZStack:
        """The stack with z from the user where given, else from the file. Raises InputError where nobody knows."""
        if len(self.planes) < 2:
            raise InputError(f"{source} holds one plane only; a z-stack needs at least two planes of the same field.")
        positions = self._positions(source, step_um, z_um)
        self._refuse_bad(positions, source)
        order = np.argsort(positions, kind="stable")
        planes = self.planes if np.all(np.diff(order) == 1) else self.planes[order]
        return ZStack(
            data=planes,
            z_um=positions[order],
            pixel_size_um=self._pixel_size(pixel_size_um),
            source=source,
            objective=self.objective,
            focus_direction=self.focus_direction,
        )

    def _pixel_size(self, given_um: float | None) -> float | None:
        if given_um is None:
            return self.pixel_size_um
        if not (np.isfinite(given_um) and given_um > 0):
            raise InputError(f"The pixel size must be a positive number of µm; found {given_um}.")
        return float(given_um)

    def _positions(self, source: str, step_um: float | None, z_um: Sequence[float] | None) -> FloatArray:
        if z_um is not None and step_um is not None:
            raise InputError("Both z positions and a z step were given; give one of the two.")
        if z_um is not None:
            return self._given(source, z_um)
        if step_um is not None:
            if not np.isfinite(step_um) or step_um == 0:
                raise InputError(f"The z step must be a number of µm other than 0; found {step_um}.")
            return even_steps(len(self.planes), step_um)
        if self.z_um is None:
            raise InputError(f"{source} {self.unknown_z}; give the distance between planes with --step-um.")
        return self.z_um

    def _given(self, source: str, z_um: Sequence[float]) -> FloatArray:
        positions = np.asarray(z_um, np.float64)
        if positions.shape != (len(self.planes),):
            raise InputError(
                f"{source} holds {len(self.planes)} planes, but {positions.size} z positions were given;"
                " give one for each plane."
            )
        return positions

    def _refuse_bad(self, positions: FloatArray, source: str) -> None:
        names = self.names or tuple(f"plane {i}" for i in range(len(self.planes)))
        for index in np.flatnonzero(~np.isfinite(positions)):
            raise InputError(f"{source}: the z of {names[index]} is {positions[index]}; give a number of µm.")
        order = np.argsort(positions, kind="stable")
        for first, second in pairwise(order):
            if positions[first] == positions[second]:
                raise InputError(
                    f"{source}: {names[first]} and {names[second]} have the same z, {positions[first]:g} µm; every"
                    " plane needs a z of its own, so remove one or correct its z."
                )
