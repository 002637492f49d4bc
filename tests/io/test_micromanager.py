from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from ndstorage import NDTiffDataset

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack

DATA = np.random.default_rng(2).integers(0, 4000, (2, 5, 12, 16), dtype=np.uint16)  # C, Z, Y, X
Z_UM = [103.5, 104.0, 104.5, 105.0, 105.75]


def _tags(channel: int, z: int, position: int = 0, time: int = 0) -> dict[str, Any]:
    where = {"ChannelIndex": channel, "SliceIndex": z, "PositionIndex": position, "FrameIndex": time}
    return {**where, "ZPositionUm": Z_UM[z], "PixelSizeUm": 0.325}


def _image_stack(path: Path, images: list[tuple[np.ndarray[Any, Any], dict[str, Any]]]) -> Path:
    """Pages with the metadata tag that Micro-Manager writes on each of them."""
    with tifffile.TiffWriter(path) as writer:
        for image, metadata in images:
            tag = (51123, 2, None, json.dumps(metadata), True)
            writer.write(image, metadata=None, contiguous=False, extratags=[tag])
    return path


def _one_channel(path: Path, z_order: tuple[int, ...] = (0, 1, 2, 3, 4), position: int = 0) -> Path:
    return _image_stack(path, [(DATA[0, z], _tags(0, z, position)) for z in z_order])


def test_every_plane_of_an_image_stack_carries_its_z(tmp_path: Path) -> None:
    stack = open_stack(_one_channel(tmp_path / "a_MMStack_Pos0.ome.tif", (4, 0, 2, 1, 3)))
    np.testing.assert_array_equal(np.asarray(stack.data), DATA[0])
    assert stack.z_um.tolist() == Z_UM
    assert stack.pixel_size_um == 0.325


def test_a_folder_with_positions_holds_a_stack_each(tmp_path: Path) -> None:
    files = [_one_channel(tmp_path / f"a_MMStack_Pos{p}.ome.tif", position=p) for p in range(3)]
    (tmp_path / "a_MMStack_Pos0_metadata.txt").write_text("{}")
    assert find_stacks([tmp_path]) == files
    assert open_stack(files[2]).z_um.tolist() == Z_UM


def test_a_file_of_over_four_gb_goes_on_in_the_next(tmp_path: Path) -> None:
    first = _one_channel(tmp_path / "a_MMStack_Pos0.ome.tif", (0, 1, 2))
    _one_channel(tmp_path / "a_MMStack_Pos0_1.ome.tif", (3, 4))
    assert find_stacks([tmp_path]) == [first]
    np.testing.assert_array_equal(np.asarray(open_stack(first).data), DATA[0])


def _as_micro_manager_writes(path: Path, images: list[Any], summary: dict[str, Any]) -> Path:
    """A file with Micro-Manager's own header (index map, summary), laid out as in its file format guide."""
    text = json.dumps(summary).encode()
    content = bytearray(struct.pack("<2sHI8I", b"II", 42, 40 + len(text), *[0] * 6, 2355492, len(text)) + text)
    index = []
    for number, (image, metadata) in enumerate(images):
        tag, start = json.dumps(metadata).encode() + b"\0", len(content)
        pixels = start + 2 + 10 * 12 + 4
        height, width = image.shape
        entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
        entries += [(273, 4, 1, pixels), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, image.nbytes)]
        entries += [(51123, 2, len(tag), pixels + image.nbytes)]
        following = pixels + image.nbytes + len(tag) if number < len(images) - 1 else 0
        content += struct.pack("<H", 10) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        content += struct.pack("<I", following) + image.tobytes() + tag
        index.append((metadata["ChannelIndex"], metadata["SliceIndex"], 0, 0, start))
    struct.pack_into("<II", content, 8, 54773648, len(content))
    content += struct.pack("<II", 3453623, len(index)) + b"".join(struct.pack("<5I", *entry) for entry in index)
    path.write_bytes(content)
    return path


def test_a_file_as_micro_manager_writes_it(tmp_path: Path) -> None:
    summary = {"MicroManagerVersion": "2.0.1", "Channels": 2, "Slices": 5, "Frames": 1, "Positions": 1}
    summary |= {"ChNames": ["BF", "GFP"], "z-step_um": 0.5}
    images = [
        (DATA[c, z], {k: v for k, v in _tags(c, z).items() if k != "ZPositionUm"}) for z in range(5) for c in (0, 1)
    ]
    path = _as_micro_manager_writes(tmp_path / "a_MMStack_Pos0.ome.tif", images, summary)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_mmstack

    with pytest.raises(InputError, match=r"0 \(BF\), 1 \(GFP\)"):
        open_stack(path)
    stack = open_stack(path, channel="GFP")
    np.testing.assert_array_equal(np.asarray(stack.data), DATA[1])
    np.testing.assert_allclose(stack.z_um, np.arange(5) * 0.5)
    assert find_stacks([tmp_path]) == [path]


