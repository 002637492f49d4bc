"""The Focus map panel in a real napari window, opened from the manifest and driven by clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from npe2 import PluginManager
from pytestqt.qtbot import QtBot

from napari_autofocus.optics import Objective
from napari_autofocus.widgets.focus_map import FocusMapPanel
from napari_autofocus.widgets.map.layers import MESH, POINTS
from napari_autofocus.widgets.session import Connection, Session
from rigs import RigMaker, TextureScene
from truthful_model import TruthfulModel

pytestmark = [
    pytest.mark.gui,
    # vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
WAIT_MS = 120_000


@pytest.fixture
def napari_viewer(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """napari's own fixtures hide every plugin; show the installed ones."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    return make_napari_viewer(show=True)


def test_a_slide_is_surveyed_looked_at_from_the_side_and_left(
    napari_viewer: Any, make_rig: RigMaker, qtbot: QtBot
) -> None:
    _, panel = napari_viewer.window.add_plugin_dock_widget("napari-autofocus", "Focus map")
    assert isinstance(panel, FocusMapPanel)
    rig, session = make_rig(TextureScene()), Session.of(napari_viewer)
    qtbot.waitUntil(lambda: session.focus.model is not None, timeout=WAIT_MS)  # or it would take the place of ours
    objective = Objective.parse("20x/0.75").with_pixel_size(rig.scene.pixel_size_um)
    session.connect(Connection("rig", rig.microscope, rig.microscope.close, dof_um=1.0, objective=objective, rig=rig))
    session.focus.use_model(TruthfulModel(rig))  # type: ignore[arg-type]
    panel.plan.side_box.setValue(1)
    panel.plan.square_button.click()
    panel.plan.spacing_box.setValue(500)
    qtbot.waitUntil(lambda: len(panel.plan.places) == 9)
    panel.survey.start_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and panel.book.map is not None, timeout=WAIT_MS)
    assert panel.record.outcome == "done"
    napari_viewer.window._qt_window.resize(900, 700)
    panel.view.solid_button.click()
    assert MESH in napari_viewer.layers
    panel.view.solid_button.click()
    napari_viewer.window.remove_dock_widget(panel)
    panel.deleteLater()
    qtbot.waitUntil(lambda: not napari_viewer.layers[POINTS].visible, timeout=WAIT_MS)
    assert [layer.name for layer in napari_viewer.layers if layer.visible] == ["Camera"]
    qtbot.wait(500)  # napari draws without the dock
