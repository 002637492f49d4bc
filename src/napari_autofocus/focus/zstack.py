"""Z-stacks, and what their focus curves say: where a field and its patches are sharpest, and whether to trust it.

One plane is in memory at a time, so a stack larger than memory works. Judging a curve is in ``curve.py``; telling
transparent specimens is in ``phase.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.curve import CurveVerdict, FocusCurve, Polarity, judge_curve
from napari_autofocus.focus.grey import Colour, to_grey
from napari_autofocus.focus.noise_free import noise_of_brenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.peak import FloatArray
from napari_autofocus.focus.phase import PhaseEvidence, Reduced, phase_evidence, reduce_plane
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.optics import Objective

__all__ = [
    "CurveVerdict",
    "FocusCurve",
    "FocusSettings",
    "PatchFocus",
    "PlaneDone",
    "Polarity",
    "StackFocus",
    "ZStack",
    "judge_curve",
    "measure_stack",
]

DEFAULT_PATCH_PX = 128
CLEAR = 20.0  # significance at which a patch counts as half important


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


@dataclass(frozen=True)
class PatchFocus:
    """What the z-stack says about one patch.

    Parameters
    ----------
    y, x, size : int
        Upper left corner and side, px.
    best_z_um, uncertainty_um : float or None
        As in :class:`~napari_autofocus.focus.curve.FocusCurve`.
    importance : float
        In [0, 1]: how clearly the patch's own curve shows focus, s/(s + 20) for a peak s times the noise high, 0 where
        it shows none. Our own choice.
    trusted : bool
        Whether ``best_z_um`` may be used.
    verdict : str
        On the patch's own focus curve.
    """

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
    """Best focus of a field and of its patches.

    Parameters
    ----------
    source : str
        The stack's.
    planes : int
        Number of planes.
    field : FocusCurve
        Judged on the whole field.
    grid : PatchGrid
        Where the patches lie.
    patches : tuple of PatchFocus
        Row by row.
    patch_curves : np.ndarray, shape (patches, planes)
        Sharpness of each patch.
    """

    source: str
    planes: int
    field: FocusCurve
    grid: PatchGrid
    patches: tuple[PatchFocus, ...] = ()
    patch_curves: FloatArray = dataclasses.field(default_factory=lambda: np.empty((0, 0)))

    @property
    def trusted_patches(self) -> tuple[PatchFocus, ...]:
        """The patches whose best focus may be used."""
        return tuple(p for p in self.patches if p.trusted)

    @property
    def best_z_from_patches_um(self) -> float | None:
        """Median best focus of the trusted patches, µm; None where no patch is trusted."""
        positions = [p.best_z_um for p in self.trusted_patches if p.best_z_um is not None]
        return float(np.median(positions)) if positions else None

    @property
    def best_z_um(self) -> float | None:
        """The position to use: the field's own where it is trusted, otherwise the patches', otherwise None."""
        return self.field.best_z_um if self.field.trusted else self.best_z_from_patches_um


@dataclass(frozen=True)
class FocusSettings:
    """How a stack is judged.

    Parameters
    ----------
    polarity : {'auto', 'max', 'min'}
        Whether sharpness is most (stained, fluorescent, reflecting) or contrast least (transparent) in focus; ``auto``
        finds out from the contrast's sign on both sides.
    measure : str
        Focus measure, a name of :data:`napari_autofocus.focus.sharpness.MEASURES`.
    patch_px : int or None
        Side of a patch; None for 128 px, or the whole of a smaller field.
    colour : {'luminance', 'red', 'green', 'blue'}
        What to measure of a colour image.
    """

    polarity: Polarity = "auto"
    measure: str = "brenner"
    patch_px: int | None = None
    colour: Colour = "luminance"


@dataclass(frozen=True)
class PlaneDone:
    """Progress: how many planes have been measured."""

    done: int
    total: int


def measure_stack(stack: ZStack, settings: FocusSettings | None = None) -> Generator[PlaneDone, None, StackFocus]:
    """Judge a field and its patches, one plane in memory at a time.

    Parameters
    ----------
    stack : ZStack
        The stack; planes are read in order.
    settings : FocusSettings, optional
        How to judge.

    Yields
    ------
    PlaneDone
        After each plane.

    Returns
    -------
    StackFocus

    Raises
    ------
    InputError
        If a plane cannot be read or measured, or the patch does not fit the field.
    """
    settings = settings or FocusSettings()
    grid = PatchGrid(stack.field_shape, settings.patch_px or min(DEFAULT_PATCH_PX, *stack.field_shape))
    curves, noise = np.empty((len(stack), len(grid))), np.empty((len(stack), len(grid)))
    reduced: list[Reduced] = []
    for index in range(len(stack)):
        image = stack.plane(index)
        curves[index], noise[index] = _patch_sharpness(image, grid, settings)
        reduced.append(reduce_plane(to_grey(image, settings.colour)))
        yield PlaneDone(index + 1, len(stack))
    return _judge(stack, settings, grid, curves.T, noise.min(axis=0), reduced)


def _patch_sharpness(
    image: npt.NDArray[Any], grid: PatchGrid, settings: FocusSettings
) -> tuple[FloatArray, FloatArray]:
    """Sharpness of each patch, and the standard deviation that pixel noise may give it (0: unknown)."""
    if settings.measure == "brenner":
        split = split_brenner(image, grid, colour=settings.colour)
        return split.brenner.ravel(), noise_of_brenner(split).ravel()
    values = np.asarray(sharpness(image, settings.measure, grid=grid, colour=settings.colour), np.float64).ravel()
    return values, np.zeros_like(values)


def _judge(
    stack: ZStack,
    settings: FocusSettings,
    grid: PatchGrid,
    curves: FloatArray,
    noise: FloatArray,
    reduced: list[Reduced],
) -> StackFocus:
    field_noise = float(np.sqrt(np.mean(noise**2) / len(grid)))
    field_curve = _judge_one(stack, settings, curves.mean(axis=0), field_noise, reduced)
    phase_field = field_curve if field_curve.verdict == "phase_minimum" else None
    if phase_field:
        settings = replace(settings, polarity="min")  # a Brenner peak is no focus on any patch of such a field
    patches = tuple(
        _judge_patch(stack, settings, grid, index, curves[index], float(noise[index]), reduced, phase_field)
        for index in range(len(grid))
    )
    return StackFocus(stack.source, len(stack), field_curve, grid, patches, curves)


def _judge_patch(
    stack: ZStack,
    settings: FocusSettings,
    grid: PatchGrid,
    index: int,
    values: FloatArray,
    noise: float,
    reduced: list[Reduced],
    phase_field: FocusCurve | None,
) -> PatchFocus:
    rows, columns = grid.slices(index)
    part = _scaled(rows, columns, reduced[0].shape[0] / grid.field_shape[0])
    curve = _judge_one(stack, settings, values, noise, [plane[part] for plane in reduced])
    strength = curve.significance if curve.verdict in ("peak", "phase_minimum") else 0.0
    return PatchFocus(
        y=rows.start,
        x=columns.start,
        size=grid.size,
        best_z_um=curve.best_z_um,
        uncertainty_um=curve.uncertainty_um,
        importance=strength / (strength + CLEAR),
        trusted=curve.trusted and not _strays(curve, phase_field),
        verdict=curve.verdict,
    )


def _strays(curve: FocusCurve, phase_field: FocusCurve | None) -> bool:
    """Whether a patch of a transparent field has its contrast minimum far from the field's: fringes of a neighbour."""
    if phase_field is None or curve.best_z_um is None or phase_field.best_z_um is None or not phase_field.width_um:
        return False
    return abs(curve.best_z_um - phase_field.best_z_um) > 2 * phase_field.width_um


