"""Live mode of a core: pause it for a while, whoever started it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import HardwareError
from napari_autofocus.microscope.edge import translated
from napari_autofocus.microscope.ownership import Ownership


class LiveMode:
    """The camera's continuous stream, whoever started it.

    Parameters
    ----------
    core : CMMCorePlus
        With a camera selected.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._ownership = Ownership.of(core)
        self._recording = False
        self._started_here = False
        self._connections = (
            (core.events.continuousSequenceAcquisitionStarted, self._on_live_started),
            (core.events.sequenceAcquisitionStarted, self._on_recording_started),
        )
        for signal, slot in self._connections:
            signal.connect(slot)

    def is_running(self) -> bool:
        """Whether the camera streams."""
        with translated("The camera does not say whether live mode runs"):
            return bool(self._core.isSequenceRunning())

    def start(self) -> None:
        """Let the camera stream; nothing happens if it does. Raises MicroscopeTaken, HardwareError."""
        with self._ownership.claimed("the start of live mode", brief=True):
            if not self.is_running():
                with translated("Live mode could not be started"):
                    self._core.startContinuousSequenceAcquisition()
                self._started_here = True

    def stop(self) -> None:
        """End the stream; nothing happens if there is none."""
        if self.is_running():
            with translated("Live mode could not be stopped"):
                self._core.stopSequenceAcquisition()
        self._started_here = False

    def let_go(self) -> None:
        """End the stream if it was started here; one that somebody else started goes on."""
        if self._started_here:
            self.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the stream, if there is one, and start it again on leaving.

        Raises
        ------
        HardwareError
            The camera is recording a sequence of so many frames, which could not be taken up again.
        """
        if not self.is_running():
            yield
            return
        if self._recording:
            raise HardwareError("The camera is recording a sequence of frames; wait until it is done, or stop it.")
        started_here = self._started_here
        try:
            # Inside, since a camera may report an error and have stopped all the same.
            self.stop()
            yield
        finally:
            self.start()
            self._started_here = started_here

    def close(self) -> None:
        """Stop listening to the core."""
        for signal, slot in self._connections:
            signal.disconnect(slot)

    def _on_live_started(self) -> None:
        self._recording = False

    def _on_recording_started(self, *_: object) -> None:
        self._recording = True
