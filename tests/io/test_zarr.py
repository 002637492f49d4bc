from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack

DATA = np.random.default_rng(2).integers(0, 4000, (2, 5, 12, 16), dtype=np.uint16)  # C, Z, Y, X
AXES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def _write(
    folder: Path,
    data: np.ndarray[Any, Any] = DATA[0],
    *,
    axes: str = "zyx",
    version: str = "0.5",
    unit: str | None = "micrometer",
    scale: tuple[float, ...] = (0.5, 0.2, 0.2),
    extra: dict[str, Any] | None = None,
) -> Path:
    group = zarr.open_group(str(folder), mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=data, chunks=(1,) * (data.ndim - 2) + data.shape[-2:])
    named = [{"name": a, "type": AXES[a], **({"unit": unit} if unit and a in "zyx" else {})} for a in axes]
    transforms = [{"type": "scale", "scale": [1.0] * (data.ndim - 3) + list(scale)}]
    image = {"axes": named, "datasets": [{"path": "0", "coordinateTransformations": transforms}], "version": version}
    attributes = {"multiscales": [image | (extra or {})], "omero": {"channels": [{"label": "BF"}, {"label": "GFP"}]}}
    group.attrs.update({"ome": {"version": "0.5", **attributes}} if version == "0.5" else attributes)
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_both_versions_are_read(tmp_path: Path, version: str) -> None:
    stack = open_stack(_write(tmp_path / "a.zarr", version=version))
    np.testing.assert_array_equal(np.asarray(stack.data), DATA[0])
    np.testing.assert_allclose(stack.z_um, np.arange(5) * 0.5)
    assert stack.pixel_size_um == pytest.approx(0.2)
    assert stack.data.dtype == np.uint16


def test_units_and_both_levels_of_transformations_count(tmp_path: Path) -> None:
    scene = [{"type": "scale", "scale": [2.0, 2.0, 2.0]}, {"type": "translation", "translation": [100.0, 0, 0]}]
    extra = {"coordinateTransformations": scene}
    stack = open_stack(_write(tmp_path / "a.zarr", unit="nanometer", scale=(500, 200, 200), extra=extra))
    np.testing.assert_allclose(stack.z_um, np.arange(5) * 1.0 + 0.1)
    assert stack.pixel_size_um == pytest.approx(0.4)


def test_a_channel_is_chosen(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zarr", DATA[None], axes="tczyx")
    with pytest.raises(InputError, match=r"2 channels: 0 \(BF\), 1 \(GFP\)"):
        open_stack(path)
    np.testing.assert_array_equal(open_stack(path, channel="GFP").plane(3), DATA[1, 3])


def test_a_scale_without_unit_is_no_length(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zarr", unit=None)
    with pytest.raises(InputError, match=r"states a z scale of 0\.5 without a unit of length; give .* --step-um"):
        open_stack(path)
    assert open_stack(path, step_um=0.5).pixel_size_um is None


def test_time_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zarr", DATA[0][:, None], axes="tzyx")
    with pytest.raises(InputError, match="5 time points at a single z"):
        open_stack(path, step_um=1)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"attributes": 3}'])
def test_damaged_metadata_are_refused_in_one_sentence(
    tmp_path: Path, version: str, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "a.zarr", version=version)
    (path / ("zarr.json" if version == "0.5" else ".zattrs")).write_text(content)
    with pytest.raises(InputError, match=r"a\.zarr") as caught:
        open_stack(path)
    assert "\n" not in str(caught.value)
    assert find_stacks([tmp_path]) == [path]  # kept, so that it is reported
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "damage",
    [
        {"axes": []},
        {"axes": [{"name": "z"}]},
        {"datasets": []},
        {"datasets": [{"path": "9"}]},
        {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1]}]}]},
        {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": "big"}]}]},
    ],
)
def test_wrong_multiscales_are_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_stack(_write(tmp_path / "a.zarr", extra=damage))


def test_an_array_that_is_no_image_is_refused(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=DATA[0])
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_stack(tmp_path / "a.zarr")


def test_a_damaged_chunk_is_told_when_its_plane_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zarr")
    (path / "0" / "c" / "2" / "0" / "0").write_bytes(b"no chunk")
    stack = open_stack(path)
    np.testing.assert_array_equal(stack.plane(1), DATA[0, 1])
    with pytest.raises(InputError, match="cannot be read as an OME-Zarr image"):
        stack.plane(2)


def test_the_images_of_a_store_are_found(tmp_path: Path) -> None:
    store = tmp_path / "many.zarr"
    zarr.open_group(str(store), mode="w").attrs["bioformats2raw.layout"] = 3
    _write(store / "0")
    _write(store / "1")
    zarr.open_group(str(store / "OME"), mode="w")
    _write(tmp_path / "one.zarr")
    assert find_stacks([tmp_path]) == [store / "0", store / "1", tmp_path / "one.zarr"]
