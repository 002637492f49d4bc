from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import FrameError, HardwareError
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.widgets.session import Connection, Session


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def test_widgets_of_one_viewer_share_a_session_whatever_proxy_they_are_handed(viewer: ViewerModel) -> None:
    session = Session.of(viewer)
    assert Session.of(PublicOnlyProxy(viewer)) is session
    session.close()


def test_two_viewers_share_nothing(viewer: ViewerModel) -> None:
    first, second = Session.of(viewer), Session.of(ViewerModel())
    assert first is not second
    first.close()
    second.close()


def test_live_frames_reach_the_viewer_until_live_is_turned_off(
    connected: tuple[Session, SimulatedRig], qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    session, rig = connected
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 3)
    session.set_live(False)
    at_rest()
    assert not rig.core.isSequenceRunning()
    assert not session.view.running
    assert [layer.name for layer in session.viewer.layers] == ["Camera"]


def test_z_is_told_when_somebody_else_moves_the_drive(connected: tuple[Session, SimulatedRig], qtbot: QtBot) -> None:
    session, rig = connected
    told: list[float] = []
    session.z_changed.connect(told.append)
    rig.core.setPosition("Z", 4.0)
    qtbot.waitUntil(lambda: bool(told))
    assert told[-1] == pytest.approx(4.0, abs=0.05)


def test_asking_without_a_microscope_says_what_to_do(session: Session) -> None:
    told: list[object] = []
    session.failed.connect(told.append)
    session.snap()
    session.set_live(True)
    assert [type(error) for error in told] == [HardwareError] * 2
    assert "Connect one in the Microscope panel" in str(told[0]) or "connect one" in str(told[0])


def test_unplugged_camera_is_told_and_live_is_off(
    session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    rig = make_rig(faults=[Fault("snap-timeout", at=1)])
    session.connect(Connection("test rig", rig.microscope, rig.close))
    told: list[object] = []
    session.failed.connect(told.append)
    session.snap()
    qtbot.waitUntil(lambda: bool(told))
    assert isinstance(told[0], FrameError)
    assert not session.is_live


def test_close_with_live_on_leaves_no_thread_and_no_sequence(
    connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = connected
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    session.close()
    assert own_threads() == []
    assert not rig.core.isSequenceRunning()
    assert list(rig.core.getLoadedDevices()) == ["Core"]


def test_close_with_a_sweep_running_puts_the_drive_back(
    session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    rig = make_rig()
    session.connect(Connection("somebody's", rig.microscope, rig.microscope.close))
    steps: list[object] = []
    work = sweep(rig.microscope, SweepConfig(method="uniform", range_um=10, step_um=0.05))
    session.start_run(work, step=lambda step: steps.append(step), failed=lambda error: None)
    qtbot.waitUntil(lambda: len(steps) > 5)
    session.close()
    assert own_threads() == []
    assert rig.core.getPosition("Z") == pytest.approx(0.0, abs=0.1)


def test_a_core_of_somebody_else_is_left_alone(session: Session, make_rig: Callable[..., SimulatedRig]) -> None:
    rig = make_rig()
    session.connect(Connection("somebody's", rig.microscope, rig.microscope.close))
    session.close()
    assert "Camera" in rig.core.getLoadedDevices()


def test_connecting_another_lets_go_of_the_first(
    connected: tuple[Session, SimulatedRig], make_rig: Callable[..., SimulatedRig]
) -> None:
    session, first = connected
    heard: list[object] = []
    session.connection_changed.connect(heard.append)
    second = make_rig()
    session.connect(Connection("second", second.microscope, second.close))
    assert session.microscope is second.microscope
    assert list(first.core.getLoadedDevices()) == ["Core"]
    assert [connection and connection.name for connection in heard] == [None, "second"]


def test_a_direction_that_the_user_states_turns_the_approach(
    session: Session, make_rig: Callable[..., SimulatedRig], at_rest: Callable[[], None]
) -> None:
    rig = make_rig(focus_direction=-1, tells_direction=False, approach_um=2.0)
    session.connect(Connection("blind", rig.microscope, rig.close))
    session.focus.state_direction(-1)
    session.ask(lambda microscope: microscope.focus.move_to(4.0))
    at_rest()
    assert rig.z_stage.commands_um[-2:] == [6.0, 4.0]
