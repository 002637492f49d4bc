"""The model of a finished calibration put to use in the session, and away again. No controls."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.calibration.record import CalibrationRecord, read_record
from napari_autofocus.workflows.calibration_undo import install_again, undo_calibration


class CalibratedModel(QObject):
    """Uses a calibrated model in place of the one before, and undoes that.

    Signals: ``recorded`` (CalibrationRecord: what is installed now), ``said`` (a sentence and its tone) and ``failed``.

    Parameters
    ----------
    session : Session
        What the panels share.
    parent : QObject
        With whose end nothing more is told.
    """

    recorded = Signal(object)
    said = Signal(str, str)
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._former: ModelPredictor | None = None
        self._used: ModelPredictor | None = None

    @property
    def is_used(self) -> bool:
        """Whether the newest calibration's model has been taken into use here."""
        return self._used is not None

    def forget(self) -> None:
        """Another calibration begins; the model stays in use."""
        self._used = None

    def use(self, folder: Path, target: Path) -> None:
        """Install the model of the calibration in a folder, and estimate with it from now on."""
        self._session.analysis.call(
            lambda: (install_again(folder, target), load_model(target)), done=self._on_loaded, failed=self.failed
        )

    def _on_loaded(self, loaded: tuple[CalibrationRecord, ModelPredictor]) -> None:
        record, model = loaded
        self._former, self._used = self._session.focus.model, model
        self._session.focus.use_model(model)
        self.said.emit(f"{model.name} is in use, in the Autofocus panel too.", "good")
        self.recorded.emit(record)

    def undo(self, folder: Path) -> None:
        """Take the former model again, and put this one's file away."""
        if self._used is not None and self._session.focus.model is self._used:
            self._session.focus.use_model(self._former)
        self._used = None
        self._session.analysis.call(lambda: _undone(folder), done=self._on_undone, failed=self.failed)

    def _on_undone(self, record: CalibrationRecord) -> None:
        model = self._session.focus.model
        now = f"{model.name} is in use" if model is not None else "no model is in use"
        self.said.emit(f"Undone: {now}. The calibrated model is kept in its folder.", "plain")
        self.recorded.emit(record)


def _undone(folder: Path) -> CalibrationRecord:
    """Runs beside the GUI."""
    undo_calibration(folder)
    record = read_record(folder)
    assert record is not None  # it was just written
    return record
