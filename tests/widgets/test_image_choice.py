from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.estimate.estimating import LiveEstimator
from napari_autofocus.widgets.estimate.image_choice import ImageChoice
from napari_autofocus.widgets.focus_state import OVERLAY
from napari_autofocus.widgets.session import Connection, Session
from truthful_model import TruthfulModel


@pytest.fixture
def choice(session: Session, qtbot: QtBot) -> ImageChoice:
    made = ImageChoice(session, LiveEstimator(session), "dark")
    qtbot.addWidget(made)
    return made


def shown(choice: ImageChoice) -> list[str]:
    return [choice.source_box.itemText(index) for index in range(choice.source_box.count())]


def add(viewer: ViewerModel, name: str, **settings: object) -> Image:
    layer = Image(np.zeros((64, 80), np.uint8), name=name, **settings)
    viewer.add_layer(layer)
    return layer


def test_layers_come_and_go(choice: ImageChoice, viewer: ViewerModel) -> None:
    assert shown(choice) == ["no image"]
    first, second = add(viewer, "first"), add(viewer, "second")
    assert shown(choice) == ["second", "first"]
    assert choice.estimator.source is first  # what is looked at does not change under the user
    viewer.layers.remove(first)
    assert choice.estimator.source is second
    second.name = "renamed"
    assert shown(choice) == ["renamed"]
    viewer.layers.clear()
    assert choice.estimator.source is None


def test_overlays_and_other_layers_are_no_images(choice: ImageChoice, viewer: ViewerModel) -> None:
    add(viewer, "ours", metadata=OVERLAY)
    viewer.add_points(np.zeros((1, 2)))
    assert shown(choice) == ["no image"]


def test_the_camera_is_looked_at_while_it_is_there(
    choice: ImageChoice, viewer: ViewerModel, connected: tuple[Session, SimulatedRig]
) -> None:
    session = connected[0]
    layer = add(viewer, "stack")
    assert shown(choice) == ["Camera", "stack"]
    assert choice.estimator.source == "camera"
    assert choice.live_button.isEnabled()
    choice.choose(layer)
    session.disconnect()
    assert shown(choice) == ["stack"]
    assert choice.estimator.source is layer
    assert not choice.live_button.isEnabled()


def test_a_choice_is_a_source(choice: ImageChoice, viewer: ViewerModel) -> None:
    first, second = add(viewer, "first"), add(viewer, "second")
    choice.choose(second)
    assert choice.source_box.currentText() == "second"
    choice.source_box.setCurrentIndex(1)
    choice.source_box.activated.emit(1)
    assert choice.estimator.source is first


def test_estimates_come_only_when_wanted(
    choice: ImageChoice, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    rig = make_rig()
    session.focus.use_model(TruthfulModel(rig))
    objective = Objective.parse("20x/0.75")
    session.connect(Connection("rig", rig.microscope, rig.close, objective=objective))
    session.snap()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1)
    assert session.focus.newest is None
    choice.estimate_button.click()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    choice.estimate_button.click()
    assert session.focus.newest is None


def test_live_mode_is_the_sessions(choice: ImageChoice, connected: tuple[Session, SimulatedRig], qtbot: QtBot) -> None:
    session = connected[0]
    choice.live_button.click()
    assert session.is_live
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    session.set_live(False)
    assert not choice.live_button.isChecked()


@pytest.mark.parametrize("text", ["20x/0.75", "100x/1.4 oil"])
def test_an_objective_can_be_stated(choice: ImageChoice, session: Session, text: str) -> None:
    choice.objective_box.lineEdit().setText(text)
    choice.objective_box.lineEdit().editingFinished.emit()
    assert session.focus.objective == Objective.parse(text)


def test_an_objective_nobody_can_read_is_told(choice: ImageChoice, session: Session) -> None:
    choice.objective_box.lineEdit().setText("good one")
    choice.objective_box.lineEdit().editingFinished.emit()
    assert choice.message.tone == "error"
    assert "20x/0.75" in choice.message.text()
    assert session.focus.objective is None


def test_what_others_state_is_shown(choice: ImageChoice, session: Session) -> None:
    assert choice.objective_box.currentText() == "unknown"
    session.focus.state_objective(Objective.parse("40x/0.95", pixel_size_um=0.15))
    assert choice.objective_box.currentText() == "40x/0.95"
    assert "0.15 µm a pixel" in choice.objective_box.toolTip()
    session.focus.state_objective(None)
    assert choice.objective_box.currentText() == "unknown"
    assert "Pixel size unknown" in choice.objective_box.toolTip()


def test_a_layers_own_pixel_size_counts(choice: ImageChoice, session: Session, viewer: ViewerModel) -> None:
    session.focus.state_objective(Objective.parse("20x/0.75"))
    add(viewer, "stack", scale=(0.5, 0.5), units=("um", "um"))
    assert "0.5 µm a pixel" in choice.objective_box.toolTip()
