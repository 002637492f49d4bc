"""The sparsity tour is clicked through: fields appear one after the other, with overlays and every method's answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive

from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.sparsity.layer import LAYER
from napari_autofocus.widgets.sparsity.table import lesson, row_of
from napari_autofocus.widgets.sparsity_tour import SparsityPanel
from napari_autofocus.workflows.sparse.records import SLIDES, Answer, SparsitySettings

PATIENCE_MS = 60_000
SETTINGS = SparsitySettings(shape=(256, 320), slides=(SLIDES[0], SLIDES[3]))


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> SparsityPanel:
    made = SparsityPanel(viewer)
    qtbot.addWidget(made)
    made.use(SETTINGS)
    return made


@pytest.fixture
def toured(panel: SparsityPanel, qtbot: QtBot) -> SparsityPanel:
    panel.start_button.click()
    qtbot.waitUntil(lambda: panel.is_complete and not panel.is_running, timeout=PATIENCE_MS)
    return panel


def cells(panel: SparsityPanel, row: int) -> list[str]:
    return [panel.table.item(row, column).text() for column in range(panel.table.columnCount())]


def test_before_the_start_there_is_nothing_to_step_through(panel: SparsityPanel, viewer: ViewerModel) -> None:
    assert not panel.previous_button.isEnabled()
    assert not panel.next_button.isEnabled()
    assert not panel.save_button.isEnabled()
    assert len(viewer.layers) == 0


def test_the_first_field_is_shown_while_others_are_made(panel: SparsityPanel, qtbot: QtBot) -> None:
    panel.start_button.click()
    qtbot.waitUntil(lambda: panel.shown is not None, timeout=PATIENCE_MS)

    assert panel.is_running
    assert panel.start_button.text() == "Stop"
    assert "Dense" in panel.place.text()
    assert cells(panel, 3) == ["Hill climbing", "", "", "", ""]
    panel.start_button.click()
    qtbot.waitUntil(lambda: not panel.is_running, timeout=PATIENCE_MS)


def test_stop_ends_the_work_and_it_can_be_started_again(panel: SparsityPanel, qtbot: QtBot) -> None:
    panel.start_button.click()
    qtbot.waitUntil(lambda: panel.shown is not None, timeout=PATIENCE_MS)
    panel.start_button.click()
    qtbot.waitUntil(lambda: not panel.is_running, timeout=PATIENCE_MS)

    assert not panel.is_complete
    assert panel.start_button.text() == "Restart"
    assert panel.start_button.isEnabled()


def test_next_and_previous_step_through_the_fields(toured: SparsityPanel) -> None:
    assert not toured.previous_button.isEnabled()
    toured.next_button.click()
    assert "Empty</b>, 2 of 2" in toured.place.text()
    assert not toured.next_button.isEnabled()
    toured.previous_button.click()
    assert "Dense</b>, 1 of 2" in toured.place.text()


def test_every_answer_stands_in_the_table_with_its_error(toured: SparsityPanel) -> None:
    ours, mean, whole, climbing = (cells(toured, row) for row in range(4))

    assert ours[0] == "Chosen patches"
    assert abs(float(ours[2].replace("−", "-"))) < 0.5
    assert abs(float(mean[1].replace("−", "-"))) > 0
    assert whole[0] == "Whole image"
    assert int(climbing[4]) > int(ours[4]) == 1


def test_an_empty_field_is_refused_and_claims_about_it_stand_out(toured: SparsityPanel, viewer: ViewerModel) -> None:
    toured.next_button.click()

    assert cells(toured, 0)[1:] == ["refuses", "–", "–", "1"]
    assert cells(toured, 3)[1] == "gives up"
    assert toured.table.item(1, 1).foreground().color().name() == theme_colours(viewer.theme).error
    assert "Nothing to focus on" in toured.content.text()


def test_one_image_with_overlays_is_used_again_for_every_field(
    toured: SparsityPanel, viewer: ViewerModel, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    toured.next_button.click()

    names = [layer.name for layer in viewer.layers]
    assert names == [LAYER, "Content importance", "Chosen patches (µm)"]
    assert viewer.layers[LAYER].data is toured.shown.frame.image
    assert not viewer.layers["Chosen patches (µm)"].data.any()


def test_overlays_are_switched_by_their_boxes(toured: SparsityPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    toured.importance_box.click()
    assert not viewer.layers["Content importance"].visible
    toured.defocus_box.click()
    qtbot.waitUntil(lambda: "Patch defocus (DOF)" in viewer.layers)


def test_an_image_that_the_user_deleted_comes_back(toured: SparsityPanel, viewer: ViewerModel) -> None:
    viewer.layers.remove(LAYER)
    toured.next_button.click()

    assert LAYER in viewer.layers


def test_the_figure_is_saved_beside_the_gui(toured: SparsityPanel, tmp_path: Path, qtbot: QtBot) -> None:
    toured.save(tmp_path / "lecture.svg")
    qtbot.waitUntil(lambda: "lecture.svg" in toured.message.text(), timeout=PATIENCE_MS)

    assert "</svg>" in (tmp_path / "lecture.svg").read_text(encoding="utf-8")


def test_a_format_that_cannot_be_written_is_told(toured: SparsityPanel, tmp_path: Path, qtbot: QtBot) -> None:
    toured.save(tmp_path / "lecture.gif")
    qtbot.waitUntil(lambda: toured.message.tone == "error", timeout=PATIENCE_MS)

    assert "gif" in toured.message.text()


def test_what_the_boxes_say_is_what_is_simulated(panel: SparsityPanel, qtbot: QtBot) -> None:
    panel.true_box.setValue(-4.0)
    panel.seed_box.setValue(11)
    panel.start_button.click()
    qtbot.waitUntil(lambda: panel.shown is not None, timeout=PATIENCE_MS)
    panel.start_button.click()
    qtbot.waitUntil(lambda: not panel.is_running, timeout=PATIENCE_MS)

    assert panel.settings == replace(SETTINGS, defocus_um=-4.0, seed=11)
    assert panel.shown.true_um == pytest.approx(-4.0, abs=0.05)


def test_closing_the_panel_takes_its_layers_along(viewer: ViewerModel, session: Session, qtbot: QtBot) -> None:
    panel = SparsityPanel(viewer)
    panel.use(SETTINGS)
    panel.start_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=PATIENCE_MS)
    panel.deleteLater()

    qtbot.waitUntil(lambda: not isalive(panel))
    qtbot.waitUntil(lambda: len(viewer.layers) == 0)
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer("", 5.9, -0.1, 1, "flat", ""), ("+5.90", "−0.10", "0.05", "1")),
        (Answer("", -0.6, None, 1, "answered", ""), ("−0.60", "–", "–", "1")),
        (Answer("", None, None, 16, "reverted", ""), ("gives up", "–", "–", "16")),
        (Answer("", None, None, 1, "out_of_range", ""), ("out of range", "–", "–", "1")),
    ],
)
def test_a_row_says_the_error_in_um_and_in_depths_of_field(answer: Answer, shown: tuple[str, ...]) -> None:
    assert row_of(answer, dof_um=2.0) == shown


def test_the_lesson_of_a_dense_field_names_the_patches_read(toured: SparsityPanel) -> None:
    words = lesson(toured.fields[0])

    read = toured.fields[0].estimate
    assert words.startswith(f"{len(read.chosen_patches)} of {len(read.patches)} patches read")