def _judge_one(
    stack: ZStack, settings: FocusSettings, values: FloatArray, pixel_noise: float, reduced: list[Reduced]
) -> FocusCurve:
    """Judge one curve, as a transparent specimen where its contrast says so."""
    noise = pixel_noise or None
    if settings.polarity == "max":
        return judge_curve(stack.z_um, values, noise=noise, polarity="max", dof_um=stack.dof_um)
    evidence = phase_evidence(stack.z_um, reduced, values)
    if settings.polarity == "min":
        return _of_phase(stack, values, evidence)
    curve = judge_curve(stack.z_um, values, noise=noise, dof_um=stack.dof_um)
    if curve.verdict != "no_peak" and evidence is not None and evidence.is_phase:
        return _of_phase(stack, values, evidence)
    return curve


def _of_phase(stack: ZStack, values: FloatArray, evidence: PhaseEvidence | None) -> FocusCurve:
    """The contrast minimum as the verdict on a sharpness curve."""
    if evidence is None:
        reason = ("Contrast has no minimum between two rises inside the range.",)
        return FocusCurve(stack.z_um, values, "no_peak", False, None, None, 0.0, reason)
    return evidence.on(stack.z_um, values)


def _scaled(rows: slice, columns: slice, scale: float) -> tuple[slice, slice]:
    """A patch's place in a reduced plane."""

    def shrink(part: slice) -> slice:
        start = round(part.start * scale)
        return slice(start, max(round(part.stop * scale), start + 2))

    return shrink(rows), shrink(columns)


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
