"""Where to acquire, as the Acquire panel asks it: random, a grid, an area drawn in the viewer, or a list."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.acquire_places import Area, grid_places
from napari_autofocus.widgets.acquire.area import DrawnArea
from napari_autofocus.widgets.parts.forms import button, choice, label, number, row
from napari_autofocus.workflows.acquire.positions import Positions, random_positions

Where = Callable[[Place], Positions]
"""Positions, once it is known where the stage stands."""

_KINDS = (
    ("Random, around here", "random"),
    ("Random, in a drawn area", "drawn"),
    ("Grid, around here", "grid"),
    ("My own list", "list"),
)
_TIP = "Where on the slide stacks are taken; empty places are left out, and random ones replaced by others"
_MOST_SHOWN = 4


class PlacesForm(QWidget):
    """Asks for positions; ``changed`` tells of every change of the answer."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.area = DrawnArea(viewer)
        self.places: list[Place] = []
        self._here: Place = (math.nan, math.nan)
        self._field_um = 0.0
        self.rng = np.random.default_rng()
        self._build()
        self._arrange()
        self._connect()
        self._on_kind_changed()

    def _build(self) -> None:
        self.kind_box = choice(_KINDS, _TIP)
        self.count_box = number(8, 1, 9999, 1, "", "How many stacks (a number)", decimals=0, width_px=70)
        self.side_box = number(2000, 10, 100_000, 100, "µm", "Side of the square to draw from, µm", decimals=0)
        self.columns_box = number(3, 1, 999, 1, "", "Columns of the grid (a number)", decimals=0, width_px=60)
        self.rows_box = number(3, 1, 999, 1, "", "Rows of the grid (a number)", decimals=0, width_px=60)
        self.spacing_box = number(
            400, 1, 100_000, 50, "µm", "Distance between neighbouring places, µm", decimals=0, width_px=90
        )
        self.draw_button = button(
            "Draw the area", "Show the area in the viewer, in stage µm around here, to be changed"
        )
        self.add_button = button("Add this position", "Note where the stage stands now (µm)")
        self.clear_button = button("Clear", "Forget the positions of the list (stage µm)")
        self.list_label = label("", wrap=True, tip="Positions of the list, stage µm")

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.kind_box)
        self._pages = {
            "count": _page(label("Stacks"), self.count_box, 1),
            "side": _page(label("in a square of"), self.side_box, 1),
            "draw": _page(self.draw_button, 1),
            "grid": _page(self.columns_box, label("×"), self.rows_box, label("places, every"), self.spacing_box, 1),
            "list": _page(self.add_button, self.clear_button, 1),
        }
        line = row(self._pages["count"], self._pages["side"], self._pages["draw"], 1)
        column.addLayout(line)
        column.addWidget(self._pages["grid"])
        column.addWidget(self._pages["list"])
        column.addWidget(self.list_label)

    def _connect(self) -> None:
        self.kind_box.currentIndexChanged.connect(self._on_kind_changed)
        for box in (self.count_box, self.side_box, self.columns_box, self.rows_box, self.spacing_box):
            box.valueChanged.connect(self._on_changed)
        self.draw_button.clicked.connect(self._on_draw_clicked)
        self.add_button.clicked.connect(self._on_add_clicked)
        self.clear_button.clicked.connect(self._on_clear_clicked)

    # what is asked

    @property
    def kind(self) -> str:
        """Which way positions are chosen."""
        return str(self.kind_box.currentData())

    @property
    def stacks(self) -> int:
        """How many stacks are wanted."""
        if self.kind == "grid":
            return int(self.columns_box.value() * self.rows_box.value())
        return len(self.places) if self.kind == "list" else int(self.count_box.value())

    def where(self) -> Where:
        """The positions, to be worked out where the stage stands when they are needed.

        Raises
        ------
        InputError
            If the list is empty, or no area is drawn.
        """
        count, field_um = int(self.count_box.value()), self._field_um
        rng = self.rng  # every run draws others
        if self.kind == "list":
            places = tuple(self.places)
            if not places:
                raise InputError("The list of positions is empty; go to a place and press Add this position.")
            return lambda _: Positions(places)
        if self.kind == "drawn":
            area = self.area.area()
            return lambda _: random_positions(area, count, rng, field_um)
        if self.kind == "grid":
            grid = int(self.columns_box.value()), int(self.rows_box.value()), self.spacing_box.value()
            return lambda here: Positions(tuple(grid_places(here, *grid)))
        side_um = self.side_box.value()
        return lambda here: random_positions(Area.around(here, side_um), count, rng, field_um)

    # what is known

    def show_frame(self, frame: Frame) -> None:
        """A frame says where the stage stands and how large a field is."""
        height, width = frame.image.shape[:2]
        pixel_um = frame.pixel_size_um or 0.0
        self._here, self._field_um = (frame.x_um, frame.y_um), math.hypot(width, height) * pixel_um
        self.area.show_frame(frame)

    # what happens

    def _on_kind_changed(self, *_: object) -> None:
        shown = {
            "random": ("count", "side"),
            "drawn": ("count", "draw"),
            "grid": ("grid",),
            "list": ("list",),
        }[self.kind]
        for name, page in self._pages.items():
            page.setVisible(name in shown)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.list_label.setVisible(self.kind == "list")
        self.list_label.setText(_listed(self.places))
        self.changed.emit()

    def _on_draw_clicked(self) -> None:
        self.area.draw(self.side_box.value())

    def _on_add_clicked(self) -> None:
        if math.isfinite(self._here[0]):
            self.places.append(self._here)
        self._on_changed()

    def _on_clear_clicked(self) -> None:
        self.places = []
        self._on_changed()


def _page(*parts: QWidget | int) -> QWidget:
    page = QWidget()
    page.setLayout(row(*parts))
    return page


def _listed(places: list[Place]) -> str:
    if not places:
        return "No position yet: go to a place (a frame of it must have been shown) and add it."
    shown = "; ".join(f"{x:.0f}, {y:.0f}" for x, y in places[:_MOST_SHOWN]).replace("-", "−")
    more = f" and {len(places) - _MOST_SHOWN} more" if len(places) > _MOST_SHOWN else ""
    return f"{len(places)} at x, y (µm): {shown}{more}"
