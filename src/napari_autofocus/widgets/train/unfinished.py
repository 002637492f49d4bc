"""Trainings that were paused, or ended with napari or the power: to take up again, or to discard."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.parts.forms import button, heading, label, row
from napari_autofocus.widgets.train.words import unfinished_words
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest, unfinished_trainings

_MOST = 4


class UnfinishedTrainings(QWidget):
    """A line for each training that can be taken up again; hidden where there is none.

    ``resumed`` tells a :class:`TrainingRequest`, ``failed`` an InputError.
    """

    resumed = Signal(object)
    failed = Signal(object)
    discarded = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.folders: tuple[TrainingFolder, ...] = ()
        self.buttons: list[tuple[QPushButton, QPushButton]] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(3)
        self._lines: QWidget | None = None

    def look_in(self, *places: Path) -> None:
        """List what is unfinished in these folders."""
        self.folders = unfinished_trainings(*places)[:_MOST]
        if self._lines is not None:
            self._column.removeWidget(self._lines)
            self._lines.deleteLater()
        self._lines, self.buttons = QWidget(), []
        column = QVBoxLayout(self._lines)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(3)
        column.addWidget(heading("Unfinished"))
        for folder in self.folders:
            column.addLayout(self._line(folder))
        self._column.addWidget(self._lines)
        self.setVisible(bool(self.folders))

    def _line(self, folder: TrainingFolder) -> QHBoxLayout:
        resume = button("Resume", "Go on where it stopped")
        discard = button("Discard…", "Delete what was learned; asks first")
        resume.clicked.connect(lambda: self._resume(folder))
        discard.clicked.connect(lambda: self._ask(folder))
        self.buttons.append((resume, discard))
        words = label(unfinished_words(folder, folder.past()), tip=str(folder.path))
        return row(words, 1, resume, discard)

    def _resume(self, folder: TrainingFolder) -> None:
        try:
            request: TrainingRequest = folder.request()
        except InputError as error:
            self.failed.emit(error)
            return
        self.resumed.emit(request)

    def _ask(self, folder: TrainingFolder) -> None:
        """A box of its own that does not hold up what runs."""
        box = QMessageBox(self.window())
        box.setWindowTitle("Discard a training")
        box.setText(f"Delete what was learned for {folder.path.stem}?\n\n{folder.path}")
        delete = box.addButton("Delete it", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("Keep it", QMessageBox.ButtonRole.RejectRole)
        box.buttonClicked.connect(lambda pressed: self.discard(folder) if pressed is delete else None)
        box.open()

    def discard(self, folder: TrainingFolder) -> None:
        """Delete a training, without asking."""
        try:
            if folder.is_busy:
                raise InputError(f"{folder.path.stem} is being trained at present; pause it first.")
            folder.discard()
        except InputError as error:
            self.failed.emit(error)
        self.discarded.emit()
