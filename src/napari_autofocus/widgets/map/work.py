"""Surveys of one viewer: started on the hardware thread, told while they run. No controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.routines.survey import survey, survey_by_sweep
from napari_autofocus.routines.survey_config import Place, SurveyConfig, SurveyStep, SweepSurveyConfig
from napari_autofocus.routines.surveying.record import SETTLED, SurveyRecord
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.widgets.map.words import NO_MODEL, TWO_SHOTS
from napari_autofocus.widgets.session import Session

What = Literal["survey", "again", "brenner", "scout"]


class SurveyWork(QObject):
    """Runs one survey at a time; ends with ``ended`` (SurveyRecord) or ``failed``.

    Parameters
    ----------
    session : Session
        What the panels share.
    """

    stepped = Signal(object)
    ended = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.doing: What | None = None

    def survey(self, places: Sequence[Place], earlier: SurveyRecord | None = None) -> None:
        """Find focus at these places by the session's model; go on with an earlier survey where there is one.

        Raises InputError where there is no model that can.
        """
        self._survey("survey", places, earlier)

    def again(self, points: Sequence[FocusPoint], index: int) -> None:
        """Find the focus of one point once more, starting from what the others say. Raises InputError as survey."""
        others = [point for at, point in enumerate(points) if at != index and point.outcome in SETTLED]
        places = (*((point.x_um, point.y_um) for point in others), (points[index].x_um, points[index].y_um))
        numbers = tuple(range(len(others)))
        earlier = SurveyRecord("one-shot", "cancelled", (), places, numbers, tuple(others), 0, 0, 0.0, 0.0, 0.0)
        self._survey("again", places, earlier)

    def _survey(self, what: What, places: Sequence[Place], earlier: SurveyRecord | None) -> None:
        microscope, state = self._session.microscope, self._session.focus
        if state.model is None:
            raise InputError(NO_MODEL if state.pair is None else TWO_SHOTS)
        if microscope is None or self._session.is_running:
            return
        keep = self.ended.emit
        self._start(what, survey(microscope, state.model, self.config(), tuple(places), keep=keep, earlier=earlier))

    def survey_by_sweep(self, places: Sequence[Place], planes: int, step_um: float) -> None:
        """Find focus at these places by a z-stack each, as one does without a model."""
        microscope, connection = self._session.microscope, self._session.connection
        if microscope is None or connection is None or self._session.is_running:
            return
        direction = self._session.focus.focus_direction
        config = SweepSurveyConfig(planes=planes, step_um=step_um, dof_um=connection.dof_um, focus_direction=direction)
        self._start("brenner", survey_by_sweep(microscope, config, tuple(places), keep=self.ended.emit))

    def config(self) -> SurveyConfig:
        """What a survey is told: the optics as the panels know them, and a sweep for its first focus."""
        state = self._session.focus
        dof_um = None if state.model is None else state.model.card.dof_um
        return SurveyConfig(
            optics=None if state.objective is None else ImageOptics(state.objective),
            insist=state.insist,
            focus_direction=state.focus_direction,
            sweep=None if dof_um is None else SweepConfig(dof_um=dof_um),
        )

    def stop(self) -> None:
        """Halt the drive and close the run, which brings everything back."""
        if self.doing is not None:
            self._session.stop_run()

    def _start(self, what: What, work: object) -> None:
        self.doing = what
        self._session.start_run(work, step=self._on_step, failed=self.failed)  # type: ignore[arg-type]

    def _on_step(self, step: SurveyStep) -> None:
        if step.frame is not None:
            self._session.view.show(step.frame)
        self.stepped.emit(step)
