"""A z-stack fused from file to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io.fused import FusedOrigin, fused_origin, write_depth, write_fused_image
from napari_autofocus.workflows.fusing import FusedStack, FuseSettings, depth_path, fuse_stack, write_fused
from stacks import blurred_stack

Z_UM = np.arange(15) * 1.0


def two_depths() -> ZStack:
    """The left half is sharp at 3 µm, the right half at 11 µm."""
    left, right = (blurred_stack(best, shape=(128, 96), seed=seed).data for best, seed in ((3.0, 0), (11.0, 1)))
    return ZStack(np.concatenate([left, right], axis=2), Z_UM, pixel_size_um=0.5, source="two depths")


def finished(stack: ZStack, settings: FuseSettings | None = None) -> tuple[list[str], FusedStack]:
    work, phases = fuse_stack(stack, settings), []
    while True:
        try:
            phases.append(next(work).phase)
        except StopIteration as stop:
            return phases, stop.value


def test_the_depth_of_each_half_is_told_in_um() -> None:
    phases, found = finished(two_depths())
    assert phases == ["reading"] * 15 + ["registering", "fusing"]
    for part, best_um in ((np.s_[:, 16:80], 3.0), (np.s_[:, 112:176], 11.0)):
        assert np.nanmedian(found.depth_um[part]) == pytest.approx(best_um, abs=0.5)
    assert found.told > 0.7
    low, high = found.reach_um or (0, 0)
    assert low == pytest.approx(3.0, abs=1.0)
    assert high == pytest.approx(11.0, abs=1.0)
    assert found.warnings == ()


def test_the_image_has_the_sharpness_of_both_halves() -> None:
    stack = two_depths()
    _, found = finished(stack)
    for part, index in ((np.s_[:, 16:80], 3), (np.s_[:, 112:176], 11)):
        off = found.fused.image[part].astype(float) - stack.data[index][part]
        assert np.sqrt(np.mean(off**2)) < 4


def test_a_stack_of_noise_claims_no_depth_and_says_so() -> None:
    noise = np.random.default_rng(0).normal(100, 5, (9, 128, 128)).astype(np.uint8)
    _, found = finished(ZStack(noise, np.arange(9.0)))
    assert found.told < 0.01
    assert "no part of this stack is sharper" in found.warnings[0]
    assert "sideways" in found.warnings[1]


def test_files_say_what_they_are(tmp_path: Path) -> None:
    _, found = finished(two_depths())
    image, depth = tmp_path / "sharp.ome.tif", tmp_path / "depth.ome.tif"
    write_fused(image, found, depth)
    np.testing.assert_array_equal(tifffile.imread(image), found.fused.image)
    np.testing.assert_array_equal(tifffile.imread(depth), found.depth_um)
    assert fused_origin(image)["kind"] == "all in focus"
    assert fused_origin(depth)["source"] == "two depths"
    with tifffile.TiffFile(image) as tif:
        assert 'PhysicalSizeX="0.5"' in (tif.ome_metadata or "")
        assert "no camera took it" in (tif.ome_metadata or "")


def test_a_picture_takes_eight_bits_only(tmp_path: Path) -> None:
    origin = FusedOrigin("stack", (0.0, 1.0))
    write_fused_image(tmp_path / "a.png", np.zeros((8, 8), np.uint8), origin)
    with pytest.raises(InputError, match=r"name it \.ome\.tif"):
        write_fused_image(tmp_path / "b.png", np.zeros((8, 8), np.uint16), origin)
    with pytest.raises(InputError, match="depth map is written as"):
        write_depth(tmp_path / "c.png", np.zeros((8, 8), np.float32), origin)


def test_a_confidence_is_a_share() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        FuseSettings(least_sure=30)


def test_the_depth_map_lies_beside_the_image() -> None:
    assert depth_path(Path("a/sharp.ome.tif")) == Path("a/sharp_depth.ome.tif")
    assert depth_path(Path("a/sharp.png")) == Path("a/sharp_depth.ome.tif")
