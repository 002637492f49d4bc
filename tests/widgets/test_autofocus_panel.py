"""The Autofocus panel as a whole: its parts work together and leave nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QAbstractButton, QComboBox, QDoubleSpinBox, QLineEdit, QSlider

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.focus_state import OVERLAY
from napari_autofocus.widgets.session import Connection, Session
from truthful_model import TruthfulModel


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded behind the back of a test."""
    monkeypatch.setattr("napari_autofocus.widgets.estimate.model_choice.installed_models", lambda: iter(()))


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> Iterator[AutofocusPanel]:
    made = AutofocusPanel(viewer)
    yield made
    if isalive(made):  # some tests close it
        made.deleteLater()
        qtbot.waitUntil(lambda: not isalive(made))


@pytest.fixture
def rig(panel: AutofocusPanel, session: Session, make_rig: Callable[..., SimulatedRig]) -> SimulatedRig:
    """Stands at z = 7 µm; best focus is at 1.5 µm."""
    made = make_rig()
    made.microscope.focus.move_to(7.0)
    objective = Objective.parse("20x/0.75")
    session.connect(Connection("rig", made.microscope, made.close, dof_um=1.0, objective=objective, rig=made))
    session.focus.use_model(TruthfulModel(made))
    return made


@pytest.fixture
def estimating(panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot) -> AutofocusPanel:
    """Live, with estimates of every frame."""
    panel.image.live_button.click()
    panel.image.estimate_button.click()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    return panel


def overlays(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if OVERLAY.items() <= layer.metadata.items()]


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def test_live_estimates_are_read_out_drawn_and_remembered(
    estimating: AutofocusPanel, viewer: ViewerModel, qtbot: QtBot
) -> None:
    assert estimating.readout.headline.text() == "+5.5 ± 0.1 µm: too close"
    qtbot.waitUntil(lambda: {"Content importance", "Chosen patches (µm)"} <= {layer.name for layer in viewer.layers})
    qtbot.waitUntil(lambda: len(estimating.history.points) >= 2)
    assert estimating.history.points[-1][1] == pytest.approx(5.5, abs=0.1)


def test_refocus_from_the_live_image_and_back(
    estimating: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    estimating.refocusing.buttons.refocus.click()
    qtbot.waitUntil(lambda: estimating.record is not None and not session.is_running, timeout=20_000)
    assert estimating.record.outcome == "focused"
    qtbot.waitUntil(lambda: estimating.readout.headline.text().endswith("in focus"))
    assert session.is_live
    assert len(session.runs) == estimating.runs.model.rowCount() == 1
    estimating.refocusing.buttons.undo.click()
    qtbot.waitUntil(lambda: not session.is_running)
    qtbot.waitUntil(lambda: estimating.readout.headline.text().endswith("too close"))


def test_the_curve_is_shown_while_sweeping_and_the_history_otherwise(
    panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    options = panel.refocusing.options
    assert panel.plots.currentWidget() is panel.history
    options.method_box.setCurrentIndex(options.method_box.findData("sweep"))
    panel.refocusing.buttons.refocus.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running, timeout=20_000)
    assert panel.plots.currentWidget() is panel.plot
    assert panel.plot.peak_um == pytest.approx(panel.record.best_z_um)
    assert panel.plot.z_um == sorted(point.z_um for point in panel.record.curve)
    options.method_box.setCurrentIndex(options.method_box.findData("one-shot"))
    assert panel.plots.currentWidget() is panel.history


def test_a_layer_is_estimated_without_a_microscope(
    panel: AutofocusPanel, session: Session, viewer: ViewerModel, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session.focus.use_model(TruthfulModel(make_rig()))
    session.focus.state_objective(Objective.parse("20x/0.75"))
    viewer.add_image(np.zeros((5, 64, 80, 3), np.uint8), rgb=True, name="stack")
    panel.image.estimate_button.click()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    assert session.focus.newest.seen.source == "stack"
    assert not panel.refocusing.buttons.refocus.isEnabled()


def test_another_image_begins_another_history(estimating: AutofocusPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(estimating.history.points) >= 1)
    layer = viewer.add_image(np.zeros((64, 80), np.uint8), name="other")
    estimating.image.choose(layer)
    assert estimating.history.points == []


def test_a_model_dropped_anywhere_is_opened(
    panel: AutofocusPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(tmp_path / "broken.zip"))])
    (tmp_path / "broken.zip").write_bytes(b"no model")
    actions, buttons, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(QPoint(5, 5), actions, dropped, buttons, keys)
    panel.dragEnterEvent(entering)
    assert entering.isAccepted()
    panel.dropEvent(QDropEvent(QPointF(5, 5), actions, dropped, buttons, keys))
    qtbot.waitUntil(lambda: panel.model.message.tone == "error", timeout=20_000)
    assert "broken.zip" in panel.model.message.text()


def test_other_files_are_not_taken(panel: AutofocusPanel) -> None:
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile("/slide.tif")])
    entering = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    entering.ignore()
    panel.dragEnterEvent(entering)
    assert not entering.isAccepted()


def test_every_control_has_a_tooltip(panel: AutofocusPanel) -> None:
    kinds = (QAbstractButton, QComboBox, QDoubleSpinBox, QSlider)
    controls = [child for kind in kinds for child in panel.findChildren(kind)]
    inner = ("qt_", "ScrollLeftButton", "ScrollRightButton")
    without = [
        control
        for control in controls
        if not control.toolTip()
        and not control.objectName().startswith(inner)
        and not isinstance(control.parent(), QComboBox | QLineEdit)
        and type(control).__module__.startswith(("qtpy", "PyQt", "PySide"))
        and "Message" not in type(control.parent()).__name__
    ]
    assert [(type(c).__name__, c.objectName(), getattr(c, "text", str)()) for c in without] == []


def test_themes_reach_every_part(panel: AutofocusPanel, viewer: ViewerModel) -> None:
    before = panel.readout.headline.styleSheet()
    viewer.theme = "light"
    assert panel.readout.headline.styleSheet() != before


def test_a_closed_panel_leaves_nothing_in_the_viewer(
    estimating: AutofocusPanel, viewer: ViewerModel, session: Session, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: overlays(viewer) != [])
    before = list(viewer.mouse_drag_callbacks)
    estimating.show_row.exclude_button.click()
    assert viewer.mouse_drag_callbacks != before
    estimating.deleteLater()
    qtbot.waitUntil(lambda: not isalive(estimating))
    qtbot.waitUntil(lambda: overlays(viewer) == [])
    assert viewer.mouse_drag_callbacks == before
    assert "napari-autofocus estimates" not in own_threads()
    shown = session.view.frames_shown
    qtbot.waitUntil(lambda: session.view.frames_shown > shown)  # live mode is the user's


def test_a_closed_panel_does_not_disturb_its_run(
    panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    panel.refocusing.buttons.refocus.click()
    panel.deleteLater()
    qtbot.waitUntil(lambda: not isalive(panel))
    qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)
    assert abs(rig.true_defocus_um()) < 0.5


def test_a_session_that_ends_leaves_no_thread(estimating: AutofocusPanel, session: Session) -> None:
    estimating.refocusing.buttons.refocus.click()
    session.close()
    assert own_threads() == []
