"""The demo: napari with the panels docked and a simulated microscope, live, out of focus, each frame estimated."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtCore import QCoreApplication, QEvent, QTimer

from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.labelling import LabellingPanel
from napari_autofocus.widgets.session import Session

PLUGIN = "napari-autofocus"
START_DEFOCUS_UM, START_DEFOCUS_DOF = 7.0, 2.0
SHAPE_PX = (900, 1080)
"""Of the camera: a frame of this size is rendered in less than a tenth of a second, one of 1024 x 1224 in a quarter."""
SAMPLE = "he_tilted"
_WINDOW_PX = (1366, 740)


class Demo:
    """napari with the panels docked and a simulated microscope about to be connected.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    """

    def __init__(self, choice: SimulatedChoice) -> None:
        self.choice = choice
        self.viewer = napari.Viewer(title="napari-autofocus: simulated microscope", show=False)
        self.viewer.show()
        self.viewer.window.resize(*_WINDOW_PX)  # once shown: before, napari puts its own last size back
        self.session = Session.of(self.viewer)
        _, self.microscope = self._dock("Microscope")
        self._dock_of_autofocus, self.autofocus = self._dock("Autofocus")

    def connect(self) -> None:
        """Connect the microscope, out of focus, live and estimated; comes true while the event loop runs."""
        self.session.connection_changed.connect(self._on_connected)
        self.microscope.connect_to(self.choice)

    def _on_connected(self, connection: object) -> None:
        if connection is None:
            return
        self.defocus()
        self.session.set_live(True)
        self.autofocus.image.choose("camera")
        self.autofocus.image.estimate_button.setChecked(True)
        self.show_overlays(True)
        self._dock_of_autofocus.raise_()  # where both panels share one place

    def show_overlays(self, shown: bool) -> None:
        """Tick what is laid over the image: importance, defocus and patches."""
        switches = self.autofocus.show_row
        for box in (switches.importance_box, switches.defocus_box, switches.patches_box):
            box.setChecked(shown)

    def defocus(self, by_um: float | None = None) -> None:
        """Move the drive so far from its origin, µm, near which the slide is in focus; None: well out of focus."""
        connection = self.session.connection
        if by_um is None:
            dof_um = (connection.dof_um if connection is not None else None) or 1.0
            by_um = max(START_DEFOCUS_UM, START_DEFOCUS_DOF * dof_um)
        self.session.ask(lambda microscope: microscope.focus.move_to(by_um))

    def open_labelling(self) -> LabellingPanel:
        """Put the microscope away and open a sample stack with the labelling panel."""
        self.session.disconnect()
        for panel in (self.microscope, self.autofocus):
            self.viewer.window.remove_dock_widget(panel)
            # napari leaves the panel itself to its last reference, and there are some here; and only a running event
            # loop would delete it later.
            panel.deleteLater()
            QCoreApplication.sendPostedEvents(panel, QEvent.Type.DeferredDelete)
        self.viewer.layers.clear()
        _, panel = self._dock("Label z-stack")
        self.viewer.open_sample(PLUGIN, SAMPLE)
        return panel

    def _dock(self, name: str) -> tuple[Any, Any]:
        """The dock and the panel in it."""
        return self.viewer.window.add_plugin_dock_widget(PLUGIN, name)


def open_demo(choice: SimulatedChoice, *, seconds: float = 0.0) -> None:
    """Open napari on a live simulated microscope and stay until it is closed.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    seconds : float
        Close by itself after so long, s; 0 waits for the user.
    """
    demo = Demo(choice)
    demo.connect()
    if seconds > 0:
        QTimer.singleShot(round(1000 * seconds), demo.viewer.close)
    napari.run()
