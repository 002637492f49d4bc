"""The Train panel with a real process behind it, on small stacks, from the folder to a model in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.models.library import USER_FOLDER_VARIABLE
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.choice import FOLDS
from napari_autofocus.widgets.training import TrainingPanel
from napari_autofocus.workflows.training.request import TrainingFolder
from own_folders import write_stacks

PATIENCE_MS = 400_000


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of models, and none that ship."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")
    return tmp_path / "models"


@pytest.fixture
def panel(models: Path, session: Session, qtbot: QtBot) -> Iterator[TrainingPanel]:
    made = open_panel(session, qtbot)
    yield made
    leave(made, session)


def open_panel(session: Session, qtbot: QtBot) -> TrainingPanel:
    made = TrainingPanel(session.viewer)
    qtbot.addWidget(made)
    qtbot.waitUntil(lambda: not session.analysis.busy)
    return made


def leave(panel: TrainingPanel, session: Session) -> None:
    """Close the viewer, and let the process end."""
    session.close()
    if panel.run.following is not None:
        assert panel.run.following.process.wait()


def ask_for(panel: TrainingPanel, stacks: Path, minutes: float) -> None:
    panel.choice.dataset = stacks  # not looked at first, which takes a process of its own
    panel.choice.suggest_name()
    panel.choice.minutes_box.setRange(0, 1000)
    panel.choice.minutes_box.setDecimals(4)
    panel.choice.minutes_box.setValue(minutes)


def test_without_stacks_the_panel_says_what_to_do(panel: TrainingPanel) -> None:
    panel.train_button.click()
    assert panel.message.text() == "No stacks are chosen; choose a folder of z-stacks to learn from."
    assert panel.run.state == "idle"


def test_what_cannot_be_trained_yet_says_why(panel: TrainingPanel) -> None:
    box = panel.choice.kind_box
    offered = [box.model().item(index).isEnabled() for index in range(box.count())]
    assert offered == [True, False, True]
    assert "no model of two shots is installed to begin with" in box.itemText(1)


def test_a_request_is_what_the_form_says(panel: TrainingPanel, models: Path, tmp_path: Path) -> None:
    ask_for(panel, tmp_path / "Slide 7", 3)
    panel.choice.folds_box.setChecked(True)
    panel.choice.range_box.setValue(4)
    request = panel.choice.request()
    assert (request.dataset, request.target) == (tmp_path / "Slide 7", models / "Slide-7.zip")
    assert (request.minutes, request.folds, request.range_um, request.base) == (3, FOLDS, 4, None)
    assert (request.objective, request.pixel_um, request.device) == (None, None, "cpu")


@pytest.mark.timeout(900)  # two processes load torch, and a model is written and verified
def test_closing_napari_pauses_a_training_that_later_ends_in_a_model(
    models: Path,
    session: Session,
    viewer: ViewerModel,
    tmp_path: Path,
    qtbot: QtBot,
    request: pytest.FixtureRequest,
) -> None:
    first = open_panel(session, qtbot)
    ask_for(first, write_stacks(tmp_path / "stacks", 4), 60)
    first.train_button.click()
    assert first.progress.isVisibleTo(first)
    assert not first.choice.isVisibleTo(first)
    qtbot.waitUntil(lambda: bool(first.run.curve), timeout=PATIENCE_MS)
    session.close()
    assert first.run.following.process.wait(PATIENCE_MS / 1000)
    folder = TrainingFolder.of(models / "stacks.zip")
    assert folder.has_learned
    taught = first.run.curve[-1]

    later = Session.of(viewer)
    request.addfinalizer(later.close)  # or its thread would outlive a test that fails
    panel = open_panel(later, qtbot)
    assert panel.unfinished.folders == (folder,)
    assert panel.unfinished.isVisibleTo(panel)
    panel.unfinished.resumed.emit(replace(folder.request(), minutes=0.0001))
    assert panel.run.curve[0].stage == taught.stage  # the curve goes on
    qtbot.waitUntil(lambda: panel.run.state == "idle", timeout=PATIENCE_MS)
    assert panel.message.text() == ""
    assert panel.result.isVisibleTo(panel)
    assert panel.result.made.frames == len(panel.result.made.answers) > 0
    assert {path.name for path in models.iterdir()} == {"stacks.zip", "stacks.report"}
    assert Path(panel.result.made.report).is_file()

    panel.result.use_button.click()
    qtbot.waitUntil(lambda: panel.result.undo_button.isEnabled(), timeout=PATIENCE_MS)
    assert later.focus.model.name == "stacks"
    panel.result.again_button.click()
    assert panel.choice.isVisibleTo(panel)
    qtbot.waitUntil(lambda: panel.choice.base_box.findText("stacks") >= 0)  # to begin with next time
    leave(panel, later)


def test_a_training_is_paused_and_then_cancelled(
    panel: TrainingPanel, tmp_path: Path, models: Path, qtbot: QtBot
) -> None:
    ask_for(panel, write_stacks(tmp_path / "stacks", 1), 60)
    panel.train_button.click()
    panel.progress.pause_button.click()
    assert not panel.progress.pause_button.isEnabled()
    qtbot.waitUntil(lambda: panel.run.state == "idle", timeout=PATIENCE_MS)
    assert "stacks is paused" in panel.message.text()
    with TrainingFolder.of(models / "stacks.zip").claimed(panel.run.request):
        pass  # as if it had come so far
    panel.run.start(panel.run.request)
    panel.progress.cancel_button.click()
    assert panel.run.state == "running"  # it asks
    panel.run.throw_away()
    qtbot.waitUntil(lambda: panel.run.state == "idle", timeout=PATIENCE_MS)
    assert "nothing of it is kept" in panel.message.text()
    assert list(models.iterdir()) == []


def test_a_refusal_names_what_to_do_and_gives_the_form_back(panel: TrainingPanel, tmp_path: Path, qtbot: QtBot) -> None:
    ask_for(panel, tmp_path / "nowhere", 1)
    panel.train_button.click()
    qtbot.waitUntil(lambda: panel.run.state == "idle", timeout=PATIENCE_MS)
    assert "nowhere does not exist" in panel.message.text()
    assert panel.message.tone == "error"
    assert panel.choice.isVisibleTo(panel)


def test_stacks_that_another_panel_chose_are_looked_at(
    panel: TrainingPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    session.dataset_chosen.emit(tmp_path / "nowhere")
    assert panel.choice.dataset == tmp_path / "nowhere"
    assert panel.choice.summary.is_looking
    qtbot.waitUntil(lambda: not panel.choice.summary.is_looking, timeout=PATIENCE_MS)
    assert "nowhere does not exist" in panel.choice.summary.message.text()
