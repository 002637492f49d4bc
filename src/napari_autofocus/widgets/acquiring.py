"""The Acquire stacks panel: where, what and into which folder; then watch it, stop it, go on, and label what came."""

from __future__ import annotations

import shutil
from pathlib import Path

import napari.viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import AcquireRecord, AcquireStep
from napari_autofocus.widgets.acquire.fields import FieldList
from napari_autofocus.widgets.acquire.form import FolderRow, StackForm
from napari_autofocus.widgets.acquire.places import PlacesForm
from napari_autofocus.widgets.acquire.words import (
    UNKNOWN_DIRECTION,
    ended_words,
    estimate_words,
    found_words,
    step_words,
)
from napari_autofocus.widgets.acquire.work import AcquireWork, Wish
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, heading, row, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.acquire.book import AcquisitionBook

PLUGIN = "napari-autofocus"
NEXT_PANELS = {"label": "Label z-stack", "train": "Train"}
_NOT_CONNECTED = "Connect a microscope in the Microscope panel first."


class AcquiringPanel(QWidget):
    """Takes z-stacks at many places of the slide."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._window = getattr(napari_viewer, "window", None)
        self._frame: Frame | None = None
        self._book: AcquisitionBook | None = None
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._on_folder_changed()

    def _build(self, theme: str) -> None:
        self.work = AcquireWork(self._session)
        self.places, self.stacks, self.folder = PlacesForm(self._viewer), StackForm(), FolderRow()
        self.estimate = Message(theme)
        self.start_button = button("Start", "Take the stacks; slide and drive end where they are now (µm)")
        self.stop_button = button("Stop", "Halt the drive and bring slide and drive back; finished stacks stay")
        self.progress = QProgressBar()
        self.progress.setToolTip("Stacks written of those wanted (a number)")
        self.progress.setTextVisible(True)
        self.message = Message(theme)
        self.fields = FieldList(theme)
        self.label_button = button("Label these…", "Open the folder in the Label panel")
        self.train_button = button("Train on these…", "Open the folder in the Train panel")
        snug(self.message, self.estimate)

    def _arrange(self) -> None:
        column = scrolled(self)
        for part in (heading("Places"), self.places, heading("Stacks"), self.stacks, self.folder, self.estimate):
            column.addWidget(part)
        column.addLayout(row(self.start_button, self.stop_button))
        for part in (self.progress, self.message):
            column.addWidget(part)
        column.addWidget(self.fields, 1)
        column.addStretch(0)  # takes the room of a list that is not there yet
        column.addLayout(row(self.label_button, self.train_button))

    def _connect(self) -> None:
        for signal, slot in (
            (self.start_button.clicked, self._on_start_clicked),
            (self.stop_button.clicked, self._on_stop_clicked),
            (self.label_button.clicked, lambda: self._on_next_clicked("label")),
            (self.train_button.clicked, lambda: self._on_next_clicked("train")),
            (self.places.changed, self._on_changed),
            (self.stacks.changed, self._on_changed),
            (self.folder.changed, self._on_folder_changed),
            (self.work.stepped, self._on_step),
            (self.work.ended, self._on_ended),
            (self.work.failed, self._on_failed),
        ):
            signal.connect(slot)
        area, session = self.places.area, self._session
        # Not at once: napari crashes if layers go while Qt is in the middle of deleting a widget.
        self.destroyed.connect(lambda: QTimer.singleShot(0, area.close))
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (session.view.shown, self._on_frame_shown),
                (session.focus.model_changed, self._on_changed),
                (session.focus.settings_changed, self._on_changed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # what the user does

    def _on_start_clicked(self) -> None:
        try:
            wish = None if self._book is not None else self._wish()
        except InputError as error:
            self.message.fail(error)
            return
        self.fields.show_fields(() if self._book is None else self._book.fields)
        self.progress.setRange(0, 0)
        self.message.say("Starting…")
        self.work.start(self.folder.folder, wish)

    def _wish(self) -> Wish:
        state = self._session.focus
        model = state.model if self.stacks.focus == "model" else None
        if self.stacks.focus == "model" and model is None:
            raise InputError("No model is in use; choose one in the Autofocus panel, or let a sweep find focus.")
        return Wish(self.places.where(), self.stacks.config(), state.objective, state.focus_direction, model)

    def _on_stop_clicked(self) -> None:
        self.message.say("Stopping; slide and drive go back…")
        self.stop_button.setEnabled(False)
        self.work.stop()

    def _on_next_clicked(self, what: str) -> None:
        """Hand the folder to another panel, which is opened where it is not."""
        if self._window is not None:
            self._window.add_plugin_dock_widget(PLUGIN, NEXT_PANELS[what])
        self._session.dataset_chosen.emit(self.folder.folder)

    # while it runs

    def _on_step(self, step: AcquireStep) -> None:
        if step.frame is not None:
            self._session.view.show(step.frame)
        self.fields.show_step(step)
        self.progress.setRange(0, step.wanted * step.planes or 1)
        self.progress.setValue(step.written * step.planes + (step.plane if step.phase == "plane" else 0))
        self.progress.setFormat(f"{step.written} of {step.wanted} stacks")
        self.message.say(step_words(step))

    def _on_ended(self, record: AcquireRecord) -> None:
        self.work.is_ours = False
        self._look_into_folder()
        stacks = len(self._book.written) if self._book is not None else 0
        wanted = self._book.plan.stacks if self._book is not None else 0
        self.progress.setRange(0, max(wanted, 1))
        self.progress.setValue(stacks)
        self.progress.setFormat(f"{stacks} of {wanted} stacks")
        if self.message.tone != "error":
            self.message.say(*ended_words(record, stacks, wanted))
        self._on_changed()

    def _on_failed(self, error: AutofocusError) -> None:
        self.work.is_ours = False
        self.progress.setRange(0, 1)
        self.message.fail(error)
        self._look_into_folder()
        self._on_changed()

    # what is possible now

    def _on_folder_changed(self) -> None:
        self.message.say("")
        self._look_into_folder()
        self.fields.show_fields(() if self._book is None else self._book.fields)
        if self._book is not None and self.message.tone != "error":
            self.message.say(found_words(self._book))
        self._on_changed()

    def _look_into_folder(self) -> None:
        try:
            self._book = AcquisitionBook.read(self.folder.folder)
        except InputError as error:
            self._book = None
            self.message.fail(error)

    def _on_frame_shown(self, frame: Frame) -> None:
        is_news = self._frame is None or self._frame.image.shape != frame.image.shape
        self._frame = frame
        self.places.show_frame(frame)
        if is_news:
            self._on_changed()

    def _on_connection_changed(self, *_: object) -> None:
        self._frame = None
        self._on_changed()

    def _on_running_changed(self, _: bool) -> None:
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        running, connected = self._session.is_running, self._session.connection is not None
        begun = self._book is not None
        left = self._book.left if self._book is not None else 1
        for part in (self.places, self.stacks):
            part.setEnabled(not running and not begun)
        self.folder.setEnabled(not running)
        self.start_button.setText("Go on" if begun and left else "Start")
        self.start_button.setEnabled(connected and not running and left > 0)
        self.stop_button.setEnabled(running and self.work.is_ours)
        has_stacks = self._book is not None and bool(self._book.written)
        for part in (self.label_button, self.train_button):
            part.setEnabled(has_stacks and not running)
        self.progress.setVisible(running or begun)
        self.fields.setVisible(running or begun)
        self._estimate(connected)

    def _estimate(self, connected: bool) -> None:
        """What it will take; the space left on the disk is a warning where it does not suffice."""
        if not connected:
            self.estimate.say(_NOT_CONNECTED)
            return
        if self._book is not None:
            self.estimate.say("")
            return
        free = shutil.disk_usage(_existing(self.folder.folder)).free
        words, tone = estimate_words(self.places.stacks, self.stacks.planes, self.stacks.focus, self._frame, free)
        microscope = self._session.microscope
        known = microscope is not None and (microscope.focus.focus_direction or self._session.focus.focus_direction)
        self.estimate.say(*((words, tone) if known else (f"{words} {UNKNOWN_DIRECTION}", "warning")))

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.message, self.estimate, self.fields):
            part.set_theme(self._viewer.theme)


def _existing(folder: Path) -> Path:
    return next((parent for parent in (folder, *folder.parents) if parent.is_dir()), Path.home())
