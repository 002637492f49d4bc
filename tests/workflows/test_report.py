"""The picture of a stack: its name, what it says, and that it can be drawn for every kind of stack."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack, measure_stack
from napari_autofocus.workflows.report import draw_report, nearest_plane, report_name, save_report, thumbnail

MakeStack = Callable[..., ZStack]


def measured(stack: ZStack) -> StackFocus:
    def finish() -> Generator[object, None, StackFocus]:
        return (yield from measure_stack(stack, FocusSettings(patch_px=32)))

    measuring = finish()
    while True:
        try:
            next(measuring)
        except StopIteration as finished:
            return finished.value


def texts(stack: ZStack, focus: StackFocus) -> str:
    figure = draw_report("data/stack.ome.tif", stack, focus)
    drawn = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        drawn += [axes.get_title(loc="left"), *(text.get_text() for text in axes.texts)]
    return "\n".join(drawn)


def test_a_trusted_stack_states_its_focus(make_stack: MakeStack) -> None:
    stack = make_stack(6.3)
    focus = measured(stack)
    said = texts(stack, focus)
    assert f"Trusted: best focus at {focus.field.best_z_um:.3f} ± {focus.field.uncertainty_um:.3f} µm" in said
    assert "One clear peak" in said
    assert "Plane nearest to best focus: 7 of 15, z = 6 µm" in said
    assert " ".join(focus.field.reasons)[:40] in said


def test_a_stack_without_content_says_so(make_stack: MakeStack) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 64, 96)).astype(np.uint8)
    stack = replace(make_stack(6.0), data=noise)
    said = texts(stack, measured(stack))
    assert "Not trusted" in said
    assert "no patch is trusted" in said


def test_the_picture_is_a_png_that_replaces_the_old_one(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack(6.3, shape=(64, 64))
    coloured = replace(stack, data=np.repeat(stack.data[..., None], 3, axis=3))
    (tmp_path / "s.png").write_bytes(b"old")
    path = save_report("s.ome.tif", coloured, measured(coloured), tmp_path)
    with Image.open(path) as image:
        assert (image.format, image.width) == ("PNG", 1375)
    assert [file.name for file in tmp_path.iterdir()] == ["s.png"]


@pytest.mark.parametrize(
    ("path", "taken", "name"),
    [
        ("data/a.ome.tif", (), "a.png"),
        ("data/a.ome.tif", ("a.png",), "data_a.png"),
        ("/data/x/a.tiff", ("a.png", "x_a.png"), "data_x_a.png"),
        ("slide.ome.zarr", (), "slide.png"),
        ("level1/ix000_iy000", (), "ix000_iy000.png"),
        ("a.v2.tif", (), "a.v2.png"),
    ],
)
def test_pictures_of_different_stacks_have_different_names(path: str, taken: tuple[str, ...], name: str) -> None:
    assert report_name(path, taken) == name


def test_nearest_plane_of_a_curve_without_focus_is_the_sharpest(make_stack: MakeStack) -> None:
    curve = measured(make_stack(6.3)).field
    assert nearest_plane(curve) == 6
    assert nearest_plane(replace(curve, best_z_um=None)) == int(np.argmax(curve.sharpness))


def test_thumbnails_are_small_and_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    grey = thumbnail(rng.integers(200, 4000, (1500, 2100)).astype(np.uint16))
    colour = thumbnail(rng.integers(100, 200, (50, 60, 4)).astype(np.uint8))
    assert grey.shape == (500, 700)
    assert (grey.min(), grey.max()) == (0.0, 1.0)
    assert colour.shape == (50, 60, 3)
    assert colour.min() > 0.4
