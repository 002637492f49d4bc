"""Single frames from files of every form, with the optics that the file states and none that it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.io.frames import Frame, open_frame
from napari_autofocus.optics import Objective

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 255, (40, 50), dtype=np.uint8)
COLOUR = RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8)
LENS = Objective.parse("20x/0.75")
OME_XML = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="20" LensNA="0.75"/></Instrument>
<Image ID="Image:0"><ObjectiveSettings ID="Objective:0"/>
<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="50" SizeY="40" SizeZ="1" SizeC="3" SizeT="1" {sizes}>
<Channel ID="Channel:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>"""


def _ome_tiff(path: Path, sizes: str) -> Path:
    xml = OME_XML.format(sizes=sizes).encode()
    tifffile.imwrite(path, COLOUR, photometric="rgb", description=xml, metadata=None)
    return path


def _zarr(path: Path, data: npt.NDArray[Any], axes: str) -> Path:
    group = zarr.open_group(str(path), mode="w")
    group.create_array("0", data=data, chunks=data.shape)
    named = [{"name": a, "type": "space", "unit": "micrometer"} if a in "yx" else {"name": a} for a in axes]
    scale = [{"type": "scale", "scale": [1.0] * (data.ndim - 2) + [0.4, 0.4]}]
    image = {"axes": named, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [image]}})
    return path


@pytest.mark.parametrize("pixels", [GREY, COLOUR, GREY.astype(np.uint16) * 250], ids=["grey", "colour", "16 bit"])
@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_pictures_are_read_as_they_are_and_no_optics_are_invented(
    pixels: npt.NDArray[Any], ending: str, tmp_path: Path
) -> None:
    if ending == "bmp" and pixels.dtype != np.uint8:
        pytest.skip("BMP holds 8 bits")
    path = tmp_path / f"frame.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    else:
        Image.fromarray(pixels).save(path)
    frame = open_frame(path)
    np.testing.assert_array_equal(frame.image, pixels)
    assert frame.image.dtype == pixels.dtype
    assert (frame.lens, frame.pixel_size_um, frame.objective, frame.source) == (None, None, None, str(path))


def test_a_jpeg_is_colour_without_its_resolution_being_taken_for_a_pixel_size(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "frame.jpg", quality=98, dpi=(300, 300))
    frame = open_frame(tmp_path / "frame.jpg")
    assert frame.image.shape == COLOUR.shape
    assert frame.pixel_size_um is None


def test_transparency_is_left_out(tmp_path: Path) -> None:
    opaque = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "frame.png")
    np.testing.assert_array_equal(open_frame(tmp_path / "frame.png").image, COLOUR)


def test_ome_tiff_states_na_magnification_and_pixel_size(tmp_path: Path) -> None:
    path = _ome_tiff(tmp_path / "frame.ome.tif", 'PhysicalSizeX="330" PhysicalSizeXUnit="nm"')
    frame = open_frame(path)
    assert frame.objective is not None
    assert (frame.objective.na, frame.objective.magnification) == (0.75, 20)
    assert frame.objective.pixel_size_um == pytest.approx(0.33)
    assert frame.objective.dof_um == 1.0
    np.testing.assert_array_equal(frame.image, COLOUR)


def test_a_lens_without_a_pixel_size_is_no_optics_until_the_user_gives_it(tmp_path: Path) -> None:
    frame = open_frame(_ome_tiff(tmp_path / "frame.ome.tif", ""))
    assert frame.lens == LENS
    assert frame.objective is None
    completed = frame.with_optics(None, 0.5).objective
    assert completed is not None
    assert (completed.na, completed.pixel_size_um) == (0.75, 0.5)


def test_the_user_overrules_the_file() -> None:
    said = Frame(GREY, LENS, 0.33, "a.tif").with_optics(Objective.parse("10x/0.3"), None).objective
    assert said is not None
    assert (said.name, said.pixel_size_um, said.dof_um) == ("10x/0.3", pytest.approx(0.33), 10.0)


def test_imagej_states_a_pixel_size_only(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "unit": "um"}
    tifffile.imwrite(tmp_path / "frame.tif", GREY, imagej=True, metadata=metadata, resolution=(4.0, 4.0))
    frame = open_frame(tmp_path / "frame.tif")
    assert (frame.pixel_size_um, frame.objective) == (0.25, None)
    assert frame.with_optics(LENS, None).objective == LENS.with_pixel_size(0.25)


