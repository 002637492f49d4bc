"""Taking the two shots now: around which z, how far from it, and which positions the drive will visit."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError, MoveRefused
from napari_autofocus.records import RefocusRecord, SweepRecord
from napari_autofocus.routines.two_planes import (
    TwoPlanes,
    TwoPlanesConfig,
    TwoPlanesStep,
    require_room,
    take_two_planes,
)
from napari_autofocus.widgets.parts.forms import (
    NAME_PX,
    Message,
    choice,
    connect_while_alive,
    label,
    number,
    refill,
    row,
    snug,
)
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.words import NOT_CONNECTED, plan_words

_HERE = "Where the drive stands"
_LAST = "Last focus"
_STACK = "Best focus of the z-stack"


class TakePage(QWidget):
    """Plans two shots and takes them; ends with ``taken`` (TwoPlanes) or ``failed`` (an error).

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    stack_focus : callable
        Best focus of the z-stack that was measured, µm; None where none was.
    """

    changed = Signal()
    taken = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Session, theme: str, stack_focus: Callable[[], float | None]) -> None:
        super().__init__()
        self._session, self._stack_focus = session, stack_focus
        self._here_um: float | None = None
        self.is_ours = self.was_stopped = False
        tip = "The focal position F: the shots are taken ΔD below and above it, and the drive ends there (µm)"
        self.centre_box = choice([(_HERE, "here")], tip)
        self.half_box = number(1, 0.01, 100, 0.1, "µm", "ΔD: distance of each shot from the focal position, µm")
        self.message = Message(theme)
        self._relay = _Relay()
        self._arrange()
        self._connect()
        self._on_connection_changed(session.connection)

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for name, part in (("Around", self.centre_box), ("ΔD", self.half_box)):
            title = label(name)
            title.setFixedWidth(NAME_PX)
            line = row(title, part)
            line.setStretch(1, int(part is self.centre_box))
            if part is self.half_box:
                line.addStretch(1)
            column.addLayout(line)
        column.addWidget(self.message)

    def _connect(self) -> None:
        session = self._session
        self.centre_box.activated.connect(self._on_edited)
        self.half_box.valueChanged.connect(self._on_edited)
        self._relay.kept.connect(self._on_kept)
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.z_changed, self._on_z_changed),
                (session.runs.added, self._on_run_added),
            ],
        )

    # the plan

    def config(self) -> TwoPlanesConfig:
        """What is wished. Raises InputError, which also says why nothing can be taken."""
        if self._session.microscope is None:
            raise InputError(NOT_CONNECTED)
        return TwoPlanesConfig(self.half_box.value(), self._centre_um)

    def require_possible(self) -> None:
        """Raises InputError or MoveRefused, which say why the shots cannot be taken."""
        config, microscope = self.config(), self._session.microscope
        if microscope is not None and self._here_um is not None:
            require_room(microscope.focus, config.z_um(self._here_um, microscope.focus.focus_direction))

    @property
    def _centre_um(self) -> float | None:
        chosen = self.centre_box.currentData()
        return None if chosen == "here" else float(chosen)

    def suggest_half(self, half_um: float) -> None:
        """Start from this ΔD, µm."""
        self.half_box.setValue(half_um)

    def refresh(self) -> None:
        """Bring the focal positions that are known, and the plan, up to date."""
        items: list[tuple[str, object]] = [(_HERE, "here")]
        for name, z_um in ((_LAST, self._last_focus_um()), (_STACK, self._stack_focus())):
            if z_um is not None:
                items.append((f"{name}: {plain_um(z_um)}", z_um))
        chosen = self.centre_box.currentData()
        kept = next((data for _, data in items if data == chosen), "here")
        refill(self.centre_box, items, kept)
        self._show_plan()

    def _last_focus_um(self) -> float | None:
        """Where the newest run that found focus has left the drive, µm."""
        for entry in reversed(self._session.runs.entries):
            record = entry.record
            found = isinstance(record, SweepRecord | RefocusRecord)
            if found and record.outcome in ("focused", "already_in_focus"):
                return float(record.end_um)
        return None

    def _show_plan(self) -> None:
        """Which positions will be visited, before anything moves."""
        microscope, here_um = self._session.microscope, self._here_um
        if microscope is None:
            self.message.say(NOT_CONNECTED, "warning")
        elif here_um is None:
            self.message.say("")
        else:
            config = self.config()
            centre_um = here_um if config.centre_um is None else config.centre_um
            z_um = config.z_um(here_um, microscope.focus.focus_direction)
            try:
                self.require_possible()
            except MoveRefused as error:
                self.message.say(error, "warning")
            else:
                self.message.say(plan_words(z_um, centre_um, here_um))

    # what happens

    def _on_edited(self, *_: object) -> None:
        self._show_plan()
        self.changed.emit()

    def _on_connection_changed(self, connection: object) -> None:
        self._here_um = None
        if connection is not None:
            self._session.ask(lambda microscope: microscope.focus.position_um(), done=self._on_z_changed)
        self.refresh()
        self.changed.emit()

    def _on_z_changed(self, z_um: float) -> None:
        self._here_um = float(z_um)
        if not self._session.is_running:
            self._show_plan()

    def _on_run_added(self, _: object) -> None:
        self.refresh()

    # taking

    def take(self) -> None:
        """Take both shots; nothing happens while a routine runs. Raises InputError where that cannot be."""
        config, microscope = self.config(), self._session.microscope
        if microscope is None or self._session.is_running:
            return
        self.is_ours, self.was_stopped = True, False
        work = take_two_planes(microscope, config, keep=self._relay.kept.emit)
        self._session.start_run(work, step=self._on_step, failed=self._on_failed)

    def stop(self) -> None:
        """Halt the drive and bring it back."""
        if self.is_ours:
            self.was_stopped = True
            self._session.stop_run()

    def _on_step(self, step: TwoPlanesStep) -> None:
        self._session.view.show(step.frame)

    def _on_kept(self, taken: TwoPlanes) -> None:
        self.is_ours = False
        self.taken.emit(taken)

    def _on_failed(self, error: AutofocusError) -> None:
        self.is_ours = False
        self.failed.emit(error)


class _Relay(QObject):
    """Brings the shots from the hardware thread to the GUI's; it outlives a panel that is closed meanwhile."""

    kept = Signal(object)
