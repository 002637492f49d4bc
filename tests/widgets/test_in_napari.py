"""The panels in a real napari window, opened as a user opens them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.session import Connection, Session

pytestmark = [
    pytest.mark.gui,
    # vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
OWN = ("Microscope", "Autofocus", "Acquire stacks", "Label z-stack", "Train", "Calibrate", "Virtual refocus")
PANELS = (*OWN, "All in focus", "Sparsity tour")


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


@pytest.fixture
def napari_viewer(make_napari_viewer: Callable[..., Any], installed_plugins: None) -> Any:
    return make_napari_viewer(show=True)


@pytest.fixture
def installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """napari's own fixtures hide every plugin; show the installed ones."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))


@pytest.mark.parametrize("name", PANELS)
def test_panel_opens_from_the_manifest_in_both_themes(napari_viewer: Any, name: str, qtbot: QtBot) -> None:
    _, panel = napari_viewer.window.add_plugin_dock_widget("napari-autofocus", name)
    qtbot.waitUntil(panel.isVisible)
    for theme in ("light", "dark"):
        napari_viewer.theme = theme
        assert panel.message.styleSheet().count(theme_colours(theme).text) or panel.message.tone != "plain"
    napari_viewer.close()
    assert own_threads() == []


def test_nothing_is_cut_off_on_a_laptop_screen(napari_viewer: Any, qtbot: QtBot) -> None:
    docked = [napari_viewer.window.add_plugin_dock_widget("napari-autofocus", name) for name in PANELS[:2]]
    napari_viewer.window.resize(1366, 700)
    for dock, panel in docked:
        dock.raise_()  # they share one place, behind tabs
        qtbot.waitUntil(panel.isVisible)
        column = panel.findChild(QScrollArea)
        qtbot.waitUntil(lambda column=column: cut_off(column) == [])
    assert napari_viewer.window.geometry()[2] == 1366


def cut_off(column: QScrollArea) -> list[str]:
    """Tooltips of the controls that reach beyond the visible width."""
    view = column.viewport()
    shown = [child for child in column.widget().findChildren(QWidget) if child.isVisible() and child.toolTip()]
    return [child.toolTip() for child in shown if child.mapTo(view, QPoint(child.width(), 0)).x() > view.width()]


def test_closing_a_panel_leaves_the_others_at_work(
    napari_viewer: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    window = napari_viewer.window
    dock, _ = window.add_plugin_dock_widget("napari-autofocus", "Microscope")
    session, rig = Session.of(napari_viewer), make_rig()
    session.connect(Connection("rig", rig.microscope, rig.close))
    window.remove_dock_widget(dock)
    qtbot.wait(1)
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    _, panel = window.add_plugin_dock_widget("napari-autofocus", "Microscope")
    assert panel.camera.live_button.isChecked()
    assert panel.form.summary.text() == "rig"
