"""The camera: what becomes of light on its way to numbers (pixels, noise, vignetting, dust, saturation, motion)."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.psf import LUMINANCE_WEIGHTS

FloatImage = npt.NDArray[np.float32]

#: Share of the full scale that relative intensity 1 reaches at the default exposure.
WELL_EXPOSED = 0.85
#: Bands of rows with a noise stream each, so that the result does not depend on the number of threads.
_BANDS = 16
_THREADS = 2


@dataclass(frozen=True)
class Camera:
    """A camera with its faults.

    Parameters
    ----------
    colour : {'rgb', 'mono'}
        ``mono`` records luminance.
    bit_depth : int
        8 to 16; images of 8 bit are uint8, others uint16.
    full_well_e : float
        Electrons that fill a pixel; sets the shot noise (full scale is a full well at gain 1).
    read_noise_e : float
        Standard deviation, electrons.
    gain : float
        Factor from electrons to grey levels, relative to full well = full scale.
    default_exposure_ms : float
        Exposure at which relative intensity 1 (empty bright field, a bright nucleus) gives 85 % of full scale.
    vignetting : float
        Loss of light in the corners, fraction.
    dust : int
        Number of dust shadows; they are fixed to the camera, faint and out of focus.
    dust_seed : int
        Which dust.
    motion_blur_px : float
        Way of the sample during the default exposure, px (longer exposures blur more).
    motion_angle_deg : float
        Direction of that way; 0 is along rows.

    Raises
    ------
    InputError
        If a value is not finite or out of range.
    """

    colour: Literal["rgb", "mono"] = "rgb"
    bit_depth: int = 8
    full_well_e: float = 80000.0
    read_noise_e: float = 5.0
    gain: float = 1.0
    default_exposure_ms: float = 10.0
    vignetting: float = 0.08
    dust: int = 3
    dust_seed: int = 0
    motion_blur_px: float = 0.0
    motion_angle_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.colour not in ("rgb", "mono"):
            raise InputError(f"A camera is 'rgb' or 'mono'; found {self.colour!r}.")
        for name, (low, high) in _ALLOWED.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high) or (name in _WHOLE and value != int(value)):
                kind = "a whole number" if name in _WHOLE else "a number"
                raise InputError(f"The camera's {name} must be {kind} from {low:g} to {high:g}; found {value}.")

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of the images."""
        return np.uint8 if self.bit_depth == 8 else np.uint16

    @property
    def full_scale(self) -> int:
        """Largest grey level."""
        return int(2**self.bit_depth - 1)

    def expose(
        self, intensity: FloatImage, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> npt.NDArray[Any]:
        """Record an image.

        Parameters
        ----------
        intensity : np.ndarray, shape (Y, X, 3)
            Relative intensity without noise.
        exposure_ms : float, optional
            Exposure time; the camera's default if not given.
        rng : np.random.Generator
            Source of shot and read noise.

        Returns
        -------
        np.ndarray, shape (Y, X, 3) or (Y, X), uint8 or uint16
        """
        exposure = self.default_exposure_ms if exposure_ms is None else exposure_ms
        if not (math.isfinite(exposure) and exposure > 0):
            raise InputError(f"The exposure must be a positive number of ms; found {exposure}.")
        relative = exposure / self.default_exposure_ms
        light = self._moved(self._coloured(intensity), relative)
        electrons = WELL_EXPOSED * self.full_well_e * relative
        shading = _shading_like(light.shape, self.vignetting, self.dust, self.dust_seed)
        out = np.empty(light.shape, self.dtype)
        seeds = rng.integers(0, 2**63, _BANDS)
        edges = np.linspace(0, light.shape[0], _BANDS + 1).astype(int)

        def record(band: int) -> None:
            rows = slice(edges[band], edges[band + 1])
            noise = np.random.Generator(np.random.SFC64(int(seeds[band])))
            if edges[band] < edges[band + 1]:
                out[rows] = self._record_band(light[rows], shading[rows], electrons, noise)

        # A pool for each frame costs 0.1 ms and, unlike a lasting one, survives a fork of the process.
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(record, range(_BANDS)))
        return out

    def shading(self, shape: tuple[int, int]) -> FloatImage:
        """Vignetting and dust as a factor for each pixel, shape (Y, X)."""
        return _shading(shape, self.vignetting, self.dust, self.dust_seed)

    def _coloured(self, intensity: FloatImage) -> FloatImage:
        if self.colour == "rgb":
            return intensity
        weights = np.array([LUMINANCE_WEIGHTS], np.float32)
        return np.asarray(cv2.transform(np.ascontiguousarray(intensity), weights), np.float32)

    def _moved(self, light: FloatImage, relative: float) -> FloatImage:
        length = self.motion_blur_px * relative
        if length <= 0:
            return light
        kernel = motion_kernel(length, self.motion_angle_deg)
        return np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)

    def _record_band(
        self, light: FloatImage, shading: FloatImage, electrons: float, rng: np.random.Generator
    ) -> npt.NDArray[Any]:
        """Shot noise as a Gaussian of variance equal to the signal: close to Poisson from 20 electrons on."""
        flat = (light.shape[0], -1)
        signal = cv2.max(cv2.multiply(light.reshape(flat), shading.reshape(flat), scale=electrons), 0.0)
        noise = rng.standard_normal(signal.shape, dtype=np.float32)
        noise *= cv2.sqrt(cv2.add(signal, self.read_noise_e**2))
        noise += signal
        noise *= np.float32(self.gain * self.full_scale / self.full_well_e)
        cv2.min(noise, min(1.0, self.gain) * self.full_scale, dst=noise)
        depth = cv2.CV_8U if self.bit_depth == 8 else cv2.CV_16U
        return np.asarray(cv2.add(noise, 0.0, dtype=depth)).reshape(light.shape)  # rounds, and lifts negatives to 0


