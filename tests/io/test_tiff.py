from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack, write_stack

NOISE = np.random.default_rng(1).integers(0, 255, (6, 40, 50), dtype=np.uint8)


def _imagej(path: Path, data: Any = NOISE, **metadata: Any) -> Path:
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "ZYX", **metadata}, resolution=(4.0, 4.0))
    return path


@pytest.mark.parametrize(
    ("unit", "spacing", "step_um", "pixel_um"),
    [("um", 0.3, 0.3, 0.25), ("micron", 2, 2.0, 0.25), ("\\u00B5m", 0.125, 0.125, 0.25), ("nm", 300, 0.3, 0.00025)],
)
def test_imagej_spacing_gives_z(tmp_path: Path, unit: str, spacing: float, step_um: float, pixel_um: float) -> None:
    stack = open_stack(_imagej(tmp_path / "a.tif", spacing=spacing, unit=unit))
    np.testing.assert_allclose(stack.z_um, np.arange(6) * step_um)
    assert stack.pixel_size_um == pytest.approx(pixel_um)
    np.testing.assert_array_equal(np.asarray(stack.data), NOISE)


@pytest.mark.parametrize("metadata", [{}, {"spacing": 0.5}, {"spacing": 0.5, "unit": "pixel"}, {"unit": "um"}])
def test_a_missing_step_is_asked_for(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = _imagej(tmp_path / "a.tif", **metadata)
    with pytest.raises(InputError, match="--step-um"):
        open_stack(path)
    assert open_stack(path, step_um=0.5).z_um.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]


@pytest.mark.parametrize("options", [{"metadata": None}, {"metadata": None, "compression": "lzw"}, {}])
def test_plain_multi_page_tiff_needs_a_step(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISE, **options)
    with pytest.raises(InputError, match=r"does not say at which z its planes were taken; give .* --step-um"):
        open_stack(tmp_path / "a.tif")
    stack = open_stack(tmp_path / "a.tif", step_um=-2.0)
    assert stack.z_um.tolist() == [-10, -8, -6, -4, -2, 0]
    np.testing.assert_array_equal(stack.plane(0), NOISE[5])
    assert stack.pixel_size_um is None


def test_the_user_overrules_the_file(tmp_path: Path) -> None:
    path = _imagej(tmp_path / "a.tif", spacing=1, unit="um")
    assert open_stack(path, z_um=[5, 4, 3, 2, 1, 0], pixel_size_um=0.5).z_um.tolist() == [0, 1, 2, 3, 4, 5]
    assert open_stack(path, pixel_size_um=0.5).pixel_size_um == 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"z_um": [1, 2]}, "holds 6 planes, but 2 z positions were given"),
        ({"z_um": [1, 2, 2, 3, 4, 5]}, "plane 1 and plane 2 have the same z, 2 µm"),
        ({"z_um": [1, 2, np.nan, 3, 4, 5]}, "the z of plane 2 is nan"),
        ({"step_um": 0}, "z step must be .* other than 0"),
        ({"step_um": np.nan}, "z step must be"),
        ({"step_um": 1, "z_um": [1]}, "give one of the two"),
        ({"pixel_size_um": -1}, "pixel size must be a positive"),
        ({"channel": 3}, "has no channel 3"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    path = _imagej(tmp_path / "a.tif", spacing=1, unit="um")
    with pytest.raises(InputError, match=said):
        open_stack(path, **options)


def test_big_endian_and_memory_mapped_planes_come_in_native_order(tmp_path: Path) -> None:
    data = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=">", photometric="minisblack", metadata=None)
    stack = open_stack(tmp_path / "a.tif", step_um=1)
    assert stack.data.dtype.isnative
    np.testing.assert_array_equal(np.asarray(stack.data), data)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_is_one_image(tmp_path: Path, planar: str) -> None:
    data = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3), dtype=np.uint8)
    stored = data if planar == "contig" else np.moveaxis(data, -1, 1)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in stored:
            writer.write(page, photometric="rgb", planarconfig=planar, metadata=None, compression="zlib")
    stack = open_stack(tmp_path / "a.tif", step_um=1)
    assert stack.data.shape == (4, 6, 8, 3)
    np.testing.assert_array_equal(np.asarray(stack.data), data)


@pytest.mark.parametrize("ome", [False, True])
def test_time_points_are_no_z_stack(tmp_path: Path, ome: bool) -> None:
    options = {"ome": True} if ome else {"imagej": True}
    tifffile.imwrite(tmp_path / "a.tif", NOISE, metadata={"axes": "TYX", "spacing": 1, "unit": "um"}, **options)
    for wish in ({}, {"step_um": 0.5}):
        with pytest.raises(InputError, match="holds 6 time points at a single z, not a z-stack"):
            open_stack(tmp_path / "a.tif", **wish)


def test_a_z_stack_over_time_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISE.reshape(2, 3, 40, 50), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="holds 2 time points of a z-stack"):
        open_stack(tmp_path / "a.tif", step_um=1)


