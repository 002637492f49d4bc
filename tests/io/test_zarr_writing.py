from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack
from napari_autofocus.io.napari import napari_get_reader
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.io.zarr_writing import StackFacts, ZarrStackWriter
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective

RGB = np.random.default_rng(5).integers(0, 255, (4, 20, 24, 3), dtype=np.uint8)
GREY = np.random.default_rng(5).integers(0, 4095, (4, 20, 24), dtype=np.uint16)
Z_UM = (-1.01, -0.5, 0.013, 0.52)
LENS = Objective.parse("20x/0.75", pixel_size_um=0.33)


def _frame(image: np.ndarray, index: int) -> Frame:
    return Frame(image[index], Z_UM[index], 120.5, -33.0, 25.0, 10.0 + index, pixel_size_um=0.33, bit_depth=8)


def _write(target: Path, images: np.ndarray, facts: StackFacts | None = None, order: str = "0123") -> Path:
    writer = ZarrStackWriter(target, len(images), facts or StackFacts(LENS, None, -1, {"field": 7}))
    for index in map(int, order):
        writer.add(index, _frame(images, index))
    assert not target.exists()
    assert writer.keep() == target.name
    return target


@pytest.mark.parametrize("images", [RGB, GREY], ids=["rgb", "grey"])
@pytest.mark.parametrize("order", ["0123", "3210"])
def test_a_stack_comes_back_unchanged_with_exact_z_and_optics(tmp_path: Path, images: np.ndarray, order: str) -> None:
    stack = open_stack(_write(tmp_path / "a.zarr", images, order=order))
    np.testing.assert_array_equal(np.asarray(stack.data), images)
    assert np.asarray(stack.data).dtype == images.dtype
    np.testing.assert_array_equal(stack.z_um, Z_UM)
    assert stack.objective == LENS
    assert stack.dof_um == 1.0
    assert stack.pixel_size_um == pytest.approx(0.33)
    assert stack.focus_direction == -1


def test_what_else_is_known_stands_beside_it(tmp_path: Path) -> None:
    own = own_facts(_write(tmp_path / "a.zarr", RGB))
    assert (own["x_um"], own["y_um"], own["exposure_ms"], own["field"]) == (120.5, -33.0, 25.0, 7)
    assert own["started_s"] == [10.0, 11.0, 12.0, 13.0]


def test_nothing_is_invented_where_nobody_knows(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zarr", GREY, StackFacts())
    assert not {"objective", "focus_direction"} & own_facts(path).keys()
    assert open_stack(path).objective is None


def test_another_program_reads_the_same_image(tmp_path: Path) -> None:
    bioio = pytest.importorskip("bioio_ome_zarr")
    image = bioio.Reader(str(_write(tmp_path / "a.zarr", RGB)))
    assert image.dims.order.endswith("CZYX")
    np.testing.assert_array_equal(np.moveaxis(np.squeeze(image.data), 0, -1), RGB)
    assert image.channel_names == ["red", "green", "blue"]
    sizes = image.physical_pixel_sizes
    np.testing.assert_allclose([sizes.Z, sizes.Y, sizes.X], [0.51, 0.33, 0.33])


def test_the_metadata_are_valid_ome_zarr(tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05")
    zarr = pytest.importorskip("zarr")
    image = models.Image.from_zarr(zarr.open_group(str(_write(tmp_path / "a.zarr", RGB)), mode="r"))
    assert [axis.name for axis in image.attributes.ome.multiscales[0].axes] == ["c", "z", "y", "x"]


def test_napari_shows_it_in_colour_at_its_z(tmp_path: Path) -> None:
    path = str(_write(tmp_path / "a.zarr", RGB))
    reader = napari_get_reader(path)
    assert reader is not None
    [(data, attributes, kind)] = reader(path)
    assert (kind, attributes["rgb"], attributes["name"]) == ("image", True, "a.zarr")
    np.testing.assert_array_equal(np.asarray(data[2]), RGB[2])
    assert attributes["metadata"]["napari_autofocus"]["z_um"] == list(Z_UM)


def test_a_stack_that_was_begun_is_no_stack(tmp_path: Path) -> None:
    _write(tmp_path / "a.zarr", RGB)
    writer = ZarrStackWriter(tmp_path / "b.zarr", 4, StackFacts())
    writer.add(0, _frame(RGB, 0))
    assert find_stacks([tmp_path]) == [tmp_path / "a.zarr"]
    with pytest.raises(InputError, match="lacks 3 of its 4 planes"):
        writer.keep()
    writer.drop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr"]


def test_what_an_interrupted_run_left_is_replaced(tmp_path: Path) -> None:
    ZarrStackWriter(tmp_path / "a.zarr", 9, StackFacts()).add(8, _frame(GREY, 0))
    stack = open_stack(_write(tmp_path / "a.zarr", RGB))
    np.testing.assert_array_equal(np.asarray(stack.data), RGB)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_an_existing_stack_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists and is not overwritten"):
        ZarrStackWriter(_write(tmp_path / "a.zarr", RGB), 4, StackFacts())


def test_a_full_disk_is_one_sentence_and_leaves_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ZarrStackWriter(tmp_path / "a.zarr", 4, StackFacts())
    for index in range(4):
        writer.add(index, _frame(RGB, index))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); make room"):
        writer.keep()
    assert not (tmp_path / "a.zarr").exists()


def test_frames_that_change_their_shape_are_refused(tmp_path: Path) -> None:
    writer = ZarrStackWriter(tmp_path / "a.zarr", 4, StackFacts())
    writer.add(0, _frame(RGB, 0))
    with pytest.raises(InputError, match="came after frames of shape"):
        writer.add(1, _frame(GREY, 1))


def test_a_drive_that_does_not_move_between_planes_is_told(tmp_path: Path) -> None:
    writer = ZarrStackWriter(tmp_path / "a.zarr", 2, StackFacts())
    writer.add(0, _frame(RGB, 0))
    writer.add(1, _frame(RGB, 0))
    with pytest.raises(InputError, match=r"rested at -1\.010 and then at -1\.010 µm .* take larger ones"):
        writer.keep()
