"""Parts of the Train panel, without any process: words, names, curves, scatter, result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QMessageBox

from napari_autofocus.errors import InputError
from napari_autofocus.models.predictor import load_model
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.curves import LearningCurves
from napari_autofocus.widgets.train.names import free_name, name_like, target_of
from napari_autofocus.widgets.train.result import TrainingResult
from napari_autofocus.widgets.train.run import TrainingRun
from napari_autofocus.widgets.train.scatter import DefocusScatter
from napari_autofocus.widgets.train.unfinished import UnfinishedTrainings
from napari_autofocus.widgets.train.words import (
    dataset_words,
    doing_words,
    learning_facts,
    made_facts,
    made_headline,
    minutes,
)
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest
from napari_autofocus.workflows.training.steps import Answer, DatasetSeen, Learning, TrainingMade, Working
from tiny_models import tiny_file

STEP = Learning("defocus", loss=1.0, learning_rate=2e-4, seconds=30.0, seconds_left=270.0)


def made_of(model: Path) -> TrainingMade:
    return TrainingMade(
        model=str(model),
        report=str(model.with_suffix(".png")),
        name="tiny-20x",
        dof_um=1.0,
        range_um=10.0,
        mae_um=0.31,
        low_um=0.25,
        high_um=0.4,
        direction=0.995,
        refused=0.125,
        frames=80,
        stacks=4,
        works=True,
        notes=("Learned from 4 stacks.",),
        answers=(Answer(1.0, 1.2), Answer(-2.0, -1.9), Answer(3.0, 0.1, True), Answer(5.0, None, True)),
    )


# words


def test_a_data_set_is_told_in_a_sentence() -> None:
    seen = DatasetSeen(3, {"label store": 2, "Brenner": 1}, summary="20x/0.75 at 0.325 µm a pixel")
    words = "3 stacks, labelled 1 by Brenner, 2 by people. 20x/0.75 at 0.325 µm a pixel."
    assert dataset_words(seen) == (words, "plain")


def test_what_the_shell_calls_an_option_has_its_name_in_the_panel() -> None:
    words, tone = dataset_words(DatasetSeen(1, {"Brenner": 1}, refusal="Unknown; give --objective and --pixel-um."))
    assert "give the objective and the pixel size (under More)." in words
    assert tone == "error"


def test_a_fold_is_told_with_its_number() -> None:
    assert doing_words(replace(STEP, fold=2, folds=4)) == "Cross-validation 2 of 4: learning the defocus"
    assert doing_words(replace(STEP, seconds_left=0.0)) == "Putting the model together"
    assert doing_words(Working("evaluating", 1, 8)) == "Measuring on stacks that were held out"


@pytest.mark.parametrize(("seconds", "words"), [(12, "12 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_are_told_as_people_wait_for_them(seconds: float, words: str) -> None:
    assert minutes(seconds) == words


def test_errors_are_told_in_um_and_in_depths_of_field() -> None:
    facts = dict(learning_facts(replace(STEP, score=0.5, direction=0.9876), 2.0, 90.0))
    assert facts["Error"] == "0.50 µm (0.25 DOF)"
    assert facts["Direction"] == "98.8 %"
    assert facts["Time left"] == "about 90 s"
    assert facts["Learning rate"] == "2.0e−4"
    assert dict(learning_facts(replace(STEP, learning_rate=0.0), None, 0.0))["Learning rate"] == "0"


def test_a_model_that_does_not_work_is_not_praised(tmp_path: Path) -> None:
    made = made_of(tmp_path / "m.zip")
    assert made_headline(made) == ("Error 0.31 µm (0.31 DOF).", "good")
    assert made_headline(replace(made, works=False)) == ("Error 0.31 µm (0.31 DOF): do not trust it yet.", "warning")
    assert made_headline(replace(made, mae_um=None))[1] == "warning"
    assert dict(made_facts(made))["90 % interval"] == "0.25 to 0.40 µm"
    assert dict(made_facts(made))["Refused"] == "12.5 %"


# names


def test_a_name_takes_the_place_of_no_model_and_of_no_training(tmp_path: Path) -> None:
    (tmp_path / "slide-7.zip").write_bytes(b"")
    TrainingFolder.of(tmp_path / "slide-7-2.zip").path.mkdir()
    assert free_name(tmp_path, name_like("Slide 7".lower())) == "slide-7-3"
    with pytest.raises(InputError, match="is there already"):
        target_of(tmp_path, "slide-7")
    with pytest.raises(InputError, match="slide-7-2 is unfinished"):
        target_of(tmp_path, "slide-7-2")
    with pytest.raises(InputError, match=r"found '\.\./x', choose another"):
        target_of(tmp_path, "../x")


# pictures


def test_curves_show_the_network_that_is_taught_and_former_folds_behind(qtbot: QtBot) -> None:
    curves = LearningCurves("dark")
    qtbot.addWidget(curves)
    first = [replace(STEP, seconds=60.0 * n, loss=4.0 / n, fold=1, folds=2) for n in (1, 2)]
    second = [replace(STEP, seconds=60.0, loss=40.0, score=0.5, validated=True, fold=2, folds=2)]
    curves.show_steps([*first, *second])
    assert curves.loss.points == [(1.0, 40.0)]
    assert curves.error.points == [(1.0, 0.5)]
    assert (curves.loss.dots, curves.error.dots) == (0, 1)  # a single validation would not be seen as a line
    assert curves.loss.is_logarithmic
    assert not curves.error.is_logarithmic
    curves.show_steps([])
    assert curves.loss.points == []


def test_the_scatter_tells_answers_from_refusals(qtbot: QtBot) -> None:
    scatter = DefocusScatter("light")
    qtbot.addWidget(scatter)
    scatter.set_dof(1.0)
    scatter.show_points([(1.0, 1.2)], [(3.0, 0.1)])
    assert (scatter.points, scatter.refused) == ([(1.0, 1.2)], [(3.0, 0.1)])
    scatter.show_points([])
    assert scatter.points == []


def test_what_is_learned_again_after_a_crash_is_drawn_once(session: Session) -> None:
    run = TrainingRun.of(session)
    run.request = TrainingRequest(Path("stacks"), Path("m.zip"), minutes=5, folds=4)
    run.curve = [replace(STEP, stage="importance", seconds=50.0), replace(STEP, folds=4), replace(STEP, seconds=60.0)]
    run._on_step(replace(STEP, seconds=40.0))
    assert [step.seconds for step in run.curve] == [50.0, 30.0, 40.0]
    assert run.taught_s == 90.0
    assert run.left_s == 5 * 300 - 90


# the result


@pytest.fixture
def result(session: Session, tmp_path: Path, qtbot: QtBot) -> TrainingResult:
    made = TrainingResult(session, "dark")
    qtbot.addWidget(made)
    made.show_made(made_of(tiny_file(tmp_path)))
    return made


def test_a_result_is_used_and_undone(result: TrainingResult, session: Session, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "before").mkdir()
    before = load_model(tiny_file(tmp_path / "before"))
    session.focus.use_model(before)
    assert not result.undo_button.isEnabled()
    result.use_button.click()
    qtbot.waitUntil(lambda: result.undo_button.isEnabled())
    assert session.focus.model.package.path == tmp_path / "tiny-20x.zip"
    assert not result.use_button.isEnabled()
    result.undo_button.click()
    assert session.focus.model is before
    assert result.use_button.isEnabled()


def test_a_model_that_is_gone_is_told_and_the_former_stays(
    result: TrainingResult, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "tiny-20x.zip").unlink()
    result.use_button.click()
    qtbot.waitUntil(lambda: result.message.tone == "error")
    assert session.focus.model is None
    qtbot.waitUntil(lambda: result.use_button.isEnabled())


def test_the_report_is_opened_as_the_file_it_is(
    result: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    result.report_button.click()
    assert opened == [str(tmp_path / "tiny-20x.png")]


def test_held_out_answers_are_drawn(result: TrainingResult) -> None:
    assert result.scatter.points == [(1.0, 1.2), (-2.0, -1.9)]
    assert result.scatter.refused == [(3.0, 0.1)]
    assert result.facts.values["Direction"] == "99.5 % right"


# unfinished trainings


@pytest.fixture
def unfinished(tmp_path: Path, qtbot: QtBot) -> UnfinishedTrainings:
    request = TrainingRequest(tmp_path / "stacks", tmp_path / "mine.zip")
    with TrainingFolder.of(request.target).claimed(request):
        TrainingFolder.of(request.target).keep(STEP)
    made = UnfinishedTrainings()
    qtbot.addWidget(made)
    made.look_in(tmp_path)
    return made


def test_an_unfinished_training_is_offered_as_it_was_asked_for(
    unfinished: UnfinishedTrainings, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(unfinished.resumed) as heard:
        unfinished.buttons[0][0].click()
    assert heard.args == [TrainingRequest(tmp_path / "stacks", tmp_path / "mine.zip")]


def test_discarding_asks_first(unfinished: UnfinishedTrainings, tmp_path: Path, qtbot: QtBot) -> None:
    unfinished.buttons[0][1].click()
    box = unfinished.window().findChild(QMessageBox)
    keep, delete = box.buttons()[-1], box.buttons()[0]
    assert {keep.text(), delete.text()} == {"Keep it", "Delete it"}
    with qtbot.waitSignal(unfinished.discarded):
        (delete if delete.text() == "Delete it" else keep).click()
    assert list(tmp_path.iterdir()) == []
