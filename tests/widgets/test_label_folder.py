"""The labelling panel at work on a folder of stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import InputError
from napari_autofocus.io import write_stack
from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.labelling.painting import IMPORTANT, UNIMPORTANT
from napari_autofocus.widgets.label.annotator import FOLDER_VARIABLE
from napari_autofocus.widgets.labelling import LabellingPanel
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.labels.desk import LabellingDesk
from stacks import blurred_stack

BEST_UM = (3.0, 4.4, 5.0, 3.6)
NAMES = [f"s{number}.ome.tif" for number in range(len(BEST_UM))]


@pytest.fixture(scope="module")
def stacks() -> list[Any]:
    made = [blurred_stack(best, planes=9, shape=(64, 64), seed=seed) for seed, best in enumerate(BEST_UM)]
    return [replace(stack, source=name) for stack, name in zip(made, NAMES, strict=True)]


@pytest.fixture
def folder(tmp_path: Path, stacks: list[Any]) -> Path:
    made = tmp_path / "set"
    made.mkdir()
    for name, stack in zip(NAMES, stacks, strict=True):
        write_stack(made / name, stack)
    return made


@pytest.fixture
def panel(
    viewer: ViewerModel, session: Session, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LabellingPanel]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "settings"))
    made = LabellingPanel(viewer)
    made.source.annotator_edit.setText("ann")
    qtbot.addWidget(made)
    yield made
    session.close()


@pytest.fixture
def at_work(panel: LabellingPanel, folder: Path, qtbot: QtBot) -> LabellingPanel:
    """The panel with the folder open and its first stack in sight."""
    panel.open_folder(folder)
    arrives(panel, qtbot, 0)
    return panel


@pytest.fixture
def measured(at_work: LabellingPanel, qtbot: QtBot) -> LabellingPanel:
    """The same, with every stack measured."""
    at_work.measure.all_button.click()
    qtbot.waitUntil(lambda: not at_work.is_running, timeout=20_000)
    return at_work


def arrives(panel: LabellingPanel, qtbot: QtBot, number: int) -> None:
    qtbot.waitUntil(
        lambda: panel.folder.read is not None and panel.folder.read.path.name == NAMES[number], timeout=30_000
    )


def act(panel: LabellingPanel, name: str) -> None:
    panel.acts.by_name[name]()


def statuses(panel: LabellingPanel) -> list[str]:
    return [panel.work.model.index(row, 1).data() for row in range(panel.work.model.rowCount())]


def test_a_folder_becomes_a_work_list_and_its_first_stack_is_shown(
    at_work: LabellingPanel, viewer: ViewerModel
) -> None:
    assert [item.name for item in at_work.at.items] == NAMES
    assert statuses(at_work) == ["○ unlabelled"] * 4
    assert at_work.work.counts.text() == "4 unlabelled"
    assert [layer.name for layer in viewer.layers] == [NAMES[0]]
    assert at_work.view.plane_um == 4.0


def test_sharp_here_is_stored_and_goes_on_to_the_next(at_work: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    act(at_work, "plane_down")
    act(at_work, "sharp")
    arrives(at_work, qtbot, 1)
    with LabellingDesk(folder, "reader") as other:
        said = other.items[0].consensus
    assert (said.status, said.best_z_um, said.persons[0].annotator) == ("confirmed", 3.0, "ann")
    assert said.persons[0].uncertainty_um == pytest.approx(1 / np.sqrt(12))
    assert statuses(at_work)[0] == "● sharp"
    assert "on the disk" in at_work.message.text()


def test_one_layer_is_used_for_all_stacks(at_work: LabellingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    layer = viewer.layers[0]
    for number in (1, 2, 3):
        act(at_work, "next")
        arrives(at_work, qtbot, number)
    assert list(viewer.layers) == [layer]
    assert layer.name == NAMES[3]
    np.testing.assert_array_equal(layer.data, at_work.folder.read.stack.data)


def test_the_next_stacks_are_read_ahead(at_work: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    reading = at_work.at._reading
    qtbot.waitUntil(lambda: len(reading.kept) == 3, timeout=30_000)
    assert [path.name for path in reading.kept] == NAMES[:3]


def test_brenner_fills_the_list_and_the_curve(measured: LabellingPanel) -> None:
    assert statuses(measured) == ["◐ Brenner"] * 4
    found = [item.consensus.best_z_um for item in measured.at.items]
    assert found == pytest.approx(BEST_UM, abs=0.25)
    assert measured.result.field.trusted
    assert measured.view.plot.peak_um == pytest.approx(BEST_UM[0], abs=0.25)
    assert measured.message.text() == "4 measured."


def test_what_was_measured_is_not_measured_again(measured: LabellingPanel, qtbot: QtBot) -> None:
    measured.measure.all_button.click()
    qtbot.waitUntil(lambda: not measured.is_running, timeout=30_000)
    assert measured.message.text() == "0 measured, 4 known from before."


def test_a_run_is_stopped_and_taken_up_again(at_work: LabellingPanel, qtbot: QtBot) -> None:
    at_work.measure.stepped.connect(lambda step: at_work.measure.cancel() if hasattr(step, "opinion") else None)
    at_work.measure.all_button.click()
    qtbot.waitUntil(lambda: not at_work.is_running, timeout=30_000)
    assert 1 <= statuses(at_work).count("◐ Brenner") < 4
    assert "goes on from there" in at_work.message.text()
    at_work.measure.stepped.disconnect()
    at_work.measure.stepped.connect(at_work.folder.on_step)
    at_work.measure.all_button.click()
    qtbot.waitUntil(lambda: not at_work.is_running, timeout=30_000)
    assert statuses(at_work).count("◐ Brenner") == 4


def test_accepting_brenner_keeps_its_position_between_planes(measured: LabellingPanel, qtbot: QtBot) -> None:
    peak_um = measured.view.plot.peak_um
    act(measured, "accept")
    arrives(measured, qtbot, 1)
    assert measured.at.items[0].consensus.persons[0].best_z_um == pytest.approx(peak_um)


def test_a_dragged_line_is_stored_with_sub_plane_precision_and_stays(measured: LabellingPanel) -> None:
    measured.view.plot._peak.setValue(3.37)
    measured.view.plot._on_let_go()
    assert measured.at.item.name == NAMES[0]
    assert measured.at.item.consensus.best_z_um == pytest.approx(3.37)
    assert measured.view.plot.line_name == "you"
    assert measured.view.plot.others == [("Brenner", pytest.approx(BEST_UM[0], abs=0.25))]


@pytest.mark.parametrize(
    ("name", "words"), [("no_content", "● no content"), ("two_depths", "● two depths"), ("skip", "– skipped")]
)
def test_other_verdicts_go_on_too(at_work: LabellingPanel, qtbot: QtBot, name: str, words: str) -> None:
    act(at_work, name)
    arrives(at_work, qtbot, 1)
    assert statuses(at_work)[0] == words


def test_nothing_is_accepted_where_there_is_no_peak(at_work: LabellingPanel) -> None:
    act(at_work, "accept")
    assert at_work.at.item.consensus.status == "unlabelled"
    assert "no peak to accept" in at_work.message.text()


def test_undo_takes_back_the_last_action_and_shows_its_stack(at_work: LabellingPanel, qtbot: QtBot) -> None:
    act(at_work, "sharp")
    arrives(at_work, qtbot, 1)
    act(at_work, "skip")
    arrives(at_work, qtbot, 2)
    act(at_work, "undo")
    arrives(at_work, qtbot, 1)
    assert statuses(at_work)[:2] == ["● sharp", "○ unlabelled"]
    assert "undone" in at_work.message.text()
    act(at_work, "redo")
    assert statuses(at_work)[1] == "– skipped"
    act(at_work, "undo")
    act(at_work, "undo")
    act(at_work, "undo")
    assert "left to undo" in at_work.message.text()


def test_the_last_open_stack_says_that_none_is_left(at_work: LabellingPanel, qtbot: QtBot) -> None:
    for number in (1, 2, 3):
        act(at_work, "skip")
        arrives(at_work, qtbot, number)
    act(at_work, "skip")
    assert "No stack is left" in at_work.message.text()
    assert at_work.at.item.name == NAMES[3]


def test_at_the_end_it_goes_on_with_those_that_were_passed_over(at_work: LabellingPanel, qtbot: QtBot) -> None:
    for number in (1, 2, 3):
        act(at_work, "next")
        arrives(at_work, qtbot, number)
    act(at_work, "skip")
    arrives(at_work, qtbot, 0)


def test_what_somebody_else_says_comes_in(at_work: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    act(at_work, "sharp")
    arrives(at_work, qtbot, 1)
    act(at_work, "previous")
    arrives(at_work, qtbot, 0)
    with LabellingDesk(folder, "ben") as other:
        other.say(other.items[0].path, Opinion("sharp", 6.0))
    at_work.at.look()
    qtbot.waitUntil(lambda: statuses(at_work)[0] == "≠ disputed", timeout=30_000)
    assert ("ben", 6.0) in at_work.view.plot.others
    assert at_work.work.model.index(0, 3).data() == "ann, ben"
    at_work.agreement_fold.expand(animate=False)
    assert at_work.agreement.item(0, 0).text() == "ann – ben"
    assert at_work.agreement.item(0, 2).text() == "2.00"


def stroke(labels: Labels, at: tuple[int, int], kind: int) -> None:
    with labels.block_history():
        labels.paint(at, kind)


def test_painting_is_saved_when_a_stroke_ends(
    at_work: LabellingPanel, folder: Path, viewer: ViewerModel, qtbot: QtBot
) -> None:
    act(at_work, "important")
    labels = viewer.layers.selection.active
    assert labels.mode == "paint"
    assert at_work.brushes.buttons[IMPORTANT].isChecked()
    desk, path = at_work.at.desk, at_work.at.item.path
    stroke(labels, (2, 2), IMPORTANT)
    qtbot.waitUntil(lambda: desk.painting(path) is not None, timeout=30_000)
    act(at_work, "unimportant")
    stroke(labels, (12, 12), UNIMPORTANT)
    act(at_work, "next")
    arrives(at_work, qtbot, 1)
    with LabellingDesk(folder, "reader") as other:
        cells = other.painting(other.items[0].path).cells
        assert other.painting(other.items[1].path) is None
    assert (cells[2, 2], cells[12, 12], cells[2, 12]) == (IMPORTANT, UNIMPORTANT, 0)
    assert at_work.paint.kind is None
    assert not labels.visible
    act(at_work, "undo")
    arrives(at_work, qtbot, 0)
    assert (labels.data[2, 2], labels.data[12, 12]) == (IMPORTANT, 0)
    assert labels.visible
    assert viewer.layers.selection.active is at_work.layer


def test_painted_cells_lie_over_the_pixels_they_stand_for(at_work: LabellingPanel, viewer: ViewerModel) -> None:
    act(at_work, "important")
    labels, image = viewer.layers.selection.active, at_work.layer
    assert labels.data.shape == (16, 16)
    first, last = labels.data_to_world((-0.5, -0.5)), labels.data_to_world((15.5, 15.5))
    assert first == pytest.approx(image.data_to_world((0, -0.5, -0.5))[1:])
    assert last == pytest.approx(image.data_to_world((0, 63.5, 63.5))[1:])


def test_a_patch_has_its_own_curve_and_label(panel: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    panel.measure.patch_box.setCurrentIndex(panel.measure.patch_box.findData(32))
    panel.open_folder(folder)
    arrives(panel, qtbot, 0)
    panel.find_button.click()
    qtbot.waitUntil(lambda: panel.result is not None and not panel.is_running, timeout=30_000)
    panel.view.patches_check.setChecked(True)
    scale = panel.layer.scale[-1]
    panel.view.picking.picked.emit(panel.view.picking.patch_at((40 * scale, 10 * scale)))
    assert (panel.view.patch.y, panel.view.patch.x) == (32, 0)
    panel.view.plot._peak.setValue(2.5)
    panel.view.plot._on_let_go()
    assert panel.at.desk.patches(panel.at.item.path)[32, 0, 32].best_z_um == pytest.approx(2.5)
    act(panel, "skip")
    assert "Esc" in panel.message.text()
    act(panel, "back")
    assert panel.view.patch is None
    assert panel.view.plot.peak_um == pytest.approx(BEST_UM[0], abs=0.25)


def test_an_error_is_told_and_the_stack_stays(at_work: LabellingPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise InputError("labels.db cannot grow (database or disk is full); make room on the disk.")

    monkeypatch.setattr(at_work.at.desk, "say", full)
    act(at_work, "sharp")
    assert at_work.message.tone == "error"
    assert "make room" in at_work.message.text()
    assert at_work.at.item.name == NAMES[0]
    assert statuses(at_work)[0] == "○ unlabelled"


def test_an_unreadable_stack_is_told_and_passed_over(panel: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    (folder / NAMES[0]).write_bytes(b"II*\0 cut short")
    panel.open_folder(folder)
    qtbot.waitUntil(lambda: panel.message.tone == "error", timeout=30_000)
    assert NAMES[0] in panel.message.text()
    act(panel, "sharp")
    assert panel.at.item.consensus.status == "unlabelled"
    assert statuses(panel)[0] == "✕ unreadable"
    act(panel, "next")
    arrives(panel, qtbot, 1)


def test_a_folder_without_stacks_is_a_sentence(panel: LabellingPanel, tmp_path: Path, qtbot: QtBot) -> None:
    panel.open_folder(tmp_path)
    qtbot.waitUntil(lambda: panel.message.tone == "error", timeout=30_000)
    assert "holds no z-stack" in panel.message.text()
    assert panel.at.desk is None


def test_another_annotator_goes_on_at_the_same_stack(at_work: LabellingPanel, qtbot: QtBot) -> None:
    act(at_work, "next")
    arrives(at_work, qtbot, 1)
    at_work.source.annotator_edit.setText("ben")
    at_work.source.annotator_edit.editingFinished.emit()
    qtbot.waitUntil(lambda: at_work.at.desk.annotator == "ben", timeout=30_000)
    arrives(at_work, qtbot, 1)
    act(at_work, "skip")
    assert at_work.work.model.index(1, 3).data() == "ben"


def test_closing_the_folder_offers_the_layer_as_a_single_stack(at_work: LabellingPanel, viewer: ViewerModel) -> None:
    at_work.source.leave_button.click()
    assert at_work.at.desk is None
    assert at_work.source.layer_box.currentText() == NAMES[0]
    assert not at_work.work.isVisibleTo(at_work)


def test_a_single_stack_of_a_file_is_saved_beside_it(panel: LabellingPanel, folder: Path, qtbot: QtBot) -> None:
    panel.open_folder(folder)
    arrives(panel, qtbot, 0)
    panel.source.leave_button.click()
    act(panel, "sharp")
    assert "Save labels" in panel.message.text()
    panel.source.save_button.click()
    qtbot.waitUntil(lambda: panel.at.desk is not None, timeout=30_000)
    assert panel.at.item.name == NAMES[0]
    assert panel.at.item.consensus.persons[0].best_z_um == 4.0


def test_the_list_is_filtered_and_a_click_turns_to_a_stack(measured: LabellingPanel, qtbot: QtBot) -> None:
    work = measured.work
    act(measured, "skip")
    arrives(measured, qtbot, 1)
    work.filter_box.setCurrentIndex(work.filter_box.findText("Still open"))
    assert work.rows_shown == 3
    work.search_edit.setText("S3")
    assert work.rows_shown == 1
    work.table.clicked.emit(work.table.model().index(0, 0))
    arrives(measured, qtbot, 3)
