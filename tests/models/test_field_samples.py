"""How whole fields are shown: what is left of them, which patches are offered, how they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_fields_whole import GLASS, GRID, plane_of, whole_fields

from napari_autofocus.errors import InputError
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.field.masking import EmptySlide, keep_only, left_of
from napari_autofocus.models.field.samples import ShownFields, batch_of, sample_of, turned_plane, with_few_left

REDUCTION = 8
STILL = ShownFields(patches=6, disturbances=Disturbances(gain_jitter=0))
APART = (0, 3, 6, 21, 24, 27, 42, 45, 48)
"""Patches that do not touch one another."""


# --- What is left -----------------------------------------------------------------------------------------------------


def test_patches_that_are_left_are_untouched_and_far_ones_gone() -> None:
    left = left_of(GRID, [0])
    assert (left[GRID.slices(0)] == 1).all()
    assert (left[80:, 80:] == 0).all()
    assert left[16, 32:80].max() < 1
    assert (np.diff(left[16, 32:80]) <= 0).all()


def test_nothing_left_is_nothing() -> None:
    assert left_of(GRID, []).max() == 0


def test_what_takes_the_place_of_content_looks_like_glass_and_is_as_noisy() -> None:
    plane = plane_of()
    empty = EmptySlide.of(plane.frame, GRID.slices(6))
    np.testing.assert_allclose(empty.level * 255, GLASS, atol=4)
    np.testing.assert_allclose(empty.noise * 255, 2, rtol=0.2)
    blank = keep_only(plane.frame, left_of(GRID, []), empty, np.random.default_rng(0))
    np.testing.assert_allclose(blank.std(axis=(0, 1)) * 255, 2, rtol=0.2)


def test_in_grey_the_quietest_patch_tells_what_is_empty() -> None:
    frame = np.full((128, 128, 1), 0.05, np.float32)
    frame[64:] = 0.8
    assert EmptySlide.of(frame, (slice(0, 32), slice(0, 32))).level == pytest.approx(0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_so_many_patches_of_content_are_left_as_pixels_were(count: int, seed: int) -> None:
    plane = plane_of(APART)
    few = with_few_left(plane, count, np.random.default_rng(seed))
    kept = np.flatnonzero(few.usable.ravel())
    assert kept.size == count
    assert set(kept) <= set(APART)
    for index in kept:
        np.testing.assert_array_equal(few.frame[GRID.slices(index)], plane.frame[GRID.slices(index)])


def test_more_than_there_are_cannot_be_left() -> None:
    few = with_few_left(plane_of((0, 48)), 8, np.random.default_rng(0))
    assert set(np.flatnonzero(few.usable.ravel())) == {0, 48}


def test_patches_of_which_a_part_is_left_are_neither_content_nor_empty() -> None:
    few = with_few_left(plane_of((0,)), 1, np.random.default_rng(0))
    importance = few.importance.ravel()
    assert importance[0] == pytest.approx(0.9)
    assert np.isnan(importance[1])
    assert importance[48] == 0


def test_the_defocus_of_what_is_left_is_that_of_its_patches() -> None:
    plane = plane_of((0, 3, 48))
    plane.defocus_um.flat[0] = 7.0
    found = {with_few_left(plane, 1, np.random.default_rng(seed)).field_um for seed in range(12)}
    assert found == {3.0, 7.0}


# --- What is offered --------------------------------------------------------------------------------------------------


def test_a_patch_is_shown_with_its_own_truth() -> None:
    plane = plane_of()
    plane.defocus_um[:] = np.arange(49).reshape(7, 7)
    sample = sample_of(plane, STILL, REDUCTION, np.random.default_rng(1))
    assert len(set(sample["places"])) == STILL.patches
    for place, patch, truth, usable in zip(
        *(sample[n] for n in ("places", "patches", "defocus_um", "usable")), strict=True
    ):
        np.testing.assert_array_equal(patch, plane.frame[GRID.slices(int(place))])
        assert usable == plane.usable.flat[place]
        assert truth == (place if usable else plane.field_um)


def test_content_is_offered_more_often_than_glass() -> None:
    offered = [sample_of(plane_of((24,)), STILL, REDUCTION, np.random.default_rng(n))["places"] for n in range(60)]
    share = np.mean([24 in places for places in offered])
    assert share > 0.5 > 2 * STILL.patches / len(GRID)


def test_patches_whose_importance_is_unknown_are_not_offered() -> None:
    few = with_few_left(plane_of((0,)), 1, np.random.default_rng(0))
    unknown = np.flatnonzero(np.isnan(few.importance.ravel()))
    for seed in range(20):
        sample = sample_of(few, STILL, REDUCTION, np.random.default_rng(seed))
        assert not set(sample["places"][sample["offered"]]) & set(unknown)


def test_where_few_patches_are_known_the_others_do_not_count() -> None:
    plane = plane_of((0, 24))
    plane.importance[:] = np.nan
    plane.importance.flat[[0, 24]] = 0.9
    sample = sample_of(plane, STILL, REDUCTION, np.random.default_rng(0))
    assert sample["offered"].tolist() == [True, True, False, False, False, False]
    assert sample["usable"].tolist() == sample["offered"].tolist()


@pytest.mark.parametrize("turn", range(8))
def test_labels_turn_with_the_field(turn: int) -> None:
    plane = plane_of((3,))
    plane.defocus_um.flat[3] = 9
    lying = turned_plane(plane, turn)
    (index,) = np.flatnonzero(lying.usable.ravel())
    assert lying.defocus_um.flat[index] == 9
    light = [lying.frame[GRID.slices(n)].mean() for n in range(len(GRID))]
    assert int(np.argmin(light)) == index


def test_tensors_are_channels_first(tmp_path: Path) -> None:
    plane = whole_fields(tmp_path).plane(0, 0)
    batch = batch_of([sample_of(plane, STILL, REDUCTION, np.random.default_rng(n)) for n in range(2)])
    assert batch["overviews"].shape == (2, 3, 16, 16)
    assert batch["patches"].shape == (2, 6, 3, 32, 32)
    assert batch["importance"].shape == (2, 7, 7)
    assert batch["signed"].tolist() == [True, True]


def test_disturbances_befall_patches() -> None:
    shaken = ShownFields(patches=6, disturbances=Disturbances(motion=1, gain_jitter=0))
    still = sample_of(plane_of(), STILL, REDUCTION, np.random.default_rng(1))
    moved = sample_of(plane_of(), shaken, REDUCTION, np.random.default_rng(1))
    np.testing.assert_array_equal(still["overviews"], moved["overviews"])
    assert moved["patches"].std() < still["patches"].std()


@pytest.mark.parametrize("wrong", [{"patches": 1}, {"most_left": 0}, {"sparse": 1.5}])
def test_settings_outside_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        ShownFields(**wrong)  # type: ignore[arg-type]
