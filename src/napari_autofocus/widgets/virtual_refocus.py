"""The Virtual refocus panel: the image in focus from two shots either side of it, without a move back to focus."""

from __future__ import annotations

import napari.viewer
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_autofocus.errors import AutofocusError, InputError, MoveRefused, OpticsRefused
from napari_autofocus.models.refocuser import TileDone
from napari_autofocus.routines.two_planes import TwoPlanes
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, heading, row, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.compare import CompareSection
from napari_autofocus.widgets.virtual.layers import ResultLayers
from napari_autofocus.widgets.virtual.model import VirtualModelChoice
from napari_autofocus.widgets.virtual.pair import Pair, pair_of_layers
from napari_autofocus.widgets.virtual.result import ResultSection
from napari_autofocus.widgets.virtual.scanning import ScanSection
from napari_autofocus.widgets.virtual.source import SourceForm, show_shots
from napari_autofocus.widgets.virtual.words import (
    HELD,
    NO_IMAGES,
    half_warning,
    run_tip,
    suggested_half_um,
    taken_words,
)
from napari_autofocus.widgets.virtual.work import Leaving, Order, Recovered, RefocusWork, require_ready

_TALL_PX = 34
_RUN = "Recover"
_TAKE_AND_RUN = "Take two shots and recover"


