from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import find_stacks, open_stack, write_stack


def _pngs(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for z in range(count):
        cv2.imwrite(str(folder / f"z{z}um.png"), np.full((8, 8), z, np.uint8))
    return folder


def test_a_data_set_is_searched(tmp_path: Path, stack: ZStack) -> None:
    (tmp_path / "fields").mkdir()
    fields = [write_stack(tmp_path / "fields" / f"{name}.ome.tif", stack) for name in "ba"]
    planes = [_pngs(tmp_path / "x" / "planes"), _pngs(tmp_path / "planes")]
    for name in ("labels.csv", "LICENSE", "README.md", "fields/labels.csv", "x/planes/z_um.json", ".hidden.tif"):
        (tmp_path / name).write_text("text")
    cv2.imwrite(str(tmp_path / "overview.png"), np.zeros((8, 8), np.uint8))
    cv2.imwrite(str(tmp_path / "fields" / "curve.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / ".git").mkdir()
    _pngs(tmp_path / ".git" / "planes")

    assert find_stacks([tmp_path]) == [fields[1], fields[0], planes[1], planes[0]]
    assert find_stacks([tmp_path / "planes", fields[0], fields[0]]) == [planes[1], fields[0]]


def test_files_that_cannot_be_read_are_kept_to_be_reported(tmp_path: Path, stack: ZStack) -> None:
    good = write_stack(tmp_path / "good.ome.tif", stack)
    cut = tmp_path / "cut.tif"
    cut.write_bytes(good.read_bytes()[:100])
    assert find_stacks([tmp_path]) == [cut, good]
    good.unlink()
    assert find_stacks([tmp_path]) == [cut]


def test_a_damaged_plane_does_not_make_its_folder_many_stacks(tmp_path: Path) -> None:
    for z in range(3):
        tifffile.imwrite(tmp_path / f"z{z}um.tif", np.zeros((8, 8), np.uint8))
    (tmp_path / "z1um.tif").write_bytes(b"II")
    assert find_stacks([tmp_path]) == [tmp_path]
    with pytest.raises(InputError, match=r"z1um\.tif"):
        open_stack(tmp_path)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "notes.txt").write_text("hello")])
def test_a_folder_without_stacks_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path)  # type: ignore[operator]
    for action in (open_stack, lambda path: find_stacks([path])):
        with pytest.raises(InputError, match="holds no"):
            action(tmp_path)


def test_what_does_not_exist_is_told(tmp_path: Path) -> None:
    for action in (open_stack, lambda path: find_stacks([path])):
        with pytest.raises(InputError, match=r"nowhere\.tif does not exist"):
            action(tmp_path / "nowhere.tif")


def test_nothing_given_is_refused() -> None:
    with pytest.raises(InputError, match="name at least one stack"):
        find_stacks([])


def test_a_folder_with_one_stack_file_is_that_stack(tmp_path: Path, stack: ZStack) -> None:
    write_stack(tmp_path / "a.ome.tif", stack)
    np.testing.assert_array_equal(open_stack(tmp_path).z_um, stack.z_um)
    write_stack(tmp_path / "b.ome.tif", stack)
    with pytest.raises(InputError, match=r"holds 2 stacks, a\.ome\.tif the first"):
        open_stack(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.txt", "a.h5", "a"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no image")
    with pytest.raises(InputError, match=r"one plane only|not a form of image"):
        open_stack(tmp_path / name)


def test_each_image_of_a_file_is_found(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for _ in range(2):
            writer.write(np.zeros((3, 8, 9), np.uint8), photometric="minisblack", metadata={"axes": "ZYX"})
    found = find_stacks([tmp_path])
    assert [path.name for path in found] == ["a.ome.tif::0", "a.ome.tif::1"]
    assert find_stacks(found) == found


@pytest.mark.parametrize(
    ("name", "options", "planes", "first_um", "last_um", "pixel_um"),
    [
        ("wafer_reflected_light/level1/ix000_iy000", {}, 11, -37.8123, 49.7729, None),
        ("wafer_reflected_light/level2/ix000_iy000", {}, 11, -46.3666, 40.5449, None),
        ("wafer_reflected_light/level2/ix000_iy001", {}, 11, -47.2618, 44.0256, None),
        ("yeast/BF.tif", {}, 34, 0, 9.9, 0.1065),
        ("beads/Bead_Image1_crop.tif", {}, 41, 0, 5, 0.02249),
        ("psf_widefield/PSF_RFI_8bit.tif", {}, 61, 0, 18, 0.3),
        ("mitochondria_lightsheet/stack", {}, 34, -0.7, 0.95, None),
        ("holography_cell", {}, 43, -500, 500, None),
        ("brightfield_unstained", {}, 21, -1, 1, None),
        ("algae", {"step_um": 10}, 5, 0, 40, None),
    ],
)
def test_real_stacks_open(
    real_data: Path,
    name: str,
    options: dict[str, float],
    planes: int,
    first_um: float,
    last_um: float,
    pixel_um: float | None,
) -> None:
    stack = open_stack(real_data / name, **options)  # type: ignore[arg-type]
    assert len(stack) == planes
    assert stack.z_um[[0, -1]] == pytest.approx([first_um, last_um])
    assert stack.pixel_size_um == (None if pixel_um is None else pytest.approx(pixel_um, rel=1e-3))
    assert stack.plane(planes // 2).std() > 0


def test_real_stacks_are_found(real_data: Path) -> None:
    found = find_stacks([real_data])
    assert len(found) == 10
    assert real_data / "holography_cell" in found
    assert real_data / "yeast" / "BF.tif" in found


def test_slow_libraries_are_not_imported_to_read_a_tiff(tmp_path: Path, stack: ZStack) -> None:
    path = write_stack(tmp_path / "a.ome.tif", stack)
    slow = ("bioio", "dask", "zarr", "ndstorage", "ome_types", "napari.layers", "torch", "pyarrow")
    script = f"""
import sys
from napari_autofocus.io import open_stack
open_stack({str(path)!r}).plane(0)
print([name for name in {slow} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
