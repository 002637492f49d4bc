"""The table of runs follows the log, shows the run that is selected, and lets it out to files and the clipboard."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMessageBox

from made_records import hold_record, refocus_record, sweep_record
from napari_autofocus.records import HoldEnd, Outcome
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.run.model import MODEL_COLUMN
from napari_autofocus.widgets.run.words import HOLD_WORDS, OUTCOME_WORDS, sentence_of
from napari_autofocus.widgets.runs import _DRIFT, _PICTURES, _RECORDS, _TABLE, RunsTable
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.run_log import RunLog, read_json

FRAME = np.full((60, 80, 3), 90, np.uint8)


@pytest.fixture
def log() -> RunLog:
    return RunLog(most=5)


@pytest.fixture
def table(session: Session, log: RunLog, qtbot: QtBot) -> RunsTable:
    made = RunsTable(session, log)
    qtbot.addWidget(made)
    made.show()
    return made


def row_texts(table: RunsTable, row: int) -> list[str]:
    return [table.model.index(row, column).data() for column in range(1, table.model.columnCount())]


def test_an_empty_log_says_what_to_do_and_offers_nothing(table: RunsTable) -> None:
    assert table.count.text() == "No run yet: press Refocus."
    assert not table.details.isVisible()
    buttons = table.copy_button, table.export_button, table.clear_button
    assert not any(button.isEnabled() for button in buttons)


def test_every_outcome_has_its_own_word() -> None:
    assert set(OUTCOME_WORDS) == set(get_args(Outcome))
    assert len(set(OUTCOME_WORDS.values())) == len(OUTCOME_WORDS)
    assert set(HOLD_WORDS) == set(get_args(HoldEnd))
    assert len(set(HOLD_WORDS.values())) == len(HOLD_WORDS)


def test_a_hold_is_listed_with_its_first_and_last_defocus(table: RunsTable, log: RunLog) -> None:
    log.add(sweep_record())
    log.add(hold_record())
    assert row_texts(table, 0) == ["held", "−0.60", "+0.10 → +0.60", "3", "12.0", "brightfield-20x"]
    assert table.details.sentence.text() == "Held focus: 1 move, 0 pauses in 12 s; drift −0.50 µm."
    assert table.details.sentence.tone == "good"
    assert not table.details.plot.isVisible()


def test_a_hold_that_stopped_itself_says_why(log: RunLog) -> None:
    entry = log.add(hold_record(ended="no_content", samples=()))
    assert sentence_of(entry) == "Stopped: no content: 1 move, 0 pauses in 12 s."


def test_the_newest_run_is_on_top_selected_and_shown(table: RunsTable, log: RunLog) -> None:
    log.add(sweep_record())
    log.add(refocus_record(), before=FRAME, after=FRAME)
    assert row_texts(table, 0) == ["focused", "−6.90", "+6.90 → +0.05", "2", "0.3", "brightfield-20x"]
    assert row_texts(table, 1) == ["focused", "−3.00", "–", "7", "1.2", "uniform"]
    assert [entry.number for entry in table.selected] == [2]
    assert "The second shot says +0.05 µm." in table.details.reasons.text()
    assert table.details.before.caption.text() == "+6.90 µm"
    assert table.details.after.isVisible()
    assert not table.details.plot.isVisible()


def test_a_run_that_stood_still_and_saw_nothing_says_so(table: RunsTable, log: RunLog) -> None:
    log.add(refocus_record(outcome="skipped_no_content", end_um=7.0, before_um=None, after_um=None))
    assert row_texts(table, 0)[:3] == ["no content", "0.00", "–"]
    assert table.details.sentence.tone == "warning"


def test_a_sweep_shows_its_curve_and_peak(table: RunsTable, log: RunLog) -> None:
    log.add(refocus_record())
    log.add(sweep_record(), before=FRAME)
    assert table.details.plot.isVisible()
    assert table.details.plot.z_um == [-3, -2, -1, 0, 1, 2, 3]
    assert table.details.plot.peak_um == 0.0
    assert table.details.before.caption.text() == "z 3.00 µm"
    assert not table.details.after.isVisible()
    table.table.selectRow(1)
    assert not table.details.plot.isVisible()


def test_a_scan_that_helped_a_refocus_has_no_peak_left_from_another_run(table: RunsTable, log: RunLog) -> None:
    log.add(sweep_record())
    log.add(refocus_record(curve=sweep_record().curve))
    assert table.details.plot.isVisible()
    assert table.details.plot.peak_um is None


def test_a_run_the_user_looks_at_stays_selected_while_others_come(table: RunsTable, log: RunLog) -> None:
    for _ in range(3):
        log.add(refocus_record())
    table.table.selectRow(2)
    log.add(sweep_record())
    assert [entry.number for entry in table.selected] == [1]
    table.table.selectRow(0)
    log.add(sweep_record())
    assert [entry.number for entry in table.selected] == [5]


def test_runs_that_the_log_lets_go_leave_the_table_which_says_so(table: RunsTable, log: RunLog) -> None:
    for _ in range(7):
        log.add(refocus_record())
    assert table.model.rowCount() == 5
    assert table.model.entry(4).number == 3
    assert table.count.text() == "5 newest of 7 runs"


def test_a_log_with_runs_shows_them_at_once(session: Session, log: RunLog, qtbot: QtBot) -> None:
    log.add(refocus_record())
    late = RunsTable(session, log)
    qtbot.addWidget(late)
    assert late.count.text() == "1 run"
    assert [entry.number for entry in late.selected] == [1]


def test_copy_takes_the_selected_runs(table: RunsTable, log: RunLog, qtbot: QtBot) -> None:
    for _ in range(3):
        log.add(refocus_record())
    table.table.selectRow(1)
    qtbot.mouseClick(table.copy_button, Qt.MouseButton.LeftButton)
    copied = list(csv.DictReader(QGuiApplication.clipboard().text().splitlines(), dialect="excel-tab"))
    assert [row["number"] for row in copied] == ["2"]
    assert table.message.text() == "1 run copied."


@pytest.mark.parametrize(
    ("typed", "chosen", "written", "pictures"),
    [
        ("runs", _TABLE, "runs.csv", False),
        ("runs", _RECORDS, "runs.json", False),
        ("runs.json", _PICTURES, "runs.json", True),
        ("runs.csv", _RECORDS, "runs.csv", False),
    ],
)
def test_export_writes_by_the_ending(
    table: RunsTable,
    log: RunLog,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: str,
    chosen: str,
    written: str,
    pictures: bool,
) -> None:
    log.add(refocus_record(), before=FRAME, after=FRAME)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / typed), chosen))
    qtbot.mouseClick(table.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: table.message.text().startswith("1 run written"))
    assert (tmp_path / "runs-pictures").is_dir() == pictures
    if written.endswith(".json"):
        assert [entry.record for entry in read_json(tmp_path / written)] == [refocus_record()]
    else:
        assert (tmp_path / written).read_text(encoding="utf-8").splitlines()[1].startswith("1,")


def test_the_drift_that_runs_tell_is_exported(
    table: RunsTable, log: RunLog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "drift"), _DRIFT))
    log.add(refocus_record(focus_direction=0))
    qtbot.mouseClick(table.export_button, Qt.MouseButton.LeftButton)
    assert table.message.text().startswith("No run tells where best focus lay")

    log.add(refocus_record())
    log.add(sweep_record())
    qtbot.mouseClick(table.export_button, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: table.message.text().startswith("2 looks written"))
    with (tmp_path / "drift.csv").open(encoding="utf-8") as file:
        looks = {look["source"]: look for look in csv.DictReader(file)}
    assert float(looks["sweep"]["best_z_um"]) == sweep_record().best_z_um
    ended = refocus_record()
    left_um = ended.focus_direction * (ended.after_um or 0.0)
    assert float(looks["refocus"]["best_z_um"]) == pytest.approx(ended.end_um - left_um)


def test_an_export_that_fails_is_told_in_a_sentence(table: RunsTable, log: RunLog, qtbot: QtBot) -> None:
    log.add(refocus_record())
    table.export(Path("/no/such/folder/runs.csv"))
    qtbot.waitUntil(lambda: table.message.tone == "error")
    assert "does not exist" in table.message.text()


def test_a_dialog_that_is_closed_writes_nothing(
    table: RunsTable, log: RunLog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add(refocus_record())
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    monkeypatch.setattr(table, "export", lambda *_, **__: pytest.fail("nothing was to be written"))
    qtbot.mouseClick(table.export_button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(("answer", "left"), [("Yes", 0), ("No", 1)])
def test_clear_asks_first(
    table: RunsTable, log: RunLog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    log.add(refocus_record())
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton[answer])
    qtbot.mouseClick(table.clear_button, Qt.MouseButton.LeftButton)
    assert len(log) == table.model.rowCount() == left
    assert table.details.isVisible() == bool(left)


def test_the_model_is_a_column_only_where_there_is_room(table: RunsTable, log: RunLog, qtbot: QtBot) -> None:
    log.add(refocus_record())
    table.resize(370, 400)
    qtbot.waitUntil(lambda: table.table.isColumnHidden(MODEL_COLUMN))
    assert table.table.horizontalHeader().length() <= 370
    table.resize(600, 400)
    qtbot.waitUntil(lambda: not table.table.isColumnHidden(MODEL_COLUMN))


def test_a_table_that_is_gone_does_not_hear_the_log(session: Session, log: RunLog, qtbot: QtBot) -> None:
    gone = RunsTable(session, log)
    gone.deleteLater()
    qtbot.waitUntil(lambda: not isalive(gone))
    log.add(refocus_record())
    log.clear()


def test_both_themes_fit(table: RunsTable, log: RunLog) -> None:
    log.add(refocus_record())
    index = table.model.index(0, 1)
    dark = index.data(Qt.ItemDataRole.DecorationRole).toImage()
    table.set_theme("light")
    assert index.data(Qt.ItemDataRole.DecorationRole).toImage() != dark


def test_a_hold_of_the_panel_is_logged(viewer: ViewerModel, session: Session, qtbot: QtBot) -> None:
    panel = AutofocusPanel(viewer)
    qtbot.addWidget(panel)
    panel.holding.finished.emit(hold_record())
    assert [entry.record for entry in session.runs.entries] == [hold_record()]
