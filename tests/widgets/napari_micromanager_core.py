"""Sharing the core of napari-micromanager; ``test_napari_micromanager.py`` runs it in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.widgets.connecting import RUNNING
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Session

pytest.importorskip("mm_test_adapters")

pytestmark = [
    pytest.mark.gui,
    # vispy, napari's canvas and the other plugin use calls that are on their way out.
    pytest.mark.filterwarnings("ignore"),
]


def test_the_core_of_napari_micromanager_is_shared_and_stays_its_own(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot
) -> None:
    main_window = pytest.importorskip("napari_micromanager.main_window")
    viewer = make_napari_viewer(show=True)
    # napari's own test viewer has an empty widget for a console; the other plugin wants to tell it of its core.
    viewer.window._qt_viewer.console.push = lambda names: None
    theirs = main_window.MainWindow(viewer)
    viewer.window.add_dock_widget(theirs, name="Micro-Manager")
    theirs.core.loadSystemConfiguration("MMConfig_demo.cfg")
    panel = MicroscopePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Microscope")
    session = Session.of(viewer)

    panel.form.source_box.setCurrentIndex(RUNNING)
    panel.form.connect_button.click()
    qtbot.waitUntil(lambda: session.connection is not None, timeout=20_000)
    assert session.microscope.core is theirs.core

    panel.camera.snap_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1, timeout=20_000)
    panel.drive.pad.buttons[3].click()
    qtbot.waitUntil(lambda: theirs.core.getPosition() == pytest.approx(10.0, abs=0.05))
    theirs.core.setConfig("Channel", "FITC")
    qtbot.waitUntil(lambda: panel.camera.preset_box.currentText() == "FITC")

    panel.form.connect_button.click()
    assert session.connection is None
    assert theirs.core.getCameraDevice() == "Camera"
    viewer.close()
