"""Take an overview with this camera: around the stage, from corner to corner, or of the drawn area."""

from __future__ import annotations

import math

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.scout import ScoutConfig, ScoutRecord, ScoutStep, scout, tile_grid
from napari_autofocus.slide.area import Area
from napari_autofocus.widgets.map.area import MapArea
from napari_autofocus.widgets.map.overview import OverviewLayers
from napari_autofocus.widgets.map.words import NOT_CONNECTED, Place, duration, minus
from napari_autofocus.widgets.parts.forms import Message, button, choice, connect_while_alive, label, number, row, snug
from napari_autofocus.widgets.session import Session

_KINDS = (("Around the stage", "around"), ("Corner to corner", "corners"), ("The drawn area", "drawn"))
_REDRAW_EVERY = 8


class TakeSection(QWidget):
    """Asks how much of the slide, takes it, and tells how far it has come; ``shown`` tells of another overview.

    Parameters
    ----------
    session : Session
        What the panels share.
    layers : OverviewLayers
        Where it is shown while it grows.
    area : MapArea
        The drawn area.
    theme : str
        Id of the napari theme whose colours are used.
    """

    shown = Signal()
    _kept = Signal(object)

    def __init__(self, session: Session, layers: OverviewLayers, area: MapArea, theme: str) -> None:
        super().__init__()
        self._session, self._layers, self._area = session, layers, area
        self._here: Place = (math.nan, math.nan)
        self._field_um: tuple[float, float] | None = None
        self._corners: dict[str, Place] = {}
        self.is_ours = False
        self._build(theme)
        self._arrange()
        self._connect()
        self.refresh()

    def _build(self, theme: str) -> None:
        self.kind_box = choice(_KINDS, "How much of the slide the overview shall show")
        self.kind_box.setMinimumContentsLength(13)
        self.side_box = number(
            10, 0.1, 200, 1, "mm", "Side of the square around where the stage stands, mm", width_px=112
        )
        self.first_button = button("This is a corner", "Note where the stage stands as one corner (µm)")
        self.second_button = button("… the opposite one", "Note where the stage stands as the opposite corner (µm)")
        tip = "Take every so many-th tile along and across: 3 is nine times as quick as 1, and shows less (a number)"
        self.every_box = number(3, 1, 20, 1, "", tip, decimals=0, width_px=64)
        self.take_button = button("Take it", "One frame a tile: the stage moves (µm) and comes back, the drive stays")
        self.stop_button = button("Stop", "Bring the stage back; what was seen stays")
        self.progress = QProgressBar()
        self.progress.setToolTip("Tiles taken of those planned (a number)")
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.message)
        self._corner_row = QWidget()
        self._corner_row.setLayout(row(self.first_button, self.second_button, 1))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.kind_box, self.side_box, 1))
        column.addLayout(row(label("One tile of"), self.every_box, label("along and across"), 1))
        column.addWidget(self._corner_row)
        column.addLayout(row(self.take_button, self.stop_button))
        column.addWidget(self.progress)
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.kind_box.currentIndexChanged.connect(self.refresh)
        for box in (self.side_box, self.every_box):
            box.valueChanged.connect(self.refresh)
        self.first_button.clicked.connect(lambda: self._note("first"))
        self.second_button.clicked.connect(lambda: self._note("second"))
        self.take_button.clicked.connect(self._on_take_clicked)
        self.stop_button.clicked.connect(self._on_stop_clicked)
        self._area.changed.connect(self.refresh)
        self._kept.connect(self._on_record)
        session = self._session
        connect_while_alive(
            self, [(session.connection_changed, self._on_connection_changed), (session.running_changed, self.refresh)]
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    def show_frame(self, frame: Frame) -> None:
        """A frame says where the stage stands, and how much of the slide a tile shows."""
        self._here = (frame.x_um, frame.y_um)
        if frame.pixel_size_um:
            height, width = frame.image.shape[:2]
            field_um = (height * frame.pixel_size_um, width * frame.pixel_size_um)
            if field_um != self._field_um:
                self._field_um = field_um
                self.refresh()

    def area(self) -> Area:
        """What the overview shall show. Raises InputError where that is not said."""
        kind = self.kind_box.currentData()
        if kind == "drawn":
            corners = [corner for outline in self._area.outlines() for corner in outline]
            (x0, x1), (y0, y1) = ((min(side), max(side)) for side in zip(*corners, strict=True))
            return Area.rectangle(x0, y0, x1, y1)
        if kind == "corners":
            if len(self._corners) < 2:
                raise InputError("Go to one corner and note it, then to the opposite one.")
            return Area.rectangle(*self._corners["first"], *self._corners["second"])
        here = self._here if math.isfinite(self._here[0]) else (0.0, 0.0)
        return Area.around(here, 1000 * self.side_box.value())

    # what happens

    def _note(self, which: str) -> None:
        """Where the stage stands now, which the hardware is asked."""
        self._session.ask(lambda microscope: microscope.xy_um(), done=lambda place: self._on_noted(which, place))

    def _on_noted(self, which: str, place: Place) -> None:
        self._corners[which] = place
        self.refresh()

    def _on_take_clicked(self) -> None:
        if self.kind_box.currentData() == "around":  # a stage that was moved by hand told nobody
            self._session.ask(lambda microscope: microscope.xy_um(), done=self._on_located)
        else:
            self._take()

    def _on_located(self, place: Place) -> None:
        self._here = place
        self._take()

    def _take(self) -> None:
        microscope = self._session.microscope
        if microscope is None or self._session.is_running:
            return
        try:
            area = self.area()
        except InputError as error:
            self.message.fail(error)
            return
        self.is_ours = True
        self._layers.forget()
        work = scout(microscope, self._config(), area, keep=self._kept.emit)
        self._session.start_run(work, step=self._on_step, failed=self._on_failed)

    def _config(self) -> ScoutConfig:
        return ScoutConfig(every=int(self.every_box.value()))

    def _on_stop_clicked(self) -> None:
        self._session.stop_run()

    def _on_step(self, step: ScoutStep) -> None:
        self.progress.setRange(0, max(step.total, 1))
        self.progress.setValue(step.number)
        self.progress.setFormat(f"{step.number} of {step.total} tiles")
        if step.overview is None or step.phase == "done":
            return
        if self._layers.overview is None:
            self._layers.show(step.overview)
            self.shown.emit()
        elif step.number % _REDRAW_EVERY == 0:
            self._layers.redraw()

    def _on_record(self, record: ScoutRecord) -> None:
        """However it ended."""
        if record.overview is not None:
            self._layers.show(record.overview)
            self.shown.emit()
        words = f"{record.tiles} tiles in {duration(record.seconds)}. {' '.join(record.reasons)}".strip()
        tone = {"done": "good", "done_in_part": "warning", "cancelled": "plain"}.get(record.outcome, "error")
        self.message.say(words, tone)  # type: ignore[arg-type]

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    # what is possible now

    def _on_connection_changed(self, *_: object) -> None:
        self._here, self._corners = (math.nan, math.nan), {}
        self.refresh()

    def refresh(self, *_: object) -> None:
        """What is possible now, and what would move."""
        kind, running = self.kind_box.currentData(), self._session.is_running
        connected = self._session.connection is not None
        self.is_ours = self.is_ours and running
        self.side_box.setVisible(kind == "around")
        self._corner_row.setVisible(kind == "corners")
        for part in (self.take_button, self.first_button, self.second_button):
            part.setEnabled(connected and not running)
        self.stop_button.setEnabled(self.is_ours)
        self.stop_button.setVisible(self.is_ours)
        self.progress.setVisible(self.is_ours)
        self.take_button.setText(self._offer())
        self.take_button.setToolTip(self._tip() if connected else NOT_CONNECTED)
        for which, part in (("first", self.first_button), ("second", self.second_button)):
            if which in self._corners:
                part.setText(minus("{:.0f}, {:.0f} µm".format(*self._corners[which])))

    def _offer(self) -> str:
        """What the button does, with the number of tiles once a frame has told how much each shows."""
        if self._field_um is None:
            return "Take it"
        try:
            tiles = math.prod(tile_grid(self.area(), self._field_um, self._config()))
        except InputError:
            return "Take it"
        return f"Take it: {tiles:,} tile{'' if tiles == 1 else 's'}"

    def _tip(self) -> str:
        try:
            x0, y0, x1, y1 = self.area().bounds_um
        except InputError as error:
            return str(error)
        reach = minus(f"x {x0:.0f} to {x1:.0f}, y {y0:.0f} to {y1:.0f} µm")
        return f"One frame a tile: the stage moves over {reach} and comes back, the focus drive stays"
