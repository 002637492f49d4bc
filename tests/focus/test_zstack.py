"""Z-stacks: what they hold, and best focus of fields and patches against the simulation's truth and real stacks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import FocusSettings, PlaneDone, StackFocus, ZStack, judge_stack, measure_stack
from napari_autofocus.simulation.scene import Scene

SHAPE = (256, 384)


def measured(stack: ZStack, **settings: Any) -> StackFocus:
    return judge_stack(stack, FocusSettings(**settings))


def simulated(
    stain: str, density: str, *, seed: int = 3, step: float = 0.5, start: float = -7.2
) -> tuple[ZStack, float, np.ndarray]:
    scene = Scene.build(stain, density, seed=seed, shape=SHAPE)
    rng = np.random.default_rng(seed)
    z = start + step * np.arange(int(14 / step) + 1)
    planes = np.stack(list(scene.stack(40, -25, z, rng)))
    return ZStack(planes, z, source=stain), scene.best_focus_um(40, -25), scene.best_focus_map(40, -25)


@pytest.mark.parametrize("stain", ["he", "ihc", "cytology", "blood", "fluorescence", "beads"])
def test_field_of_stained_content_is_best_at_the_true_focus(stain: str) -> None:
    stack, truth, _ = simulated(stain, "dense")

    found = measured(stack)

    assert found.field.verdict == "peak"
    assert found.field.trusted
    assert found.best_z_um == pytest.approx(truth, abs=0.15)


def test_field_of_transparent_content_is_best_at_its_contrast_minimum() -> None:
    stack, truth, _ = simulated("unstained", "dense")

    found = measured(stack)

    assert found.field.verdict == "phase_minimum"
    assert found.best_z_um == pytest.approx(truth, abs=0.2)


def test_transparent_content_asked_for_a_maximum_is_not_trusted() -> None:
    stack, _, _ = simulated("unstained", "dense")

    assert not measured(stack, polarity="max").field.trusted


def test_patches_of_a_dense_field_agree_with_the_truth_at_their_place() -> None:
    stack, _, truth = simulated("he", "dense")

    found = measured(stack, patch_px=64)

    errors = [
        p.best_z_um - np.median(truth[p.y : p.y + p.size, p.x : p.x + p.size])
        for p in found.trusted_patches
        if p.best_z_um is not None
    ]
    assert len(errors) >= 0.8 * len(found.patches)
    assert np.median(np.abs(errors)) < 0.1
    assert max(p.importance for p in found.patches) > 0.5


def test_empty_field_is_not_trusted_nor_any_of_its_patches() -> None:
    stack, _, _ = simulated("he", "empty")

    found = measured(stack)

    assert not found.field.trusted
    assert found.trusted_patches == ()
    assert found.best_z_um is None
    assert {p.importance for p in found.patches} == {0.0}


def test_patch_that_sees_only_its_neighbours_blur_is_not_trusted() -> None:
    rng = np.random.default_rng(0)
    sharp = np.zeros((64, 128), np.float32)
    sharp[16:48, 26:56] = 3000 * rng.random((32, 30))
    z = np.arange(-8, 8.1, 0.5)
    # Lopsided optics: the blur reaches far on one side of focus only.
    widths = 0.6 + np.where(z > 0, 3 * z, -0.4 * z)
    planes = [cv2.GaussianBlur(sharp, (0, 0), width) + rng.normal(100, 0.3, sharp.shape) for width in widths]

    owner, bystander = measured(ZStack(np.float32(planes), z), patch_px=64).patches

    assert owner.trusted
    assert owner.best_z_um == pytest.approx(0, abs=0.5)
    assert bystander.verdict == "peak"
    assert bystander.best_z_um == pytest.approx(3.5, abs=1)
    assert not bystander.trusted


def test_focus_outside_the_stack_is_a_peak_at_its_edge() -> None:
    stack, _, _ = simulated("he", "dense", start=0.8)

    assert measured(stack).field.verdict == "peak_at_edge"


def test_other_measures_find_the_same_focus() -> None:
    stack, truth, _ = simulated("he", "dense")

    assert measured(stack, measure="tenengrad").best_z_um == pytest.approx(truth, abs=0.15)


def test_progress_counts_planes() -> None:
    stack, _, _ = simulated("he", "dense", step=2)

    assert list(measure_stack(stack)) == [PlaneDone(i + 1, len(stack)) for i in range(len(stack))]


def test_one_plane_at_a_time_is_read() -> None:
    class Lazy:
        shape, dtype, reads = (40, 64, 64), np.dtype("u1"), 0

        def __getitem__(self, index: int) -> np.ndarray:
            assert isinstance(index, int)
            self.reads += 1
            texture = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
            return cv2.GaussianBlur(texture, (0, 0), 0.5 + abs(index - 19.5) / 4)

    lazy = Lazy()
    found = measured(ZStack(lazy, np.arange(40.0)))

    assert lazy.reads == 40
    assert found.best_z_um == pytest.approx(19.5, abs=0.3)


def test_planes_in_any_order_are_sorted_without_copying() -> None:
    data = np.arange(4)[:, None, None] * np.ones((4, 8, 8), np.uint8)

    stack = ZStack.from_unsorted(data, [3.0, 1.0, 2.0, 0.0])

    assert stack.z_um.tolist() == [0, 1, 2, 3]
    assert [int(stack.plane(i)[0, 0]) for i in range(4)] == [3, 1, 2, 0]
    assert np.asarray(stack.data)[:, 0, 0].tolist() == [3, 1, 2, 0]
    assert stack.data[1:3, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("z", "says"),
    [
        ([0.0, 1.0], "3 planes but 2"),
        ([0.0, 1.0, 1.0], "two planes at z = 1"),
        ([0.0, np.nan, 1.0], "not a number"),
    ],
)
def test_unusable_z_is_refused(z: list[float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ZStack.from_unsorted(np.zeros((3, 8, 8)), z)


def test_single_plane_is_refused() -> None:
    with pytest.raises(InputError, match="single plane"):
        ZStack(np.zeros((1, 8, 8)), np.zeros(1))


def test_nan_pixels_are_named_with_their_plane() -> None:
    data = np.ones((3, 8, 8), np.float32)
    data[1, 2, 3] = np.nan

    with pytest.raises(InputError, match=r"z = 5 µm holds 1 pixels"):
        list(measure_stack(ZStack(data, np.array([0.0, 5.0, 10.0]))))


def test_patch_larger_than_the_field_is_refused() -> None:
    with pytest.raises(InputError, match="holds no patch"):
        list(measure_stack(ZStack(np.zeros((3, 8, 8)), np.arange(3.0)), FocusSettings(patch_px=16)))