def test_channels_of_an_image_stack(tmp_path: Path) -> None:
    images = [(DATA[c, z], _tags(c, z)) for z in range(5) for c in range(2)]
    path = _image_stack(tmp_path / "a_MMStack.ome.tif", images)
    with pytest.raises(InputError, match=r"holds 2 channels: 0, 1; .*--channel"):
        open_stack(path)
    np.testing.assert_array_equal(np.asarray(open_stack(path, channel=1).data), DATA[1])


def test_time_points_of_an_image_stack_are_refused(tmp_path: Path) -> None:
    path = _image_stack(tmp_path / "a_MMStack.ome.tif", [(DATA[0, 0], _tags(0, 0, time=t)) for t in range(4)])
    with pytest.raises(InputError, match="4 time points at a single z"):
        open_stack(path)


def test_a_truncated_image_stack_is_refused(tmp_path: Path) -> None:
    path = _one_channel(tmp_path / "a_MMStack.ome.tif")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a_MMStack\.ome\.tif.*again"):
        open_stack(path)


def _ndtiff(folder: Path, images: dict[tuple[tuple[str, Any], ...], tuple[Any, dict[str, Any]]]) -> Path:
    dataset = NDTiffDataset(str(folder.parent), name=folder.name, summary_metadata={}, writable=True)
    dataset.initialize({"PixelSize_um": 0.65, "z-step_um": 0.5})
    for axes, (image, metadata) in images.items():
        dataset.put_image(dict(axes), image, metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library's writer leaves its own file open
        dataset.finish()
        dataset.close()
    return next(folder.parent.glob(f"{folder.name}*"))


def test_ndtiff_is_read_without_a_word_on_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    images = {(("z", z),): (DATA[0, z], {"ZPosition_um_Intended": Z_UM[z]}) for z in (1, 0, 3, 2, 4)}
    folder = _ndtiff(tmp_path / "acq", images)
    capfd.readouterr()
    stack = open_stack(folder)

    np.testing.assert_array_equal(np.asarray(stack.data), DATA[0])
    assert stack.z_um.tolist() == Z_UM
    assert stack.pixel_size_um == 0.65
    assert find_stacks([tmp_path]) == [folder]
    assert capfd.readouterr() == ("", "")


def test_ndtiff_channels_have_names_and_positions_are_found(tmp_path: Path) -> None:
    images = {
        (("z", z), ("channel", name), ("position", p)): (DATA[c, z] + p, {})
        for z in range(5)
        for c, name in enumerate(("BF", "GFP"))
        for p in range(2)
    }
    folder = _ndtiff(tmp_path / "acq", images)
    assert find_stacks([tmp_path]) == [tmp_path / f"{folder.name}::0", tmp_path / f"{folder.name}::1"]
    with pytest.raises(InputError, match="2 stage positions"):
        open_stack(folder, channel="GFP")
    with pytest.raises(InputError, match=r"0 \(BF\), 1 \(GFP\)"):
        open_stack(f"{folder}::1")
    stack = open_stack(f"{folder}::1", channel="GFP")
    np.testing.assert_array_equal(stack.plane(2), DATA[1, 2] + 1)
    np.testing.assert_allclose(stack.z_um, np.arange(5) * 0.5)


def test_a_damaged_ndtiff_index_is_refused(tmp_path: Path) -> None:
    folder = _ndtiff(tmp_path / "acq", {(("z", z),): (DATA[0, z], {}) for z in range(3)})
    index = folder / "NDTiff.index"
    index.write_bytes(index.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read as Micro-Manager data"):
        open_stack(folder)


@pytest.mark.parametrize("version", [1, 2])
def test_separate_image_files_take_their_z_from_metadata_txt(tmp_path: Path, version: int) -> None:
    entries: dict[str, Any] = {"Summary": {"ChNames": ["BF", "GFP"]}}
    for z in range(5):
        for c in range(2):
            name = f"img_channel{c:03d}_position000_time000000000_z{z:03d}.tif"
            tifffile.imwrite(tmp_path / name, DATA[c, z])
            if version == 1:
                entries[f"FrameKey-0-{c}-{z}"] = {"FileName": name, **_tags(c, z)}
            else:
                entries[f"Coords-Default/{name}"] = {"FileName": f"Default/{name}"}
                entries[f"Metadata-Default/{name}"] = {"FileName": f"Default/{name}", **_tags(c, z)}
    (tmp_path / "metadata.txt").write_text(json.dumps(entries))

    stack = open_stack(tmp_path, channel="GFP")
    np.testing.assert_array_equal(np.asarray(stack.data), DATA[1])
    assert stack.z_um.tolist() == Z_UM
    assert find_stacks([tmp_path]) == [tmp_path]
    with pytest.raises(InputError, match=r"0 \(BF\), 1 \(GFP\)"):
        open_stack(tmp_path)


def test_broken_metadata_txt_is_refused(tmp_path: Path) -> None:
    for z in range(3):
        tifffile.imwrite(tmp_path / f"img_{z}.tif", DATA[0, z])
    (tmp_path / "metadata.txt").write_text('{"Summary": {')
    with pytest.raises(InputError, match=r"metadata\.txt cannot be read"):
        open_stack(tmp_path)
