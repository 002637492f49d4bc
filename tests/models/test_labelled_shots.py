"""Pairs of planes around the one in focus: which count, for drives of both directions, and how they are aligned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.focus.registration import moved
from napari_autofocus.models.labelled.records import LabelledDataset, LabelledStack, StackSkipped
from napari_autofocus.models.labelled.shots import (
    AlignedPlanes,
    ShotReach,
    count_measured,
    known_shots,
    measured_trios,
    trios,
)
from own_folders import texture_stack

REACH = ShotReach((0.3, 3.3), 1.0, 1.0)


def labelled(best_z_um: float = 4.0, name: str = "a", **facts: object) -> LabelledStack:
    stack = replace(texture_stack(4.0), **facts)
    return LabelledStack(Path(name), stack, best_z_um, "table", slide=name)


def test_neither_shot_is_the_frame_in_focus() -> None:
    found = trios(labelled(), REACH)
    assert found
    assert {trio.truth for trio in found} == {4}
    assert all(4 not in (trio.low, trio.high) for trio in found)


def test_pairs_keep_to_the_reach() -> None:
    for trio in trios(labelled(4.2), REACH):
        assert 0.3 <= trio.half_um <= 3.3
        assert abs(trio.error_um) <= 2.0
        assert trio.error_um == pytest.approx((trio.low + trio.high) / 2 - 4.2, abs=1e-4)


@pytest.mark.parametrize("direction", [1, -1])
def test_the_low_shot_is_the_one_of_lower_defocus_whichever_way_the_drive_counts(direction: int) -> None:
    stack = labelled(4.2, focus_direction=direction)
    for trio in trios(stack, REACH):
        low, high = (direction * (index - 4.2) for index in (trio.low, trio.high))
        assert low < high
        assert trio.half_um == pytest.approx((high - low) / 2, abs=1e-4)
        assert trio.error_um == pytest.approx((high + low) / 2, abs=1e-4)


def test_a_stack_without_a_plane_in_focus_gives_nothing() -> None:
    coarse = replace(texture_stack(4.0), z_um=3.0 * np.arange(9, dtype=np.float32))
    stack = LabelledStack(Path("a"), coarse, 13.5, "table", slide="a")  # 1.5 µm from the planes around it
    assert trios(stack, REACH) == []
    told: list[StackSkipped] = []
    assert list(known_shots(LabelledDataset((stack,), ()), REACH, on_skip=told.append)) == []
    assert told[0].kind == "unpaired"
    assert "has no plane within 0.5 µm of focus" in told[0].reason


def test_each_half_distance_is_measured_around_focus_and_to_either_side() -> None:
    found = measured_trios(labelled(4.0), REACH)
    errors = {rung: sorted(trio.error_um for own, trio in found if own == rung) for rung, _ in found}
    assert errors[2.0] == pytest.approx([-1.0, 0.0, 1.0])
    assert errors[1.0] == pytest.approx([0.0])  # to either side, one of the two would be the plane in focus itself
    assert len({trio for _, trio in found}) == len(found) == count_measured(LabelledDataset((labelled(),), ()), REACH)


def test_pairs_come_with_the_frame_in_focus_as_their_truth() -> None:
    stack = labelled()
    for pair in known_shots(LabelledDataset((stack,), ()), REACH, most_px=64):
        assert pair.truth.shape == pair.first.shape == (64, 64, 3)
        assert np.array_equal(pair.truth, stack.stack.plane(4)[64:128, 64:128])
        assert not np.array_equal(pair.first, pair.second)
        assert pair.optics is not None


def test_a_plane_that_lies_aside_is_moved_onto_the_one_in_focus() -> None:
    stack = texture_stack(4.0, colour=False)
    data = stack.data.copy()
    data[6] = moved(np.ascontiguousarray(data[6]), 3.0, -2.0)
    planes = AlignedPlanes(replace(stack, data=data), 4)
    inner = slice(16, -16), slice(16, -16)
    error = np.abs(planes.plane(6)[inner].astype(float) - stack.data[6][inner])
    assert np.median(error) <= 1
    assert np.array_equal(planes.plane(2), stack.data[2])  # what lies where it should is left as it is
