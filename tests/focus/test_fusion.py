"""All-in-focus images of simulated fields with several depths, against the same fields laid flat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.focus.fusion import best_plane, fuse
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography

Z_UM = np.arange(-8.0, 3.1, 1.0)
SHAPE = (192, 224)
# Places of the slides where both depths of a fold, or all three of a thick specimen, lie in the field.
FIELDS = {
    "folded": (Topography.folded(), "he", 3, -330.0),
    "thick": (Topography.thick(), "cytology", 5, 0.0),
}


class Scan:
    """Frames through a field with several depths, the same field laid flat (the sharp truth), and its true depth."""

    def __init__(self, topography: Topography, stain: str, seed: int, x_um: float) -> None:
        scene = Scene.build(stain, "dense", "20x/0.75", seed=seed, shape=SHAPE, topography=topography)
        rng = np.random.default_rng(0)
        self.planes = np.stack([scene.snap(x_um, 0.0, z_um, rng=rng) for z_um in Z_UM])
        self.depth_um = scene.best_focus_map(x_um, 0.0)
        content = scene.content_at(x_um, 0.0)
        sheets = tuple(replace(sheet, height_um=np.zeros_like(sheet.height_um)) for sheet in content.sheets)
        flat = replace(content, sheets=sheets)
        best_um = float(np.median(scene._formation.best_focus_map(flat)))
        self.truth = scene.camera.expose(scene._formation.render(flat, best_um), exposure_ms=None, rng=rng)


@pytest.fixture(scope="module", params=list(FIELDS))
def scan(request: pytest.FixtureRequest) -> Scan:
    return Scan(*FIELDS[request.param])


def error(image: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((image.astype(float) - truth) ** 2)))


def test_the_fields_really_have_several_depths(scan: Scan) -> None:
    assert np.ptp(scan.depth_um) > 4
    assert all(np.mean(np.abs(scan.depth_um - end) < 1) > 0.02 for end in (scan.depth_um.min(), scan.depth_um.max()))


def test_is_nearer_to_the_sharp_truth_than_any_single_plane(scan: Scan) -> None:
    best_single = min(error(plane, scan.truth) for plane in scan.planes)
    assert error(fuse(scan.planes, Z_UM).image, scan.truth) < 0.75 * best_single


def test_is_nearer_to_it_than_the_exposure_fusion_of_opencv(scan: Scan) -> None:
    mertens = cv2.createMergeMertens(1, 0, 0).process(list(scan.planes)) * 255
    assert error(fuse(scan.planes, Z_UM).image, scan.truth) < 0.75 * error(np.clip(mertens, 0, 255), scan.truth)


def test_tells_the_depth_where_it_is_sure(scan: Scan) -> None:
    fused = fuse(scan.planes, Z_UM)
    sure = fused.confidence > 0.5
    assert sure.mean() > 0.3
    assert np.median(np.abs(fused.depth_um - scan.depth_um)[sure]) < 1.0  # the step of the scan


def test_the_order_of_the_planes_does_not_matter(scan: Scan) -> None:
    order = np.random.default_rng(2).permutation(len(Z_UM))
    shuffled, straight = fuse(scan.planes[order], Z_UM[order]), fuse(scan.planes, Z_UM)
    np.testing.assert_allclose(shuffled.depth_um, straight.depth_um, atol=0.01)
    assert np.abs(shuffled.image.astype(int) - straight.image).max() <= 1


def halves(dtype: Any, level: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Two planes of one texture, each sharp on one side only, and the texture itself."""
    rng = np.random.default_rng(4)
    sharp = (level * (0.2 + 0.6 * rng.random((96, 128)))).astype(np.float32)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    left = np.arange(128) < 64
    planes = np.stack([np.where(left, sharp, blurred), np.where(left, blurred, sharp)])
    return planes.astype(dtype), sharp.astype(dtype)


