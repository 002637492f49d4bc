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
    return np.sqrt(_variance_and_mean(region)[0])


def normalised_variance(region: Region) -> FloatArray:
    """Mean of (s − ŝ)², over ŝ (Groen et al. 1985); 0 where the image is dark.

    Raises
    ------
    InputError
        If a mean is not positive: a background was subtracted, and the formula has no meaning.
    """
    variance, mean = _variance_and_mean(region)
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
    if not _squares_are_exact(region):
        s = region.grey.astype(np.float64)
        return region.sum(s[:, :-2] * (s[:, 1:-1] - s[:, 2:]), _TRIPLE).mean
    # a·b − a·c = [b² − c² − (a − b)² + (a − c)²]/2: squares are what is fast, and exact for whole numbers.
    near, far = (region.squares_apart((0, x), _TRIPLE) for x in (1, 2))
    return Sum((_second_less_third(region) - near.total + far.total) / 2, near.terms).mean


def vollath_f5(region: Region) -> FloatArray:
    """Mean of s(y, x)·s(y, x+1), less ŝ² (Vollath 1987, F5)."""
    if not _squares_are_exact(region):
        s = region.grey.astype(np.float64)
        return region.sum(s[:, :-1] * s[:, 1:], _PAIR).mean - _mean(region) ** 2
    # a·b = [a² + b² − (a − b)²]/2, as for F4
    apart = region.squares_apart((0, 1), _PAIR)
    return Sum((_first_and_second(region) - apart.total) / 2, apart.terms).mean - _mean(region) ** 2


def entropy(region: Region) -> FloatArray:
    """−Σ p log₂ p over the histogram, p the share of pixels in a bin (Firestone et al. 1991), bit.

    The 256 bins reach from the lowest to the highest value of the region: any u8 image has a bin for each grey level,
    and u16 and float images are treated alike whatever their range.
    """
    return region.each(_entropy)


def _squares_are_exact(region: Region) -> bool:
    """Whether sums of squares may be taken off each other: below a mask, OpenCV adds floats in single precision."""
    return region.grid is None and (region.valid is None or region.grey.dtype.kind == "u")


def _second_less_third(region: Region) -> FloatArray:
    """Σ s(y, x+1)² − s(y, x+2)² over all triples of a row; where all pixels count, only the ends of the rows are left.

    Parameters
    ----------
    region : Region
        Without a grid, at least 3 px wide.
    """
    s = region.grey
    second, third = (s[:, 1:2], s[:, -1:]) if region.valid is None else (s[:, 1:-1], s[:, 2:])
    if region.valid is None:
        return np.asarray(_squares(second) - _squares(third))
    return region.sum_of_squares(second, _TRIPLE).total - region.sum_of_squares(third, _TRIPLE).total


def _first_and_second(region: Region) -> FloatArray:
    """Σ s(y, x)² + s(y, x+1)² over all pairs of a row; where all pixels count, that is all twice but for the ends."""
    s = region.grey
    if region.valid is None:
        return np.asarray(2 * _squares(s) - _squares(s[:, :1]) - _squares(s[:, -1:]))
    return region.sum_of_squares(s[:, :-1], _PAIR).total + region.sum_of_squares(s[:, 1:], _PAIR).total


def _squares(values: Image) -> float:
    return float(cv2.norm(values, cv2.NORM_L2SQR))


def _mean(region: Region) -> FloatArray:
    return region.sum(region.grey, _PIXEL).mean


def _variance_and_mean(region: Region) -> tuple[FloatArray, FloatArray]:
    if region.grid is None and region.grey.dtype.kind == "u":
        return _of_whole_numbers(region)
    # About a value near the mean, so that a small variance on a bright ground keeps its digits.
    centred = region.grey - np.float64(region.grey.flat[0])
    variance = region.sum(centred**2, _PIXEL).mean - region.sum(centred, _PIXEL).mean ** 2
    return np.maximum(variance, 0), _mean(region)


def _of_whole_numbers(region: Region) -> tuple[FloatArray, FloatArray]:
    """Variance and mean of an image of whole numbers, by arithmetic in whole numbers: no digit is lost."""
    squares, values = region.sum_of_squares(region.grey, _PIXEL), region.sum(region.grey, _PIXEL)
    terms, square, value = (int(number) for number in (values.terms, squares.total, values.total))
    variance = max(terms * square - value**2, 0) / terms**2 if terms else np.nan
    return np.asarray(variance, np.float64), values.mean


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
    counts = None
    if values.dtype == np.uint8 or (values.dtype == np.uint16 and values.size >= 2**16):
        values, counts = _levels(values)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return 0.0
    bins = ((values - low) * ((ENTROPY_LEVELS - 1) / (high - low)) + 0.5).astype(np.uint8)
    found = np.bincount(bins, counts)
    share = found / found.sum()
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _levels(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], FloatArray]:
    """The grey levels that occur, and how many pixels have each: few numbers to be put into bins in place of many."""
    most = np.iinfo(values.dtype).max + 1
    counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [most], [0, most]).ravel()
    present = np.flatnonzero(counts)
    return present, counts[present].astype(np.float64)


_GROEN = "Groen, Young & Ligthart 1985, Cytometry 6:81"
_VOLLATH = "Vollath 1987, J. Microsc. 147:279"

STATISTICS_MEASURES = (
    Measure("vollath-f4", "Vollath F4", "maximum", "counts²", 2, f"{_VOLLATH} (F4)", vollath_f4),
    Measure("vollath-f5", "Vollath F5", "maximum", "counts²", 2, f"{_VOLLATH} (F5)", vollath_f5),
    Measure("normalised-variance", "Normalised variance", "maximum", "counts", 1, _GROEN, normalised_variance),
    Measure("standard-deviation", "Standard deviation", "maximum", "counts", 1, _GROEN, standard_deviation),
    Measure("entropy", "Entropy", "maximum", "bit", 0, "Firestone et al. 1991, Cytometry 12:195", entropy),
)
