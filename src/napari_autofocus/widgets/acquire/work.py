"""An acquisition of one viewer: started on the hardware thread, told while it runs. No controls."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.optics import Objective
from napari_autofocus.routines.acquire_config import AcquireConfig, AcquireRecord, AcquireStep
from napari_autofocus.widgets.acquire.places import Where
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquisition import AcquisitionPlan, AcquisitionResult, acquire_stacks, model_finder


@dataclass(frozen=True, eq=False)
class Wish:
    """What a user asks for in the panel.

    Parameters
    ----------
    where : callable
        Positions, once it is known where the stage stands.
    config : AcquireConfig
        What stacks are like.
    objective : Objective or None
        As the session has it.
    focus_direction : int
        For a drive that does not tell: +1, −1 or 0.
    model : ModelPredictor or None
        What finds focus; None for a sweep.
    """

    where: Where
    config: AcquireConfig
    objective: Objective | None
    focus_direction: int
    model: ModelPredictor | None

    def plan(self, microscope: CoreMicroscope) -> AcquisitionPlan:
        """The plan, around where the stage stands now."""
        positions = self.where(microscope.xy_um())
        return AcquisitionPlan(
            positions.places,
            positions.wanted,
            self.config,
            self.objective,
            focus_direction=self.focus_direction,
            found_by="sweep" if self.model is None else self.model.name,
        )


class AcquireWork(QObject):
    """Runs one acquisition at a time; ends with ``ended`` (AcquireRecord) or ``failed``.

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
        self.is_ours = False

    def start(self, folder: Path, wish: Wish | None) -> None:
        """Acquire into a folder; without a wish by the folder's own plan."""
        microscope = self._session.microscope
        if microscope is None or self._session.is_running:
            return
        self.is_ours = True
        model = wish.model if wish else self._session.focus.model
        work = _acquiring(microscope, folder, wish, model, self)
        self._session.start_run(work, step=self.stepped, failed=self.failed)

    def stop(self) -> None:
        """Halt the drive and close the run, which puts everything back."""
        if self.is_ours:
            self._session.stop_run()

    def tell(self, record: AcquireRecord) -> None:
        """Called on the hardware thread, however the run ends; heard on the GUI thread."""
        self.ended.emit(record)


def _acquiring(
    microscope: CoreMicroscope, folder: Path, wish: Wish | None, model: ModelPredictor | None, work: AcquireWork
) -> Generator[AcquireStep, None, AcquisitionResult]:
    """Runs on the hardware thread: the plan needs to know where the stage stands."""
    book = AcquisitionBook.read(folder) if wish is None else None
    if book is not None:
        plan = book.plan
    elif wish is not None:
        plan = wish.plan(microscope)
    else:
        raise InputError(f"{folder} holds no acquisition to go on with; choose what to acquire.")
    find = None
    if plan.found_by != "sweep" and plan.config.centre == "find":
        if model is None or model.name != plan.found_by:
            raise InputError(
                f"These stacks were begun with the model {plan.found_by}; choose it in the Autofocus panel."
            )
        find = model_finder(model, plan)
    return (yield from acquire_stacks(microscope, plan, folder, find=find, keep=work.tell))
