"""Patches painted into one picture: outlines, numbers in µm, and crosses on those the user has left out.

One image is cheaper to redraw than a shape and a text for each patch, and napari 0.9.2 crashes once a Points layer with
text has been removed and a dock is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen

from napari_autofocus.focus.estimate import PatchPrediction

LONGEST_SIDE_PX = 700
"""A picture is painted at a whole fraction of the image's resolution, no larger than this."""

_BRIGHT = 0.45
_INK = {True: "#101418", False: "#ffffff"}
_HALO = {True: QColor(255, 255, 255, 110), False: QColor(0, 0, 0, 120)}
_LEFT_OUT = {True: "#b3261e", False: "#ff8a80"}
_LEAST_OUTLINE_PX = 1.5
_OUTLINE_SHARE, _TEXT_SHARE = 0.02, 0.19
_LEAST_TEXT_PX = 9


@dataclass(frozen=True)
class Mark:
    """One patch to paint: upper left corner and side, px of the image; its words; whether it has been left out."""

    y: int
    x: int
    size: int
    words: str = ""
    left_out: bool = False


def marks_of(patches: Sequence[PatchPrediction], left_out: Sequence[tuple[int, int, int]] = ()) -> tuple[Mark, ...]:
    """What is painted of patches that were read, and of places that the user has left out."""
    read = [Mark(patch.y, patch.x, patch.size, number(patch.defocus_um)) for patch in patches]
    return (*read, *(Mark(y, x, size, "×", left_out=True) for y, x, size in left_out))


def number(defocus_um: float | None) -> str:
    """One decimal with its sign and a true minus; zero has none."""
    if defocus_um is None:
        return ""
    return f"{defocus_um:+.1f}".replace("-", "−") if abs(defocus_um) >= 0.05 else "0.0"


def reduction_for(shape: tuple[int, int]) -> int:
    """Pixels of the image along one of the picture."""
    return max(-(-max(shape) // LONGEST_SIDE_PX), 1)


def paint(shape: tuple[int, int], marks: Sequence[Mark], *, bright: bool) -> npt.NDArray[np.uint8]:
    """Paint the marks on clear ground.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image, px.
    marks : sequence of Mark
        What to paint.
    bright : bool
        Whether the image is bright, so that dark ink is read better.

    Returns
    -------
    np.ndarray, shape (Y, X, 4), uint8
        RGBA, at ``reduction_for(shape)``.
    """
    factor = reduction_for(shape)
    height, width = -(-shape[0] // factor), -(-shape[1] // factor)
    canvas = QImage(width, height, QImage.Format.Format_RGBA8888)
    canvas.fill(Qt.GlobalColor.transparent)
    painter = QPainter(canvas)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    for mark in marks:
        _paint_one(painter, mark, 1 / factor, bright=bright)
    painter.end()
    return _pixels(canvas)


def is_bright(image: npt.NDArray[np.generic]) -> bool:
    """Whether dark ink is read better on an image than light ink."""
    few = image[::16, ::16, :3] if image.ndim == 3 else image[::16, ::16]
    full = np.iinfo(image.dtype).max if np.issubdtype(image.dtype, np.integer) else 1.0
    return bool(few.size and np.nanmedian(few) > _BRIGHT * full)


def _pixels(canvas: QImage) -> npt.NDArray[np.uint8]:
    bits = canvas.constBits()
    if hasattr(bits, "setsize"):  # PyQt hands out a pointer, PySide a memoryview
        bits.setsize(canvas.sizeInBytes())
    lines = np.frombuffer(bits, np.uint8).reshape(canvas.height(), -1, 4)
    return lines[:, : canvas.width()].copy()


def _paint_one(painter: QPainter, mark: Mark, scale: float, *, bright: bool) -> None:
    size = mark.size * scale
    ink = QColor((_LEFT_OUT if mark.left_out else _INK)[bright])
    line_px = max(_OUTLINE_SHARE * size, _LEAST_OUTLINE_PX)
    box = QRectF(mark.x * scale, mark.y * scale, size, size)
    painter.setPen(QPen(ink, line_px))
    painter.drawRect(box.adjusted(line_px / 2, line_px / 2, -line_px / 2, -line_px / 2))
    if not mark.words:
        return
    font = QFont(painter.font())
    font.setPixelSize(max(round(_TEXT_SHARE * size), _LEAST_TEXT_PX))
    font.setBold(True)
    painter.setFont(font)
    # In the upper left quarter, where no overlapping patch's outline crosses them.
    place = QRectF(box.x(), box.y(), size / 2, size / 2)
    for shift, colour in ((1, _HALO[bright]), (0, ink)):
        painter.setPen(colour)
        painter.drawText(place.translated(shift, shift), Qt.AlignmentFlag.AlignCenter, mark.words)