_ALLOWED: dict[str, tuple[float, float]] = {
    "bit_depth": (8, 16),
    "full_well_e": (100, 1e7),
    "read_noise_e": (0, 1000),
    "gain": (0.01, 100),
    "default_exposure_ms": (0.001, 1e5),
    "vignetting": (0, 0.9),
    "dust": (0, 1000),
    "dust_seed": (0, 2**62),
    "motion_blur_px": (0, 500),
    "motion_angle_deg": (-360, 360),
}
_WHOLE = ("bit_depth", "dust", "dust_seed")


@lru_cache(maxsize=4)
def _shading_like(shape: tuple[int, ...], vignetting: float, dust: int, dust_seed: int) -> FloatImage:
    """The shading repeated for each colour of an image that has colours."""
    plane = _shading((shape[0], shape[1]), vignetting, dust, dust_seed)
    return plane if len(shape) == 2 else np.repeat(plane[..., None], shape[2], axis=2)


@lru_cache(maxsize=4)
def _shading(shape: tuple[int, int], vignetting: float, dust: int, dust_seed: int) -> FloatImage:
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)
    shading = 1 - np.float32(vignetting) * (y**2 + x**2) / 2
    rng = np.random.default_rng(dust_seed)
    for _ in range(dust):
        shading *= 1 - _dust_shadow(shape, rng)
    return np.asarray(shading, np.float32)


def _dust_shadow(shape: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    """A round shadow of 2 to 5 %, 15 to 45 px wide (sigma): so far out of focus that its edge adds no sharpness."""
    centre_y, centre_x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    sigma, depth = rng.uniform(15, 45), rng.uniform(0.02, 0.05)
    y = np.exp(-0.5 * ((np.arange(shape[0]) - centre_y) / sigma) ** 2)
    x = np.exp(-0.5 * ((np.arange(shape[1]) - centre_x) / sigma) ** 2)
    return np.asarray(depth * y[:, None] * x, np.float32)


def motion_kernel(length_px: float, angle_deg: float) -> FloatImage:
    """A straight line of that length, drawn with bilinear weights, unit sum."""
    half = math.ceil(length_px / 2) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    way = np.linspace(-length_px / 2, length_px / 2, 8 * half + 1)
    x = half + way * math.cos(math.radians(angle_deg))
    y = half + way * math.sin(math.radians(angle_deg))
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        iy, ix = np.floor(y).astype(int) + dy, np.floor(x).astype(int) + dx
        np.add.at(kernel, (iy, ix), (1 - np.abs(y - iy)) * (1 - np.abs(x - ix)))
    return np.asarray(kernel / kernel.sum(), np.float32)
