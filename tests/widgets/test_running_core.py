"""Real Micro-Manager cores through the Microscope panel: one of our own, and one that another plugin runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from napari.components import ViewerModel
from pymmcore_plus import CMMCorePlus
from pymmcore_plus.core import _mmcore_plus
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.cores import release_core, silence_at_exit
from napari_autofocus.widgets.connecting import CONFIGURATION, RUNNING
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Session

pytest.importorskip("mm_test_adapters")

AtRest = Callable[[], None]
DEMO = "MMConfig_demo.cfg"


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> MicroscopePanel:
    made = MicroscopePanel(viewer)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def theirs(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[CMMCorePlus]:
    """The core that every other plugin takes for the one there is, with devices; its events are Qt's."""
    monkeypatch.setattr(_mmcore_plus, "_instance", None)
    core = CMMCorePlus.instance()
    silence_at_exit(core)
    core.loadSystemConfiguration(DEMO)
    yield core
    if core.isSequenceRunning():
        core.stopSequenceAcquisition()
    release_core(core)


def connect(panel: MicroscopePanel, session: Session, source: int, qtbot: QtBot) -> None:
    panel.form.source_box.setCurrentIndex(source)
    panel.form.connect_button.click()
    qtbot.waitUntil(lambda: session.connection is not None or panel.message.tone == "error", timeout=20_000)
    qtbot.waitUntil(lambda: not session.hardware.busy, timeout=20_000)


@pytest.fixture
def demo(panel: MicroscopePanel, session: Session, qtbot: QtBot) -> CMMCorePlus:
    """The demonstration configuration, connected as a user does."""
    panel.form.path_edit.setText(DEMO)
    connect(panel, session, CONFIGURATION, qtbot)
    return session.microscope.core


# a core of our own


def test_the_demonstration_microscope_is_shown_with_its_channels(panel: MicroscopePanel, demo: CMMCorePlus) -> None:
    assert panel.form.summary.text() == DEMO
    assert panel.camera.channel_row.isVisible()
    assert (panel.camera.group_box.currentText(), panel.camera.preset_box.count()) == ("Channel", 4)
    assert panel.drive.direction_box.currentData() == 0
    assert panel.drive.direction_box.isEnabled()
    assert panel.optics.text() == "▸ Optics: objective unknown, pixel 1 µm"
    assert panel.slide.isHidden()


def test_a_channel_that_is_chosen_reaches_the_core(
    panel: MicroscopePanel, demo: CMMCorePlus, qtbot: QtBot, at_rest: AtRest
) -> None:
    box = panel.camera.preset_box
    box.setCurrentText("Rhodamine")
    box.activated.emit(box.currentIndex())
    at_rest()
    assert demo.getCurrentConfig("Channel") == "Rhodamine"


def test_a_channel_that_is_set_elsewhere_is_shown(panel: MicroscopePanel, demo: CMMCorePlus, qtbot: QtBot) -> None:
    demo.setConfig("Channel", "FITC")
    qtbot.waitUntil(lambda: panel.camera.preset_box.currentText() == "FITC")
    demo.setChannelGroup("LightPath")
    qtbot.waitUntil(lambda: panel.camera.group_box.currentText() == "LightPath")
    demo.setConfig("LightPath", "Camera-left")
    qtbot.waitUntil(lambda: panel.camera.preset_box.currentText() == "Camera-left")


def test_another_group_is_chosen(panel: MicroscopePanel, demo: CMMCorePlus, qtbot: QtBot) -> None:
    box = panel.camera.group_box
    box.setCurrentText("Objective")
    box.activated.emit(box.currentIndex())
    qtbot.waitUntil(lambda: panel.camera.preset_box.findText("40X") >= 0)
    assert demo.getChannelGroup() == "Objective"


def test_turning_the_turret_changes_the_pixel_size_and_asks_for_the_objective_anew(
    panel: MicroscopePanel, demo: CMMCorePlus, session: Session, qtbot: QtBot
) -> None:
    panel.optics.objective_box.setCurrentText("10x/0.3")
    panel.optics.objective_box.lineEdit().editingFinished.emit()
    assert session.focus.objective.name == "10x/0.3"
    demo.setConfig("Objective", "20X")
    qtbot.waitUntil(lambda: panel.optics.text() == "▸ Optics: objective unknown, pixel 0.5 µm")
    assert session.focus.objective is None


def test_live_frames_of_the_demonstration_camera_are_shown(
    panel: MicroscopePanel, demo: CMMCorePlus, session: Session, qtbot: QtBot
) -> None:
    panel.camera.live_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown > 2, timeout=20_000)
    panel.form.connect_button.click()
    assert session.connection is None
    assert demo.getLoadedDevices() == ("Core",)


# a core that somebody else runs


def test_without_a_running_core_the_panel_says_so_and_makes_none(
    panel: MicroscopePanel, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mmcore_plus, "_instance", None)
    connect(panel, session, RUNNING, qtbot)
    assert "No other plugin runs a Micro-Manager core" in panel.message.text()
    assert _mmcore_plus._instance is None
    assert panel.form.connect_button.isEnabled()


def test_a_running_core_is_shared_and_left_as_it_was(
    panel: MicroscopePanel, session: Session, theirs: CMMCorePlus, qtbot: QtBot, at_rest: AtRest
) -> None:
    loaded = theirs.getLoadedDevices()
    connect(panel, session, RUNNING, qtbot)
    assert session.microscope.core is theirs
    assert panel.form.summary.text() == "Running core: Camera"
    panel.drive.pad.buttons[3].click()
    panel.camera.snap_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1, timeout=20_000)
    assert theirs.getPosition() == pytest.approx(10.0, abs=0.05)
    session.disconnect()
    assert theirs.getLoadedDevices() == loaded


def test_live_mode_of_the_other_plugin_goes_on_when_we_come_and_go(
    panel: MicroscopePanel, session: Session, theirs: CMMCorePlus, qtbot: QtBot
) -> None:
    theirs.startContinuousSequenceAcquisition()
    connect(panel, session, RUNNING, qtbot)
    qtbot.waitUntil(lambda: session.is_live and session.view.frames_shown > 1, timeout=20_000)
    session.disconnect()
    assert theirs.isSequenceRunning()


def test_devices_unloaded_by_the_other_plugin_are_a_message_not_a_traceback(
    panel: MicroscopePanel, session: Session, theirs: CMMCorePlus, qtbot: QtBot
) -> None:
    connect(panel, session, RUNNING, qtbot)
    theirs.unloadAllDevices()
    qtbot.waitUntil(lambda: session.connection is None)
    assert panel.message.tone == "error"
    assert "connect again" in panel.message.text()
    theirs.loadSystemConfiguration(DEMO)
    connect(panel, session, RUNNING, qtbot)
    assert session.microscope.core is theirs


def test_a_core_that_a_docked_panel_offers_is_found(
    viewer: ViewerModel, session: Session, theirs: CMMCorePlus, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mmcore_plus, "_instance", None)
    panel = MicroscopePanel(viewer)
    qtbot.addWidget(panel)
    docked: dict[str, Any] = {"one": object(), "micro-manager": SimpleNamespace(core=theirs)}
    object.__setattr__(viewer, "window", SimpleNamespace(dock_widgets=docked))
    connect(panel, session, RUNNING, qtbot)
    assert session.microscope.core is theirs
