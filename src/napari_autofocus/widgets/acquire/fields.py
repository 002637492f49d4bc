"""The fields of an acquisition as a list: a small picture of each, what became of it and why."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_autofocus.microscope.protocol import Image
from napari_autofocus.routines.acquire_config import AcquireStep, FieldResult
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.reports.tables import VERDICT_WORDS
from napari_autofocus.workflows.runs.entry import thumbnails

_ICON = QSize(56, 42)
_STATES = {
    "empty": "empty, skipped",
    "no_focus": "no focus found, skipped",
    "out_of_reach": "out of reach, skipped",
    "failed": "camera failed",
}


class FieldList(QListWidget):
    """Lists what became of each position, the newest at the bottom.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.setToolTip("What became of each position (stage µm); point at one for the numbers")
        self.setIconSize(_ICON)
        self.setMinimumHeight(96)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWordWrap(True)
        self._theme = theme
        self._sharpest: tuple[float, Image] | None = None

    def forget(self) -> None:
        """Begin anew."""
        self.clear()
        self._sharpest = None

    def show_fields(self, fields: tuple[FieldResult, ...]) -> None:
        """List what earlier runs did, without pictures."""
        self.forget()
        for each in fields:
            self._add(each)

    def show_step(self, step: AcquireStep) -> None:
        """Keep the sharpest plane's small picture, and list the field when it is done."""
        if step.frame is not None and step.phase == "plane":
            value = step.sharpness or 0.0
            if step.plane == 1 or self._sharpest is None or value > self._sharpest[0]:
                small, _ = thumbnails(step.frame.image, None)
                self._sharpest = None if small is None else (value, small)
        elif step.frame is not None and self._sharpest is None:
            small, _ = thumbnails(step.frame.image, None)
            self._sharpest = None if small is None else (-1.0, small)
        if step.result is not None:
            self._add(step.result, None if self._sharpest is None else self._sharpest[1])
            self._sharpest = None
            self.scrollToBottom()

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        for index in range(self.count()):
            self._dress(self.item(index))

    def _add(self, result: FieldResult, picture: Image | None = None) -> None:
        item = QListWidgetItem(_words(result))
        item.setToolTip(result.reason)
        item.setData(Qt.ItemDataRole.UserRole, result.state)
        item.setIcon(QIcon(_pixmap(picture)) if picture is not None else QIcon(_blank()))
        self._dress(item)
        self.addItem(item)

    def _dress(self, item: QListWidgetItem) -> None:
        colours = theme_colours(self._theme)
        state = item.data(Qt.ItemDataRole.UserRole)
        shade = {"written": colours.text, "failed": colours.error}.get(state, colours.warning)
        item.setForeground(QColor(shade))


def _words(result: FieldResult) -> str:
    place = f"{result.number + 1}  x {result.x_um:.0f}, y {result.y_um:.0f} µm".replace("-", "−")
    if result.state != "written":
        return f"{place}\n{_STATES[result.state]}"
    best = "" if result.best_z_um is None else f" at {result.best_z_um:.2f} µm".replace("-", "−")
    return f"{place}\n{VERDICT_WORDS.get(result.verdict, 'written')}{best}"  # type: ignore[call-overload]


def _pixmap(picture: Image) -> QPixmap:
    pixels = np.ascontiguousarray(picture)
    height, width = pixels.shape[:2]
    kind = QImage.Format.Format_RGB888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
    image = QImage(pixels.data, width, height, pixels.strides[0], kind).copy()
    how = Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    scaled = QPixmap.fromImage(image).scaled(_ICON, *how)
    left, top = (scaled.width() - _ICON.width()) // 2, (scaled.height() - _ICON.height()) // 2
    return scaled.copy(left, top, _ICON.width(), _ICON.height())


def _blank() -> QPixmap:
    pixmap = QPixmap(_ICON)
    pixmap.fill(QColor(0, 0, 0, 0))
    return pixmap
