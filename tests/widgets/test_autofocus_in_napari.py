"""The Autofocus panel in a real napari window, opened from the manifest and driven by clicks and keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_autofocus.microscope.replay import PlaneReplay
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.session import Connection, Session
from truthful_model import TruthfulModel

pytestmark = [
    pytest.mark.gui,
    # vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
CONTROL = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
START_UM, AXIAL_UM = 6.0, np.arange(-2.0, 7.01, 1.0)


@pytest.fixture
def napari_viewer(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """napari's own fixtures hide every plugin; show the installed ones."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(napari_viewer: Any, qtbot: QtBot) -> AutofocusPanel:
    """As large as on a laptop, behind the Microscope panel's tab or in front of it; the shipped model is loaded."""
    napari_viewer.window.resize(1366, 740)
    for name in ("Microscope", "Autofocus"):
        _, opened = napari_viewer.window.add_plugin_dock_widget("napari-autofocus", name)
        qtbot.waitUntil(opened.isVisible)
    qtbot.waitUntil(lambda: Session.of(napari_viewer).focus.model is not None, timeout=20_000)
    return opened


@pytest.fixture(scope="module")
def field() -> PlaneReplay:
    """A field of H&E at planes of 1 µm, in focus at 0."""
    scene = Scene.build("he", "dense", "20x/0.75", seed=3, shape=(384, 448))
    rng, best_um = np.random.default_rng(1), scene.best_focus_um(0.0, 0.0)
    planes = np.stack([scene.snap(0.0, 0.0, best_um + z_um, rng=rng) for z_um in AXIAL_UM])
    return PlaneReplay(planes, AXIAL_UM, pixel_size_um=scene.pixel_size_um, best_focus_um=0.0)


def connect(session: Session, rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(START_UM)
    objective = Objective.parse("20x/0.75")
    session.connect(Connection("rig", rig.microscope, rig.microscope.close, dof_um=1.0, objective=objective, rig=rig))


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def test_the_shipped_model_focuses_a_live_field(
    panel: AutofocusPanel, napari_viewer: Any, field: PlaneReplay, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = Session.of(napari_viewer), make_rig(field, reject_repeats=False)
    connect(session, rig)
    qtbot.mouseClick(panel.image.live_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.image.estimate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.readout.headline.text().endswith("too close"), timeout=20_000)
    qtbot.waitUntil(lambda: "Chosen patches (µm)" in napari_viewer.layers)
    qtbot.mouseClick(panel.refocusing.buttons.refocus, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running, timeout=20_000)
    assert panel.record.outcome == "focused", panel.record.reasons
    assert panel.record.model == "brightfield-20x"
    assert abs(rig.true_defocus_um()) <= 0.5
    bar = panel.findChild(QScrollArea).verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0)  # on a laptop's screen, with the result in words


def test_the_main_job_is_done_by_keys(
    panel: AutofocusPanel, napari_viewer: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = Session.of(napari_viewer), make_rig()
    connect(session, rig)
    session.focus.use_model(TruthfulModel(rig))
    window = napari_viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)

    def press(key: Qt.Key) -> None:
        qtbot.keyClick(napari_viewer.window._qt_viewer, key, CONTROL)  # the focus is on the canvas, not on the panel
        qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)

    press(Qt.Key.Key_D)
    assert panel.refocusing.proposal is not None
    press(Qt.Key.Key_D)
    assert panel.record.outcome == "focused"
    press(Qt.Key.Key_U)
    assert rig.core.getPosition("Z") == pytest.approx(START_UM, abs=0.05)
    press(Qt.Key.Key_F)
    assert abs(rig.true_defocus_um()) < 0.5


def test_escape_stops_and_is_napari_s_own_otherwise(
    panel: AutofocusPanel, napari_viewer: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = Session.of(napari_viewer), make_rig()
    connect(session, rig)
    window = napari_viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    stop = session.keys.stop
    assert not stop.isEnabled()
    slow_sweep(panel)
    qtbot.waitUntil(lambda: len(panel.plot.z_um) > 3)
    qtbot.keyClick(napari_viewer.window._qt_viewer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)
    assert panel.record.outcome == "cancelled"
    assert rig.core.getPosition("Z") == pytest.approx(START_UM, abs=0.05)
    assert not stop.isEnabled()


def test_closing_with_everything_running_ends_cleanly(
    panel: AutofocusPanel, napari_viewer: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = Session.of(napari_viewer), make_rig()
    connect(session, rig)
    session.focus.use_model(TruthfulModel(rig))
    panel.image.live_button.click()
    panel.image.estimate_button.click()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    panel.holding.interval_box.setValue(0.5)
    panel.holding.hold_button.click()
    qtbot.waitUntil(lambda: len(panel.holding.plot.points) >= 1, timeout=20_000)
    held_um = rig.core.getPosition("Z")
    slow_sweep(panel)
    qtbot.waitUntil(lambda: len(panel.plot.z_um) > 3, timeout=20_000)
    napari_viewer.close()
    assert session.is_closed
    assert own_threads() == []
    assert not rig.core.isSequenceRunning()
    assert rig.core.getPosition("Z") == pytest.approx(held_um, abs=0.05)


def test_closing_the_dock_takes_the_overlays_along(
    panel: AutofocusPanel, napari_viewer: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = Session.of(napari_viewer), make_rig()
    connect(session, rig)
    session.focus.use_model(TruthfulModel(rig))
    panel.image.estimate_button.click()
    session.snap()
    qtbot.waitUntil(lambda: "Content importance" in napari_viewer.layers)
    napari_viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: not isalive(panel))
    qtbot.waitUntil(lambda: [layer.name for layer in napari_viewer.layers] == ["Camera"])
    _, again = napari_viewer.window.add_plugin_dock_widget("napari-autofocus", "Autofocus")
    qtbot.waitUntil(again.isVisible)
    again.refocusing.buttons.refocus.click()
    qtbot.waitUntil(lambda: again.record is not None and not session.is_running, timeout=20_000)
    assert again.record.outcome == "focused"


def slow_sweep(panel: AutofocusPanel) -> None:
    """Begin a search that takes long."""
    options = panel.refocusing.options
    options.method_box.setCurrentIndex(options.method_box.findData("sweep"))
    options.sweeping.method_box.setCurrentIndex(options.sweeping.method_box.findData("uniform"))
    options.sweeping.step_box.setValue(0.02)
    panel.refocusing.buttons.refocus.click()
