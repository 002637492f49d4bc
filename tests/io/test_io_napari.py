from __future__ import annotations

from pathlib import Path

import cv2
import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.io.napari import napari_get_reader, read_stack
from napari_autofocus.io.napari_writing import write_layer
from napari_autofocus.optics import Objective


def test_a_stack_becomes_a_lazy_layer_in_micrometres(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (4, 12, 10), dtype=np.uint8)
    stack = ZStack(data, np.array([-1, -0.5, 0, 0.5]), 0.325, objective=Objective.parse("20x/0.75"), focus_direction=-1)
    path = str(write_stack(tmp_path / "field.ome.tif", stack))
    reader = napari_get_reader(path)
    assert reader is not None
    [(layer, attributes, kind)] = reader(path)

    assert kind == "image"
    assert isinstance(layer, da.Array)
    assert layer.chunksize == (1, 12, 10)
    np.testing.assert_array_equal(layer[2, 3:5].compute(), data[2, 3:5])
    np.testing.assert_array_equal(layer.compute(), data)
    assert attributes["scale"] == pytest.approx((0.5, 0.325, 0.325))
    assert attributes["translate"] == (-1, 0, 0)
    assert attributes["units"] == ("um", "um", "um")
    assert attributes["rgb"] is False
    assert attributes["metadata"]["napari_autofocus"] == {
        "z_um": [-1, -0.5, 0, 0.5],
        "pixel_size_um": 0.325,
        "focus_direction": -1,
        "objective": "20x/0.75",
        "source": path,
    }


def test_an_irregular_colour_folder_keeps_its_z(tmp_path: Path) -> None:
    for z in (0, 1, 3, 10):
        cv2.imwrite(str(tmp_path / f"z{z}um.png"), np.full((6, 8, 3), z, np.uint8))
    [(layer, attributes, _)] = read_stack([str(tmp_path)])
    assert layer.shape == (4, 6, 8, 3)
    assert attributes["rgb"] is True
    assert attributes["scale"] == (2, 1, 1)
    assert attributes["units"] == ("um", "pixel", "pixel")
    assert attributes["metadata"]["napari_autofocus"]["z_um"] == [0, 1, 3, 10]


def test_what_it_cannot_judge_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no image")
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((6, 8), np.uint8))
    for path in (tmp_path / "text.tif", tmp_path / "one.png", tmp_path, tmp_path / "nowhere"):
        assert napari_get_reader(str(path)) is None
    assert napari_get_reader([str(tmp_path), str(tmp_path)]) is None
    with pytest.raises(InputError, match=r"text\.tif"):
        read_stack(str(tmp_path / "text.tif"))


def test_a_layer_that_we_opened_is_written_unchanged(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (4, 12, 10), dtype=np.uint8)
    lens = Objective.parse("20x/0.75", pixel_size_um=0.325)
    stack = ZStack(data, np.array([-1, -0.5, 0, 7]), 0.325, objective=lens, focus_direction=-1)
    [(layer, attributes, _)] = read_stack(str(write_stack(tmp_path / "a.ome.tif", stack)))
    shown = Image(layer, **attributes).as_layer_data_tuple()
    assert write_layer(str(tmp_path / "b.ome.tif"), *shown[:2]) == [str(tmp_path / "b.ome.tif")]

    again = open_stack(tmp_path / "b.ome.tif")
    np.testing.assert_array_equal(np.asarray(again.data), data)
    assert again.z_um.tolist() == [-1, -0.5, 0, 7]
    assert (again.pixel_size_um, again.focus_direction, again.objective) == (0.325, -1, lens)


def test_a_foreign_layer_is_written_by_its_scale_or_refused(tmp_path: Path) -> None:
    data = np.zeros((3, 6, 8), np.uint8)
    shown = Image(data, scale=(500, 200, 200), translate=(1000, 0, 0), units="nm").as_layer_data_tuple()
    write_layer(str(tmp_path / "a.ome.tif"), *shown[:2])
    stack = open_stack(tmp_path / "a.ome.tif")
    np.testing.assert_allclose(stack.z_um, [1, 1.5, 2])
    assert stack.pixel_size_um == pytest.approx(0.2)
    with pytest.raises(InputError, match="z step in µm"):
        write_layer(str(tmp_path / "b.ome.tif"), *Image(data).as_layer_data_tuple()[:2])
