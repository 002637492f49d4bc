"""The picture of a frame's defocus: what it says, that its words keep apart, and that every kind of frame fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from PIL import Image

from drawn_words import misplaced, said, texts
from made_estimates import WARNING, empty_estimate, made_estimate, made_patches
from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.io.frames import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.reports.estimate import draw_estimate, save_estimate_report
from napari_autofocus.workflows.reports.frame_panels import colour_limit_um, heatmap, number_of

LENS = Objective.parse("20x/0.75")
SHAPE = (96, 128)


def pixels(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def drawn(
    estimate: FocusEstimate, shape: tuple[int, ...] = SHAPE, path: str = "slide/frame.tif", **optics: Any
) -> Figure:
    known = optics or {"lens": LENS, "pixel_size_um": 0.325}
    return draw_estimate(path, Frame(pixels(shape), **known), estimate, dof_um=1.0)


def test_a_trusted_frame_states_value_side_and_reasons() -> None:
    estimate = made_estimate(SHAPE)
    words = said(drawn(estimate))
    for expected in (
        "slide/frame.tif",
        "128 × 96 px · 20x/0.75 · 0.325 µm a pixel · model made",
        "+3.42 ± 0.10 µm, too close",
        "flat · 90 %: +3.26 to +3.58 µm · direction 99.9 % · spread 0.04 µm",
        "Importance of 35 patches, 12 chosen",
        *estimate.reasons,
    ):
        assert expected in words


def test_each_read_patch_has_its_number_and_a_scale_bar_its_length() -> None:
    figure = drawn(
        made_estimate((512, 512), -1.0, patches=made_patches((512, 512), -1.0, every=40, size=128)), (512, 512)
    )
    words = [text.get_text() for text in figure.axes[2].texts]
    assert words == ["−1.00", "−1.00"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["20 µm"]  # of a field of 166 µm


def test_a_field_without_content_says_so_and_shows_no_plot_of_patches() -> None:
    figure = drawn(empty_estimate(SHAPE))
    words = said(figure)
    assert "No content: no defocus" in words
    assert "no patch was read" in words
    assert "0 of 35 patches read" in words
    assert len(figure.axes) == 3


def test_unstated_optics_are_called_so() -> None:
    words = said(drawn(made_estimate(SHAPE), lens=None, pixel_size_um=None))
    assert "objective not stated · pixel size not stated" in words


def test_a_warning_stands_first_and_takes_away_the_colour_of_trust() -> None:
    trusted, warned = (drawn(made_estimate(SHAPE, warnings=warnings)) for warnings in ((), (WARNING,)))
    colours = [next(t.get_color() for t in texts(f) if ", too close" in t.get_text()) for f in (trusted, warned)]
    assert colours[0] != colours[1]
    words = said(warned)
    assert words.index(f"Warning: {WARNING}") < words.index("The patches agree")


def test_guesses_and_scans_are_no_values_to_move_by() -> None:
    guess = replace(made_estimate(SHAPE), verdict="unsure", direction_probability=0.61)
    assert "Unsure: best guess +3.42 ± 0.10 µm" in said(drawn(guess))
    uneven = replace(made_estimate(SHAPE), verdict="uneven", scan_um=(-1.0, 2.5))
    assert "Uneven: scan −1.00 to +2.50 µm" in said(drawn(uneven))


def test_a_patch_whose_prediction_is_unsound_is_drawn_without_a_number() -> None:
    unsound = PatchPrediction(0, 0, 128, 0.9, True, float("nan"), 0.2, 0.5)
    sound = PatchPrediction(0, 256, 128, 0.9, True, 0.5, 0.2, 0.9)
    figure = drawn(made_estimate((256, 512), patches=(unsound, sound)), (256, 512))
    assert [text.get_text() for text in figure.axes[2].texts] == ["+0.50"]


def of_shape(*shape: int) -> FocusEstimate:
    field = shape[0], shape[1]
    return made_estimate(field, patches=made_patches(field, 3.42, every=7, size=128))


CASES = {
    "usual": (of_shape(1024, 1224), (1024, 1224, 3), "slide/frame.tif"),
    "tall": (of_shape(1600, 500), (1600, 500), "slide/frame.tif"),
    "wide": (of_shape(200, 1600), (200, 1600), "slide/frame.tif"),
    "empty": (empty_estimate((512, 640)), (512, 640), "slide/frame.tif"),
    "wordy": (
        replace(
            of_shape(512, 640),
            reasons=("One of many sentences that go on and on about the numbers behind a verdict. " * 9,) * 2,
            warnings=(WARNING,) * 2,
            model="a model with a name as long as this one",
        ),
        (512, 640),
        "a long folder of some scanner/" + "a_long_name_" * 9 + ".ome.tif",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_words_overlap_and_none_leave_the_page(case: str) -> None:
    estimate, shape, path = CASES[case]
    figure = drawn(estimate, shape, path)
    assert misplaced(figure) == ([], [])


def test_the_picture_is_a_png_1600_px_wide_that_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "frame.png").write_bytes(b"old")
    frame = Frame(pixels((*SHAPE, 3)), LENS, 0.325)
    saved = save_estimate_report("frame.ome.tif", frame, made_estimate(SHAPE), tmp_path, dof_um=1.0)
    with Image.open(saved) as image:
        assert (image.format, image.width) == ("PNG", 1600)
    assert [file.name for file in tmp_path.iterdir()] == ["frame.png"]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_frames_of_every_depth_are_drawn(dtype: Any) -> None:
    image = pixels((900, 1000)).astype(dtype)
    figure = draw_estimate("a.tif", Frame(image, LENS, 0.325), made_estimate(SHAPE), dof_um=1.0)
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    assert (float(shown.min()), float(shown.max())) == (0.0, 1.0)


def test_the_heatmap_averages_overlapping_patches_and_leaves_the_border_open() -> None:
    patches = PatchPrediction(0, 0, 40, 0.2), PatchPrediction(0, 20, 40, 0.6)
    values = heatmap(patches, (25, 40), (50, 80))
    assert values[0, [0, 15, 25]].tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert np.isnan(values[21:]).all()
    assert np.isnan(values[:, 31:]).all()


@pytest.mark.parametrize(("largest", "limit"), [(0.1, 1.5), (-2.0, 3.0), (8.0, 9.0), (100.0, 100.5)])
def test_colours_reach_a_whole_number_of_depths_of_field(largest: float, limit: float) -> None:
    patch = PatchPrediction(0, 0, 64, 0.9, True, largest, 0.1, 0.5)
    assert colour_limit_um([patch], dof_um=1.5) == limit


def test_numbers_shrink_lose_a_digit_and_vanish_with_the_patch() -> None:
    assert number_of(-1.234, 1.0) == ("−1.23", 10.0)
    assert number_of(-1.234, 0.27)[0] == "−1.2"
    assert number_of(-1.234, 0.05)[0] == ""
