"""Measures that take a short way through OpenCV, against the long way in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import sharpness

Image = npt.NDArray[Any]
KINDS = ("u8", "u16", "float32", "float64")


def _image(kind: str, shape: tuple[int, ...], seed: int) -> Image:
    rng = np.random.default_rng(seed)
    if kind == "u8":
        return rng.integers(0, 256, shape, np.uint8)
    if kind == "u16":
        return rng.integers(0, 65536, shape, np.uint16)
    return rng.normal(500, 40, shape).astype(kind)


def _mean(terms: Image, usable: Image) -> float:
    return float(terms[usable].mean())


def _f4(s: Image, use: Image) -> float:
    all_three = use[:, :-2] & use[:, 1:-1] & use[:, 2:]
    return _mean(s[:, :-2] * (s[:, 1:-1] - s[:, 2:]), all_three)


def _f5(s: Image, use: Image) -> float:
    return _mean(s[:, :-1] * s[:, 1:], use[:, :-1] & use[:, 1:]) - _mean(s, use) ** 2


def _variance(s: Image, use: Image) -> float:
    return _mean((s - _mean(s, use)) ** 2, use)


def _entropy(s: Image, use: Image) -> float:
    values = s[use]
    low, high = values.min(), values.max()
    counts = np.bincount(np.floor((values - low) * (255 / (high - low)) + 0.5).astype(int))
    share = counts[counts > 0] / values.size
    return float(-(share * np.log2(share)).sum())


def _brenner(s: Image, use: Image) -> float:
    down, right = (s[2:] - s[:-2]) ** 2, (s[:, 2:] - s[:, :-2]) ** 2
    use_down, use_right = use[2:] & use[:-2], use[:, 2:] & use[:, :-2]
    return float(np.concatenate([down[use_down], right[use_right]]).mean())


LONG: dict[str, Callable[[Image, Image], float]] = {
    "brenner": _brenner,
    "vollath-f4": _f4,
    "vollath-f5": _f5,
    "standard-deviation": lambda s, use: float(np.sqrt(_variance(s, use))),
    "normalised-variance": lambda s, use: _variance(s, use) / _mean(s, use),
    "entropy": _entropy,
}


def _borne(measure: str, grey: Image) -> float:
    """Rounding: of sums of squares where they are taken off each other."""
    return 1e-12 * float(np.square(grey.astype(np.float64)).max()) if "vollath" in measure else 1e-12


@pytest.mark.parametrize("measure", sorted(LONG))
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(height=st.integers(3, 30), width=st.integers(3, 30), seed=st.integers(0, 2**16), holes=st.booleans())
def test_short_way_is_the_long_way(measure: str, kind: str, height: int, width: int, seed: int, holes: bool) -> None:
    image = _image(kind, (height, width), seed)
    mask = np.random.default_rng(seed + 1).random((height, width)) < 0.9 if holes else np.ones((height, width), bool)
    mask[:3, :3] = True
    found = sharpness(image, measure, mask=mask if holes else None)
    expected = LONG[measure](image.astype(np.float64), mask)
    single = measure == "brenner" and kind == "float32" and holes  # OpenCV adds it up in single precision
    assert found == pytest.approx(expected, rel=1e-6 if single else 1e-9, abs=_borne(measure, image))


@pytest.mark.parametrize("measure", sorted(LONG))
@pytest.mark.parametrize("kind", ["u8", "u16"])
def test_colour_is_measured_as_its_luminance(measure: str, kind: str) -> None:
    image = _image(kind, (40, 50, 3), 4)
    grey = to_grey(image)
    expected = LONG[measure](grey.astype(np.float64), np.ones(grey.shape, bool))
    assert sharpness(image, measure) == pytest.approx(expected, rel=1e-9, abs=_borne(measure, grey))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "stride"), [(96, None), (128, 101), (64, 40), (150, 70)])
def test_patches_large_and_small_are_measured_one_by_one(kind: str, size: int, stride: int | None) -> None:
    image = _image(kind, (310, 420), size)
    grid = PatchGrid((310, 420), size, stride)
    every = np.ones((size, size), bool)
    expected = [_brenner(image[grid.slices(index)].astype(np.float64), every) for index in range(len(grid))]
    exact = kind == "u8" or size * (stride or size) >= 96**2  # sums over rows of patches square in single precision
    np.testing.assert_allclose(sharpness(image, grid=grid).ravel(), expected, rtol=1e-12 if exact else 1e-6)


def test_squares_of_the_largest_contrast_do_not_overflow() -> None:
    """65535² times the pixels of a patch is more than 32 bits hold, times those of the image more than 53 do."""
    stripes = np.zeros((1024, 2304), np.uint16)
    stripes[:, ::4] = stripes[:, 1::4] = 65535
    grid = PatchGrid((1024, 2304), 256)
    assert sharpness(stripes, "brenner-horizontal") == 65535.0**2
    assert (sharpness(stripes, "brenner-horizontal", grid=grid) == 65535.0**2).all()
    assert sharpness(stripes, "standard-deviation") == 65535 / 2


def test_small_variance_on_a_bright_ground_keeps_its_digits() -> None:
    image = np.full((512, 512), 65000, np.uint16)
    image[::2] += 1
    assert sharpness(image, "standard-deviation") == 0.5
    assert sharpness(image, "normalised-variance") == pytest.approx(0.25 / 65000.5, rel=1e-14)


def test_entropy_of_many_values_of_16_bits_is_that_of_their_bins() -> None:
    image = np.clip(np.random.default_rng(2).normal(9000, 800, (300, 300)), 0, 65535).astype(np.uint16)
    expected = _entropy(image.astype(np.float64), np.ones(image.shape, bool))
    assert sharpness(image, "entropy") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_pixel_that_is_no_number_is_found(kind: str, bad: float) -> None:
    image = _image(kind, (200, 300), 1)
    image[17, 23] = bad
    with pytest.raises(InputError, match="1 pixels that are NaN or infinite"):
        sharpness(image)


def test_infinities_of_both_signs_do_not_hide_each_other() -> None:
    image = np.zeros((8, 8), np.float32)
    image[0, 0], image[7, 7] = np.inf, -np.inf
    with pytest.raises(InputError, match="2 pixels"):
        sharpness(image)


def test_values_whose_sum_is_too_large_for_a_float_are_measured() -> None:
    image = np.full((8, 8), 1e307)
    assert sharpness(image) == 0
