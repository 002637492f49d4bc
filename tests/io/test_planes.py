from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack
from napari_autofocus.io.planes import z_from_name


def _planes(folder: Path, names: list[str], shape: tuple[int, ...] = (12, 16), dtype: str = "uint8") -> None:
    """Plane number n has every pixel n."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        image = np.full(shape, number, dtype)
        if name.lower().endswith((".tif", ".tiff")):
            tifffile.imwrite(folder / name, image, compression="lzw")
        else:
            assert cv2.imwrite(str(folder / name), image)


@pytest.mark.parametrize(
    ("name", "z_um"),
    [
        ("z-010.2260um.tiff", -10.226),
        ("z+000um.png", 0.0),
        ("z+0.4um.png", 0.4),
        ("cell_Z12.5um_bf.tif", 12.5),
        ("field3_z=-1.5µm.tif", -1.5),
        ("tile_z_7 um.tif", 7.0),
        ("defocus-3um.png", -3.0),
        ("z-250nm.png", -0.25),
        ("cell2G2Dz0p3um_ch0_stack0001.tif", None),
        ("img_channel000_position000_time000000000_z004.tif", None),
        ("z12.tif", None),
        ("horiz10um.tif", None),
        ("10um.tif", None),
    ],
)
def test_z_is_read_from_the_name_only_with_its_unit(name: str, z_um: float | None) -> None:
    assert z_from_name(name) == (None if z_um is None else pytest.approx(z_um))


@given(
    z_um=st.floats(-5000, 5000).map(lambda v: round(v, 4)),
    before=st.sampled_from(["", "cell_", "A1-", "7_", "fov 2 "]),
    after=st.sampled_from([".tif", ".tiff", ".png", "_bf.tif", " (1).png"]),
    form=st.sampled_from(["z{:+09.4f}um", "z{:.4f}um", "Z_{:+.4f}µm", "z={:.4f} um"]),
)
def test_any_z_survives_the_file_name(z_um: float, before: str, after: str, form: str) -> None:
    assert z_from_name(before + form.format(z_um) + after) == pytest.approx(z_um, abs=1e-9)


def test_names_sort_a_folder_by_z(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["z+002um.png", "z-001um.png", "z+000.5um.png"])
    (tmp_path / "s" / "z+002um.json").write_text("{}")
    (tmp_path / "s" / "LICENSE").write_text("free")
    stack = open_stack(tmp_path / "s")

    assert stack.z_um.tolist() == [-1, 0.5, 2]
    assert [int(stack.plane(i)[0, 0]) for i in range(3)] == [1, 2, 0]
    assert stack.pixel_size_um is None


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 3)])
def test_planes_are_read_as_they_were_saved(tmp_path: Path, ending: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    for z in (0, 1):
        if ending == ".tif":
            tifffile.imwrite(tmp_path / f"z{z}um.tif", image)
        else:
            cv2.imwrite(str(tmp_path / f"z{z}um{ending}"), image[..., ::-1] if image.ndim == 3 else image)
    np.testing.assert_array_equal(open_stack(tmp_path).plane(1), image)


def test_sixteen_bit_colour_png_keeps_its_bits(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 65535, (5, 6, 3), dtype=np.uint16)
    for z in (0, 1):
        cv2.imwrite(str(tmp_path / f"z{z}um.png"), image[..., ::-1])
    np.testing.assert_array_equal(open_stack(tmp_path).plane(0), image)


def test_alpha_is_left_out(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (5, 6, 4), dtype=np.uint8)
    for z in (0, 1):
        cv2.imwrite(str(tmp_path / f"z{z}um.png"), image)
    np.testing.assert_array_equal(open_stack(tmp_path).plane(0), image[..., 2::-1])


def test_a_step_orders_planes_naturally(tmp_path: Path) -> None:
    names = [f"img_{number}.png" for number in range(12)]
    _planes(tmp_path / "s", names)
    with pytest.raises(InputError, match="--step-um"):
        open_stack(tmp_path / "s")
    stack = open_stack(tmp_path / "s", step_um=0.5)

    assert stack.z_um.tolist() == [0.5 * number for number in range(12)]
    assert [int(stack.plane(i)[0, 0]) for i in range(12)] == list(range(12))


def test_the_same_z_in_every_name_is_no_position(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["a_z0.3um_1.png", "a_z0.3um_2.png"])
    with pytest.raises(InputError, match="does not say at which z"):
        open_stack(tmp_path / "s")


def test_a_sidecar_overrules_names(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["z1um.png", "z2um.png"])
    (tmp_path / "s" / "z_um.csv").write_text("file,z_um\nz1um.png,5\nz2um.png,-5\n")
    stack = open_stack(tmp_path / "s")
    assert stack.z_um.tolist() == [-5, 5]
    assert int(stack.plane(0)[0, 0]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,z_um\nb.png,1\n", r"z_um\.csv does not list a\.png;"),
        ("file,z_um\na.png,1\nb.png,far\n", r"the z_um of b\.png is 'far'"),
        ("file,z_um\na.png,1\nb.png,nan\n", r"the z_um of b\.png is 'nan'"),
        ("file,z_um\na.png,1\nb.png\n", r"the z_um of b\.png is None"),
        ("file,z_um\na.png,1\nb.png,1\n", r"a\.png and b\.png have the same z, 1 µm"),
        ("file,z_um\na.png,1\na.png,2\nb.png,3\n", r"lists a\.png twice"),
        ("file,z_um\na.png,1\nb.png,2\nc.png,3\n", r"lists c\.png, which is not in the folder"),
        ("name,z\na.png,1\n", "needs the columns file and z_um; it has name, z"),
        ("", "needs the columns file and z_um; it has none"),
    ],
)
def test_a_faulty_sidecar_is_refused(tmp_path: Path, text: str, said: str) -> None:
    _planes(tmp_path / "s", ["a.png", "b.png"])
    (tmp_path / "s" / "z_um.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        open_stack(tmp_path / "s")
    assert len(open_stack(tmp_path / "s", step_um=1)) == 2


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["z1um.png", "z2um.png", "other.png"], r"2 of 3 file names state z in µm, but other\.png does not"),
        (["z1um.png", "z1.0um.png", "z2um.png"], r"z1\.0um\.png and z1um\.png have the same z, 1 µm"),
        (["z1um.png"], "holds one plane only"),
    ],
)
def test_names_that_do_not_settle_z_are_refused(tmp_path: Path, names: list[str], said: str) -> None:
    _planes(tmp_path / "s", names)
    with pytest.raises(InputError, match=said):
        open_stack(tmp_path / "s")


def test_planes_of_different_size_are_named(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["z1um.png", "z2um.png"])
    _planes(tmp_path / "s", ["z3um.tif"], shape=(12, 17))
    with pytest.raises(InputError, match=r"z1um\.png has 12 x 16 px, z3um\.tif has 12 x 17 px"):
        open_stack(tmp_path / "s")


def test_planes_of_different_type_are_refused_when_read(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["z1um.png"])
    _planes(tmp_path / "s", ["z2um.png"], dtype="uint16")
    stack = open_stack(tmp_path / "s")
    with pytest.raises(InputError, match=r"Plane 1 has shape .* type uint16"):
        stack.plane(1)


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg", ".bmp"])
def test_a_damaged_plane_is_refused_in_one_sentence(
    tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    for z in range(3):
        cv2.imwrite(str(tmp_path / f"z{z}um{ending}"), noise)
    damaged = tmp_path / f"z1um{ending}"
    damaged.write_bytes(damaged.read_bytes()[:1500])

    with pytest.raises(InputError, match=f"z1um{ending}"):
        open_stack(tmp_path).plane(1)
    assert capfd.readouterr() == ("", "")


def test_a_text_renamed_to_an_image_is_refused(tmp_path: Path) -> None:
    _planes(tmp_path / "s", ["z1um.png", "z2um.png"])
    (tmp_path / "s" / "z3um.png").write_text("not an image")
    with pytest.raises(InputError, match=r"z3um\.png cannot be read as an image"):
        open_stack(tmp_path / "s")


def test_single_plane_ome_tiffs_carry_their_z(tmp_path: Path) -> None:
    for number, z_um in enumerate((4.0, 1.0, 2.5)):
        metadata = {"axes": "YX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "Plane": {"PositionZ": [z_um]}}
        tifffile.imwrite(
            tmp_path / f"p{number}.ome.tif", np.full((4, 4), number, np.uint8), ome=True, metadata=metadata
        )
    stack = open_stack(tmp_path)
    assert stack.z_um.tolist() == [1, 2.5, 4]
    assert [int(stack.plane(i)[0, 0]) for i in range(3)] == [1, 2, 0]
    assert stack.pixel_size_um == 0.2