def test_ome_zarr_frames_of_one_channel(tmp_path: Path) -> None:
    frame = open_frame(_zarr(tmp_path / "frame.ome.zarr", GREY[None, None], "czyx"))
    np.testing.assert_array_equal(frame.image, GREY)
    assert frame.pixel_size_um == pytest.approx(0.4)


def test_colours_kept_as_channels_are_joined_on_request(tmp_path: Path) -> None:
    path = _zarr(tmp_path / "frame.zarr", np.moveaxis(COLOUR, -1, 0), "cyx")
    with pytest.raises(InputError, match="3 channels"):
        open_frame(path)
    np.testing.assert_array_equal(open_frame(path, channel="rgb").image, COLOUR)
    np.testing.assert_array_equal(open_frame(path, channel=1).image, COLOUR[..., 1])


def test_a_colour_image_asked_for_its_colours_is_left_as_it_is(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "frame.tif", COLOUR, photometric="rgb")
    np.testing.assert_array_equal(open_frame(tmp_path / "frame.tif", channel="rgb").image, COLOUR)


def test_a_plane_of_a_stack_is_chosen_and_never_guessed(tmp_path: Path, stack: ZStack) -> None:
    path = write_stack(tmp_path / "stack.ome.tif", replace(stack, objective=LENS.with_pixel_size(0.325)))
    with pytest.raises(InputError, match=r"holds 7 planes, but one frame is asked for; .* --plane, 0 to 6"):
        open_frame(path)
    frame = open_frame(path, plane=4)
    np.testing.assert_array_equal(frame.image, stack.plane(4))
    assert frame.objective == LENS.with_pixel_size(0.325)
    with pytest.raises(InputError, match="no plane 7; it holds planes 0 to 6"):
        open_frame(path, plane=7)


def test_a_folder_of_planes_is_a_stack_whatever_its_z(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(GREY if name == "a.png" else 255 - GREY).save(tmp_path / name)
    np.testing.assert_array_equal(open_frame(tmp_path, plane=1).image, 255 - GREY)


def test_a_single_picture_has_plane_0_only(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "frame.png")
    np.testing.assert_array_equal(open_frame(tmp_path / "frame.png", plane=0).image, GREY)
    with pytest.raises(InputError, match="plane 0 only"):
        open_frame(tmp_path / "frame.png", plane=1)


def _missing(folder: Path) -> Path:
    return folder / "missing.tif"


def _cut_png(folder: Path) -> Path:
    Image.fromarray(COLOUR).save(folder / "cut.png")
    whole = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.png"


def _cut_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "cut.tif", GREY)
    whole = (folder / "cut.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) - 700])
    return folder / "cut.tif"


def _not_finite(folder: Path) -> Path:
    pixels = GREY.astype(np.float32) / 255
    pixels[3, 4:6] = np.nan, np.inf
    tifffile.imwrite(folder / "frame.tif", pixels)
    return folder / "frame.tif"


def _complex_numbers(folder: Path) -> Path:
    tifffile.imwrite(folder / "frame.tif", GREY.astype(np.complex64))
    return folder / "frame.tif"


def _movie(folder: Path) -> Path:
    tifffile.imwrite(folder / "movie.ome.tif", np.stack([GREY] * 3), ome=True, metadata={"axes": "TYX"})
    return folder / "movie.ome.tif"


def _text(folder: Path) -> Path:
    (folder / "notes.txt").write_text("no image")
    return folder / "notes.txt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_missing, "does not exist"),
        (_cut_png, "cannot be read as an image"),
        (_cut_tiff, "cut short"),
        (_not_finite, "2 pixels that are NaN or infinite"),
        (_complex_numbers, "complex64"),
        (_movie, "holds 3 time points; save the frame that you want"),
        (_text, "not a form of image"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(make: Any, message: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        open_frame(path)
    assert path.name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_someone_elses_frames_are_read(real_data: Path) -> None:
    frame = open_frame(real_data / "algae" / "img_1.png")
    assert frame.image.ndim in (2, 3)
    assert frame.objective is None
