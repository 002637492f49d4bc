"""Where a survey shall look: an area drawn on the map, and how densely its points lie."""

from __future__ import annotations

import math

from napari.components import ViewerModel
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.slide.area import Area, grid_points
from napari_autofocus.widgets.map.area import MapArea, Tool
from napari_autofocus.widgets.map.overview import OverviewLayers
from napari_autofocus.widgets.map.words import FIRST_GUESS_S, Place, plan_words
from napari_autofocus.widgets.parts.forms import Message, button, choice, label, number, row, snug

_KINDS = (("every", "spacing"), ("as a grid of", "grid"))
_WAIT_MS = 250


class PlanSection(QWidget):
    """Asks for an area and a spacing; ``changed`` tells of other places, ``drawing`` that one is drawn.

    Parameters
    ----------
    viewer : ViewerModel
        Where the area is drawn.
    overview : OverviewLayers
        Knows which places lie on the sample.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()
    drawing = Signal()

    def __init__(self, viewer: ViewerModel, overview: OverviewLayers, theme: str) -> None:
        super().__init__()
        self.area = MapArea(viewer)
        self._overview = overview
        self._here: Place = (math.nan, math.nan)
        self.places: list[Place] = []
        self.fault = ""
        self.point_s = FIRST_GUESS_S
        self._build(theme)
        self._arrange()
        self._connect()
        self._plan()

    def _build(self, theme: str) -> None:
        self.rectangle_button = button("Rectangle", "Draw a rectangle on the map (stage µm)")
        self.polygon_button = button("Polygon", "Draw a polygon on the map (stage µm): click its corners, Esc ends it")
        self.side_box = number(10, 0.05, 500, 1, "mm", "Side of the square around where the stage stands, mm")
        self.square_button = button("Square here", "Take a square around where the stage stands, to be changed")
        self.kind_box = choice(_KINDS, "How densely points lie: by their distance, or by their number")
        self.spacing_box = number(600, 1, 100_000, 50, "µm", "Distance of neighbouring points, µm", decimals=0)
        tip = "of the grid over the area (a number)"
        self.columns_box = number(16, 1, 999, 1, "", f"Columns {tip}", decimals=0, width_px=56)
        self.rows_box = number(16, 1, 999, 1, "", f"Rows {tip}", decimals=0, width_px=56)
        self.sample_box = QCheckBox("Only on the sample")
        self.sample_box.setToolTip("Leave out points that lie on bare glass in the overview")
        self.sample_box.setChecked(True)
        self.line = Message(theme)

    def _arrange(self) -> None:
        snug(self.line)
        self._grid = QWidget()
        self._grid.setLayout(row(self.columns_box, label("×"), self.rows_box))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(label("Draw a"), self.rectangle_button, self.polygon_button, 1))
        column.addLayout(row(label("or take a"), self.square_button, label("of"), self.side_box, 1))
        column.addLayout(row(label("Points"), self.kind_box, self.spacing_box, self._grid, 1))
        column.addWidget(self.sample_box)
        column.addWidget(self.line)

    def _connect(self) -> None:
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_WAIT_MS)  # a shape tells of each of its steps while it is drawn
        self._soon.timeout.connect(self._plan)
        self.rectangle_button.clicked.connect(lambda: self._draw("rectangle"))
        self.polygon_button.clicked.connect(lambda: self._draw("polygon"))
        self.square_button.clicked.connect(self._on_square_clicked)
        self.area.changed.connect(self._soon.start)
        self._overview.changed.connect(self._on_overview_changed)
        self.kind_box.currentIndexChanged.connect(self._plan)
        self.sample_box.toggled.connect(self._plan)
        for box in (self.spacing_box, self.columns_box, self.rows_box):
            box.valueChanged.connect(self._plan)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.line.set_theme(theme)

    # what is known

    def show_stage(self, x_um: float, y_um: float) -> None:
        """The stage stands here."""
        self._here = (x_um, y_um)
        self.square_button.setEnabled(math.isfinite(x_um))

    def took(self, points: int, seconds: float) -> None:
        """A survey of so many points took so long: the next one will take alike."""
        if points:
            self.point_s = seconds / points
            self._plan()

    def take(self, places: list[Place]) -> None:
        """Plan these places, of a list for instance; the next change of the area counts again."""
        self.places, self.fault = places, ""
        self.line.say(plan_words(places, self.point_s))
        self.changed.emit()

    # what happens

    def _draw(self, tool: Tool) -> None:
        self.drawing.emit()
        self.area.draw(tool, 1000 * self.side_box.value())

    def _on_square_clicked(self) -> None:
        here = self._here if math.isfinite(self._here[0]) else (0.0, 0.0)
        self.area.put_square(here, 1000 * self.side_box.value())
        self.drawing.emit()

    def _on_overview_changed(self) -> None:
        self._plan()

    def _plan(self, *_: object) -> None:
        self._soon.stop()
        by_grid = self.kind_box.currentData() == "grid"
        self._grid.setVisible(by_grid)
        self.spacing_box.setVisible(not by_grid)
        self.sample_box.setVisible(self._overview.has_mask)
        try:
            self.places, self.fault = self._wanted(), ""
        except InputError as error:
            self.places, self.fault = [], str(error)
        self.line.say(self.fault or self._words(), "plain" if not self.fault or self.area.layer is None else "warning")
        self.changed.emit()

    def _wanted(self) -> list[Place]:
        places = grid_points([Area(corners) for corners in self.area.outlines()], self._density())
        if self.sample_box.isChecked() and self._overview.has_mask:
            places = self._overview.on_sample(places)
            if not places:
                raise InputError("No point lies on the sample; draw the area over it, or untick Only on the sample.")
        return places

    def _density(self) -> float | tuple[int, int]:
        if self.kind_box.currentData() == "grid":
            return int(self.columns_box.value()), int(self.rows_box.value())
        return float(self.spacing_box.value())

    def _words(self) -> str:
        return plan_words(self.places, self.point_s)
