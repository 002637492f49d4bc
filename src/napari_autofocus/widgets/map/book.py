"""The points of a focus map in one viewer: found, edited by hand, undone, and the surface through them.

Lives on the GUI thread; the surface is fitted on a thread of its own, the newest points only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, Surface, edited, fit_focus_map
from napari_autofocus.widgets.estimate.newest import NewestOnly
from napari_autofocus.widgets.map.picture import Limits, MapPicture, limits_of, picture_of

_MOST_UNDOS = 100
_FIT_EVERY_MS = 1500
"""While points come in; fitting would otherwise take the time of the estimates."""
_TELL_EVERY_MS = 250
"""A table and a layer are drawn anew each time."""
Points = tuple[FocusPoint, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A surface and its picture."""

    map: FocusMap
    picture: MapPicture


class MapBook(QObject):
    """Points and surface; ``changed`` tells of other points, ``fitted_changed`` of another surface or none."""

    changed = Signal()
    fitted_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.points: Points = ()
        self.surface: Surface = "auto"
        self.fitted: Fitted | None = None
        self.fault = ""
        self._undo: list[Points] = []
        self._places: dict[int, FocusPoint] = {}
        self._thread = NewestOnly("napari-autofocus focus map")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_FIT_EVERY_MS)
        self._soon.timeout.connect(self._fit)
        self._telling = QTimer(self)
        self._telling.setSingleShot(True)
        self._telling.setInterval(_TELL_EVERY_MS)
        self._telling.timeout.connect(self.changed)
        self._thread.answered.connect(self._on_fitted)
        self._thread.refused.connect(self._on_refused)

    def close(self) -> None:
        """Fit no more."""
        self._soon.stop()
        self._telling.stop()
        self._thread.close()

    # what there is

    @property
    def map(self) -> FocusMap | None:
        """The surface, where the points give one."""
        return None if self.fitted is None else self.fitted.map

    @property
    def can_undo(self) -> bool:
        """Whether a change by hand can be taken back."""
        return bool(self._undo)

    @property
    def limits_um(self) -> Limits:
        """Lowest and highest z of the points that count, µm."""
        return limits_of(self.points, self.rejected)

    @property
    def rejected(self) -> dict[int, str]:
        """Points that the surface leaves out, and why; of the newest surface."""
        return {} if self.map is None else {i: why for i, why in self.map.rejected.items() if i < len(self.points)}

    def residual_um(self, index: int) -> float | None:
        """How far a point lies above the surface, µm; None where there is neither."""
        if self.map is None or index >= len(self.map.points) or self.map.points[index] is not self.points[index]:
            return None
        value = float(self.map.residuals_um[index])
        return value if np.isfinite(value) else None

    # what changes

    def begin(self, points: Iterable[FocusPoint] = ()) -> None:
        """Have other points from now on; undoing it brings those before back."""
        if self.points:
            self._remember()
        self._places.clear()
        self._show(tuple(points))

    def finish(self, points: Iterable[FocusPoint]) -> None:
        """Have all the points of the survey that :meth:`begin` began."""
        self._places.clear()
        self._show(tuple(points))

    def add(self, number: int, point: FocusPoint) -> None:
        """A survey has settled a place, perhaps once more; the surface follows now and then."""
        self._places[number] = point
        self.points = tuple(self._places.values())
        if not self._telling.isActive():
            self._telling.start()
        if not self._soon.isActive():
            self._soon.start()

    def put(self, index: int, point: FocusPoint) -> None:
        """Take another point in place of one, undoably."""
        self._remember()
        self._show((*self.points[:index], point, *self.points[index + 1 :]))

    def set_z(self, index: int, z_um: float | None) -> None:
        """Say by hand where a point's focus is, µm; None: nobody knows. Raises InputError if it is no number."""
        if z_um is not None and not np.isfinite(z_um):
            raise InputError(f"The z of a point is a finite number of µm; found {z_um}.")
        self._remember()
        self._show(tuple(edited(self.points, index, z_um)))

    def undo(self) -> None:
        """Take back the newest change by hand."""
        if self._undo:
            self._show(self._undo.pop())

    def choose_surface(self, surface: Surface) -> None:
        """Which kind of surface is laid through the points."""
        if surface != self.surface:
            self.surface = surface
            self._fit()

    def _remember(self) -> None:
        self._undo = [*self._undo[1 - _MOST_UNDOS :], self.points]

    def _show(self, points: Points) -> None:
        self._telling.stop()
        self.points = points
        self.changed.emit()
        self._fit()

    # the surface

    def _fit(self) -> None:
        self._soon.stop()
        points, surface = self.points, self.surface
        if not any(point.z_um is not None for point in points):
            self._thread.forget()
            self._tell(None, "")
            return
        self._thread.ask(lambda: _fitted(points, surface))

    def _on_fitted(self, fitted: Fitted) -> None:
        self._tell(fitted, "")

    def _on_refused(self, error: AutofocusError) -> None:
        self._tell(None, str(error))

    def _tell(self, fitted: Fitted | None, fault: str) -> None:
        self.fitted, self.fault = fitted, fault
        self.fitted_changed.emit()


def _fitted(points: Points, surface: Surface) -> Fitted:
    """Runs beside the GUI."""
    fitted = fit_focus_map(points, surface=surface)
    return Fitted(fitted, picture_of(fitted))
