"""Importance labels: high where a patch's own focus curve says where focus is, low where it says nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from made_fields import made_field

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.samples import importance_from_planes

PLANES_UM = np.array([0.0, -9.0, -4.0, 4.0, 9.0], np.float32)
GRID = PatchGrid((96, 192), 96)
NOISE = 2.0


def _field(light: npt.NDArray[Any], focus_um: tuple[float, float]) -> tuple[npt.NDArray[np.uint8], ...]:
    """Five noisy planes of two patches, each blurred by its distance from its own focus."""
    rng = np.random.default_rng(0)
    halves = []
    for column, focus in enumerate(focus_um):
        part = light[:, 96 * column : 96 * (column + 1)]
        halves.append([cv2.GaussianBlur(part, (0, 0), 0.5 + 0.8 * abs(z - focus)) for z in PLANES_UM])
    planes = np.concatenate(halves, axis=2) + rng.normal(0, NOISE, (5, *light.shape))
    return tuple(np.clip(planes, 0, 255).astype(np.uint8))


def _content() -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(1).normal(0, 90, GRID.field_shape)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2) + 150, np.float32)


def _labels() -> npt.NDArray[np.float32]:
    return np.broadcast_to(PLANES_UM[:, None, None], (5, *GRID.shape)).astype(np.float32)


def test_content_is_important_and_empty_glass_is_not() -> None:
    light = _content()
    light[:, 96:] = 210
    importance = importance_from_planes(_field(light, (0, 0)), _labels(), GRID, dof_um=1.0)
    assert importance.dtype == np.float32
    assert importance[0, 0] > 0.8
    assert importance[0, 1] < 0.2


def test_a_patch_that_is_sharpest_far_from_its_known_focus_tells_nothing() -> None:
    """As a patch does that only sees the spreading blur of a neighbour."""
    importance = importance_from_planes(_field(_content(), (0, 4)), _labels(), GRID, dof_um=1.0)
    assert importance[0, 0] > 0.8
    assert importance[0, 1] == 0


def test_the_depth_of_field_says_how_far_is_far() -> None:
    importance = importance_from_planes(_field(_content(), (0, 4)), _labels(), GRID, dof_um=4 / 1.5)
    assert importance[0, 1] > 0.8


def test_a_constant_patch_without_noise_is_of_no_importance() -> None:
    frames = tuple(np.full(GRID.field_shape, 200, np.uint8) for _ in PLANES_UM)
    assert not importance_from_planes(frames, _labels(), GRID, dof_um=1.0).any()


def test_a_patch_whose_defocus_is_not_known_is_of_no_importance() -> None:
    labels = _labels()
    labels[:, 0, 1] = np.nan
    importance = importance_from_planes(_field(_content(), (0, 0)), labels, GRID, dof_um=1.0)
    assert importance[0, 0] > 0.8
    assert importance[0, 1] == 0


def test_importance_does_not_depend_on_the_bit_depth() -> None:
    frames = _field(_content(), (0, 0))
    wide = tuple(frame.astype(np.uint16) * 257 for frame in frames)
    narrow = importance_from_planes(frames, _labels(), GRID, dof_um=1.0)
    np.testing.assert_allclose(importance_from_planes(wide, _labels(), GRID, dof_um=1.0), narrow, rtol=1e-4)


@pytest.mark.parametrize("wrong", ["defocus_um", "importance", "frames"])
def test_labels_that_do_not_fit_the_planes_and_patches_are_refused(wrong: str) -> None:
    field = made_field(planes=3)
    with pytest.raises(InputError, match=r"3 planes|2 planes") as refusal:
        replace(field, **{wrong: getattr(field, wrong)[:-1]})
    assert str(field.grid.shape) in str(refusal.value)
