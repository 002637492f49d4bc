"""Layers that are saved and opened again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image
from npe2 import PluginManager

from napari_autofocus.errors import InputError
from napari_autofocus.io.fused import DEPTH, FUSED, fused_origin
from napari_autofocus.io.napari import METADATA_KEY, napari_get_reader
from napari_autofocus.io.napari_layers import LayerPlace
from napari_autofocus.io.napari_writing import write_layer
from napari_autofocus.io.ome import WRITABLE
from napari_autofocus.io.virtual import virtual_origin

SIZES_UM = st.floats(0.001, 100, allow_nan=False)
PLACES_UM = st.floats(-1e4, 1e4, allow_nan=False)
VIRTUAL_METADATA = {
    "virtual": {
        "model": "tsva-20x",
        "fingerprint": "abc123",
        "inputs": ["below", "above"],
        "shift_px": [0.5, -1.0],
        "verdict": "sharp",
        "reasons": [],
        "warnings": ["one corner is doubtful"],
    },
    "pixel_size_um": 0.325,
    "objective": "20x/0.75",
}


def again(folder: str | Path, layer: Image) -> Image:
    """A layer, saved and opened by our reader."""
    (written,) = write_layer(str(Path(folder) / "layer"), *layer.as_layer_data_tuple()[:2])
    reader = napari_get_reader(written)
    assert reader is not None
    [(data, attributes, kind)] = reader(written)
    assert kind == "image"
    return Image(data, **attributes)


def pixels(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def in_um(layer: Image) -> tuple[list[float], list[float]]:
    to_um = [unit.to("um").magnitude for unit in (1 * unit for unit in layer.units)]
    return [float(v) for v in layer.scale * to_um], [float(v) for v in layer.translate * to_um]


@settings(max_examples=40)
@given(
    st.sampled_from(WRITABLE),
    st.tuples(st.integers(2, 5), st.integers(1, 9), st.integers(1, 9)),
    st.booleans(),
    SIZES_UM,
    SIZES_UM,
    PLACES_UM,
    st.sampled_from(["um", "nm", "mm"]),
)
def test_a_stack_comes_back_as_it_was_saved(
    dtype: str, shape: tuple[int, int, int], colour: bool, step: float, pixel: float, start: float, unit: str
) -> None:
    rgb = colour and dtype in ("uint8", "uint16")
    data = pixels((*shape, 3) if rgb else shape, dtype)
    layer = Image(data, rgb=rgb, scale=(step, pixel, pixel), translate=(start, 0, 0), units=unit)
    with tempfile.TemporaryDirectory() as folder:
        found = again(folder, layer)
        np.testing.assert_array_equal(np.asarray(found.data), data)
        assert found.data.dtype == dtype
    assert found.rgb == rgb
    (scale, translate), (was, stood) = in_um(found), in_um(layer)
    # Positions are stored, not the step: far from zero a step has the accuracy that a float leaves it.
    assert scale == pytest.approx(was, rel=1e-6, abs=2e-9)
    assert translate[0] == pytest.approx(stood[0], rel=1e-9)


@settings(max_examples=40)
@given(
    st.sampled_from(WRITABLE),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.booleans(),
    st.tuples(SIZES_UM, SIZES_UM),
    st.tuples(PLACES_UM, PLACES_UM),
    st.sampled_from(["um", "nm", "pixel"]),
)
def test_a_single_image_comes_back_to_its_place(
    dtype: str,
    shape: tuple[int, int],
    colour: bool,
    scale: tuple[float, float],
    translate: tuple[float, float],
    unit: str,
) -> None:
    rgb = colour and dtype in ("uint8", "uint16")
    data = pixels((*shape, 3) if rgb else shape, dtype)
    layer = Image(data, rgb=rgb, scale=scale, translate=translate, units=unit)
    with tempfile.TemporaryDirectory() as folder:
        found = again(folder, layer)
    np.testing.assert_array_equal(found.data, data)
    assert found.data.dtype == dtype
    assert found.rgb == rgb
    assert found.scale.tolist() == list(scale)
    assert found.translate.tolist() == list(translate)
    assert found.units == layer.units


def test_a_virtual_image_says_so_in_the_file_and_when_it_is_opened(tmp_path: Path) -> None:
    layer = Image(pixels((6, 8), "uint8"), metadata={METADATA_KEY: VIRTUAL_METADATA}, scale=(0.325, 0.325), units="um")
    found = again(tmp_path, layer)
    said = virtual_origin(tmp_path / "layer.ome.tif")
    assert said is not None
    assert (said["model"], said["second"], said["notes"]) == ("tsva-20x", "above", "one corner is doubtful")
    about = found.metadata[METADATA_KEY]
    assert about["virtual"]["inputs"] == ["below", "above"]
    assert (about["objective"], about["pixel_size_um"]) == ("20x/0.75", 0.325)
    again(tmp_path, found)
    assert virtual_origin(tmp_path / "layer.ome.tif") == said


@pytest.mark.parametrize("kind", [FUSED, DEPTH])
def test_an_all_in_focus_image_and_its_depths_keep_their_origin(tmp_path: Path, kind: str) -> None:
    fused = {"source": "tilted.ome.tif", "z_um": [-1.0, 0.0, 1.0], "largest_shift_px": 0.25}
    about: dict[str, Any] = {"fused": fused, "pixel_size_um": 0.5, "objective": None}
    if kind == DEPTH:
        about |= {"overlay": DEPTH, "unit": "um"}
    data = pixels((6, 8), "float32")
    data[0, 0] = np.nan
    layer = Image(data, metadata={METADATA_KEY: about}, contrast_limits=(0, 1), scale=(0.5, 0.5), units="um")
    found = again(tmp_path, layer)
    np.testing.assert_array_equal(found.data, data)
    assert found.metadata[METADATA_KEY]["fused"] == fused
    assert found.metadata[METADATA_KEY].get("overlay") == about.get("overlay")
    assert fused_origin(tmp_path / "layer.ome.tif")["kind"] == kind


@pytest.mark.parametrize(("overlay", "opened"), [("focus", "saved focus"), ("camera", None)])
def test_an_overlay_is_no_camera_image_afterwards_and_a_camera_image_no_overlay(
    tmp_path: Path, overlay: str, opened: str | None
) -> None:
    metadata = {METADATA_KEY: {"overlay": overlay}}
    layer = Image(pixels((4, 4), "float32"), metadata=metadata, scale=(32, 32), units="pixel")
    assert again(tmp_path, layer).metadata[METADATA_KEY].get("overlay") == opened


def test_planes_of_unknown_z_and_more_axes_are_refused(tmp_path: Path) -> None:
    for shape, words in (((2, 3, 4, 5), "has 4 axes"), ((3, 4, 5), "z step in µm")):
        layer = Image(np.zeros(shape, np.uint8), rgb=False)
        with pytest.raises(InputError, match=words):
            write_layer(str(tmp_path / "refused.ome.tif"), *layer.as_layer_data_tuple()[:2])
    assert list(tmp_path.iterdir()) == []


def test_napari_saves_ome_tiff_with_us_and_plain_tiff_without(tmp_path: Path) -> None:
    manager = PluginManager()
    manager.discover()
    names = [writer.command for writer in manager.iter_compatible_writers(["image"])]
    assert "napari-autofocus.write_image" in names
    assert "napari-autofocus.write_image" not in [w.command for w in manager.iter_compatible_writers(["labels"])]
    writer, path = manager.get_writer(str(tmp_path / "a.tif"), ["image"], "napari-autofocus")
    assert (writer, Path(path).name) == (None, "a.tif")


def test_a_place_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="must have a size"):
        LayerPlace(scale=(0.0, 1.0))
    with pytest.raises(InputError, match="a length or pixel"):
        LayerPlace(units=("second", "um"))


def test_a_file_with_a_damaged_place_is_left_to_others_or_told(tmp_path: Path) -> None:
    path = tmp_path / "layer.ome.tif"
    write_layer(str(path), *Image(pixels((4, 4), "uint8")).as_layer_data_tuple()[:2])
    path.write_bytes(path.read_bytes().replace(b'"scale": [', b'"scale": {', 1))
    reader = napari_get_reader(str(path))
    assert reader is not None
    with pytest.raises(InputError, match="save the layer again"):
        reader(str(path))
