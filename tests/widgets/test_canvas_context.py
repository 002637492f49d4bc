"""Layers go in a real window: what is deleted of them is deleted in the context that the canvas draws with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QOpenGLContext

from napari_autofocus.widgets.layers.canvas_context import keep_context
from napari_autofocus.widgets.session import Session

# vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def napari_viewer(make_napari_viewer: Callable[..., Any], qtbot: QtBot) -> Iterator[Any]:
    """Two layers that have been drawn, so that there is something to delete."""
    viewer = make_napari_viewer(show=True)
    Session.of(viewer)
    for name in ("below", "above"):
        viewer.add_image(np.zeros((16, 16)), name=name)
    drawn: list[object] = []
    canvas_of(viewer).events.draw.connect(drawn.append)
    qtbot.waitUntil(lambda: bool(drawn))
    canvas_of(viewer).events.draw.disconnect(drawn.append)
    qtbot.wait(1)  # Qt puts the window together
    yield viewer
    viewer.close()


def canvas_of(viewer: Any) -> Any:
    return viewer.window._qt_viewer.canvas._scene_canvas


@pytest.mark.gui
def test_a_removed_layer_is_deleted_in_the_context_of_its_canvas(
    napari_viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = canvas_of(napari_viewer)
    own, current = canvas.native.context(), []
    assert QOpenGLContext.currentContext() is not own  # otherwise this shows nothing
    monkeypatch.setattr(canvas.context, "finish", lambda: current.append(QOpenGLContext.currentContext()))
    napari_viewer.layers.remove("above")
    assert current == [own]


def test_a_viewer_without_a_window_is_left_as_it_is(viewer: ViewerModel) -> None:
    keep_context(viewer)
    viewer.add_image(np.zeros((4, 4)))
    viewer.layers.clear()
    assert len(viewer.layers) == 0
