"""Measures that add up differences of neighbouring pixels: first derivatives and Laplacians.

All are means over the terms of the published sum, so that regions of different size, or with pixels left out, can be
compared; the published sum is the mean times the number of terms. s(y, x) is the grey image, y the row.
"""

from __future__ import annotations

import cv2
import numpy as np

from napari_autofocus.focus.measures.base import FloatArray, Image, Measure, Region

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.bool_)
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.bool_)
_FULL = np.ones((3, 3), np.bool_)
_LAPLACIAN = ((0, 1, 0), (1, -4, 1), (0, 1, 0))
_SUBBARAO = ((-1, -4, -1), (-4, 20, -4), (-1, -4, -1))
_REDONDO = ((0, 1, 0), (-3, 0, 1), (0, 1, 0))


def brenner_vertical(region: Region) -> FloatArray:
    """Mean of [s(y+2, x) − s(y, x)]² (Brenner et al. 1976)."""
    return region.squared_differences(2, 0).mean


def brenner_horizontal(region: Region) -> FloatArray:
    """Mean of [s(y, x+2) − s(y, x)]² (Brenner et al. 1976)."""
    return region.squared_differences(0, 2).mean


def brenner(region: Region) -> FloatArray:
    """Mean of [s(y+2, x) − s(y, x)]² and [s(y, x+2) − s(y, x)]² over all pairs (Brenner et al. 1976)."""
    return (region.squared_differences(2, 0) + region.squared_differences(0, 2)).mean


def boddeke(region: Region) -> FloatArray:
    """Mean of [s(y, x+1) − s(y, x−1)]², the filter (−1, 0, 1) along x (Boddeke et al. 1994).

    The same sum as the horizontal Brenner gradient, found in another way: from the transfer function of the microscope
    and the sampling of the camera. Listed under its own name because the literature does.
    """
    return region.squared_differences(0, 2).mean


def laplacian_variance(region: Region) -> FloatArray:
    """Mean of (L − mean L)², L the Laplacian (0 1 0; 1 −4 1; 0 1 0) (Pertuz et al. 2013, LAP4).

    Pech-Pacheco et al. 2000, whom LAP4 follows, take |L| / 6 for L.
    """
    laplacian = _filter(region.grey, _LAPLACIAN)
    mean = region.sum(laplacian, _CROSS).mean
    return np.maximum(region.sum_of_squares(laplacian, _CROSS).mean - mean**2, 0)


def energy_of_laplacian(region: Region) -> FloatArray:
    """Mean of [s ∗ (−1 −4 −1; −4 20 −4; −1 −4 −1)]² (Subbarao et al. 1993)."""
    return region.sum_of_squares(_filter(region.grey, _SUBBARAO), _FULL).mean


def modified_laplacian(region: Region) -> FloatArray:
    """Mean of |2s(y, x) − s(y, x−1) − s(y, x+1)| + |2s(y, x) − s(y−1, x) − s(y+1, x)| (Nayar & Nakagawa 1994).

    With step 1 and threshold 0.
    """
    along_x = region.sum_of_absolutes(_filter(region.grey, ((0, 0, 0), (-1, 2, -1), (0, 0, 0))), _CROSS)
    along_y = region.sum_of_absolutes(_filter(region.grey, ((0, -1, 0), (0, 2, 0), (0, -1, 0))), _CROSS)
    return along_x.mean + along_y.mean


def tenengrad(region: Region) -> FloatArray:
    """Mean of Sx² + Sy², the Sobel gradients, with threshold 0 (Tenenbaum 1970; Krotkov 1987)."""
    along_x, along_y = (region.sum_of_squares(found, _RING) for found in _sobel(region.grey))
    return along_x.mean + along_y.mean


def sobel_norm(region: Region) -> FloatArray:
    """Mean of √(Sx² + Sy²), the length of the Sobel gradient (Pertuz et al. 2013, after Tenenbaum 1970)."""
    along_x, along_y = _sobel(region.grey, least=cv2.CV_32F)
    return region.sum(np.asarray(cv2.magnitude(along_x, along_y)), _RING).mean


