"""Put a map to use: follow it, go to a point, write it to files for other programs, and read theirs."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.files import FILTERS, Found, open_map, stages_of, with_suffix, write_map
from napari_autofocus.widgets.map.follow import FollowSection
from napari_autofocus.widgets.map.words import minus
from napari_autofocus.widgets.parts.forms import Message, button, heading, label, row, snug
from napari_autofocus.widgets.session import Session


class UseSection(QWidget):
    """Follow, go, export and import.

    ``imported`` tells that the book holds points of a file; ``places_imported`` (list of (x, y)) that a file had places
    without a z, which can be surveyed; ``said`` (str, tone) what became of a way to a point.

    Parameters
    ----------
    session : Session
        What the panels share.
    book : MapBook
        The map.
    theme : str
        Id of the napari theme whose colours are used.
    """

    imported = Signal()
    places_imported = Signal(list)
    said = Signal(str, str)

    def __init__(self, session: Session, book: MapBook, theme: str) -> None:
        super().__init__()
        self._session, self._book = session, book
        self.follow = FollowSection(session, book, theme)
        self.export_button = button(
            "Export…", "Write the points: Micro-Manager list (.pos), table (.csv), useq sequence (.yaml), map (.json)"
        )
        self.import_button = button(
            "Import…", "Read points or places: .pos, .csv, useq .yaml or .json, OME metadata, map .json"
        )
        self.message = Message(theme)
        self._arrange()
        self.export_button.clicked.connect(self._on_export_clicked)
        self.import_button.clicked.connect(self._on_import_clicked)
        book.changed.connect(self.refresh)
        self.refresh()

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(5)
        column.addWidget(heading("Focus-following"))
        column.addWidget(self.follow)
        column.addWidget(heading("Files"))
        what = "Positions with the z that the surface gives them, for the acquisition of your choice."
        column.addWidget(label(what, wrap=True))
        column.addLayout(row(self.export_button, self.import_button, 1))
        column.addWidget(self.message)
        column.addStretch(1)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.follow, self.message):
            part.set_theme(theme)

    def refresh(self) -> None:
        """There is nothing to write where there are no points."""
        self.export_button.setEnabled(bool(self._book.points))

    # going to a point

    def go_to(self, index: int) -> None:
        """Bring the stage to a point, and the drive to its z where it has one, inside their limits."""
        point = self._book.points[index]
        self.follow.stop()
        words = f"At point {index + 1}: " + minus(f"x {point.x_um:.0f}, y {point.y_um:.0f} µm")
        words += "" if point.z_um is None else minus(f", z {point.z_um:.2f} µm")
        microscope = self._session.microscope
        if microscope is not None:
            self._session.hardware.call(
                lambda: _go(microscope, point),
                done=lambda _: self.said.emit(f"{words}.", "plain"),
                failed=lambda error: self.said.emit(str(error), "error"),
            )

    # files

    def _on_export_clicked(self) -> None:
        name, chosen = QFileDialog.getSaveFileName(self, "Export the map", "focus_map.pos", ";;".join(FILTERS))
        if name:
            self.export(with_suffix(Path(name), chosen))

    def export(self, path: Path) -> None:
        """Write the map, beside the GUI; the kind of file is told by its name."""
        points, found, stages = self._book.points, self._book.map, stages_of(self._session.microscope)
        self._session.analysis.call(
            lambda: write_map(path, points, found, stages), done=self._on_written, failed=self.message.fail
        )

    def _on_written(self, words: str) -> None:
        self.message.say(words, "good")

    def _on_import_clicked(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import points", "", FILTERS[-1])
        if name:
            self.read(Path(name))

    def read(self, path: Path) -> None:
        """Read points or places, beside the GUI; what cannot be used is refused in one sentence."""
        stages = stages_of(self._session.microscope)
        self._session.analysis.call(lambda: open_map(path, stages), done=self._on_read, failed=self._on_refused)

    def _on_refused(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _on_read(self, found: Found) -> None:
        if found.points:
            self._book.begin(found.points)
            self.imported.emit()
        else:
            self.places_imported.emit(list(found.places))
        self.message.say(found.words, "good")


def _go(microscope: CoreMicroscope, point: FocusPoint) -> None:
    """Runs on the hardware thread: the stage first, since the drive may be far from focus at the old place."""
    microscope.move_xy_to(point.x_um, point.y_um)
    if point.z_um is not None:
        walk_to(microscope.focus, point.z_um)
