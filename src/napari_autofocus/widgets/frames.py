"""The newest camera frame in one image layer: frames are dropped, never queued, and the GUI draws one at a time."""

from __future__ import annotations

import gc
import threading
import time
from typing import Protocol

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.widgets.layers.brightness import GreyLimits
from napari_autofocus.widgets.layers.redraw import redraw

CAMERA_LAYER = "Camera"
REST_SHARE = 0.4
"""Time without frames after each frame, as a share of the time that its drawing took."""
_PAUSE_S = 0.01
_THUMBNAIL_EVERY_S = 2.0


class FrameSource(Protocol):
    """A camera in live mode."""

    def newest_frame(self) -> Frame | None:
        """The newest frame, or None if there is none that was not given before. Raises HardwareError."""


class LiveView(QObject):
    """Shows frames in the viewer, and in live mode fetches them in a thread of its own.

    The thread fetches the next frame only when the GUI has drawn the one before, so that a slow screen skips frames
    instead of falling behind.
    """

    shown = Signal(object)
    failed = Signal(object)
    _fetched = Signal(object)
    _lost = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Image | None = None
        self._limits = GreyLimits()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._drawn = threading.Event()
        self._thumbnail_s = 0.0
        self._closed = False
        self.frames_shown = 0
        self._fetched.connect(self._on_fetched)
        self._lost.connect(self._on_lost)

    @property
    def running(self) -> bool:
        """Whether frames are being fetched."""
        return self._thread is not None

    def start(self, source: FrameSource) -> None:
        """Show the frames of a camera as they come."""
        self.stop()
        # The garbage collector would go through all of napari now and then, which stops the window for 0.2 s.
        gc.collect()
        gc.freeze()
        self._stop = threading.Event()
        self._drawn.set()
        self._thread = threading.Thread(
            target=self._fetch, args=(source, self._stop), name="napari-autofocus live", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Fetch no more, and wait until the thread has ended."""
        if self._thread is not None:
            self._stop.set()
            self._drawn.set()
            self._thread.join(10)
            self._thread = None
            gc.unfreeze()

    def close(self) -> None:
        """Stop, and show nothing any more: napari cannot take a layer while its window goes."""
        self.stop()
        self._closed = True

    def show(self, frame: Frame) -> None:
        """Draw one frame into the camera's layer, in µm where the microscope knows its pixel size.

        The pixels are copied into the layer's own array: napari does much more where it is given another one.
        """
        if self._closed:
            return
        if not self._fits(frame):
            self._make_layer(frame)
        assert self._layer is not None
        np.copyto(self._layer.data, frame.image)
        self._limits.follow(self._layer, frame.image)
        if self._thumbnail_is_due():
            self._layer.refresh(extent=False, highlight=False)
        else:
            redraw(self._viewer, self._layer)
        self.frames_shown += 1
        self.shown.emit(frame)

    def _fetch(self, source: FrameSource, stop: threading.Event) -> None:
        """Runs in the thread."""
        try:
            while not stop.is_set():
                if not self._drawn.wait(1) or stop.is_set():
                    continue
                if (frame := source.newest_frame()) is None:
                    stop.wait(_PAUSE_S)
                else:
                    self._drawn.clear()
                    self._fetched.emit(frame)
        except AutofocusError as error:
            self._lost.emit(error)

    def _on_fetched(self, frame: Frame) -> None:
        began_s = time.monotonic()
        try:
            if self.running:
                self.show(frame)
        finally:
            QTimer.singleShot(0, lambda: self._on_drawn(time.monotonic() - began_s))  # by then Qt has drawn it

    def _on_drawn(self, seconds: float) -> None:
        """Leave the window some time for everything else: a share of what the frame took."""
        QTimer.singleShot(round(1000 * REST_SHARE * seconds), self._drawn.set)

    def _on_lost(self, error: AutofocusError) -> None:
        self.stop()
        self.failed.emit(error)

    def _thumbnail_is_due(self) -> bool:
        """The small picture in the list of layers costs as much as the frame itself."""
        now_s = time.monotonic()
        due = now_s - self._thumbnail_s >= _THUMBNAIL_EVERY_S
        self._thumbnail_s = now_s if due else self._thumbnail_s
        return due

    def _fits(self, frame: Frame) -> bool:
        layer = self._layer
        if layer is None or layer not in self._viewer.layers:
            return False
        same_scale = tuple(layer.scale) == _scale(frame) * 2
        return layer.data.shape == frame.image.shape and layer.dtype == frame.image.dtype and same_scale

    def _make_layer(self, frame: Frame) -> None:
        """A new layer where there is none, or where camera, ROI or objective have changed."""
        at = len(self._viewer.layers)
        if self._layer is not None and self._layer in self._viewer.layers:
            at = self._viewer.layers.index(self._layer)  # below whatever lies over it
            self._viewer.layers.remove(self._layer)
        self._layer = Image(
            frame.image.copy(),
            name=CAMERA_LAYER,
            rgb=frame.image.ndim == 3,
            scale=_scale(frame) * 2,
            units=("um", "um") if frame.pixel_size_um else ("pixel", "pixel"),
            metadata={"napari_autofocus": {"overlay": "camera"}},
        )
        self._limits.begin(self._layer)
        self._viewer.layers.insert(at, self._layer)
        self._viewer.reset_view()


def _scale(frame: Frame) -> tuple[float]:
    return (frame.pixel_size_um or 1.0,)
