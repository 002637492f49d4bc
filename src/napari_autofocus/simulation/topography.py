"""The height of the specimen over the slide: tilt, waves, folds and depth, without limits in x and y.

Heights are in µm towards the objective: where the height is h, best focus lies at an axial position of −h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.scatter import make_key, mix, to_uniform
from napari_autofocus.simulation.texture import ease
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]
_WAVES = 3


@dataclass(frozen=True)
class Topography:
    """How a specimen departs from a plane across the optical axis.

    Parameters
    ----------
    tilt_x_um_per_mm, tilt_y_um_per_mm : float
        Slope of the slide, µm of height for each mm of x and of y.
    wave_um, wave_length_um : float
        Waves of at most this height (µm), at least this long (µm).
    fold_um : float
        Height of the second sheet where the specimen is folded, µm; 0 for no folds.
    fold_spacing_um, fold_width_um : float
        Distance between folds and their width, µm.
    thickness_um : float
        Depth over which objects are dealt to layers, µm; 0 for a thin specimen.
    layers : int
        Number of layers, evenly spread from 0 to ``thickness_um``.

    Raises
    ------
    InputError
        If a value is not finite or impossible.
    """

    tilt_x_um_per_mm: float = 0.8
    tilt_y_um_per_mm: float = -0.6
    wave_um: float = 0.0
    wave_length_um: float = 1000.0
    fold_um: float = 0.0
    fold_spacing_um: float = 900.0
    fold_width_um: float = 90.0
    thickness_um: float = 0.0
    layers: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise InputError(f"{field.name} must be finite; found {getattr(self, field.name)}.")
        for name in ("wave_um", "fold_um", "thickness_um"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative; found {getattr(self, name)}.")
        for name in ("wave_length_um", "fold_spacing_um", "fold_width_um", "layers"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive; found {getattr(self, name)}.")
        if self.fold_width_um >= self.fold_spacing_um:
            raise InputError(
                f"Folds {self.fold_width_um} µm wide must lie farther apart than {self.fold_spacing_um} µm."
            )

    @classmethod
    def flat(cls) -> Topography:
        """A plane across the optical axis: every pixel is in focus at the same axial position."""
        return cls(0.0, 0.0)

    @classmethod
    def tilted(cls) -> Topography:
        """A badly clamped slide: 5 µm per mm, 2 µm over a field of a 20× objective."""
        return cls(4.0, 3.0)

    @classmethod
    def wavy(cls) -> Topography:
        """Tissue that did not lie down flat: waves of 2 µm over about 600 µm, on the default tilt."""
        return cls(wave_um=2.0, wave_length_um=600.0)

    @classmethod
    def folded(cls) -> Topography:
        """A section folded over itself every 0.9 mm, the second sheet 6 µm higher."""
        return cls(fold_um=6.0)

    @classmethod
    def thick(cls) -> Topography:
        """Content at three depths, 3 µm apart."""
        return cls(thickness_um=6.0, layers=3)

    @property
    def layer_heights_um(self) -> tuple[float, ...]:
        """Height of each layer above the base, µm; a single 0 for a thin specimen."""
        if self.thickness_um == 0 or self.layers == 1:
            return (0.0,)
        return tuple(self.thickness_um * i / (self.layers - 1) for i in range(self.layers))

    def height_um(self, view: View, seed: int) -> FloatImage | float:
        """Height of the base of the specimen at each pixel, shape (Y, X), µm, or 0.0 where it is flat."""
        if self.tilt_x_um_per_mm == self.tilt_y_um_per_mm == self.wave_um == 0:
            return 0.0
        x, y = view.columns_um[None, :], view.rows_um[:, None]
        height = (self.tilt_x_um_per_mm * x + self.tilt_y_um_per_mm * y) / 1000
        if self.wave_um > 0:
            height = height + self._waves(x, y, seed)
        return np.asarray(np.broadcast_to(height, view.shape), np.float32)

    def fold_coverage(self, view: View, seed: int) -> FloatImage | None:
        """Share of each pixel that is folded over, shape (Y, X), in [0, 1]; None where no fold is in view."""
        if self.fold_um == 0:
            return None
        direction, phase, bend = 2 * np.pi * _chances(seed, "fold", 3)
        x, y = view.columns_um[None, :], view.rows_um[:, None]
        across = x * np.cos(direction) + y * np.sin(direction)
        along = y * np.cos(direction) - x * np.sin(direction)
        sway = 0.1 * self.fold_spacing_um * np.sin(along * 2 * np.pi / (2.3 * self.fold_spacing_um) + bend)
        position = (across + sway) / self.fold_spacing_um + phase / (2 * np.pi)
        distance = np.abs(position - np.round(position)) * self.fold_spacing_um
        edge_um = max(1.0, view.pixel_size_um)
        coverage = ease(((self.fold_width_um / 2 - distance) / edge_um + 0.5).astype(np.float32))
        return coverage if coverage.any() else None

    def _waves(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
        """Three plane waves of different length and direction, together at most ``wave_um`` high or deep."""
        directions = 2 * np.pi * _chances(seed, "wave direction", _WAVES)
        phases = 2 * np.pi * _chances(seed, "wave phase", _WAVES)
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        for number, (direction, phase) in enumerate(zip(directions, phases, strict=True)):
            turn = 2 * np.pi / (self.wave_length_um * (1 + 0.37 * number))
            total += np.sin(turn * (x * np.cos(direction) + y * np.sin(direction)) + phase)
        return total * (self.wave_um / _WAVES)


def _chances(seed: int, purpose: str, count: int) -> npt.NDArray[np.float64]:
    return to_uniform(mix(np.asarray(make_key(seed, purpose) + np.arange(count, dtype=np.uint64), np.uint64)))