def redondo(region: Region) -> FloatArray:
    """Mean of [s(y−1, x) + s(y+1, x) + s(y, x−1) + s(y, x+1) − 4 s(y, x−1)]² (Redondo et al. 2012).

    The Laplacian with its centre shifted by one pixel, as Russell & Douglas 2007 print it and Micro-Manager computes
    it; the shift is taken for a misprint, but it makes the filter a mixture of first and second derivative.
    """
    return region.sum_of_squares(_filter(region.grey, _REDONDO), _CROSS & _RING).mean


def _filter(grey: Image, kernel: tuple[tuple[int, ...], ...]) -> Image:
    """Correlation with a 3 x 3 kernel where it lies inside the image, shape (Y − 2, X − 2)."""
    return np.asarray(cv2.filter2D(grey, _depth(grey), np.array(kernel, np.float32)))[1:-1, 1:-1]


def _sobel(grey: Image, least: int = cv2.CV_16S) -> tuple[Image, Image]:
    """Gradients along x and y by (−1 0 1; −2 0 2; −1 0 1) and its transpose, each of shape (Y − 2, X − 2)."""
    along_x, along_y = (cv2.Sobel(grey, _depth(grey, least), *axes)[1:-1, 1:-1] for axes in ((1, 0), (0, 1)))
    return np.asarray(along_x), np.asarray(along_y)


def _depth(grey: Image, least: int = cv2.CV_16S) -> int:
    """What a filtered image is stored as: of u8, 16 bits hold every value (2 · 20 · 255 at most) in half the time."""
    return {np.dtype(np.uint8): least, np.dtype(np.float64): cv2.CV_64F}.get(grey.dtype, cv2.CV_32F)


_BRENNER = "Brenner et al. 1976, J. Histochem. Cytochem. 24:100"

GRADIENT_MEASURES = (
    Measure("brenner", "Brenner", "maximum", "counts²", 2, _BRENNER, brenner),
    Measure("brenner-vertical", "Brenner, vertical", "maximum", "counts²", 2, _BRENNER, brenner_vertical),
    Measure("brenner-horizontal", "Brenner, horizontal", "maximum", "counts²", 2, _BRENNER, brenner_horizontal),
    Measure("boddeke", "Boddeke", "maximum", "counts²", 2, "Boddeke et al. 1994, Bioimaging 2:193", boddeke),
    Measure(
        "laplacian-variance",
        "Variance of Laplacian",
        "maximum",
        "counts²",
        2,
        "Pertuz et al. 2013, Pattern Recognit. 46:1415 (LAP4), after Pech-Pacheco et al. 2000, ICPR 3:314",
        laplacian_variance,
    ),
    Measure(
        "laplacian-energy",
        "Energy of Laplacian",
        "maximum",
        "counts²",
        2,
        "Subbarao, Choi & Nikzad 1993, Opt. Eng. 32:2824",
        energy_of_laplacian,
    ),
    Measure(
        "modified-laplacian",
        "Modified Laplacian",
        "maximum",
        "counts",
        1,
        "Nayar & Nakagawa 1994, IEEE Trans. Pattern Anal. Mach. Intell. 16:824",
        modified_laplacian,
    ),
    Measure(
        "tenengrad",
        "Tenengrad",
        "maximum",
        "counts²",
        2,
        "Tenenbaum 1970, thesis, Stanford; Krotkov 1987, Int. J. Comput. Vis. 1:223",
        tenengrad,
    ),
    Measure(
        "sobel-norm",
        "Sobel norm",
        "maximum",
        "counts",
        1,
        "Pertuz et al. 2013, Pattern Recognit. 46:1415, after Tenenbaum 1970",
        sobel_norm,
    ),
    Measure("redondo", "Redondo", "maximum", "counts²", 2, "Redondo et al. 2012, J. Biomed. Opt. 17:036008", redondo),
)
