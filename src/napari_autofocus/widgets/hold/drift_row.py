"""How fast best focus drifts, by every camera frame that is estimated anyway: live, held or refocused."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.focus.drift import Drift
from napari_autofocus.focus.estimate import refocus_z_um
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.widgets.estimate.seeing import CAMERA
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.runs.drift_log import (
    Look,
    append_look,
    drift_of_looks,
    drift_path,
    newest_series,
    now,
    write_looks,
)

LEAST_APART_S = 1.0
"""Live estimates come many times a second; one a second tells as much about drift."""
MOST_LOOKS = 2000
_MOST_FITTED = 300
_REDRAW_MS = 500


class DriftRow(QWidget):
    """Tells the drift at the place where the stage stands, and writes its looks into a file.

    Signals: ``told`` (a Drift, or None where there are too few looks).

    Parameters
    ----------
    session : Session
        What the panels share; where its run log has a file, looks are logged beside it.
    theme : str
        Id of the napari theme whose colours are used.
    """

    told = Signal(object)

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._place: tuple[float | None, float | None] = (None, None)
        self._said_failure = False
        self.looks: list[Look] = []
        self.drift: Drift | None = None
        self.message = Message(theme)
        self.message.setToolTip("Rate at which best focus moves, µm of drive position, with its standard error")
        self.save_button = button("Save drift…", "Write when and where best focus was seen (µm) as a table")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_REDRAW_MS)
        self._soon.timeout.connect(self.tell)
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        line = row(self.message, self.save_button)
        line.setStretch(0, 1)
        column.addLayout(line)
        self.save_button.clicked.connect(self._on_save_clicked)
        connect_while_alive(
            self,
            [
                (session.focus.estimated, self._on_estimated),
                (session.view.shown, self._on_frame_shown),
                (session.connection_changed, self._on_connection_changed),
            ],
        )
        self.hide()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    def add(self, look: Look) -> None:
        """Learn where best focus lay."""
        if self.looks and (look.when - self.looks[-1].when).total_seconds() < LEAST_APART_S:
            return
        self.looks.append(look)
        del self.looks[:-MOST_LOOKS]
        self._log(look)
        if not self._soon.isActive():
            self._soon.start()

    def tell(self) -> None:
        """Say how best focus drifts here."""
        series = newest_series(self.looks)[-_MOST_FITTED:]
        self.drift = drift_of_looks(series)
        self.message.say("" if self.drift is None else self.drift.sentence())
        self.setVisible(self.drift is not None)
        self.told.emit(self.drift)

    def line(self, at_s: float, zero_um: float, length_s: float) -> tuple[list[float], list[float]]:
        """The fitted drift as a plot has it, which counts time (min) from ``at_s`` before now and µm from a zero."""
        series = newest_series(self.looks)[-_MOST_FITTED:]
        if self.drift is None or not series:
            return [], []
        since = [(look.when - series[0].when).total_seconds() for look in series]
        ago = [(now() - look.when).total_seconds() for look in series]
        kept = [
            (at_s - old, self.drift.at_um(s) - zero_um) for s, old in zip(since, ago, strict=True) if old <= length_s
        ]
        return [at / 60 for at, _ in kept], [value for _, value in kept]

    # what happens

    def _on_estimated(self, estimated: Estimated) -> None:
        seen, estimate, microscope = estimated.seen, estimated.estimate, self._session.microscope
        if microscope is None or seen.source != CAMERA or seen.z_um is None or not estimate.trusted:
            return
        direction = microscope.focus.focus_direction or self._session.focus.focus_direction
        if not direction or estimate.defocus_um is None:
            return
        best_um = refocus_z_um(seen.z_um, estimate.defocus_um, direction)
        source = "live" if self._session.is_live else "hold" if not self._session.is_running else "refocus"
        self.add(Look(now(), source, seen.z_um, best_um, estimate.uncertainty_um, *self._place, estimate.model))

    def _on_frame_shown(self, frame: Frame) -> None:
        x_um, y_um = float(frame.x_um), float(frame.y_um)
        self._place = (x_um, y_um) if x_um == x_um and y_um == y_um else (None, None)  # NaN without an XY stage

    def _on_connection_changed(self, _: object) -> None:
        """Another stand, another drift."""
        self.looks.clear()
        self._place = (None, None)
        self.tell()

    def _log(self, look: Look) -> None:
        """Beside the run log, where that is a file; a disk that is full is told once."""
        path = self._session.runs.path
        if path is None:
            return
        try:
            append_look(drift_path(path), look)
        except InputError as error:
            if not self._said_failure:
                self._said_failure = True
                show_warning(str(error))

    def save(self, path: Path) -> None:
        """Write the looks, beside the GUI."""
        looks = tuple(self.looks)
        self._session.analysis.call(
            lambda: write_looks(path, looks),
            done=lambda _: self.message.say(f"{len(looks)} looks written to {path.name}."),
            failed=self.message.fail,
        )

    def _on_save_clicked(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the drift", "drift.csv", "Table (*.csv)")
        if name:
            self.save(Path(name) if name.endswith(".csv") else Path(f"{name}.csv"))
