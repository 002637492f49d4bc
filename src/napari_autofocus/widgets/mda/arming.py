"""Arms the connected core for acquisitions that any widget runs on it, and brings what happens to the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Iterator

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.mda import (
    ArmedCore,
    MapHeight,
    MdaFinder,
    MdaFocusConfig,
    is_acquiring,
    model_finder,
    sweep_finder,
)

NO_MODEL = "No model is in use; choose one in the Autofocus panel, or focus by a sweep."
NO_DEPTH = "A sweep takes its step from the depth of field; state the objective in the Autofocus panel."
_BUSY = "Another run holds the microscope; start the acquisition when it has ended."
_POLL_S = 0.05
_WAIT_S = 30.0


class MdaArming(QObject):
    """Keeps a core armed, and the session's other runs away while it acquires.

    ``started``, ``focused`` (FocusEvent) and ``ended`` (MdaFocusRecord) are told on the GUI thread.
    """

    started = Signal()
    focused = Signal(object)
    ended = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._armed: ArmedCore | None = None
        self.finder: MdaFinder | None = None
        self.started.connect(self._on_started)

    @property
    def is_armed(self) -> bool:
        """Whether acquisitions on the core are focused."""
        return self._armed is not None and self._armed.is_armed

    @property
    def is_acquiring(self) -> bool:
        """Whether an acquisition runs on the connected core."""
        microscope = self._session.microscope
        return microscope is not None and is_acquiring(microscope.core)

    def arm(self, finder: MdaFinder, config: MdaFocusConfig, height: MapHeight | None) -> None:
        """Focus every acquisition from now on. Raises InputError."""
        microscope = self._session.microscope
        if microscope is None:
            raise InputError("Connect a microscope in the Microscope panel first.")
        self._armed = ArmedCore(
            microscope,
            finder,
            config,
            height=height,
            keep=self.ended.emit,
            on_start=self._begin,
            on_focus=self.focused.emit,
        )
        self.finder = finder

    def disarm(self) -> None:
        """Give the core its engine back. Raises InputError while it acquires."""
        if self._armed is not None:
            self._armed.disarm()
            self._armed = None

    def let_go(self) -> None:
        """End whatever runs and give the core its engine back: the panel or the viewer closes."""
        if self._armed is None:
            return
        core = self._armed.engine.mmcore
        if is_acquiring(core):
            core.mda.cancel()
            deadline = time.monotonic() + _WAIT_S
            while is_acquiring(core) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        try:
            self.disarm()
        except AutofocusError as error:
            self._session.failed.emit(error)

    def _begin(self) -> None:
        """In the thread of the acquisition, before anything moves."""
        if self._session.is_running:
            raise InputError(_BUSY)
        self.started.emit()

    def _on_started(self) -> None:
        """The microscope is held for as long as the acquisition runs; Stop of any panel cancels it."""
        microscope = self._session.microscope
        if microscope is not None and is_acquiring(microscope.core) and not self._session.is_running:
            self._session.start_run(_while_acquiring(microscope), failed=self._session.failed.emit)


def _while_acquiring(microscope: CoreMicroscope) -> Iterator[None]:
    core = microscope.core
    try:
        while is_acquiring(core):
            time.sleep(_POLL_S)
            yield None
    finally:
        if is_acquiring(core):
            core.mda.cancel()
        while is_acquiring(core):
            time.sleep(_POLL_S)


def finder_of(session: Session, range_um: float | None) -> MdaFinder:
    """The session's model, or a sweep of that range (µm).

    Raises
    ------
    InputError
        If no model is in use, or a sweep does not know its step.
    """
    state, connection = session.focus, session.connection
    if range_um is not None:
        dof_um = connection.dof_um if connection is not None else None
        if dof_um is None and state.objective is not None:
            dof_um = state.objective.dof_um
        if dof_um is None:
            raise InputError(NO_DEPTH)
        return sweep_finder(SweepConfig(dof_um=dof_um, range_um=max(range_um, dof_um)))
    model = state.chosen
    if model is None:
        raise InputError(NO_MODEL)
    config = RefocusConfig(
        optics=None if state.objective is None else ImageOptics(state.objective),
        insist=state.insist,
        region=state.region,
        focus_direction=state.focus_direction,
        dz_um=state.dz_um,
        sweep=SweepConfig(dof_um=model.card.dof_um, range_um=model.card.range_um),
    )
    return model_finder(model, config, pair=state.fallback)
