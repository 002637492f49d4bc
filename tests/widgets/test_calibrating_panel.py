"""The Calibrate panel: it asks once, can be stopped and gone on with, and puts a model to use or away."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

import napari_autofocus.widgets.calibrating as panel_module
from made_calibration import LENS, record, taught
from napari_autofocus.errors import InputError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.package import open_package
from napari_autofocus.models.predictor import load_model
from napari_autofocus.widgets.calibrating import CalibrationPanel
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.workflows.calibration.record import CalibrationRecord
from napari_autofocus.workflows.calibration.steps import CalibrationStep
from tiny_models import tiny_bytes, tiny_file

Panel = CalibrationPanel


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models."""
    monkeypatch.setenv("NAPARI_AUTOFOCUS_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def panel(
    viewer: ViewerModel, session: Session, make_rig: Callable[..., SimulatedRig], models: Path, qtbot: QtBot
) -> Panel:
    """On a connected microscope, with all models listed."""
    rig = make_rig(limits_um=(-200.0, 200.0))
    session.connect(Connection("rig", rig.microscope, rig.close, LENS.dof_um, LENS, rig))
    made = CalibrationPanel(viewer)
    qtbot.addWidget(made)
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=60_000)
    return made


def asked(panel: Panel, qtbot: QtBot) -> Panel:
    """Somebody has pressed the button."""
    panel.start_button.click()
    qtbot.waitUntil(lambda: not panel.question.isHidden(), timeout=60_000)
    return panel


def finished(folder: Path, name: str = "mine", **changes: object) -> CalibrationRecord:
    """A calibration that came to its end, on the disk."""
    place = folder / f"{name}.calibration"
    place.mkdir()
    fingerprint = open_package(tiny_file(place, "model")).fingerprint
    made = record(name=name, taught=taught(fingerprint=fingerprint), installed=None, **changes)
    made.write(place)
    return made


def show(panel: Panel, name: str = "mine") -> None:
    panel.form.name_edit.setText(name)
    panel.form.changed.emit()


def test_without_a_microscope_it_says_what_to_do(
    viewer: ViewerModel, session: Session, models: Path, qtbot: QtBot
) -> None:
    panel = CalibrationPanel(viewer)
    qtbot.addWidget(panel)
    assert not panel.start_button.isEnabled()
    assert "Connect a microscope" in panel.message.text()


def test_it_asks_before_anything_moves_and_takes_no_for_an_answer(panel: Panel, session: Session, qtbot: QtBot) -> None:
    asked(panel, qtbot)
    assert "The focus drive, now at 0.0 µm, will move between" in panel.question.text()
    assert "8 z-stacks of" in panel.question.text()
    panel.no_button.click()
    assert panel.question.isHidden()
    assert not panel.start_button.isHidden()
    assert not session.is_running
    assert not panel.form.folder.exists()


def test_an_objective_that_nobody_stated_is_asked_for(panel: Panel, session: Session) -> None:
    session.focus.state_objective(None)
    panel.start_button.click()
    assert "State the objective" in panel.message.text()


def test_it_shows_phases_and_frames_and_then_the_verdict(
    panel: Panel, session: Session, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def calibrated(microscope: object, *_: object, **__: object) -> Generator[CalibrationStep, None, CalibrationRecord]:
        yield CalibrationStep("acquire", 1, 8, "Stack 2", session.microscope.snap())  # type: ignore[union-attr]
        yield CalibrationStep("teach", 30, 60, "Learning defocus")
        return record()

    monkeypatch.setattr(panel_module, "calibrate", calibrated)
    asked(panel, qtbot).yes_button.click()
    assert panel.is_running
    assert not panel.stop_button.isHidden()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.progress.phase == "teach"
    assert panel.progress.bar.value() == 500
    assert session.view.frames_shown == 1
    assert not panel.result.isHidden()
    assert panel.result.verdict.text().startswith("Trust it: expect an error of about")
    assert "direction was right" in panel.result.reasons.text()


def test_stop_closes_it_and_it_can_be_gone_on_with(
    panel: Panel, session: Session, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    closed: list[bool] = []

    def calibrated(_: object, plan: object, folder: Path, *__: object, **___: object) -> Generator[CalibrationStep]:
        record(plan=plan, name=folder.stem, taught=None, before=None, proofs=(), installed=None).write(folder)
        try:
            while True:
                yield CalibrationStep("acquire", 1, 8, "Stack 2")
        finally:
            closed.append(True)

    monkeypatch.setattr(panel_module, "calibrate", calibrated)
    asked(panel, qtbot).yes_button.click()
    qtbot.waitUntil(lambda: panel.progress.phase == "acquire")
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert closed == [True]
    assert "Stopped" in panel.message.text()
    assert panel.start_button.text() == "Go on with this calibration…"
    assert "8 z-stacks" in asked(panel, qtbot).question.text()


def test_what_goes_wrong_is_told_and_nothing_is_in_the_way(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def refused(*_: object, **__: object) -> Generator[CalibrationStep]:
        raise InputError("Too little content.")
        yield

    monkeypatch.setattr(panel_module, "calibrate", refused)
    asked(panel, qtbot).yes_button.click()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.message.text() == "Too little content."
    assert panel.start_button.isEnabled()


def test_a_model_is_put_to_use_and_away_again(panel: Panel, session: Session, models: Path, qtbot: QtBot) -> None:
    former = models / "mine.zip"
    former.write_bytes(tiny_bytes("mono"))
    before = load_model(former)
    session.focus.use_model(before)
    finished(models)
    show(panel)
    assert not panel.result.undo_button.isEnabled()
    panel.result.use_button.click()
    qtbot.waitUntil(lambda: session.focus.model is not before)
    assert former.read_bytes() == (models / "mine.calibration" / "model.zip").read_bytes()
    panel.result.undo_button.click()
    qtbot.waitUntil(lambda: panel.message.text().startswith("Undone"))
    assert session.focus.model is before
    assert former.read_bytes() == tiny_bytes("mono")
    assert panel.result.use_button.isEnabled()


def test_a_model_that_is_not_to_be_trusted_cannot_be_used(panel: Panel, models: Path) -> None:
    finished(models, proofs=())
    show(panel)
    assert panel.result.verdict.tone == "error"
    assert not panel.result.use_button.isEnabled()
    panel.result.again_button.click()
    assert panel.result.isHidden()
    assert panel.form.name == "20x-0.5-mine"


def test_the_page_shows_the_figures_of_the_record(panel: Panel, models: Path) -> None:
    made = finished(models)
    show(panel)
    assert made.taught is not None
    told = [each for each in made.taught.held_out.results if not each.refused]
    assert len(panel.result.scatters[1].points) == len(told)
    assert "99.8 %" in panel.result.reasons.text()
    assert "Nothing to focus on" in panel.result.left_out.text()
    assert panel.result.proofs.text().count("in focus") == 10


def test_an_unfinished_calibration_is_offered_first(
    viewer: ViewerModel, session: Session, models: Path, qtbot: QtBot
) -> None:
    begun = record(name="begun", taught=None, before=None, proofs=(), verdict=None, installed=None)
    begun.write(models / "begun.calibration")
    panel = CalibrationPanel(viewer)
    qtbot.addWidget(panel)
    assert panel.form.name == "begun"
    assert "goes on where it was" in panel.message.text()