def test_a_channel_is_chosen_by_name_or_number(tmp_path: Path) -> None:
    metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}, "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"}
    data = NOISE.reshape(3, 2, 40, 50)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, metadata=metadata)
    with pytest.raises(InputError, match=r"holds 2 channels: 0 \(DAPI\), 1 \(GFP\); .* --channel"):
        open_stack(tmp_path / "a.ome.tif")
    for channel in ("GFP", 1, "1"):
        stack = open_stack(tmp_path / "a.ome.tif", channel=channel)
        np.testing.assert_array_equal(np.asarray(stack.data), data[:, 1])
        assert stack.z_um.tolist() == [0, 0.5, 1]
    with pytest.raises(InputError, match="has no channel 'RFP'"):
        open_stack(tmp_path / "a.ome.tif", channel="RFP")


def test_positions_of_the_chosen_channel_are_used(tmp_path: Path) -> None:
    plane = {"PositionZ": [1.0, 11.0, 2.0, 12.0, 4.0, 14.0], "PositionZUnit": ["µm"] * 6}
    metadata = {"axes": "ZCYX", "Plane": plane}
    tifffile.imwrite(tmp_path / "a.ome.tif", NOISE.reshape(3, 2, 40, 50), ome=True, metadata=metadata)
    assert open_stack(tmp_path / "a.ome.tif", channel=1).z_um.tolist() == [11, 12, 14]


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1e-3), ("mm", 1e3), ("µm", 1)])
def test_ome_units_are_converted(tmp_path: Path, unit: str, factor: float) -> None:
    units = {f"PhysicalSize{axis}Unit": unit for axis in "XYZ"}
    metadata = {"axes": "ZYX", "PhysicalSizeX": 2, "PhysicalSizeY": 2, "PhysicalSizeZ": 3, **units}
    tifffile.imwrite(tmp_path / "a.ome.tif", NOISE, ome=True, metadata=metadata)
    stack = open_stack(tmp_path / "a.ome.tif")
    assert stack.pixel_size_um == pytest.approx(2 * factor)
    np.testing.assert_allclose(stack.z_um, np.arange(6) * 3 * factor)


def test_one_z_for_all_planes_is_the_stage_not_the_stack(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "Plane": {"PositionZ": [7.0] * 6}}
    tifffile.imwrite(tmp_path / "a.ome.tif", NOISE, ome=True, metadata=metadata)
    with pytest.raises(InputError, match="--step-um"):
        open_stack(tmp_path / "a.ome.tif")


def test_each_image_of_an_ome_tiff_is_a_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for offset in (0, 100):
            writer.write(NOISE // 2 + offset, metadata={"axes": "ZYX", "PhysicalSizeZ": 0.5})
    with pytest.raises(InputError, match=r"holds 2 images .*ome\.tif::0"):
        open_stack(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(open_stack(f"{tmp_path}/a.ome.tif::1").plane(2), NOISE[2] // 2 + 100)
    with pytest.raises(InputError, match="has no image 2; it holds images 0 to 1"):
        open_stack(f"{tmp_path}/a.ome.tif::2")


def test_pages_of_different_size_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for size in (20, 20, 30):
            writer.write(np.zeros((size, 20), np.uint8), metadata=None)
    with pytest.raises(InputError, match=r"different size or type, 20 x 20 px .* and 30 x 20 px"):
        open_stack(tmp_path / "a.tif", step_um=1)


def test_one_plane_is_no_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISE[0])
    with pytest.raises(InputError, match="holds one plane only"):
        open_stack(tmp_path / "a.tif", step_um=1)


def test_nan_pixels_are_told_when_their_plane_is_read(tmp_path: Path) -> None:
    data = np.zeros((3, 8, 8), np.float32)
    data[1, 2, 3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata=None)
    stack = open_stack(tmp_path / "a.tif", step_um=0.5)
    assert stack.plane(0).shape == (8, 8)
    with pytest.raises(InputError, match=r"a\.tif: the plane at z = 0\.5"):
        stack.plane(1)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995])
@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 1, "unit": "um"}},
        {"metadata": None},
        {"metadata": None, "compression": "zlib"},
        {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeZ": 1}},
        {},
        {"ours": True},
    ],
    ids=["imagej", "plain", "deflated", "ome", "shaped", "ours"],
)
def test_a_truncated_file_is_refused_in_one_sentence(
    tmp_path: Path, options: dict[str, Any], share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    if options.get("ours"):
        write_stack(whole, ZStack(NOISE, np.arange(6.0)))
    else:
        tifffile.imwrite(whole, NOISE, **options)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InputError) as caught:
        np.asarray(open_stack(cut, step_um=1).data)
    assert str(cut) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "again" in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"hello", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff" * 9, b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_tiff_is_refused(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif"):
        open_stack(tmp_path / "a.tif", step_um=1)
    assert capfd.readouterr() == ("", "")


def test_planes_stay_in_the_file_until_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_stack(tmp_path / "a.ome.tif", ZStack(NOISE, np.arange(6.0)))
    read: list[int] = []
    original = tifffile.TiffPage.asarray

    def counted(page: Any, **options: Any) -> Any:
        read.append(page.index)
        return original(page, **options)

    for kind in (tifffile.TiffPage, tifffile.TiffFrame):
        monkeypatch.setattr(kind, "asarray", counted)
    stack = open_stack(path)
    assert read == []
    np.testing.assert_array_equal(stack.plane(4), NOISE[4])
    assert read == [4]
