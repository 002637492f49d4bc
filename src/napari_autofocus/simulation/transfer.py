"""Transfer functions along the axis: how strongly each spatial frequency survives at each distance from focus.

Point images and transfer functions are round, so one radial table a wavelength says everything. Tables are computed
lazily at fixed axial steps, kept, and interpolated in between, so that any axial position is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import j0

from napari_autofocus.simulation.psf import (
    LUMINANCE_WEIGHTS,
    Optics,
    radial_psf,
    radial_weights,
    sampling_of,
)

FloatArray = npt.NDArray[np.float64]
FloatTable = npt.NDArray[np.float32]

#: Axial step of the tables in units of λ·n/NA².
STEP = 0.15
#: Radial frequencies in a table.
FREQUENCIES = 2048


class AxialTable:
    """Curves that depend on an axial position, computed at multiples of a step and interpolated by cubics in between.

    Parameters
    ----------
    compute : callable
        Axial position (µm) to curve, shape (F,).
    step_um : float
        Distance of the computed positions, µm.
    largest_um : float
        Positions beyond ± this are treated as there.
    """

    def __init__(self, compute: Callable[[float], FloatArray], step_um: float, largest_um: float) -> None:
        self.compute = compute
        self.step_um = step_um
        self.largest_um = largest_um
        self._nodes: dict[int, FloatTable] = {}

    def at(self, axial_um: float) -> FloatTable:
        """The curve at that axial position, shape (F,), float32."""
        place = float(np.clip(axial_um, -self.largest_um, self.largest_um)) / self.step_um
        index = int(np.floor(place))
        t = place - index
        if t < 1e-9:
            return self._node(index)
        nodes = [self._node(index + k) for k in (-1, 0, 1, 2)]
        weights = (
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        )
        return np.asarray(sum(np.float32(w) * node for w, node in zip(weights, nodes, strict=True)), np.float32)

    def _node(self, index: int) -> FloatTable:
        if index not in self._nodes:
            self._nodes[index] = self.compute(index * self.step_um).astype(np.float32)
        return self._nodes[index]


@lru_cache(maxsize=32)
def incoherent_transfer(optics: Optics, wavelength_um: float, largest_frequency: float) -> AxialTable:
    """Optical transfer function in incoherent light: the Hankel transform of the point image, 1 at frequency 0.

    Parameters
    ----------
    largest_frequency : float
        The table's ``FREQUENCIES`` values run evenly from 0 to this, cycles/µm.
    """
    frequencies = np.linspace(0, largest_frequency, FREQUENCIES)
    _, step = sampling_of(optics, wavelength_um, 0)
    bessel = np.empty((FREQUENCIES, 0))

    def compute(axial_um: float) -> FloatArray:
        nonlocal bessel
        radius, _ = sampling_of(optics, wavelength_um, axial_um)
        intensity = radial_psf(optics, wavelength_um, axial_um, radius, step)
        if bessel.shape[1] < intensity.size:
            radii = step * np.arange(intensity.size)
            bessel = np.asarray(j0(2 * np.pi * frequencies[:, None] * radii))
        weighted = intensity * radial_weights(intensity.size, step)
        curve = bessel[:, : weighted.size] @ (weighted / weighted.sum())
        curve[frequencies >= 2 * optics.objective.na / wavelength_um] = 0
        return np.asarray(curve)

    return AxialTable(compute, STEP * optics.axial_scale_um, optics.largest_axial_um)


class FrequencyGrid:
    """A grid of spatial frequencies of an image, and where each of them lies in a radial table.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image, px.
    pixel_size_um : float
        Sampling, µm.
    """

    #: Entries of the fine table that frequencies are looked up in.
    entries = 32768

    def __init__(self, shape: tuple[int, int], pixel_size_um: float) -> None:
        fy = np.fft.fftfreq(shape[0], pixel_size_um)
        fx = np.fft.rfftfreq(shape[1], pixel_size_um)
        self.shape = shape
        self.largest_frequency = largest_frequency(pixel_size_um)
        radial = np.hypot(fy[:, None], fx)
        self._index = np.minimum(radial / self.largest_frequency * (self.entries - 1) + 0.5, self.entries - 1).astype(
            np.int32
        )
        #: Frequency response of square pixels, shape (Y, X // 2 + 1).
        self.pixel_response = (np.sinc(fy * pixel_size_um)[:, None] * np.sinc(fx * pixel_size_um)).astype(np.float32)

    def spread(self, curve: FloatTable) -> FloatTable:
        """Lay a radial table of ``FREQUENCIES`` values over the grid, shape (Y, X // 2 + 1)."""
        fine = np.interp(np.linspace(0, 1, self.entries), np.linspace(0, 1, curve.size), curve).astype(np.float32)
        return np.asarray(np.take(fine, self._index, mode="clip"))


def largest_frequency(pixel_size_um: float) -> float:
    """Radial frequency in the corner of the camera's spectrum, cycles/µm."""
    return float(np.hypot(0.5, 0.5) / pixel_size_um)


@lru_cache(maxsize=4)
def frequency_grid(shape: tuple[int, int], pixel_size_um: float) -> FrequencyGrid:
    """The grid for images of that shape, kept for the next."""
    return FrequencyGrid(shape, pixel_size_um)


@lru_cache(maxsize=64)
def common_zero_um(optics: Optics, pixel_size_um: float) -> float:
    """Axial position of best focus before it is called zero, µm.

    Best focus is where the luminance-weighted point image, as the camera's pixels record it, has the largest Σ PSF²
    (by Parseval, the largest Σ |OTF|² over the camera's frequencies).
    """
    grid = FrequencyGrid((64, 64), pixel_size_um)
    tables = [incoherent_transfer(optics, w, grid.largest_frequency) for w in optics.wavelengths_um]

    def energy(axial_um: float) -> float:
        curve = sum(
            np.float32(weight) * table.at(axial_um - offset)
            for weight, table, offset in zip(LUMINANCE_WEIGHTS, tables, optics.colour_offsets_um, strict=True)
        )
        power = (grid.spread(np.asarray(curve)) * grid.pixel_response) ** 2
        return float(2 * power.sum(dtype=np.float64) - power[:, 0].sum() - power[:, -1].sum())

    scale = optics.axial_scale_um
    coarse = scale * np.arange(-2, 2.01, 0.4)
    middle = float(coarse[np.argmax([energy(z) for z in coarse])])
    found = minimize_scalar(
        lambda z: -energy(z),
        bounds=(middle - 0.4 * scale, middle + 0.4 * scale),
        method="bounded",
        options={"xatol": 1e-4 * scale},
    )
    return float(found.x)
