from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import FrameError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.widgets.frames import LiveView


def a_frame(value: int = 1, shape: tuple[int, ...] = (8, 10, 3), pixel_size_um: float | None = 0.5) -> Frame:
    return Frame(np.full(shape, value, np.uint8), 1.0, 0.0, 0.0, 10.0, 0.0, pixel_size_um)


class Camera:
    """Has a new frame whenever it is asked; counts how often."""

    def __init__(self) -> None:
        self.asked = 0
        self.asked_twice = threading.Event()

    def newest_frame(self) -> Frame:
        self.asked += 1
        if self.asked >= 2:
            self.asked_twice.set()
        return a_frame(self.asked % 250)


class LostCamera:
    def newest_frame(self) -> Frame:
        raise FrameError("The camera has sent no frame.")


@pytest.fixture
def view(viewer: ViewerModel) -> LiveView:
    return LiveView(viewer)


def test_frames_share_one_layer_in_um(viewer: ViewerModel, view: LiveView) -> None:
    for value in (1, 2):
        view.show(a_frame(value))
    (layer,) = viewer.layers
    assert layer.data.max() == 2
    assert tuple(layer.scale) == (0.5, 0.5)
    assert str(layer.units[0]) == "micrometer"
    assert layer.rgb


def test_unknown_pixel_size_stays_in_pixels(viewer: ViewerModel, view: LiveView) -> None:
    view.show(a_frame(shape=(8, 10), pixel_size_um=None))
    assert str(viewer.layers[0].units[0]) == "pixel"


def test_another_camera_replaces_the_layer(viewer: ViewerModel, view: LiveView) -> None:
    view.show(a_frame())
    view.show(a_frame(shape=(16, 20)))
    assert [layer.data.shape for layer in viewer.layers] == [(16, 20)]


def test_layer_removed_by_hand_comes_back(viewer: ViewerModel, view: LiveView) -> None:
    view.show(a_frame())
    viewer.layers.clear()
    view.show(a_frame())
    assert len(viewer.layers) == 1


def test_no_second_frame_is_fetched_before_the_first_is_drawn(view: LiveView, qtbot: QtBot) -> None:
    camera = Camera()
    view.start(camera)
    assert not camera.asked_twice.wait(0.15)  # the GUI thread draws nothing meanwhile
    qtbot.waitUntil(lambda: view.frames_shown >= 3)
    view.stop()
    assert view.frames_shown <= camera.asked <= view.frames_shown + 1


def test_a_lost_camera_is_told_once_and_ends_the_thread(view: LiveView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.failed) as failed:
        view.start(LostCamera())
    assert isinstance(failed.args[0], FrameError)
    assert not view.running
