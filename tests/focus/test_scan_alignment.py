"""The planes of a scan laid over each other, whatever their focus."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.fusion import fuse
from napari_autofocus.focus.registration import moved
from napari_autofocus.focus.scan_alignment import align
from stacks import blurred_stack

STACK = blurred_stack(5.0, planes=11, shape=(192, 224))
WALK = np.cumsum(np.random.default_rng(2).normal(0, 1.5, (11, 2)), axis=0)
WALK -= WALK[5]


def test_a_scan_that_stood_still_is_given_back_untouched() -> None:
    laid = align(STACK.data, STACK.z_um)
    assert laid.largest_px == 0
    assert all(np.shares_memory(plane, own) for plane, own in zip(laid.planes, STACK.data, strict=True))


def test_what_planes_have_moved_is_found_and_taken_out() -> None:
    planes = [moved(plane, *shift) for plane, shift in zip(STACK.data, WALK, strict=True)]
    laid = align(planes, STACK.z_um)
    assert np.abs(np.array(laid.shifts_px)[2:9] - WALK[2:9]).max() < 0.5
    assert laid.untold == ()
    inner = np.s_[16:-16, 16:-16]
    for index in (3, 7):
        off, left = (
            np.abs(np.asarray(image, float)[inner] - STACK.data[index][inner]).mean()
            for image in (planes[index], laid.planes[index])
        )
        assert left < 0.5 * off


def test_a_moved_scan_fuses_as_well_as_one_at_rest_once_it_is_aligned() -> None:
    planes = [moved(plane, *shift) for plane, shift in zip(STACK.data, WALK, strict=True)]
    rest, inner = fuse(STACK.data, STACK.z_um).image, np.s_[16:-16, 16:-16]
    raw = fuse(planes, STACK.z_um).image
    laid = fuse(align(planes, STACK.z_um).planes, STACK.z_um).image
    off, left = (float(np.abs(image[inner].astype(float) - rest[inner]).mean()) for image in (raw, laid))
    assert left < 0.8 * off


def test_the_order_of_the_planes_does_not_matter() -> None:
    planes = np.stack([moved(plane, *shift) for plane, shift in zip(STACK.data, WALK, strict=True)])
    order = np.random.default_rng(0).permutation(11)
    straight, shuffled = align(planes, STACK.z_um), align(planes[order], STACK.z_um[order])
    np.testing.assert_allclose(np.array(straight.shifts_px)[order], shuffled.shifts_px)


def test_noise_is_not_aligned_to_noise() -> None:
    rng = np.random.default_rng(1)
    planes = [rng.normal(128, 4, (160, 160)).clip(0, 255).astype(np.uint8) for _ in range(5)]
    laid = align(planes, range(5))
    assert laid.largest_px == 0
    assert len(laid.untold) == 4


def test_planes_of_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        align([np.zeros((64, 64)), np.zeros((64, 80))], [0.0, 1.0])
