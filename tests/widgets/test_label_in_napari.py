"""The labelling panel in a real napari window: keys alone, on the canvas, stack after stack."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_autofocus.io import write_stack
from napari_autofocus.widgets.label.annotator import FOLDER_VARIABLE
from stacks import blurred_stack

pytestmark = [
    pytest.mark.gui,
    # vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
PATIENCE_MS = 60_000
CONTROL, PLAIN = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def panel(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: QtBot) -> Any:
    """The panel, opened through the manifest, on a folder of three stacks."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "settings"))
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(3):
        write_stack(folder / f"s{number}.ome.tif", blurred_stack(3.0 + number, planes=9, shape=(64, 64), seed=number))
    viewer = make_napari_viewer(show=True)
    _, made = viewer.window.add_plugin_dock_widget("napari-autofocus", "Label z-stack")
    made.open_folder(folder)
    in_sight(made, qtbot, "s0.ome.tif")
    viewer.window._qt_window.activateWindow()
    qtbot.waitUntil(lambda: made.keys.at_work)
    made.press = lambda key, modifier=PLAIN: qtbot.keyClick(viewer.window._qt_viewer, key, modifier)
    made.window_of_napari = viewer.window
    return made


def in_sight(panel: Any, qtbot: QtBot, name: str) -> None:
    qtbot.waitUntil(lambda: panel.folder.read is not None and panel.folder.read.path.name == name, timeout=PATIENCE_MS)


def test_stacks_are_labelled_painted_and_undone_by_keys_alone(panel: Any, qtbot: QtBot) -> None:
    panel.press(Qt.Key.Key_Up)
    panel.press(Qt.Key.Key_Space)
    in_sight(panel, qtbot, "s1.ome.tif")
    panel.press(Qt.Key.Key_I)
    assert panel.paint.kind == 1
    panel.press(Qt.Key.Key_Escape)
    assert panel.paint.kind is None
    panel.press(Qt.Key.Key_N)
    in_sight(panel, qtbot, "s2.ome.tif")
    panel.press(Qt.Key.Key_Z, CONTROL)
    in_sight(panel, qtbot, "s1.ome.tif")
    said = [item.consensus for item in panel.at.items]
    assert [found.status for found in said] == ["confirmed", "unlabelled", "unlabelled"]
    assert said[0].best_z_um == 5.0
    panel.source.annotator_edit.setFocus()
    qtbot.waitUntil(lambda: not panel.keys.at_work)
    qtbot.keyClick(panel.source.annotator_edit, Qt.Key.Key_S)
    assert panel.at.items[1].consensus.status == "unlabelled"


def test_closing_the_panel_leaves_no_thread_and_no_layer_of_its_own(panel: Any, qtbot: QtBot) -> None:
    viewer = panel._viewer
    panel.press(Qt.Key.Key_U)
    panel.find_button.click()
    qtbot.waitUntil(lambda: panel.result is not None and not panel.is_running, timeout=PATIENCE_MS)
    panel.press(Qt.Key.Key_P)
    window = panel.window_of_napari
    window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=PATIENCE_MS)
    assert viewer.layers[0].name == "s0.ome.tif"
    assert "on_press" not in str(viewer.mouse_drag_callbacks)
    ours = ("napari-autofocus labelling", "napari-autofocus label desk", "napari-autofocus reading")
    qtbot.waitUntil(
        lambda: not [each.name for each in threading.enumerate() if each.name.startswith(ours)], timeout=PATIENCE_MS
    )
