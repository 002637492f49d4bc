"""Measures of an image as a whole: its spectrum and its edges.

A spectrum cannot leave single pixels out; the mean of the other pixels takes their place.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import scipy.fft

from napari_autofocus.errors import InputError
from napari_autofocus.focus.measures.base import BoolImage, FloatArray, Image, Measure, Region

BAND = (1 / 8, 3 / 8)
PSF_SUPPORT_PX = 3
EDGE_STRENGTH = (0.02, 0.04)

# Blurring, differentiating and thinning reach so many pixels around an edge.
_EDGE_REACH = np.ones((9, 9), np.uint8)
_FINE = 2**14


def dct_shannon(region: Region) -> FloatArray:
    """−(2/r²) Σ |D| log₂ |D| over the low-frequency triangle, D the DCT over its norm (Royer et al. 2016), bit.

    The triangle x/rx + y/ry < 1 holds what the optics pass: rx and ry are width and height over the diameter of the
    point image, taken as 3 px, and r² = rx·ry.
    """
    return region.each(_dct_shannon)


def fft_band_power(region: Region) -> FloatArray:
    """Variance carried by spatial frequencies from 1/8 to 3/8 cycles a pixel, counts² (after Oliva et al. 1999).

    (1/N²) Σ |F|² over the band, F the Fourier transform of w·(s − ŝ), w a Hann window of unit power (0 where pixels
    are left out), N the number of pixels, ŝ the mean under the window. Lower frequencies change too little with
    defocus, the highest are mostly noise.
    """
    return region.each(_fft_band_power)


def edges(region: Region) -> FloatArray:
    """Share of the pixels that lie on an edge by Canny's detector (Canny 1986).

    After a Gaussian blur of 1 px, edges rise by 4 % of the mean for each pixel, or by 2 % where they continue such
    an edge. The mean of a field hardly depends on focus, and the share does not depend on the exposure.

    Raises
    ------
    InputError
        If a mean is negative: a background was subtracted.
    """
    return region.each(_edges)


def _filled(grey: Image, valid: BoolImage | None) -> tuple[FloatArray, FloatArray]:
    """Images in double precision with the mean of the others in place of left-out pixels, and that mean (…, 1, 1)."""
    exact = grey.astype(np.float64)
    if valid is None:
        return exact, exact.mean(axis=(-2, -1), keepdims=True)
    count = valid.sum(axis=(-2, -1), keepdims=True)
    total = np.where(valid, exact, 0).sum(axis=(-2, -1), keepdims=True)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.where(valid, exact, mean), mean


def _dct_shannon(grey: Image, valid: BoolImage | None) -> FloatArray:
    images, _ = _filled(grey, valid)
    height, width = (max(side // PSF_SUPPORT_PX, 1) for side in grey.shape[-2:])
    along_x = scipy.fft.dct(images, axis=-1, norm="ortho")[..., :width]
    spectrum = np.abs(scipy.fft.dct(along_x, axis=-2, norm="ortho")[..., :height, :])
    norm = np.sqrt(np.square(images).sum(axis=(-2, -1), keepdims=True))  # the transform keeps it (Parseval)
    share = np.divide(spectrum, norm, out=spectrum, where=norm > 0)
    information = share * np.log2(share, out=np.zeros_like(share), where=share > 0)
    triangle = np.arange(height)[:, None] * width + np.arange(width) * height < height * width
    return np.asarray(-2 / (height * width) * (information * triangle).sum(axis=(-2, -1)))


def _fft_band_power(grey: Image, valid: BoolImage | None) -> FloatArray:
    height, width = grey.shape[-2:]
    window = _window(height, width) if valid is None else _window(height, width) * valid
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing valid: NaN
        scale = 1 / np.sqrt(np.square(window).mean(axis=(-2, -1), keepdims=True))
        mean = (grey * window).sum(axis=(-2, -1), keepdims=True) / window.sum(axis=(-2, -1), keepdims=True)
        spectrum = scipy.fft.rfft2((grey - mean) * window)
        power = spectrum.real**2 + spectrum.imag**2
        total = (power * _band(height, width)).sum(axis=(-2, -1)) * np.squeeze(scale, (-2, -1)) ** 2
    return np.asarray(total / (height * width) ** 2)


@lru_cache(maxsize=2)
def _band(height: int, width: int) -> FloatArray:
    """How often each coefficient of a half spectrum counts: 0 outside the band, 2 where its mirror is left out."""
    rows, columns = scipy.fft.fftfreq(height)[:, None], scipy.fft.rfftfreq(width)
    frequency = np.hypot(rows, columns)
    mirrored = (columns > 0) & (columns < 0.5)
    band = np.asarray(((frequency >= BAND[0]) & (frequency <= BAND[1])) * (1.0 + mirrored), np.float64)
    band.setflags(write=False)
    return band


@lru_cache(maxsize=2)
def _window(height: int, width: int) -> FloatArray:
    window = np.outer(_hann(height), _hann(width))
    window.setflags(write=False)
    return window


def _hann(length: int) -> FloatArray:
    """Hann window that is nowhere zero, so that it serves the shortest side too."""
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)


def _edges(grey: Image, valid: BoolImage | None) -> FloatArray:
    images, means = _filled(grey, valid)
    if np.any(means < 0):
        raise InputError(f"Counting edges needs a positive mean; found {np.nanmin(means):.4g} counts.")
    flat = images.reshape(-1, *images.shape[-2:])
    usable = np.ones(flat.shape, np.bool_) if valid is None else valid.reshape(flat.shape)
    shares = [_edge_share(*each) for each in zip(flat, means.ravel(), usable, strict=True)]
    return np.array(shares, np.float64).reshape(grey.shape[:-2])


def _edge_share(image: FloatArray, mean: float, usable: BoolImage) -> float:
    """Share of edges among the pixels well inside the usable part; 0 in the dark, NaN where nothing is usable."""
    clear = cv2.erode(usable.view(np.uint8), _EDGE_REACH)
    pixels = cv2.countNonZero(clear)
    if not pixels:
        return float("nan")
    if mean == 0:
        return 0.0
    relative = (image * (_FINE / mean)).astype(np.float32)
    blurred = cv2.GaussianBlur(relative, (5, 5), 1.0, borderType=cv2.BORDER_REFLECT)
    along_x, along_y = (_as_short(cv2.Sobel(blurred, cv2.CV_32F, *axis, scale=1 / 8)) for axis in ((1, 0), (0, 1)))
    low, high = (strength * _FINE for strength in EDGE_STRENGTH)
    found = cv2.bitwise_and(cv2.Canny(along_x, along_y, low, high, L2gradient=True), clear)
    return cv2.countNonZero(found) / pixels


def _as_short(gradient: Image) -> Image:
    """A gradient as the 16-bit integers that Canny's detector takes."""
    whole = np.rint(gradient, out=gradient)
    return np.clip(whole, -32767, 32767, out=whole).astype(np.int16)


SPECTRAL_MEASURES = (
    Measure(
        "dct-shannon",
        "DCT Shannon entropy",
        "maximum",
        "bit",
        0,
        "Royer et al. 2016, Nat. Biotechnol. 34:1267 (DCTS)",
        dct_shannon,
    ),
    Measure(
        "fft-band-power",
        "FFT band power",
        "maximum",
        "counts²",
        2,
        "after Oliva, Bravo-Zanoguera & Price 1999, Appl. Opt. 38:638",
        fft_band_power,
    ),
    Measure(
        "edges",
        "Edge count",
        "maximum",
        "1",
        0,
        "Canny 1986, IEEE Trans. Pattern Anal. Mach. Intell. 8:679",
        edges,
    ),
)
