"""Z-stacks, and what their focus curves say: where a field and its patches are sharpest, and whether to trust it.

Two planes are in memory at a time, so a stack larger than memory works. The planes are in ``planes.py``; judging a
curve is in ``curve.py``, telling transparent specimens in ``phase.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.curve import SIGNIFICANT, CurveVerdict, FocusCurve, Polarity, judge_curve
from napari_autofocus.focus.grey import Colour, to_grey
from napari_autofocus.focus.noise_free import noise_of_brenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.peak import FloatArray
from napari_autofocus.focus.phase import PhaseEvidence, Reduced, phase_evidence, reduce_plane
from napari_autofocus.focus.planes import ZStack, planes_ahead
from napari_autofocus.focus.sharpness import sharpness

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
    "judge_stack",
    "measure_stack",
]

DEFAULT_PATCH_PX = 128
LEAK_HEIGHT = 20.0  # height of a neighbour's peak over a patch's own, from which the latter may be its blur
CLEAR = 20.0  # significance at which a patch counts as half important


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
    stride_px : int or None
        Distance between neighbouring patches; None for patches that touch.
    colour : {'luminance', 'red', 'green', 'blue'}
        What to measure of a colour image.
    """

    polarity: Polarity = "auto"
    measure: str = "brenner"
    patch_px: int | None = None
    stride_px: int | None = None
    colour: Colour = "luminance"


@dataclass(frozen=True)
class PlaneDone:
    """Progress: how many planes have been measured."""

    done: int
    total: int


def measure_stack(stack: ZStack, settings: FocusSettings | None = None) -> Generator[PlaneDone, None, StackFocus]:
    """Judge a field and its patches; a plane is measured while the next one is read.

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
    grid = PatchGrid(
        stack.field_shape, settings.patch_px or min(DEFAULT_PATCH_PX, *stack.field_shape), settings.stride_px
    )
    curves, noise = np.empty((len(stack), len(grid))), np.empty((len(stack), len(grid)))
    reduced: list[Reduced] = []
    for index, image in enumerate(planes_ahead(stack)):
        curves[index], noise[index] = _patch_sharpness(image, grid, settings)
        reduced.append(reduce_plane(to_grey(image, settings.colour)))
        yield PlaneDone(index + 1, len(stack))
    return _Measured(stack, settings, grid, curves.T, noise.min(axis=0), reduced).judge()


def judge_stack(stack: ZStack, settings: FocusSettings | None = None) -> StackFocus:
    """Judge a field and its patches in one call, for scripts; see :func:`measure_stack` for progress and cancelling."""
    steps = measure_stack(stack, settings)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: StackFocus = end.value
            return found


def _patch_sharpness(
    image: npt.NDArray[Any], grid: PatchGrid, settings: FocusSettings
) -> tuple[FloatArray, FloatArray]:
    """Sharpness of each patch, and the standard deviation that pixel noise may give it (0: unknown)."""
    if settings.measure == "brenner":
        split = split_brenner(image, grid, colour=settings.colour)
        return split.brenner.ravel(), noise_of_brenner(split).ravel()
    values = np.asarray(sharpness(image, settings.measure, grid=grid, colour=settings.colour), np.float64).ravel()
    return values, np.zeros_like(values)


@dataclass(frozen=True, eq=False)
class _Measured:
    """What was kept of a stack's planes: curves (patches, planes), their pixel noise (patches,), reduced planes."""

    stack: ZStack
    settings: FocusSettings
    grid: PatchGrid
    curves: FloatArray
    noise: FloatArray
    reduced: list[Reduced]

    def judge(self) -> StackFocus:
        noise = float(np.sqrt(np.mean(self.noise**2) / len(self.grid)))
        field = self._judge_curve(self.curves.mean(axis=0), noise, self.reduced)
        phase_field = field if field.verdict == "phase_minimum" else None
        patches = [self._judge_patch(index, phase_field) for index in range(len(self.grid))]
        own = tuple(_own(patches, index, np.ptp(self.curves, axis=1), self.grid) for index in range(len(patches)))
        return StackFocus(self.stack.source, len(self.stack), field, self.grid, own, self.curves)

    def _judge_patch(self, index: int, phase_field: FocusCurve | None) -> PatchFocus:
        rows, columns = self.grid.slices(index)
        part = _scaled(rows, columns, self.reduced[0].shape[0] / self.grid.field_shape[0])
        reduced = [plane[part] for plane in self.reduced]
        curve = self._judge_curve(self.curves[index], float(self.noise[index]), reduced, phase_field)
        strength = curve.significance if curve.verdict in ("peak", "phase_minimum") else 0.0
        return PatchFocus(
            y=rows.start,
            x=columns.start,
            size=self.grid.size,
            best_z_um=curve.best_z_um,
            uncertainty_um=curve.uncertainty_um,
            importance=strength / (strength + CLEAR),
            trusted=curve.trusted,
            verdict=curve.verdict,
        )

    def _judge_curve(
        self, values: FloatArray, noise: float, reduced: list[Reduced], phase_field: FocusCurve | None = None
    ) -> FocusCurve:
        """Judge one curve, as a transparent specimen where its contrast, or that of the whole field, says so."""
        z, dof, polarity = self.stack.z_um, self.stack.dof_um, self.settings.polarity
        if polarity == "max":
            return judge_curve(z, values, noise=noise or None, polarity="max", dof_um=dof)
        evidence = phase_evidence(z, reduced, values)
        if polarity == "min" or phase_field is not None:
            return _of_phase(z, values, evidence, phase_field)
        curve = judge_curve(z, values, noise=noise or None, dof_um=dof)
        if curve.significance >= SIGNIFICANT and evidence is not None and evidence.is_phase:
            return _of_phase(z, values, evidence)
        return curve


