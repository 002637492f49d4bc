"""The shift between two shots, whatever their focus, and taking it out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft

from napari_autofocus.errors import InputError
from napari_autofocus.focus.registration import moved, moved_part, shift_between
from tiny_refocusers import as_u8, texture

SHIFTS = [(0.0, 0.0), (0.3, -0.4), (7.6, -3.2), (-15.3, 21.7)]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("radii", [(0.0, 0.0), (1.0, 2.5), (3.0, 0.0)])
def test_the_shift_is_found_to_a_tenth_of_a_pixel_whatever_the_focus(
    shift: tuple[float, float], radii: tuple[float, float]
) -> None:
    truth = texture(256, 256)
    rng = np.random.default_rng(1)
    shots = [cv2.GaussianBlur(truth, (0, 0), radius) if radius else truth for radius in radii]
    shots[1] = moved(shots[1], *shift)
    first, second = (as_u8(np.clip(shot + rng.normal(0, 0.006, shot.shape), 0, 1))[32:-32, 32:-32] for shot in shots)

    found = shift_between(first, second)

    assert (found.dy, found.dx) == pytest.approx(shift, abs=0.1)
    assert found.quality > 0.6


@pytest.mark.parametrize("seed", [0, 1])
def test_blur_that_turns_contrast_over_is_no_shift(seed: int) -> None:
    sharp = cv2.GaussianBlur(np.random.default_rng(seed).random((256, 256), np.float32), (0, 0), 2.0) * 20
    frequency = np.hypot(fft.fftfreq(256)[:, None], fft.rfftfreq(256)[None])
    passed = np.cos(np.pi / 2 * np.minimum((frequency / 0.08) ** 2, 2)) * np.exp(-((frequency / 0.1) ** 2))
    blurred = fft.irfft2(fft.rfft2(sharp - sharp.mean()) * passed, s=sharp.shape) + sharp.mean()

    found = shift_between(sharp, blurred.astype(np.float32))

    assert found.length_px < 0.1
    assert found.quality > 0.7


def test_two_places_have_little_in_common() -> None:
    assert shift_between(texture(seed=1), texture(seed=2)).quality < 0.4


def test_an_even_image_has_no_shift_and_no_quality() -> None:
    even = np.full((64, 64), 200, np.uint8)
    found = shift_between(even, even)
    assert (found.dy, found.dx, found.quality) == (0, 0, 0)


def test_images_too_small_to_compare_have_no_shift() -> None:
    assert shift_between(np.eye(8, dtype=np.uint8), np.eye(8, dtype=np.uint8)).quality == 0


def test_large_images_are_reduced_and_the_shift_is_still_theirs() -> None:
    grey = as_u8(texture(1300, 300)[..., 0])
    found = shift_between(grey[8:], grey[:-8])
    assert (found.dy, found.dx) == pytest.approx((8, 0), abs=0.2)


def test_images_of_two_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        shift_between(np.zeros((32, 32)), np.zeros((32, 33)))


@given(dy=st.integers(-5, 5), dx=st.integers(-5, 5))
@settings(max_examples=20, deadline=None)
def test_whole_pixels_move_exactly(dy: int, dx: int) -> None:
    image = as_u8(texture(40, 48))
    inner = slice(8, -8), slice(8, -8)
    assert np.array_equal(moved(image, dy, dx)[inner], np.roll(image, (dy, dx), axis=(0, 1))[inner])


def test_there_and_back_gives_the_image_again() -> None:
    image = texture(96, 96)
    again = moved(moved(image, 0.4, -0.3), -0.4, 0.3)
    assert np.abs(again - image)[8:-8, 8:-8].max() < 0.01
    assert again.dtype == image.dtype


def test_a_part_is_that_part_of_the_whole() -> None:
    image = texture(96, 96)
    part = slice(20, 60), slice(0, 50)
    assert np.allclose(moved_part(image, part, 2.3, -1.6), moved(image, 2.3, -1.6)[part], atol=1e-4)
