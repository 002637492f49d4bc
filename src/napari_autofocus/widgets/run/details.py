"""One run in full: the field before and after, what happened in words, and the focus curve where there is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.records import SweepRecord
from napari_autofocus.widgets.parts.forms import Message, scrolled
from napari_autofocus.widgets.parts.sentences import plain_um, signed_um
from napari_autofocus.widgets.plots import FocusCurvePlot
from napari_autofocus.widgets.run.words import sentence_of, tone_of
from napari_autofocus.workflows.runs.entry import RunEntry, RunRecord

_PICTURE_PX = (104, 84)
_CURVE_PX = 126
_LEAST_PX = 150


class RunDetails(QWidget):
    """Shows one run of the log.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.before = _Thumbnail("before")
        self.after = _Thumbnail("after")
        self.sentence, self.reasons = Message(theme), Message(theme)
        self.plot = FocusCurvePlot(theme)
        self.plot.setMinimumHeight(_CURVE_PX)
        self.plot.setMaximumHeight(_CURVE_PX)
        self.plot.setToolTip("Sharpness over z (µm) of the sweep or scan of this run")
        pictures = QHBoxLayout()
        pictures.setSpacing(6)
        for part in (self.before, self.after):
            pictures.addWidget(part, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.sentence)
        words.addStretch(1)
        pictures.addLayout(words, 1)
        column = scrolled(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(pictures)
        column.addWidget(self.reasons)
        column.addWidget(self.plot)
        column.addStretch(1)
        # Takes what room there is, and scrolls: it shall not make the panel that it is in scroll, too.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(_LEAST_PX)
        self.show_run(None)

    def show_run(self, entry: RunEntry | None) -> None:
        """Show this run; None shows nothing."""
        self.setVisible(entry is not None)
        if entry is None:
            return
        record = entry.record
        self.sentence.say(sentence_of(entry), tone_of(entry))
        self.reasons.say("\n".join((*getattr(record, "warnings", ()), *record.reasons)))
        before_um, after_um = entry.defocus_um
        self.before.show_picture(entry.before, _told(before_um, record.start_um))
        self.after.show_picture(entry.after, _told(after_um, record.end_um))
        self._draw(record)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.sentence, self.reasons, self.plot):
            part.set_theme(theme)

    def _draw(self, record: RunRecord) -> None:
        curve = getattr(record, "curve", ())
        self.plot.setVisible(bool(curve))
        self.plot.set_curve([point.z_um for point in curve], [point.sharpness for point in curve])
        if isinstance(record, SweepRecord):
            self.plot.set_peak(record.best_z_um, record.uncertainty_um)
        self.plot.set_marker(record.end_um)


class _Thumbnail(QWidget):
    """A small picture with a line below it; nothing where there is no picture."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.picture, self.caption = QLabel(), QLabel()
        self.picture.setToolTip(f"The field {moment} the run, small")
        self.caption.setToolTip(f"Estimated defocus {moment} the run, µm; positive: too close. Otherwise z, µm")
        self.caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.caption)

    def show_picture(self, picture: npt.NDArray[np.uint8] | None, caption: str) -> None:
        """Show a picture; None hides all of it."""
        self.setVisible(picture is not None)
        self.caption.setText(caption)
        if picture is not None:
            self.picture.setPixmap(_pixmap(picture))


def _told(defocus_um: float | None, z_um: float) -> str:
    """The defocus where one is known, otherwise the drive position."""
    return signed_um(defocus_um) if defocus_um is not None else f"z {plain_um(z_um)}"


def _pixmap(picture: npt.NDArray[np.uint8]) -> QPixmap:
    pixels = np.ascontiguousarray(picture)
    kind = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGB888
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind)
    return QPixmap.fromImage(image).scaled(
        *_PICTURE_PX, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
