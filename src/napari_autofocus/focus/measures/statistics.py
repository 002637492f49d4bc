"""Measures of how widely grey values spread and how quickly they forget their neighbours.

Each sum of a formula is divided by the number of its own terms. s(y, x) is the grey image, ŝ its mean over the region.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.measures.base import BoolImage, FloatArray, Image, Measure, Region, Sum

ENTROPY_LEVELS = 256

_PIXEL = np.ones((1, 1), np.bool_)
_PAIR = np.ones((1, 2), np.bool_)
_TRIPLE = np.ones((1, 3), np.bool_)


def standard_deviation(region: Region) -> FloatArray:
    """√ of the mean of (s − ŝ)² (Groen et al. 1985)."""
    return np.sqrt(_variance(region))


def normalised_variance(region: Region) -> FloatArray:
    """Mean of (s − ŝ)², over ŝ (Groen et al. 1985); 0 where the image is dark.

    Raises
    ------
    InputError
        If a mean is not positive: a background was subtracted, and the formula has no meaning.
    """
    variance, mean = _variance(region), _mean(region)
    if np.any((mean <= 0) & (variance > 0)):
        raise InputError(
            f"The normalised variance needs a positive mean; found {np.nanmin(mean):.4g} counts."
            " Use the standard deviation where a background was subtracted."
        )
    return np.divide(variance, mean, out=np.zeros_like(variance), where=~(variance == 0))


def vollath_f4(region: Region) -> FloatArray:
    """Mean of s(y, x)·s(y, x+1) − s(y, x)·s(y, x+2) (Vollath 1987, F4).

    Both products are summed over the same pixels, x up to the last but two. The published limits give the first sum
    one product more a row, which makes a flat grey image as sharp as it is bright.
    """
    if region.whole_u8:
        s = region.grey
        one, two = (_products(region, s[:, :-2], other, _TRIPLE) for other in (s[:, 1:-1], s[:, 2:]))
        return one.mean - two.mean
    s = region.grey.astype(np.float64)
    return region.sum(s[:, :-2] * (s[:, 1:-1] - s[:, 2:]), _TRIPLE).mean


def vollath_f5(region: Region) -> FloatArray:
    """Mean of s(y, x)·s(y, x+1), less ŝ² (Vollath 1987, F5)."""
    if region.whole_u8:
        return _products(region, region.grey[:, :-1], region.grey[:, 1:], _PAIR).mean - _mean(region) ** 2
    s = region.grey.astype(np.float64)
    return region.sum(s[:, :-1] * s[:, 1:], _PAIR).mean - _mean(region) ** 2


def entropy(region: Region) -> FloatArray:
    """−Σ p log₂ p over the histogram, p the share of pixels in a bin (Firestone et al. 1991), bit.

    The 256 bins reach from the lowest to the highest value of the region: any u8 image has a bin for each grey level,
    and u16 and float images are treated alike whatever their range.
    """
    return region.each(_entropy)


def _products(region: Region, first: Image, second: Image, footprint: BoolImage) -> Sum:
    """Σ first · second = (Σ first² + Σ second² − Σ (first − second)²) / 2, exact for u8: squares are what is fast."""
    ones, others, apart = (
        region.sum_of_squares(values, footprint) for values in (first, second, cv2.absdiff(first, second))
    )
    return Sum((ones.total + others.total - apart.total) / 2, ones.terms)


def _mean(region: Region) -> FloatArray:
    return region.sum(region.grey, _PIXEL).mean


def _variance(region: Region) -> FloatArray:
    if region.whole_u8:
        return np.maximum(region.sum_of_squares(region.grey, _PIXEL).mean - _mean(region) ** 2, 0)
    # About a value near the mean, so that a small variance on a bright ground keeps its digits.
    centred = region.grey - np.float64(region.grey.flat[0])
    return np.maximum(region.sum(centred**2, _PIXEL).mean - region.sum(centred, _PIXEL).mean ** 2, 0)


def _entropy(grey: Image, valid: BoolImage | None) -> FloatArray:
    """Entropy of each image, shape (…) for pixels of shape (…, Y, X)."""
    images = grey.reshape(-1, grey.shape[-2] * grey.shape[-1])
    if valid is not None:
        usable = valid.reshape(images.shape)
        bits = [_bits(image[use]) for image, use in zip(images, usable, strict=True)]
    else:
        bits = [_bits(image) for image in images]
    return np.array(bits, np.float64).reshape(grey.shape[:-2])


def _bits(values: npt.NDArray[Any]) -> float:
    if values.size == 0:
        return float("nan")
    low, high = float(values.min()), float(values.max())
    if low == high:
        return 0.0
    counts = None
    if values.dtype == np.uint8:  # as many pixels as there are, 256 grey levels: each is put into its bin once
        counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [ENTROPY_LEVELS], [0, ENTROPY_LEVELS]).ravel()
        values = np.arange(ENTROPY_LEVELS)
        inside = (values >= low) & (values <= high)
        values, counts = values[inside], counts[inside].astype(np.float64)
    bins = ((values - low) * ((ENTROPY_LEVELS - 1) / (high - low)) + 0.5).astype(np.uint8)
    found = np.bincount(bins, counts)
    share = found / found.sum()
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


_GROEN = "Groen, Young & Ligthart 1985, Cytometry 6:81"
_VOLLATH = "Vollath 1987, J. Microsc. 147:279"

STATISTICS_MEASURES = (
    Measure("vollath-f4", "Vollath F4", "maximum", "counts²", 2, f"{_VOLLATH} (F4)", vollath_f4),
    Measure("vollath-f5", "Vollath F5", "maximum", "counts²", 2, f"{_VOLLATH} (F5)", vollath_f5),
    Measure("normalised-variance", "Normalised variance", "maximum", "counts", 1, _GROEN, normalised_variance),
    Measure("standard-deviation", "Standard deviation", "maximum", "counts", 1, _GROEN, standard_deviation),
    Measure("entropy", "Entropy", "maximum", "bit", 0, "Firestone et al. 1991, Cytometry 12:195", entropy),
)
