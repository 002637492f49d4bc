"""Brings what a microscope tells in any thread to the thread of the GUI."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import InputError, MicroscopeTaken
from napari_autofocus.microscope.controls import on_drive_moved
from napari_autofocus.microscope.mmcore import CoreMicroscope


class Relay(QObject):
    """``z_reported`` tells each position that the drive reports, µm; ``turned_away`` (an InputError) an acquisition
    that was cancelled before it began, since somebody else had the microscope."""

    z_reported = Signal(float)
    turned_away = Signal(object)

    def listen(self, microscope: CoreMicroscope) -> Callable[[], None]:
        """Tell of this microscope from now on; returns what ends it."""
        ends = (
            on_drive_moved(microscope, self.z_reported.emit),
            microscope.ownership.on_turned_away(self._on_turned_away),
        )

        def end() -> None:
            for each in ends:
                each()

        return end

    def _on_turned_away(self, error: MicroscopeTaken) -> None:
        """In the thread of the acquisition."""
        self.turned_away.emit(InputError(f"The acquisition was cancelled before it moved anything: {error}"))
