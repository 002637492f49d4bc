"""How like an image is to the true one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.likeness import error_map, psnr_db, ssim
from tiny_refocusers import as_u8, texture


def test_psnr_is_that_of_a_known_error() -> None:
    truth = np.full((16, 16), 100, np.uint8)
    assert psnr_db(truth + np.uint8(5), truth) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr_db(truth, truth) == float("inf")


def test_types_agree() -> None:
    truth = as_u8(texture())
    image = np.roll(truth, 1, axis=0)
    light = [each.astype(np.float32) / np.float32(255) for each in (image, truth)]
    assert psnr_db(*light) == pytest.approx(psnr_db(image, truth), abs=1e-3)
    assert ssim(*light) == pytest.approx(ssim(image, truth), abs=1e-3)


def test_ssim_is_one_for_equal_images_and_less_for_others() -> None:
    truth = texture()
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(texture(seed=4), truth) < 0.7


def test_the_error_map_is_signed_and_in_shares_of_full_scale() -> None:
    truth = np.full((8, 8), 51, np.uint8)
    assert error_map(np.zeros_like(truth), truth) == pytest.approx(-0.2)


@pytest.mark.parametrize("other", [np.zeros((8, 9), np.uint8), np.zeros((8, 8), np.uint16)])
def test_images_that_do_not_fit_are_refused(other: np.ndarray) -> None:
    with pytest.raises(InputError, match="same size and type"):
        psnr_db(np.zeros((8, 8), np.uint8), other)


def test_an_image_too_small_for_structure_is_refused() -> None:
    with pytest.raises(InputError, match="7 px"):
        ssim(np.zeros((5, 9)), np.zeros((5, 9)))