@pytest.mark.parametrize(("dtype", "level"), [(np.uint8, 255), (np.uint16, 60_000), (np.float32, 1.0)])
def test_keeps_the_type_and_takes_each_half_from_where_it_is_sharp(dtype: Any, level: float) -> None:
    planes, sharp = halves(dtype, level)
    fused = fuse(planes, [0.0, 5.0])
    assert fused.image.dtype == dtype
    for part in (np.s_[:, :48], np.s_[:, 80:]):
        assert error(fused.image[part], sharp[part]) < 0.01 * level
    assert np.median(fused.depth_um[:, :48]) == pytest.approx(0.0, abs=0.1)
    assert np.median(fused.depth_um[:, 80:]) == pytest.approx(5.0, abs=0.1)


def test_no_seam_shows_where_one_plane_takes_over() -> None:
    planes, sharp = halves(np.float32, 1.0)
    planes[1] += 0.1  # the lamp grew brighter
    columns = (fuse(planes, [0.0, 5.0]).image - sharp).mean(axis=0)
    assert np.abs(np.diff(columns)).max() < 0.03  # a hard cut would leave a step of 0.1
    assert columns[-8:].mean() - columns[:8].mean() == pytest.approx(0.1, abs=0.04)


@settings(max_examples=15, deadline=None)
@given(st.integers(17, 70), st.integers(17, 70), st.integers(2, 5), st.booleans())
def test_planes_that_are_alike_are_given_back(height: int, width: int, count: int, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    plane = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    fused = fuse([plane] * count, list(range(count)))
    assert np.abs(fused.image.astype(int) - plane).max() <= 1
    assert fused.depth_um.shape == (height, width)


def test_a_scan_of_nothing_is_fused_to_nothing() -> None:
    fused = fuse(np.full((3, 32, 40), 7, np.uint16), [0.0, 1.0, 2.0])
    assert np.all(fused.image == 7)
    assert np.all(fused.confidence < 1e-6)
    assert np.isfinite(fused.depth_um).all()


@pytest.mark.parametrize(
    ("planes", "z_um", "why"),
    [
        (np.zeros((1, 32, 32)), [0.0], "at least two"),
        (np.zeros((2, 32, 32)), [0.0], "finite z"),
        (np.zeros((2, 32, 32)), [0.0, np.nan], "finite z"),
        ([np.zeros((32, 32)), np.zeros((16, 32))], [0.0, 1.0], "one shape"),
    ],
)
def test_what_is_no_scan_is_refused(planes: Any, z_um: list[float], why: str) -> None:
    with pytest.raises(InputError, match=why):
        fuse(planes, z_um)


# The best single plane.


def patch(y: int, x: int, size: int = 32) -> PatchPrediction:
    return PatchPrediction(y, x, size, 1.0, True)


def test_the_best_plane_is_where_most_patches_are_sharp_not_where_the_brightest_is() -> None:
    rng = np.random.default_rng(6)
    texture = rng.random((96, 96)).astype(np.float32)
    planes = np.stack([cv2.GaussianBlur(texture, (0, 0), 1 + abs(z)) for z in (-2, -1, 0, 1, 2)])
    planes[:, :32, :32] = 50 * planes[[4, 3, 0, 0, 2], :32, :32]  # strong, and sharp in the last plane
    patches = [patch(y, x) for y in (0, 32, 64) for x in (0, 32, 64)]
    index, share = best_plane(planes, [-2, -1, 0, 1, 2], patches)
    assert index == 2
    assert share == pytest.approx(8 / 9)


def test_the_best_plane_of_a_scan_lies_at_a_depth_of_much_content(scan: Scan) -> None:
    patches = [patch(y, x) for y in range(0, 160, 32) for x in range(0, 192, 32)]
    index, share = best_plane(scan.planes, Z_UM, patches)
    near = np.mean(np.abs(scan.depth_um - Z_UM[index]) < 1.5)
    assert near > 0.3
    assert share > 0.3


def test_the_best_plane_needs_content() -> None:
    with pytest.raises(InputError, match="at least one patch"):
        best_plane(np.zeros((2, 64, 64)), [0.0, 1.0], [])
