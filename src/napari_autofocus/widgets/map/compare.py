"""A map beside one by z-stacks of the same points: where they differ, and what each has cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.routines.surveying.record import SAME_PLACE_UM, SurveyRecord
from napari_autofocus.slide.focus_map import FocusMap
from napari_autofocus.widgets.map.layers import MapLayers
from napari_autofocus.widgets.map.picture import FloatImage, MapPicture, picture_of
from napari_autofocus.widgets.map.words import comparison_words, duration
from napari_autofocus.widgets.overlay.legend import Legend
from napari_autofocus.widgets.parts.colours import DIVERGING
from napari_autofocus.widgets.parts.forms import Message, button, label, number, row, snug
from napari_autofocus.widgets.session import Session

_PLANES, _STEP_UM = 21, 1.0
_LEAST_REACH_UM = 0.1


@dataclass(frozen=True, eq=False)
class Difference:
    """How one map differs from another.

    Parameters
    ----------
    picture : MapPicture
        Of the first map.
    values_um : np.ndarray, shape (Y, X)
        First minus second over the same grid, µm; NaN where either does not reach.
    mean_um, sd_um : float
        Over the points that both have, µm.
    count : int
        Number of those points.
    """

    picture: MapPicture
    values_um: FloatImage
    mean_um: float
    sd_um: float
    count: int


def difference_of(first: FocusMap, second: FocusMap) -> Difference:
    """First minus second. Raises InputError where they share no point with a focus."""
    apart = []
    for point in first.points:
        twin = next(
            (o for o in second.points if math.dist((o.x_um, o.y_um), (point.x_um, point.y_um)) <= SAME_PLACE_UM), None
        )
        if twin is not None and twin.z_um is not None and point.z_um is not None:
            apart.append(point.z_um - twin.z_um)
    if not apart:
        raise InputError("The two surveys share no point with a focus, so there is nothing to compare.")
    picture = picture_of(first)
    rows, columns = picture.z_um.shape
    y, x = np.meshgrid(
        picture.origin_um[0] + picture.step_um[0] * np.arange(rows),
        picture.origin_um[1] + picture.step_um[1] * np.arange(columns),
        indexing="ij",
    )
    other = np.where(second.covers(x, y), second.z_um(x, y), np.nan)
    values = np.asarray(picture.z_um - other, np.float32)
    sd_um = float(np.std(apart, ddof=1)) if len(apart) > 1 else math.nan
    return Difference(picture, values, float(np.mean(apart)), sd_um, len(apart))


class CompareSection(QWidget):
    """Surveys the same points by z-stacks, and shows time, exposures and differences side by side.

    Parameters
    ----------
    session : Session
        What the panels share; differences are computed on its analysis thread.
    layers : MapLayers
        Where differences are shown.
    theme : str
        Id of the napari theme whose colours are used.
    """

    wanted = Signal(int, float)

    def __init__(self, session: Session, layers: MapLayers, theme: str) -> None:
        super().__init__()
        self._session, self._layers = session, layers
        self._ours: SurveyRecord | None = None
        self.difference: Difference | None = None
        self._build(theme)
        self._arrange()
        self.start_button.clicked.connect(lambda: self.wanted.emit(int(self.planes_box.value()), self.step_box.value()))

    def _build(self, theme: str) -> None:
        self.planes_box = number(
            _PLANES, 5, 201, 2, "", "Planes of the z-stack at each point (a number)", decimals=0, width_px=68
        )
        self.step_box = number(_STEP_UM, 0.05, 20, 0.1, "µm", "Distance of neighbouring planes, µm", width_px=104)
        self.start_button = button(
            "Survey by z-stacks", "Take a z-stack at every point of the map: stage and drive move (µm), and come back"
        )
        self.table = QGridLayout()
        self.table.setHorizontalSpacing(14)
        self.legend = Legend(DIVERGING, theme)
        self.legend.hide()
        self.message = Message(theme)
        self._cells: list[QLabel] = []

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(5)
        what = "The same points once more, by Brenner's gradient in a z-stack each: slow, and needs no model."
        column.addWidget(label(what, wrap=True))
        column.addLayout(row(self.planes_box, label("planes every"), self.step_box, 1, self.start_button))
        column.addLayout(self.table)
        column.addWidget(self.message)
        column.addWidget(self.legend)
        column.addStretch(1)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.message, self.legend):
            part.set_theme(theme)

    def forget(self) -> None:
        """There is another map: what was compared no longer holds."""
        self._ours = self.difference = None
        self._tabulate([])
        self.message.say("")
        self.legend.hide()
        self._layers.show_difference(None, None, 1.0)

    def show_ours(self, record: SurveyRecord) -> None:
        """A survey by the model has ended."""
        self.forget()
        self._ours = record
        self._tabulate([record])

    def show_theirs(self, record: SurveyRecord, ours: FocusMap | None) -> None:
        """A survey by z-stacks has ended: compare it with the map."""
        self._tabulate([*([self._ours] if self._ours else []), record])
        if ours is None:
            self.message.say("There is no map to compare with; survey by the model first.", "warning")
            return
        self.message.say("Comparing…")
        self._session.analysis.call(
            lambda: difference_of(ours, record.focus_map()), done=self._on_compared, failed=self._on_failed
        )

    def _on_compared(self, difference: Difference) -> None:
        self.difference = difference
        reach_um = max(float(np.nanpercentile(np.abs(difference.values_um), 98)), _LEAST_REACH_UM)
        reach_um = float(f"{reach_um:.1g}")
        self.message.say(comparison_words(difference.mean_um, difference.sd_um, difference.count), "good")
        self.legend.set_reach(reach_um, "µm")
        self.legend.show()
        self._layers.show_difference(difference.picture, difference.values_um, reach_um)

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _tabulate(self, records: list[SurveyRecord]) -> None:
        for cell in self._cells:
            self.table.removeWidget(cell)
            cell.deleteLater()
        self._cells = []
        if not records:
            return
        rows = [("", "exposures", "time", "points with focus")]
        rows += [_figures(record) for record in records]
        if len(records) == 2:
            ours, theirs = records
            rows.append(
                ("model / z-stacks", _share(ours.exposures, theirs.exposures), _share(ours.seconds, theirs.seconds), "")
            )
        for at, figures in enumerate(rows):
            for column, text in enumerate(figures):
                cell = label(f"<b>{text}</b>" if at == 0 else text)
                if column:
                    cell.setAlignment(Qt.AlignmentFlag.AlignRight)
                self.table.addWidget(cell, at, column)
                self._cells.append(cell)


def _figures(record: SurveyRecord) -> tuple[str, str, str, str]:
    name = record.model or "z-stacks"
    known = sum(point.z_um is not None for point in record.points)
    return name, f"{record.exposures}", duration(record.seconds), f"{known} of {len(record.points)}"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole > 0 else "–"
