"""What happens first when a viewer with a live image is closed: live mode ends, then napari takes its layers away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.parts import end_watch
from napari_autofocus.widgets.parts.end_watch import EndWatch
from napari_autofocus.widgets.session import Connection, Session

# vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def live_viewer(make_napari_viewer: Callable[..., Any], make_rig: Callable[..., SimulatedRig], qtbot: QtBot) -> Any:
    viewer = make_napari_viewer(show=True)
    session, rig = Session.of(viewer), make_rig()
    session.connect(Connection("rig", rig.microscope, rig.close))
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    return viewer


@pytest.mark.gui
def test_live_mode_ends_before_a_closing_viewer_loses_its_layers(live_viewer: Any) -> None:
    session = Session.of(live_viewer)
    were_live: list[bool] = []
    live_viewer.layers.events.removing.connect(lambda _: were_live.append(session.view.running))
    live_viewer.close()
    assert were_live == [False]
    assert session.is_closed
    assert session.connection is None


@pytest.mark.gui
def test_live_mode_ends_with_a_window_that_is_closed(live_viewer: Any) -> None:
    session, window = Session.of(live_viewer), live_viewer.window._qt_window
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # napari's fixture closes the viewer once more
    window.close()
    assert session.is_closed
    assert not session.view.running


@pytest.mark.gui
def test_a_window_that_is_open_when_python_ends_is_closed(live_viewer: Any) -> None:
    session = Session.of(live_viewer)
    end_watch._end_all()
    assert session.is_closed
    assert not hasattr(live_viewer.window, "_qt_window")  # so napari tells that it has been closed


def test_napari_shuts_its_slicer_down_all_the_same(viewer: ViewerModel) -> None:
    told: list[str] = []
    watch = EndWatch(viewer, lambda: told.append("ended"))
    viewer._layer_slicer.shutdown()
    assert told == ["ended"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        viewer._layer_slicer._executor.submit(print)
    watch.detach()


def test_nothing_is_told_to_who_has_stopped_listening(viewer: ViewerModel) -> None:
    told: list[str] = []
    EndWatch(viewer, lambda: told.append("ended")).detach()
    viewer._layer_slicer.shutdown()
    assert told == []
