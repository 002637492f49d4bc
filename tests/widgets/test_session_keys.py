"""The keys and commands that act on the microscope."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from napari._app_model import get_app_model
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets import commands
from napari_autofocus.widgets.parts import session_keys
from napari_autofocus.widgets.session import NOT_CONNECTED, Connection, Session


def forever(closed: list[bool]) -> Generator[int, None, None]:
    try:
        while True:
            yield 0
    finally:
        closed.append(True)


def test_halt_stops_a_run_and_without_one_every_drive(
    connected: tuple[Session, SimulatedRig], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, rig = connected
    closed: list[bool] = []
    session.start_run(forever(closed), failed=lambda error: None)
    session_keys.halt(session)
    qtbot.waitUntil(lambda: not session.is_running)
    assert closed == [True]
    halted: list[bool] = []
    monkeypatch.setattr(rig.microscope, "stop", lambda: halted.append(True))
    session_keys.halt(session)
    assert halted == [True]


def test_live_is_turned_on_and_off(
    connected: tuple[Session, SimulatedRig], qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    session, _ = connected
    session_keys.toggle_live(session)
    assert session.is_live
    at_rest()
    session_keys.toggle_live(session)
    assert not session.is_live
    at_rest()


def test_a_bare_model_has_no_keys(session: Session) -> None:
    assert (session.keys.stop, session.keys.halt, session.keys.live) == (None, None, None)


@pytest.mark.parametrize("command", [commands.halt, commands.toggle_live, commands.snap])
def test_a_command_without_a_microscope_says_so(
    command: Callable[[Any], None], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(commands, "show_warning", told.append)
    command(session.viewer)
    assert told == [NOT_CONNECTED]


@pytest.fixture
def napari_window(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real window that knows the installed plugins, which napari's own fixtures hide."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    return make_napari_viewer(show=True)


@pytest.mark.gui
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_keys_and_commands_work_without_the_autofocus_panel(
    napari_window: Any, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    session, rig, closed = Session.of(napari_window), make_rig(), list[bool]()
    session.connect(Connection("test rig", rig.microscope, rig.close, dof_um=1.0, rig=rig))
    window = napari_window.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    assert not session.keys.stop.isEnabled()
    session.start_run(forever(closed), failed=lambda error: None)
    qtbot.keyClick(napari_window.window._qt_viewer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not session.is_running)
    assert closed == [True]
    get_app_model().commands.execute_command("napari-autofocus.toggle_live").result()
    assert session.is_live
    qtbot.keyClick(
        napari_window.window._qt_viewer,
        Qt.Key.Key_L,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert not session.is_live
    qtbot.waitUntil(lambda: not session.hardware.busy)
