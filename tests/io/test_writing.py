from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import ome_types
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.optics import PRESETS, Objective


@st.composite
def stacks(draw: st.DrawFn) -> ZStack:
    planes = draw(st.integers(2, 5))
    colour = draw(st.sampled_from([(), (3,)]))
    shape = (planes, draw(st.integers(1, 9)), draw(st.integers(1, 9)), *colour)
    dtype = draw(st.sampled_from(["uint8", "uint16", "int16", "float32", "float64", "uint32"]))
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.startswith("float") else {}
    elements = hnp.from_dtype(np.dtype(dtype), **finite)
    z = draw(st.lists(st.floats(-1e4, 1e4).map(lambda v: round(v, 6)), min_size=planes, max_size=planes, unique=True))
    lens = draw(st.sampled_from([None, *PRESETS.values(), Objective(63, 1.2, "silicone", 3.45, 0.7)]))
    return ZStack(
        draw(hnp.arrays(dtype, shape, elements=elements)),
        np.sort(z),
        pixel_size_um=draw(st.one_of(st.none(), st.floats(0.01, 10))),
        objective=lens,
        focus_direction=draw(st.sampled_from([-1, 1])),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stack=stacks())
def test_what_is_written_is_read_back_unchanged(tmp_path: Path, stack: ZStack) -> None:
    read = open_stack(write_stack(tmp_path / "a.ome.tif", stack))

    assert read.data.dtype == stack.data.dtype
    np.testing.assert_array_equal(np.asarray(read.data), stack.data)
    np.testing.assert_array_equal(read.z_um, stack.z_um)
    assert (read.pixel_size_um, read.objective, read.focus_direction) == (
        stack.pixel_size_um,
        stack.objective,
        stack.focus_direction,
    )


@pytest.mark.parametrize("shape", [(4, 6, 8), (4, 6, 8, 3)])
def test_the_metadata_are_valid_ome(tmp_path: Path, shape: tuple[int, ...]) -> None:
    lens = Objective(20, 0.75)
    stack = ZStack(np.zeros(shape, np.uint8), np.arange(4) * 0.5 - 1, 0.325, objective=lens, focus_direction=-1)
    ome = ome_types.from_tiff(write_stack(tmp_path / "a.ome.tif", stack), validate=True)

    pixels = ome.images[0].pixels
    assert (pixels.physical_size_x, pixels.physical_size_z, pixels.size_z) == (0.325, 0.5, 4)
    assert [plane.position_z for plane in pixels.planes] == [-1, -0.5, 0, 0.5]
    assert (ome.instruments[0].objectives[0].lens_na, ome.instruments[0].objectives[0].nominal_magnification) == (
        0.75,
        20,
    )
    assert pixels.channels[0].samples_per_pixel == (3 if len(shape) == 4 else 1)
    assert ome.structured_annotations.map_annotations[0].value["focus_direction"] == "-1"


def test_an_irregular_stack_states_no_z_step(tmp_path: Path, stack: ZStack) -> None:
    ome = ome_types.from_tiff(write_stack(tmp_path / "a.ome.tif", stack))
    assert ome.images[0].pixels.physical_size_z is None


def test_pages_are_deflated(tmp_path: Path) -> None:
    stack = ZStack(np.zeros((3, 256, 256), np.uint16), np.arange(3.0))
    path = write_stack(tmp_path / "a.ome.tif", stack)
    with tifffile.TiffFile(path) as tif:
        assert tif.pages.first.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    assert path.stat().st_size < 10_000


class _Failing:
    """Planes of which the last cannot be read."""

    shape, dtype, ndim = (3, 8, 8), np.dtype(np.uint8), 3

    def __getitem__(self, index: Any) -> Any:
        if index == 2:
            raise InputError("this plane is broken.")
        return np.zeros((8, 8), np.uint8)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, stack: ZStack) -> None:
    path = write_stack(tmp_path / "a.ome.tif", stack)
    before = path.read_bytes()
    with pytest.raises(InputError, match="this plane is broken"):
        write_stack(path, ZStack(_Failing(), np.arange(3.0)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", np.zeros((2, 4, 4), np.uint8), "does not end in .tif"),
        ("a.tif", np.zeros((2, 4, 4), np.complex64), "cannot store type complex64"),
        ("a.tif", np.zeros((2, 4, 4, 2), np.uint8), "has 2"),
        ("nowhere/a.tif", np.zeros((2, 4, 4), np.uint8), "choose a folder that exists"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        write_stack(tmp_path / name, ZStack(data, np.arange(2.0)))
    assert list(tmp_path.iterdir()) == []
