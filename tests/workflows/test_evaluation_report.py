"""The page of an evaluation: its numbers, its groups, and that every kind of evaluation can be drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from drawn_words import misplaced, said
from napari_autofocus.errors import InputError
from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.workflows.reports.evaluation import draw_evaluation, key_figures, save_evaluation_report
from napari_autofocus.workflows.reports.evaluation_panels import by_true_defocus, share_refused


def field(true_um: float, error_um: float = 0.1, **others: object) -> FieldResult:
    estimate_um = true_um + error_um
    known = FieldResult(
        "a.tif", "slide-1", "he", "dense", true_um, estimate_um, 0.1, (estimate_um - 0.2, estimate_um + 0.2)
    )
    return replace(known, **others)  # type: ignore[arg-type]


def evaluation(*results: FieldResult, warnings: tuple[str, ...] = ()) -> Evaluation:
    return Evaluation("brightfield-20x", results, dof_um=1.0, range_um=10.0, warnings=warnings)


MIXED = evaluation(
    *(
        field(z, 0.1 + 0.01 * abs(z), density=d, stain=s)
        for z in range(-9, 10)
        for d, s in (("dense", "he"), ("sparse", "ihc"))
    ),
    field(4.0, -6.0, verdict="unsure"),
    field(2.0, 0.0, density="empty", verdict="no_content", estimate_um=None),
)


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def test_the_heading_states_what_was_evaluated_and_the_main_figures() -> None:
    words = said(draw_evaluation(MIXED))
    assert "Evaluation of brightfield-20x" in words
    assert "40 frames of 1 slide · depth of field 1 µm · range ±10 µm" in words
    assert "0.147 µm\nmean absolute error" in words


def test_the_heading_says_what_the_frames_are_where_a_reader_has_to_know_it() -> None:
    words = said(draw_evaluation(MIXED, of="simulated, disturbed: jpeg=75"))
    assert "range ±10 µm · simulated, disturbed: jpeg=75" in words


def test_empty_frames_count_apart_for_they_are_refused_rightly() -> None:
    assert key_figures(MIXED)[-1] == ("2.6 %", "refused (100.0 % of the empty)")
    assert key_figures(evaluation(field(1.0)))[-1] == ("0.0 %", "refused")


def test_no_share_is_rounded_up_to_all() -> None:
    results = [field(1.0)] * 3999 + [field(1.0, 0.9)]
    figures = {name: value for value, name in key_figures(evaluation(*results))}
    assert figures["within DOF/2"] == "> 99.9 %"
    assert figures["within DOF"] == "100.0 %"


def test_errors_by_defocus_are_median_and_90th_percentile_of_the_answers() -> None:
    errors = (0.1, 0.2, 0.3, 0.4, 0.5)
    refused = field(5.0, 8.0, verdict="unsure")
    axes = panel(draw_evaluation(evaluation(*(field(5.0, error) for error in errors), refused)), "Error by defocus")
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_allclose(lines["median"], [[5.0, 0.3]])
    np.testing.assert_allclose(lines["90th percentile"], [[5.0, 0.46]])


def test_coverage_and_refusals_are_shares_of_the_frames_of_a_bin() -> None:
    inside, outside = field(-3.0, 0.1), field(-3.0, 0.5)
    refused = field(-3.0, verdict="out_of_range")
    axes = panel(draw_evaluation(evaluation(inside, outside, inside, refused)), "Coverage and refusals")
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[-3.0, 200 / 3]])
    assert max(bar.get_height() for bar in axes.patches[1:]) == pytest.approx(25.0)  # type: ignore[attr-defined]


def test_densities_stand_in_their_order_with_the_number_of_their_frames() -> None:
    axes = panel(draw_evaluation(MIXED), "Error by density")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dense", "sparse", "empty"]
    assert [text.get_text().strip() for text in axes.texts if "frame" in text.get_text()] == [
        "20 frames, 1 refused",
        "19 frames",
        "1 frame, 1 refused",
    ]


def test_refusals_are_not_drawn_as_answers() -> None:
    axes = panel(draw_evaluation(MIXED), "Estimated against true defocus")
    drawn = {str(dots.get_label()): len(dots.get_offsets()) for dots in axes.collections[1:]}  # type: ignore[arg-type]
    assert drawn == {"dense": 19, "sparse": 19, "refused: best guess": 1}


def test_what_nobody_stated_is_said() -> None:
    words = said(draw_evaluation(evaluation(field(1.0, density=None, stain=None))))
    assert "the density of the frames is not stated" in words
    assert "the stain of the frames is not stated" in words


def test_warnings_head_the_page() -> None:
    words = said(draw_evaluation(evaluation(field(1.0), warnings=("The frame's NA is 0.5.", "It is grey."))))
    assert "Warning: The frame's NA is 0.5. (and 1 more)" in words


@pytest.mark.parametrize(
    "results",
    [
        MIXED.results,
        (field(1.0),),
        (field(1.0, verdict="no_content", estimate_um=None, interval90_um=None),),
        (field(12.0), field(-3.0, 90.0)),
        tuple(field(z, stain=stain) for z in range(8) for stain in ("he", "ihc", "cytology", "blood", "unstained")),
    ],
    ids=["mixed", "one", "nothing answered", "beyond the range", "many stains"],
)
def test_no_words_overlap_and_none_leave_the_page(results: tuple[FieldResult, ...]) -> None:
    figure = draw_evaluation(evaluation(*results, warnings=("A warning of some length. " * 12,)))
    assert misplaced(figure) == ([], [])


def test_bins_hold_both_ends_of_the_range_and_nothing_beyond() -> None:
    results = [field(z) for z in (-10.0, -8.0, 10.0, 10.1)]
    edges, bins = by_true_defocus(evaluation(*results), results)
    assert edges.tolist() == [-10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10]
    assert [len(members) for members in bins] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_no_frame_has_no_share_of_refusals() -> None:
    assert share_refused([]) is None


def test_the_picture_is_written_into_a_folder_made_for_it(tmp_path: Path) -> None:
    saved = save_evaluation_report(MIXED, tmp_path / "a" / "report")
    assert [file.name for file in saved.parent.iterdir()] == ["evaluation.png"]
    with Image.open(saved) as image:
        assert (image.format, image.width) == ("PNG", 1600)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        save_evaluation_report(MIXED, tmp_path / "file")
