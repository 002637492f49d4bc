"""What others do to the microscope that the panel shows: live mode, channels, configurations, cables."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive

from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.widgets.stand import watching

AtRest = Callable[[], None]


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> MicroscopePanel:
    """Shown, since a panel that nobody sees does not look by itself."""
    made = MicroscopePanel(viewer)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def rig(panel: MicroscopePanel, connected: tuple[Session, SimulatedRig], at_rest: AtRest) -> SimulatedRig:
    at_rest()
    return connected[1]


# live mode


def test_live_mode_that_others_turn_on_and_off_is_followed(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    rig.core.startContinuousSequenceAcquisition()
    qtbot.waitUntil(lambda: session.is_live and session.view.frames_shown > 1, timeout=20_000)
    assert panel.camera.live_button.text() == "Stop live"
    rig.core.stopSequenceAcquisition()
    qtbot.waitUntil(lambda: not session.is_live)
    assert panel.camera.live_button.text() == "Live"
    assert panel.message.text().startswith("Live mode has ended: another program stopped it")


def test_letting_go_leaves_the_live_mode_of_others_on(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    theirs = make_rig()
    theirs.core.startContinuousSequenceAcquisition()
    session.connect(Connection("theirs", theirs.microscope, theirs.microscope.close))
    qtbot.waitUntil(lambda: session.is_live)
    session.disconnect()
    assert theirs.core.isSequenceRunning()


def test_a_click_on_live_is_never_undone_by_a_look_that_began_before(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot, at_rest: AtRest
) -> None:
    panel._watch.look()
    panel.camera.live_button.click()
    at_rest()
    assert session.is_live
    qtbot.waitUntil(lambda: session.view.frames_shown > 1, timeout=20_000)


# what goes away


def test_a_camera_unplugged_while_nothing_runs_is_a_message_and_a_way_back(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    rig.core.unloadDevice("Camera")
    qtbot.waitUntil(lambda: session.connection is None)
    assert panel.message.text().startswith("There is no more sign of the camera")
    assert panel.message.tone == "error"
    assert panel.form.connect_button.text() == "Connect"
    assert panel.form.connect_button.isEnabled()
    assert not panel.camera.isVisible()


def test_a_camera_unplugged_in_live_mode_is_a_message(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    panel.camera.live_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown > 1, timeout=20_000)
    rig.core.unloadDevice("Camera")
    qtbot.waitUntil(lambda: session.connection is None)
    assert panel.message.tone == "error"
    assert not session.is_live
    assert panel.camera.live_button.text() == "Live"


def test_a_camera_unplugged_before_a_snap_is_a_message(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    rig.core.unloadDevice("Camera")
    panel.camera.snap_button.click()
    qtbot.waitUntil(lambda: session.connection is None)
    assert panel.message.tone == "error"


def test_a_camera_that_gives_no_live_frames_is_a_message_and_live_can_be_tried_again(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot, at_rest: AtRest
) -> None:
    rig = make_rig(faults=[Fault("snap-timeout", at=3)])
    session.connect(Connection("rig", rig.microscope, rig.close))
    at_rest()
    panel.camera.live_button.click()
    qtbot.waitUntil(lambda: not session.is_live, timeout=20_000)
    assert panel.camera.live_button.text() == "Live"
    assert "or the camera did" in panel.message.text()
    shown = session.view.frames_shown
    panel.camera.live_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown > shown + 1, timeout=20_000)


def test_a_drive_that_stops_answering_is_told_once_and_forgotten_when_it_answers(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def silent(*_: object) -> float:
            raise RuntimeError("no answer")

        patched.setattr(rig.z_stage, "get_position_um", silent)
        qtbot.waitUntil(lambda: "does not tell its position: no answer" in panel.message.text())
        assert session.connection is not None
    qtbot.waitUntil(lambda: panel.message.text() == "")


def test_a_configuration_loaded_by_others_ends_the_connection_with_a_sentence(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LATE_NEWS_S", 0.0)
    rig.core.events.systemConfigurationLoaded.emit()
    qtbot.waitUntil(lambda: session.connection is None)
    assert "Another program loaded a configuration" in panel.message.text()


def test_late_news_of_the_configuration_that_was_connected_end_nothing(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, at_rest: AtRest, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(panel._watch.seen):
        rig.core.events.systemConfigurationLoaded.emit()
    assert session.connection is not None


def test_a_panel_that_is_gone_listens_no_more(
    viewer: ViewerModel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot, at_rest: AtRest
) -> None:
    panel, rig = MicroscopePanel(viewer), make_rig()
    session.connect(Connection("rig", rig.microscope, rig.microscope.close))
    at_rest()
    panel.deleteLater()
    qtbot.waitUntil(lambda: not isalive(panel))
    rig.core.unloadDevice("Camera")
    rig.core.events.systemConfigurationLoaded.emit()
    at_rest()
    assert session.connection is not None
