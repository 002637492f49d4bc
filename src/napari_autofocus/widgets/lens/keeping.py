"""The curve of a tunable lens once there is one: kept in a file, taken from a file, used to focus with."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.widgets.lens.words import curve_words, focusing_words
from napari_autofocus.widgets.parts.forms import Message, button, row, snug
from napari_autofocus.widgets.session import Session

_FILES = "Curve of a lens (*.json)"


class LensKeeping(QWidget):
    """Saves and loads a curve, and hands the focus to its lens and back.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    loaded = Signal(object)
    said = Signal(str, str)

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self.curve: LensCurve | None = None
        self.save_button = button("Save…", "Keep the curve in a file, with device, property, objective and date")
        self.load_button = button("Load…", "Take the curve of a lens that was calibrated before")
        self.use_button = button(
            "Focus with the lens",
            "Let the lens focus in place of the stage, in every panel; its positions are µm of focal shift."
            "\nPress again to focus with the stage. Nothing moves by this",
            checkable=True,
        )
        self.state = Message(theme)
        snug(self.state)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.save_button, self.load_button))
        column.addWidget(self.use_button)
        column.addWidget(self.state)
        self.save_button.clicked.connect(self._on_save_clicked)
        self.load_button.clicked.connect(self._on_load_clicked)
        self.use_button.clicked.connect(self._on_use_clicked)

    @property
    def lens_focuses(self) -> bool:
        """Whether the lens is what focuses now."""
        microscope = self._session.microscope
        return microscope is not None and microscope.focus.kind == "lens"

    def show_state(self) -> None:
        """Say who focuses now, and offer what is possible."""
        session, by_lens = self._session, self.lens_focuses
        idle = not session.is_running
        with QSignalBlocker(self.use_button):
            self.use_button.setChecked(by_lens)
        self.use_button.setText("Focus with the stage again" if by_lens else "Focus with the lens")
        self.use_button.setEnabled(idle and session.connection is not None and (by_lens or self.curve is not None))
        self.save_button.setEnabled(idle and self.curve is not None)
        self.load_button.setEnabled(idle and not by_lens)
        self.state.say("" if session.microscope is None else focusing_words(session.microscope.focus))

    def save(self, path: Path) -> None:
        """Write the curve to a file, or say why not."""
        if self.curve is None:
            return
        try:
            self.curve.save(path)
        except InputError as error:
            self.said.emit(str(error), "error")
        else:
            self.said.emit(f"Saved in {path.name}.", "good")

    def load(self, path: Path) -> None:
        """Take the curve of a file, or say why not."""
        try:
            self.curve = LensCurve.load(path)
        except InputError as error:
            self.said.emit(str(error), "error")
            return
        self.loaded.emit(self.curve)
        self.said.emit(curve_words(self.curve), "good")
        self.show_state()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.state.set_theme(theme)

    def _on_save_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the curve of the lens", "lens.json", _FILES)
        if path:
            self.save(Path(path))

    def _on_load_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load the curve of a lens", "", _FILES)
        if path:
            self.load(Path(path))

    def _on_use_clicked(self, wanted: bool) -> None:
        if self._session.is_running or (wanted and self.curve is None):
            return
        self.use_button.setEnabled(False)
        self._session.focus_through(self.curve if wanted else None, failed=self._on_use_failed)

    def _on_use_failed(self, error: AutofocusError) -> None:
        self.said.emit(str(error), "error")
        self.show_state()