class VirtualRefocusPanel(QWidget):
    """Recovers images in focus, and lets them be compared with what they were made of."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._suggested_um = 0.0
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._suggest_half()
        self._on_changed()

    def _build(self, theme: str) -> None:
        session = self._session
        self.work = RefocusWork(session.analysis)
        self.layers = ResultLayers(self._viewer)
        self.source = SourceForm(session, theme)
        self.model = VirtualModelChoice(session, theme)
        self.run_button = button(_RUN, "")
        self.cancel_button = button("Cancel", "Stop after the tile it is at; a drive that was moved (µm) goes back")
        self.progress = QProgressBar()
        self.progress.setToolTip("Tiles of the image that are recovered (a number)")
        self.note, self.message = Message(theme), Message(theme)
        self.result = ResultSection(session, self.layers, theme)
        self.compare_heading = heading("Compare")
        self.compare = CompareSection(session, self.layers, theme)
        self._of_result = (self.result, self.compare_heading, self.compare)
        self.scan = ScanSection(session, theme, lambda: (self.model.refocuser, self.model.optics.insist))

    def _arrange(self) -> None:
        snug(self.note, self.message)
        for pressed in (self.run_button, self.cancel_button):
            pressed.setMinimumHeight(_TALL_PX)
        font = self.run_button.font()
        font.setBold(True)
        self.run_button.setFont(font)
        column = scrolled(self)
        for part in (self.source, self.model, self.note):
            column.addWidget(part)
        buttons = row(self.run_button, self.cancel_button)
        buttons.setStretch(0, 1)
        column.addLayout(buttons)
        for part in (self.progress, self.message, self.result, self.compare_heading, self.compare):
            column.addWidget(part)
        column.addWidget(self.scan)
        column.addStretch(1)
        for part in self._of_result:
            part.hide()

    def _connect(self) -> None:
        work, session = self.work, self._session
        for signal, slot in (
            (self.run_button.clicked, self._on_run_clicked),
            (self.cancel_button.clicked, self._on_cancel_clicked),
            (self.source.changed, self._on_changed),
            (self.source.listed, self._refresh),
            (self.source.take.taken, self._on_taken),
            (self.source.take.failed, self._on_failed),
            (self.model.changed, self._on_model_changed),
            (work.stepped, self._on_step),
            (work.ended, self._on_ended),
            (work.failed, self._on_failed),
            (work.cancelled, self._on_cancelled),
        ):
            signal.connect(slot)
        self.destroyed.connect(Leaving(work))
        connect_while_alive(
            self,
            [
                (session.running_changed, self._refresh),
                (session.connection_changed, self._refresh),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # what the user does

    def _on_run_clicked(self) -> None:
        try:
            if self.source.kind == "take":
                require_ready(self.model.refocuser)
                self.source.take.take()
                self.message.say("Taking two shots…")
            else:
                self._recover(self.source.pair())
        except InputError as error:
            self.message.fail(error)
        self._enable()

    def _recover(self, pair: Pair) -> None:
        refocuser = require_ready(self.model.refocuser)
        self.compare.pictures.stop()
        self.progress.setRange(0, 0)
        self.message.say("Recovering…")
        optics = pair.optics(self._session.focus.objective)
        self.work.start(Order(pair, refocuser, optics, self.model.optics.insist))
        self._enable()

    def _on_cancel_clicked(self) -> None:
        self.message.say("Stopping…")
        self.source.take.stop()
        self.work.cancel()

    # what becomes of it

    def _on_taken(self, taken: TwoPlanes) -> None:
        stopped = self.source.take.was_stopped
        self.message.say(*taken_words(taken, stopped=stopped))
        if taken.outcome == "taken" and not stopped and not self._session.is_closed:
            first, second = show_shots(self._viewer, taken)
            try:
                self._recover(pair_of_layers(self._viewer, first, second))
            except InputError as error:
                self.message.fail(error)
        self._enable()

    def _on_step(self, step: TileDone) -> None:
        self.progress.setRange(0, step.total)
        self.progress.setValue(step.done)
        self.progress.setFormat("tile %v of %m")

    def _on_ended(self, recovered: Recovered) -> None:
        if self._session.is_closed:
            return
        layer = self.layers.show(recovered)
        self.message.say(f"Layer {layer.name!r} was added.")
        for part in self._of_result:
            part.show()
        self.result.show_result()
        self.compare.show_result()
        self._enable()

    def _on_failed(self, error: AutofocusError) -> None:
        if isinstance(error, OpticsRefused):
            self.model.optics.tell_differences(error.differences)
            self.message.say("The model refuses these shots: see above; state their optics, or insist.", "error")
        else:
            self.message.fail(error)
        self._enable()

    def _on_cancelled(self) -> None:
        self.message.say("Cancelled; no layer was added.")
        self._enable()

    # what is possible now

    def _on_model_changed(self) -> None:
        self._suggest_half()
        self._on_changed()

    def _suggest_half(self) -> None:
        """ΔD by the depth of field and the model, as long as the user has not chosen another."""
        lens = self._session.focus.objective
        half_um = suggested_half_um(self.model.card, lens.dof_um if lens else None)
        if half_um == self._suggested_um:
            return
        untouched = self._suggested_um == 0 or self.source.take.half_box.value() == self._suggested_um
        self._suggested_um = half_um
        if untouched:
            self.source.suggest_half(half_um)
            self.scan.suggest_half(half_um)

    def _on_changed(self, *_: object) -> None:
        """Another choice: what was said of the one before does not hold."""
        if not self._is_busy:
            self.message.say("")
        self._refresh()

    def _refresh(self, *_: object) -> None:
        pair, hindrance = self._wish()
        self.model.optics.show_own(None if pair is None else pair.objective)
        said = "" if hindrance == self.source.told else hindrance
        self.note.say(said or self._half_note(pair), "plain" if said == NO_IMAGES else "warning")
        self._enable(hindrance)

    def _wish(self) -> tuple[Pair | None, str]:
        """The pair that is chosen, and why nothing can be recovered; empty where something can."""
        pair, hindrance = None, ""
        try:
            if self.source.kind == "take":
                self.source.take.require_possible()
            else:
                pair = self.source.pair()
        except (InputError, MoveRefused) as error:
            nothing = not self.source.has_images and self._session.connection is None
            hindrance = NO_IMAGES if nothing else str(error)
        return pair, hindrance

    def _half_note(self, pair: Pair | None) -> str:
        """What is to be said of the distance of the two shots, where it is known."""
        if self.source.kind == "take":
            return half_warning(self.model.card, self.source.take.half_box.value())
        half_um = None if pair is None else pair.half_um
        return "" if half_um is None else half_warning(self.model.card, half_um)

    @property
    def _is_busy(self) -> bool:
        return self.work.is_running or self.source.take.is_ours

    def _enable(self, hindrance: str | None = None) -> None:
        if hindrance is None:
            _, hindrance = self._wish()
        busy, taking = self._is_busy, self.source.kind == "take"
        held = taking and self._session.is_running
        self.run_button.setText(_TAKE_AND_RUN if taking else _RUN)
        lacks = "" if self.model.refocuser is not None else self.model.message.text() or "Choose a model first."
        hindrance = HELD if held else hindrance or lacks
        self.run_button.setEnabled(not busy and not hindrance)
        self.run_button.setToolTip(hindrance or run_tip(self.source.told if taking else ""))
        self.cancel_button.setEnabled(busy)
        self.progress.setVisible(self.work.is_running)
        for part in (self.source, self.model):
            part.setEnabled(not busy)

    def _on_theme_changed(self, *_: object) -> None:
        theme = self._viewer.theme
        for part in (self.source, self.model, self.note, self.message, self.result, self.compare, self.scan):
            part.set_theme(theme)
