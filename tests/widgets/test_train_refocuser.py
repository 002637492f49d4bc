"""Teaching a virtual refocuser in the Train panel, without any process: words, curves, gains, and putting it to use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.models.library import USER_FOLDER_VARIABLE
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.progress import TrainingProgressView
from napari_autofocus.widgets.train.refocuser import RefocuserResult
from napari_autofocus.widgets.train.run import TrainingRun
from napari_autofocus.widgets.train.words import doing_words, learning_facts, refocuser_facts, refocuser_headline
from napari_autofocus.widgets.training import TrainingPanel
from napari_autofocus.widgets.virtual.model import VirtualModelChoice
from napari_autofocus.workflows.training.steps import Gain, Learning, RefocuserMade, line_of, record_of
from tiny_refocusers import tiny_refocuser_file

STEP = Learning("refocus", loss=32.0, learning_rate=5e-4, seconds=60.0, seconds_left=120.0, score=1.25)
MADE = RefocuserMade(
    model="mine.zip",
    report="mine.report/evaluation.png",
    name="mine",
    base="tsva-20x",
    dof_um=1.0,
    half_um=(0.5, 3.25),
    gain_db=5.87,
    base_gain_db=5.08,
    doubtful=0.0,
    stacks=2,
    gains=(Gain(0.5, 6, 40.2, 44.1, 43.4), Gain(1.0, 6, 38.3, 43.9, 43.1)),
    pairs=((0.5, 3.8), (0.5, 4.0), (1.0, 5.6)),
    notes=("Learned from 6 stacks.",),
)


@pytest.fixture(autouse=True)
def _no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is installed, so that listing them takes no time."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")


def test_what_is_told_of_a_refocuser_survives_the_way_between_the_processes() -> None:
    assert record_of(line_of(MADE)) == MADE
    assert record_of(line_of(STEP)) == STEP


def test_a_gain_is_told_while_it_learns() -> None:
    assert doing_words(STEP) == "Learning to recover the image in focus"
    assert dict(learning_facts(STEP, 1.0, 120.0))["Gain"] == "+1.25 dB over the sharper shot"
    assert dict(learning_facts(replace(STEP, score=-0.5), 1.0, 120.0))["Gain"] == "−0.50 dB over the sharper shot"


def test_a_refocuser_that_is_worse_than_what_it_began_with_is_not_praised() -> None:
    words, tone = refocuser_headline(MADE)
    assert words == "+5.87 dB over the sharper shot (tsva-20x as it is: +5.08 dB)."
    assert tone == "good"
    assert refocuser_headline(replace(MADE, gain_db=4.0))[1] == "warning"
    assert "Do not use it yet" in refocuser_headline(replace(MADE, gain_db=-0.1, base_gain_db=None))[0]
    assert refocuser_headline(replace(MADE, gain_db=None))[1] == "warning"


def test_facts_tell_gains_by_distance() -> None:
    facts = dict(refocuser_facts(MADE))
    assert facts["±0.5 µm"] == "+3.90 dB"
    assert facts["Held out"] == "3 pairs of 2 stacks"


def test_progress_shows_gains_in_place_of_the_scatter_of_defocus(session: Session, qtbot: QtBot) -> None:
    run = TrainingRun.of(session)
    view = TrainingProgressView(run, "dark")
    qtbot.addWidget(view)
    run._on_step(replace(STEP, validated=True, pairs=((0.5, 1.0), (1.5, 2.0))))
    view.refresh()
    assert view.gains.isVisibleTo(view)
    assert not view.scatter.isVisibleTo(view)
    assert view.gains.points == [(0.5, 1.0), (1.5, 2.0)]
    assert view.curves.error.points == [(1.0, 1.25)]
    run._on_step(replace(STEP, stage="defocus", seconds=90.0))
    view.refresh()
    assert view.scatter.isVisibleTo(view)


def test_the_panel_shows_what_came_of_it(session: Session, qtbot: QtBot) -> None:
    panel = TrainingPanel(session.viewer)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=60_000)
    panel.run._on_done(MADE)
    panel._on_changed()
    assert panel.refocuser.isVisibleTo(panel)
    assert not panel.result.isVisibleTo(panel)
    assert panel.refocuser.plot.means[0][0] == 0.5
    panel.refocuser.again_button.click()
    assert panel.choice.isVisibleTo(panel)


def test_using_it_hands_it_to_the_virtual_refocus_panel_open_or_not(
    session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tiny_refocuser_file(tmp_path)
    opened = VirtualModelChoice(session, "dark")
    qtbot.addWidget(opened)
    result = RefocuserResult(session, "dark")
    qtbot.addWidget(result)
    result.show_made(replace(MADE, model=str(path), name="tiny-virtual"))
    result.use_button.click()
    qtbot.waitUntil(lambda: opened.card is not None and opened.card.name == "tiny-virtual", timeout=60_000)
    assert "tiny-virtual" in result.message.text()
    later = VirtualModelChoice(session, "dark")
    qtbot.addWidget(later)
    qtbot.waitUntil(lambda: later.card is not None, timeout=60_000)
    assert later.card.name == "tiny-virtual"
