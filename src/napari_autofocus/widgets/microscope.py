"""The Microscope panel: connect one, see through it live, and move it by hand in µm."""

from __future__ import annotations

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_autofocus.microscope.state import MicroscopeState
from napari_autofocus.widgets.choices import Choice
from napari_autofocus.widgets.connecting import ConnectForm
from napari_autofocus.widgets.parts.docks import share_again, share_height
from napari_autofocus.widgets.parts.forms import Message, connect_while_alive, scrolled
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.widgets.stand.camera import CameraSection
from napari_autofocus.widgets.stand.focus import FocusSection
from napari_autofocus.widgets.stand.optics import OpticsSection
from napari_autofocus.widgets.stand.slide import SlideSection
from napari_autofocus.widgets.stand.watching import MicroscopeWatch
from napari_autofocus.widgets.stand.xy import XYSection


class MicroscopePanel(QWidget):
    """Connects a microscope and moves it by hand."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=False)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._watch = MicroscopeWatch(self._session, self.isVisible)
        self._build()
        self._connect()
        self._on_connection_changed(self._session.connection)
        self.camera.show_live(self._session.is_live)

    # layout

    def _build(self) -> None:
        self.form = ConnectForm(self._offered_cores)
        self.message = Message(self._viewer.theme)
        self.camera = CameraSection(self._session, self._watch)
        self.drive = FocusSection(self._session, self._watch)
        self.stage = XYSection(self._watch)
        self.optics = OpticsSection(self._session)
        self.slide = SlideSection(self._session, self._watch)
        self.sections = (self.camera, self.drive, self.stage, self.optics, self.slide)
        column = scrolled(self)
        column.addWidget(self.form)
        column.addWidget(self.message)
        for section in self.sections:
            column.addWidget(section)
        column.addStretch(1)

    def _connect(self) -> None:
        self.form.wanted.connect(self.connect_to)
        self.form.unwanted.connect(self._session.disconnect)
        self.optics.refused.connect(self.message.fail)
        self.slide.said.connect(self.message.say)
        for moved in (self.drive.moving, self.stage.moving, self.camera.snap_button.clicked):
            moved.connect(self._on_new_deed)
        for fold in (self.drive.fold, self.stage.fold, self.optics, self.slide):
            fold.toggled.connect(self._on_folded)
        watch, session = self._watch, self._session
        watch.seen.connect(self._show_state)
        watch.failed.connect(self.message.fail)
        watch.said.connect(self.message.say)
        watch.recovered.connect(self._on_new_deed)
        watch.lost.connect(self.message.fail)
        self.destroyed.connect(watch.leave)
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.live_changed, self.camera.show_live),
                (session.running_changed, self._on_running_changed),
                (session.z_changed, self.drive.show_z),
                (session.failed, self._on_failed),
                (session.focus.settings_changed, self.optics.show_objective),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # connecting

    def connect_to(self, choice: Choice) -> None:
        """Connect a microscope in place of any other; comes true while the event loop runs."""
        self.form.set_busy(True)
        self.message.say("Connecting…")
        self._session.hardware.call(choice.connect, done=self._session.connect, failed=self._on_connecting_failed)

    def _offered_cores(self) -> list[object]:
        """What the other panels of this window show as the core they run."""
        docked = getattr(getattr(self._viewer, "window", None), "dock_widgets", {})
        return [getattr(widget, "core", None) for widget in docked.values()]

    def _on_connecting_failed(self, error: object) -> None:
        self.form.set_busy(False)
        self.form.set_connected(None)
        self.message.fail(error)

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self.form.set_busy(False)
        self.form.set_connected(connection)
        self.drive.forget()
        self.stage.forget()
        for section in self.sections:
            section.setVisible(connection is not None)
        self.optics.show_connection(connection)
        self.slide.show_connection(connection)
        self._enable(connection is not None)
        self.message.say("" if connection else "Not connected.")
        self._watch.follow(connection)
        share_again(self)

    def _enable(self, on: bool) -> None:
        for section in self.sections:
            section.setEnabled(on)

    # what is shown

    def _show_state(self, state: MicroscopeState) -> None:
        for section in (self.camera, self.drive, self.stage, self.optics):
            section.show_state(state)
        self.drive.show_z(state.z_um)

    def _on_new_deed(self, *_: object) -> None:
        self.message.say("")

    def _on_folded(self, _: bool) -> None:
        share_again(self)

    def _on_running_changed(self, running: bool) -> None:
        self._enable(not running and self._session.connection is not None)
        self.form.connect_button.setEnabled(not running)

    def _on_failed(self, error: object) -> None:
        """Say it, and show how things stand now; the microscope may be gone."""
        self.message.fail(error)
        self._watch.look()

    def _on_theme_changed(self, *_: object) -> None:
        self.message.set_theme(self._viewer.theme)
        self.drive.bar.set_theme(self._viewer.theme)
