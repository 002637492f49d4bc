"""What befalls patches when they are shown: files, motion, noise; and which densities are shown how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_fields import both_kinds, made_dataset

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.disturbed.disturbances import Disturbances, as_jpeg, in_motion
from napari_autofocus.models.tasks import DefocusTask, Holding


@pytest.fixture
def patch() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.8, (64, 64, 3)).astype(np.float32)


def test_undisturbed_patches_are_left_as_they_are(patch: np.ndarray) -> None:
    assert not Disturbances().any
    assert Disturbances().befall(patch, np.random.default_rng(0)) is patch


@pytest.mark.parametrize("kind", ["jpeg", "motion", "noise"])
def test_each_kind_changes_a_patch_and_keeps_its_shape_and_light(patch: np.ndarray, kind: str) -> None:
    always: dict[str, Any] = {kind: 1.0}
    shown = Disturbances(**always).befall(patch, np.random.default_rng(1))
    assert shown.shape == patch.shape
    assert shown.dtype == np.float32
    assert 0.001 < np.abs(shown - patch).mean() < 0.2
    assert shown.mean() == pytest.approx(patch.mean(), abs=0.01)
    assert 0 <= shown.min() <= shown.max() <= 1
    again = Disturbances(**always).befall(patch, np.random.default_rng(1))
    assert np.array_equal(shown, again)


def test_motion_blurs_along_its_way_alone() -> None:
    point = np.zeros((33, 33, 1), np.float32)
    point[16, 16] = 1
    along_rows = in_motion(point, 6, 0)
    assert along_rows.sum() == pytest.approx(1, abs=1e-5)
    assert np.count_nonzero(along_rows.max(axis=1) > 0.01) == 1
    assert np.count_nonzero(along_rows.max(axis=0) > 0.01) >= 6
    assert in_motion(point, 0, 0) is point


def test_a_file_of_low_quality_takes_more_away(patch: np.ndarray) -> None:
    errors = [np.abs(as_jpeg(patch, quality) - patch).mean() for quality in (95, 75, 30)]
    assert errors == sorted(errors)


def test_a_short_exposure_darkens_all_colours_alike(patch: np.ndarray) -> None:
    dark = Disturbances(dim=1.0).befall(patch, np.random.default_rng(2))
    ratio = dark / patch
    assert ratio.min() >= 0.25
    assert ratio.max() == pytest.approx(ratio.min(), rel=1e-5)
    assert ratio.max() < 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"jpeg": 1.5}, "share jpeg lies between 0 and 1; found 1.5"),
        ({"quality": (0, 90)}, "quality lies between 1 and 100"),
        ({"darkest": 0.0}, "shortest exposure is a share over 0"),
        ({"longest_motion_px": -1.0}, "not negative"),
    ],
)
def test_impossible_disturbances_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        Disturbances(**settings)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made_dataset(tmp_path, both_kinds(), patches_per_plane=12)


def shown_by(data: Dataset, **settings: Any) -> DefocusTask:
    network = DefocusNetwork(DefocusSettings(width=0.25))
    return DefocusTask(network, data, dof_um=1.0, holding=Holding(slides=()), **settings)


def test_a_disturbed_batch_follows_from_seed_and_number_and_keeps_its_labels(data: Dataset) -> None:
    plain, first, second = (
        shown_by(data, disturbances=Disturbances(gain_jitter=0.0, **kinds)).batch(3, 8)
        for kinds in ({}, {"noise": 1.0}, {"noise": 1.0})
    )
    assert first["patches"].equal(second["patches"])
    assert first["defocus_um"].equal(plain["defocus_um"])
    assert 0 < (first["patches"] - plain["patches"]).abs().max() < 0.2


def test_rare_densities_can_be_shown_as_often_as_common_ones(data: Dataset) -> None:
    common = np.arange(len(data)) % 10 != 0
    data.densities = np.where(common, "dense", "extremely-sparse")
    task = shown_by(data, balance=1.0)
    assert task.chances is not None
    rare = data.densities[task.training] == "extremely-sparse"
    assert task.chances[rare].sum() == pytest.approx(0.5)
    assert shown_by(data).chances is None
