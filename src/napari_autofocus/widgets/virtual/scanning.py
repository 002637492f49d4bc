"""Scan the slide: two shots a tile over an area, stitched and recovered into one OME-Zarr."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QFileDialog, QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.widgets.acquire.area import DrawnArea
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, button, choice, connect_while_alive, label, number, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.scan_wish import (
    ScanWish,
    scan_plan_words,
    scan_step_words,
    scanned_words,
    scanning,
)
from napari_autofocus.widgets.virtual.words import NOT_CONNECTED
from napari_autofocus.workflows.virtual_scan import ScannedSlide

_SIDE_UM = 1000.0
_KINDS = (("Tiles around here", "grid"), ("A drawn area", "drawn"))
Wished = Callable[[], tuple[Any, bool]]
"""The refocuser that is chosen (or None), and whether the user insists."""


class ScanSection(QWidget):
    """Asks what to scan, scans it, and tells what came of it; folded away at first.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    model : callable
        Asked which model recovers the slide.
    """

    def __init__(self, session: Session, theme: str, model: Wished) -> None:
        super().__init__()
        self._session, self._model = session, model
        self._is_ours = self._stopping = False
        self._out = Path.home() / "autofocus slides" / f"{datetime.now():%Y-%m-%d %H%M}.zarr"
        self.area = DrawnArea(session.viewer)
        self._build(theme)
        self._arrange()
        self._connect()
        self.choose(self._out)
        self.refresh()

    def _build(self, theme: str) -> None:
        self.kind_box = choice(_KINDS, "Which part of the slide: tiles around where the stage stands, or a drawn area")
        self.columns_box = number(3, 1, 999, 1, "", "Columns of tiles (a number)", decimals=0, width_px=60)
        self.rows_box = number(3, 1, 999, 1, "", "Rows of tiles (a number)", decimals=0, width_px=60)
        self.draw_button = button(
            "Draw the area", "Show the area in the viewer, in stage µm around here, to be changed"
        )
        self.half_box = number(1, 0.01, 100, 0.1, "µm", "ΔD: distance of each shot from the first tile's focus, µm")
        tip = "How far a sweep looks for the first tile's focus around where the drive stands, µm"
        self.range_box = number(10, 0.5, 500, 1, "µm", tip, decimals=1)
        self.range_box.setPrefix("±")
        self.recover_box = QCheckBox("Recover it")
        self.recover_box.setToolTip("Also recover the slide in focus by the model above; otherwise the shots only")
        self.recover_box.setChecked(True)
        self.out_label = label("", tip="The slide: one OME-Zarr with both shots and, with a model, the recovered one")
        self.out_button = button("Choose…", "Choose the name of the slide (.zarr); one that was begun is gone on with")
        self.start_button = button("Scan", "Scan the area: slide and focus drive move (µm), and end where they are now")
        self.stop_button = button("Stop", "Halt the drive and bring slide and drive back; finished tiles stay")
        self.progress = QProgressBar()
        self.progress.setToolTip("Tiles done (a number)")
        self.plan_line, self.message = Message(theme), Message(theme)

    def _arrange(self) -> None:
        snug(self.plan_line, self.message)
        self._grid = QWidget()
        self._grid.setLayout(row(self.columns_box, label("×"), self.rows_box))
        content = QVBoxLayout()
        content.setSpacing(3)
        content.addLayout(row(self.kind_box, self._grid, self.draw_button, 1))
        content.addLayout(row(label("ΔD"), self.half_box, 1, label("Focus in"), self.range_box))
        line = row(self.out_label, self.out_button)
        line.setStretch(0, 1)
        content.addLayout(line)
        content.addWidget(self.plan_line)
        content.addLayout(row(self.start_button, self.stop_button, 1, self.recover_box))
        for part in (self.progress, self.message):
            content.addWidget(part)
        self.fold = Fold("Scan the slide…", "Take two shots a tile over an area, and recover the whole slide", content)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self._on_start_clicked)
        self.stop_button.clicked.connect(self._on_stop_clicked)
        self.out_button.clicked.connect(self._on_out_clicked)
        self.draw_button.clicked.connect(lambda: self.area.draw(_SIDE_UM))
        self.kind_box.activated.connect(self.refresh)
        for box in (self.columns_box, self.rows_box, self.half_box):
            box.valueChanged.connect(self.refresh)
        self.recover_box.toggled.connect(self.refresh)
        session = self._session
        self.destroyed.connect(_Leaving(self.area))
        connect_while_alive(
            self,
            [
                (session.connection_changed, self.refresh),
                (session.running_changed, self.refresh),
                (session.view.shown, self._on_frame_shown),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.plan_line, self.message):
            part.set_theme(theme)

    # what is wished

    def choose(self, out: Path) -> None:
        """Write the slide there."""
        self._out = out if out.suffix == ".zarr" else out.with_name(f"{out.name}.zarr")
        self.out_label.setText(self._out.name if len(self._out.name) <= 34 else f"…{self._out.name[-33:]}")
        self.out_label.setToolTip(f"{self._out}\nOne OME-Zarr with both shots and, with a model, the recovered slide")

    def suggest_half(self, half_um: float) -> None:
        """Start from this ΔD, µm."""
        self.half_box.setValue(half_um)

    def wish(self) -> ScanWish:
        """What is asked for. Raises InputError where an area or a model is lacking."""
        drawn = self.kind_box.currentData() == "drawn"
        refocuser, insist = self._model() if self.recover_box.isChecked() else (None, False)
        if self.recover_box.isChecked() and refocuser is None:
            raise InputError("Choose a model above, or take the shots only (Recover it off).")
        state = self._session.focus
        return ScanWish(
            columns=int(self.columns_box.value()),
            rows=int(self.rows_box.value()),
            area=self.area.area() if drawn else None,
            half_um=self.half_box.value(),
            out=self._out,
            objective=state.objective,
            focus_direction=state.focus_direction,
            refocuser=refocuser,
            insist=insist,
            range_um=self.range_box.value(),
        )

    # what happens

    def _on_start_clicked(self) -> None:
        microscope = self._session.microscope
        if microscope is None or self._session.is_running:
            return
        try:
            wish = self.wish()
            wish.out.parent.mkdir(parents=True, exist_ok=True)
        except (InputError, OSError) as error:
            self.message.fail(error)
            return
        self._is_ours, self._stopping = True, False
        self.progress.setRange(0, 0)
        self.message.say("Starting…")
        work = scanning(microscope, wish)
        self._session.start_run(work, step=self._on_step, done=self._on_done, failed=self._on_failed)

    def _on_stop_clicked(self) -> None:
        if self._is_ours:
            self._stopping = True
            self.message.say("Stopped; Scan goes on where it ended.")
            self._session.stop_run()

    def _on_out_clicked(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "The slide", str(self._out), "OME-Zarr (*.zarr)")
        if name:
            self.choose(Path(name))

    def _on_step(self, step: Any) -> None:
        frame = getattr(step, "frame", None)
        if frame is not None:
            self._session.view.show(frame)
        self.progress.setRange(0, step.total)
        self.progress.setValue(step.done)
        if not self._stopping:
            self.message.say(scan_step_words(step))

    def _on_done(self, slide: ScannedSlide) -> None:
        self.message.say(*scanned_words(slide, self._out))

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _on_frame_shown(self, frame: Frame) -> None:
        self.area.show_frame(frame)

    def refresh(self, *_: object) -> None:
        """What is possible now, and what would move."""
        running, connected = self._session.is_running, self._session.connection is not None
        self._is_ours = self._is_ours and running
        drawn = self.kind_box.currentData() == "drawn"
        self._grid.setVisible(not drawn)
        self.draw_button.setVisible(drawn)
        tiles = None if drawn else int(self.columns_box.value() * self.rows_box.value())
        self.plan_line.say(scan_plan_words(tiles, self.half_box.value()) if connected else NOT_CONNECTED)
        self.start_button.setEnabled(connected and not running)
        self.start_button.setToolTip(
            "Slide and focus drive move (µm), and end where they are now" if connected else NOT_CONNECTED
        )
        self.stop_button.setEnabled(self._is_ours)
        self.progress.setVisible(self._is_ours)


class _Leaving:
    """The panel is gone: so is the drawn area."""

    def __init__(self, area: DrawnArea) -> None:
        self._area = area

    def __call__(self, *_: object) -> None:
        # Not at once: napari crashes if layers go while Qt is in the middle of deleting a widget.
        QTimer.singleShot(0, self._area.close)
