"""Comparing a recovered image: in pictures, with a true image in numbers, and by what is counted in it."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.widgets.parts.forms import (
    NAME_PX,
    Message,
    button,
    choice,
    connect_while_alive,
    label,
    refill,
    row,
    snug,
)
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.figures import FigureDone, Figures, measuring
from napari_autofocus.widgets.virtual.layers import ResultLayers
from napari_autofocus.widgets.virtual.pair import Shot, may_be_shot, shot_of_layer
from napari_autofocus.widgets.virtual.pictures import PicturesRow
from napari_autofocus.widgets.virtual.table import FigureTable
from napari_autofocus.widgets.worker import Job

_NO_TRUTH = "none"
_BEST_PLANE = "Best plane of the stack"


class CompareSection(QWidget):
    """What can be done with a recovered image; nothing where there is none.

    Parameters
    ----------
    session : Session
        What the panels share.
    layers : ResultLayers
        Where the recovered image is shown.
    theme : str
        Id of the napari theme whose colours are used.
    """

    measured = Signal(object)

    def __init__(self, session: Session, layers: ResultLayers, theme: str) -> None:
        super().__init__()
        self._session, self._viewer, self._layers = session, session.viewer, layers
        self._job: Job | None = None
        self._counted = False
        self.figures: Figures | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self.refresh()

    def _build(self, theme: str) -> None:
        self.pictures = PicturesRow(self._session, self._layers)
        self.truth_box = choice([(_NO_TRUTH, None)], "A true image in focus of this field, to compare with")
        self.count_button = button("Count cells", "Count cells or nuclei in both shots and in the recovered image")
        self.error_box = QCheckBox("Error map")
        self.error_box.setToolTip(
            "Where the recovered image differs from the true one; full colour: 10 % of full scale"
        )
        self.table = FigureTable()
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        line = row(self.pictures, self.count_button)
        line.setStretch(0, 1)
        column.addLayout(line)
        title = label("True")
        title.setFixedWidth(NAME_PX)
        line = row(title, self.truth_box, self.error_box)
        line.setStretch(1, 1)
        column.addLayout(line)
        for part in (self.message, self.table):
            column.addWidget(part)

    def _connect(self) -> None:
        self.count_button.clicked.connect(self._on_count_clicked)
        self.pictures.failed.connect(self.message.fail)
        self.truth_box.activated.connect(lambda _: self.measure())
        self.error_box.toggled.connect(self._on_error_toggled)
        events = self._viewer.layers.events
        connect_while_alive(
            self, [(signal, self._on_layers_changed) for signal in (events.inserted, events.removed, events.renamed)]
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    # what is compared

    def show_result(self) -> None:
        """There is a new recovered image; its stack's best plane is its true image, where that is known."""
        self.pictures.stop()
        self._counted, self.figures = False, None
        self.table.show_rows(())
        self.pictures.refresh()
        self.refresh()
        truth = None if self._layers.recovered is None else self._layers.recovered.pair.truth
        if truth is not None:
            self.truth_box.setCurrentIndex(self.truth_box.findText(_BEST_PLANE))
        if self.truth is not None:
            self.measure()

    @property
    def truth(self) -> Shot | None:
        """The true image that is chosen."""
        chosen, recovered = self.truth_box.currentData(), self._layers.recovered
        if chosen is None or recovered is None:
            return None
        return shot_of_layer(self._viewer, chosen) if isinstance(chosen, Image) else recovered.pair.truth

    def refresh(self) -> None:
        """Bring the list of true images up to date, and what can be pressed."""
        recovered = self._layers.recovered
        items: list[tuple[str, Any]] = [(_NO_TRUTH, None)]
        if recovered is not None:
            if recovered.pair.truth is not None:
                items.append((_BEST_PLANE, "best"))
            shots = [shot.layer for shot in recovered.pair.shots]
            others = [layer for layer in self._viewer.layers if may_be_shot(layer) and layer not in shots]
            items += [(layer.name, layer) for layer in others]
        chosen = self.truth_box.currentData()
        # Qt hands out another string than it was given, but the very layer.
        kept = next((data for _, data in items if data is chosen or (data == "best" and chosen == "best")), None)
        refill(self.truth_box, items, kept)
        for part in (self.count_button, self.truth_box):
            part.setEnabled(recovered is not None)
        self.error_box.setVisible(self._layers.error is not None)

    # numbers

    def measure(self, *, count: bool = False) -> None:
        """Compare with the true image; ``count`` also counts cells."""
        recovered = self._layers.recovered
        if recovered is None:
            return
        self._cancel()
        self._layers.forget_error()
        if self.truth is None and not (count or self._counted):
            self.message.say("")
            self.table.show_rows(())
            self.refresh()
            return
        self._counted = count or self._counted
        self.message.say("Comparing…")
        work = measuring(recovered, self.truth, count=self._counted)
        self._job = self._session.analysis.run(work, step=self._on_step, done=self._on_measured, failed=self._on_failed)

    @property
    def is_measuring(self) -> bool:
        """Whether numbers are on their way."""
        return self._job is not None

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job = None

    def _on_count_clicked(self) -> None:
        recovered = self._layers.recovered
        if recovered is not None and recovered.seen[0].pixel_size_um is None and recovered.objective is None:
            self.message.fail(
                InputError("Counting needs the size of a pixel in µm; set the scale of the shots' layer.")
            )
            return
        self.measure(count=True)

    def _on_step(self, step: FigureDone) -> None:
        if self._job is not None:
            self.message.say(f"Comparing: image {step.done} of {step.total}")

    def _on_measured(self, figures: Figures) -> None:
        if self._job is None:
            return
        self._job = None
        self.figures = figures
        self.message.say("")
        self.table.show_rows(figures.rows)
        if figures.error is not None:
            error = self._layers.show_error(figures.error)
            if error is not None:
                error.visible = self.error_box.isChecked()
        self.refresh()
        self.measured.emit(figures)

    def _on_failed(self, error: AutofocusError) -> None:
        if self._job is not None:
            self._job = None
            self.message.fail(error)

    def _on_error_toggled(self, wanted: bool) -> None:
        if self._layers.error is not None:
            self._layers.error.visible = wanted

    def _on_layers_changed(self, *_: object) -> None:
        self.pictures.refresh()
        self.refresh()