def _own(patches: list[PatchFocus], index: int, heights: FloatArray, grid: PatchGrid) -> PatchFocus:
    """The patch, no longer trusted where its peak is a much stronger neighbour's blur, which is widest out of focus."""
    patch = patches[index]
    if not patch.trusted:
        return patch
    row, column = divmod(index, grid.shape[1])
    reach = -(-grid.size // grid.step)  # touching patches lie so many steps away
    rows, columns = (
        range(max(i - reach, 0), min(i + reach + 1, n)) for i, n in ((row, grid.shape[0]), (column, grid.shape[1]))
    )
    around = [r * grid.shape[1] + c for r in rows for c in columns]
    leaks = any(heights[i] > LEAK_HEIGHT * heights[index] and _apart(patch, patches[i]) for i in around)
    return replace(patch, trusted=False, importance=0.0) if leaks else patch


def _apart(one: PatchFocus, other: PatchFocus) -> bool:
    """Whether two patches are sharp at different z, beyond their uncertainties."""
    if one.best_z_um is None or other.best_z_um is None:
        return True
    both = float(np.hypot(one.uncertainty_um or 0.0, other.uncertainty_um or 0.0))
    return abs(one.best_z_um - other.best_z_um) > 4 * both


def _of_phase(
    z_um: FloatArray, values: FloatArray, evidence: PhaseEvidence | None, field: FocusCurve | None = None
) -> FocusCurve:
    """The contrast minimum as the verdict on a sharpness curve: a Brenner peak is no focus on a transparent field."""
    if evidence is None:
        reason = ("Contrast has no minimum between two rises inside the range.",)
        return FocusCurve(z_um, values, "no_peak", False, None, None, 0.0, reason)
    curve = evidence.on(z_um, values)
    if curve.trusted and field is not None and not _near(curve, field, 1.0 if evidence.inverts else 0.5):
        stray = "It lies far from the field's minimum: a neighbour's fringes."
        return replace(curve, trusted=False, reasons=(*curve.reasons, stray))
    return curve


def _near(curve: FocusCurve, field: FocusCurve, widths: float) -> bool:
    """Whether a contrast minimum lies within so many widths of the field's."""
    if curve.best_z_um is None or field.best_z_um is None or field.width_um is None:
        return False
    return abs(curve.best_z_um - field.best_z_um) <= widths * field.width_um


def _scaled(rows: slice, columns: slice, scale: float) -> tuple[slice, slice]:
    """A patch's place in a reduced plane."""

    def shrink(part: slice) -> slice:
        start = round(part.start * scale)
        return slice(start, max(round(part.stop * scale), start + 2))

    return shrink(rows), shrink(columns)
