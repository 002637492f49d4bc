"""Images that no camera took: what their files hold and say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.virtual import VirtualOrigin, check_image_path, virtual_origin, write_virtual_image
from napari_autofocus.optics import Objective

ORIGIN = VirtualOrigin(
    model="tsva-20x",
    fingerprint="ab" * 32,
    first="unten µ.tif",
    second="oben.tif plane 3",
    shift_px=(1.25, -0.5),
    verdict="doubtful",
    notes=("The shots have little in common.",),
)
LENS = Objective.parse("20x/0.75", pixel_size_um=0.325)
RGB = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tiff", "a.png", "a.jpg"])
def test_every_file_says_that_it_is_virtual_and_of_what(tmp_path: Path, name: str) -> None:
    path = write_virtual_image(tmp_path / name, RGB, ORIGIN, pixel_size_um=0.325, objective=LENS)
    said = virtual_origin(path)
    assert said is not None
    assert (said["model"], said["model_fingerprint"], said["first"]) == (ORIGIN.model, ORIGIN.fingerprint, ORIGIN.first)
    assert said["shift_px"] == "[1.25, -0.5]"
    assert (said["verdict"], said["notes"]) == ("doubtful", "The shots have little in common.")


@pytest.mark.parametrize("name", ["a.ome.tif", "a.png"])
@pytest.mark.parametrize("image", [RGB, RGB[..., 0], RGB[..., 0].astype(np.uint16) * 257])
def test_pixels_come_back_as_they_are(tmp_path: Path, name: str, image: np.ndarray) -> None:
    found = open_frame(write_virtual_image(tmp_path / name, image, ORIGIN)).image
    assert found.dtype == image.dtype
    assert np.array_equal(found, image)


def test_tiff_keeps_the_optics_and_invents_no_position(tmp_path: Path) -> None:
    path = write_virtual_image(tmp_path / "a.ome.tif", RGB, ORIGIN, pixel_size_um=0.325, objective=LENS)
    frame = open_frame(path)
    assert frame.pixel_size_um == pytest.approx(0.325)
    assert frame.objective is not None
    assert frame.objective.na == 0.75
    with tifffile.TiffFile(path) as tif:
        assert tif.ome_metadata is not None
        assert "PositionZ" not in tif.ome_metadata
        assert "no camera took it" in tif.ome_metadata


def test_floats_fit_into_tiff_alone(tmp_path: Path) -> None:
    values = RGB[..., 0] / np.float32(255)
    assert np.array_equal(open_frame(write_virtual_image(tmp_path / "a.tif", values, ORIGIN)).image, values)
    with pytest.raises(InputError, match=r"\.ome\.tif"):
        write_virtual_image(tmp_path / "a.png", values, ORIGIN)


@pytest.mark.parametrize(("name", "dtype"), [("a.png", np.uint16), ("a.jpg", np.uint16)])
def test_types_that_a_file_cannot_hold_are_refused(tmp_path: Path, name: str, dtype: type) -> None:
    with pytest.raises(InputError, match="cannot hold"):
        write_virtual_image(tmp_path / name, RGB.astype(dtype), ORIGIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.bmp", "a", "missing/a.tif"])
def test_names_that_cannot_be_written_are_refused_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        check_image_path(tmp_path / name)


def test_other_files_do_not_say_that_they_are_virtual(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    Image.fromarray(RGB).save(tmp_path / "b.jpg", comment=b"a {brace")
    tifffile.imwrite(tmp_path / "c.tif", RGB)
    assert [virtual_origin(tmp_path / name) for name in ("a.png", "b.jpg", "c.tif")] == [None, None, None]


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(InputError):
        virtual_origin(tmp_path / "a.tif")
