"""Two shots: how far apart, which layer holds the first, a button that takes them, and their difference as evidence."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.routines.refocus import DISTANCE_BORNE
from napari_autofocus.widgets.estimate.estimating import LiveEstimator
from napari_autofocus.widgets.estimate.seeing import CAMERA, is_source
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.layers.difference import hide_difference, show_difference
from napari_autofocus.widgets.parts.forms import (
    NAME_PX,
    button,
    choice,
    connect_while_alive,
    label,
    number,
    refill,
    row,
)
from napari_autofocus.widgets.session import Session

_SAME = "this layer, Δ below"
_NUMBER_PX = 112
_SAME_PLACE_UM = 0.2


class TwoShotsRow(QWidget):
    """Shown while a model of two shots is in use.

    Parameters
    ----------
    session : Session
        What the panels share; its ``focus`` is told the distance and the layer of the first shot.
    estimator : LiveEstimator
        Whose source says whether two shots are taken, or lie in layers.
    """

    taken = Signal()

    def __init__(self, session: Session, estimator: LiveEstimator) -> None:
        super().__init__()
        self._session = session
        self._state = session.focus
        self._viewer = session.viewer
        self._estimator = estimator
        self._newest: Estimated | None = None
        self._build()
        self._arrange()
        self._connect()
        self._on_model_changed()

    def _build(self) -> None:
        self.distance_box = number(2.0, 0.1, 100.0, 0.1, "µm", "Distance of the two shots", width_px=_NUMBER_PX)
        self.distance_box.setPrefix("Δ ")
        self.first_box = choice(
            [(_SAME, None)], "Where the first shot lies, the one farther apart; the second is shown"
        )
        self.take_button = button("Move, estimate", "Takes two shots, the first a step apart; the drive comes back")
        self.difference_button = button(
            "Difference", "Show what the model reads: the second shot minus the first, over the image", checkable=True
        )

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        name = label("2 shots")
        name.setFixedWidth(NAME_PX)
        line = row(name, self.distance_box, self.first_box, self.take_button, self.difference_button)
        line.setStretch(2, 1)
        line.setStretch(3, 1)
        column.addLayout(line)

    def _connect(self) -> None:
        self.distance_box.valueChanged.connect(self._on_set)
        self.first_box.activated.connect(self._on_set)
        self.take_button.clicked.connect(self.taken)
        self.difference_button.toggled.connect(self._on_difference_toggled)
        self._estimator.source_changed.connect(self._on_possible_changed)
        session, layers = self._session, self._viewer.layers.events
        connect_while_alive(
            self,
            [
                (self._state.model_changed, self._on_model_changed),
                (self._state.estimated, self._on_estimated),
                (session.z_changed, self._on_z_changed),
                (session.running_changed, self._on_possible_changed),
                (session.connection_changed, self._on_possible_changed),
                (layers.inserted, self._on_possible_changed),
                (layers.removed, self._on_possible_changed),
                (layers.renamed, self._on_possible_changed),
            ],
        )

    # what is set

    def _on_set(self, *_: object) -> None:
        self._state.set_two_shots(self.distance_box.value(), self.first_box.currentData())
        self._tell_distance()

    def _on_model_changed(self, *_: object) -> None:
        """Another model, another distance: its own, editable as far as it bears."""
        pair = self._state.pair
        self.setVisible(pair is not None)
        if pair is None:
            self.difference_button.setChecked(False)
            return
        own_um, dof_um = pair.card.dz_um, pair.card.dof_um
        with QSignalBlocker(self.distance_box):
            self.distance_box.setRange(own_um * (1 - DISTANCE_BORNE), own_um * (1 + DISTANCE_BORNE))
            self.distance_box.setValue(own_um)
        self.distance_box.setToolTip(
            f"Distance of the two shots: the model was made for {own_um:g} µm, {own_um / dof_um:.2g} depths of field,"
            f" and bears a tenth more or less"
        )
        self._tell_distance()
        self._on_possible_changed()

    def _tell_distance(self) -> None:
        """The button says what will move."""
        way = f"{self.distance_box.value():.2f}".rstrip("0").rstrip(".")
        self.take_button.setText(f"Move {way} µm, estimate")
        self.take_button.setToolTip(
            f"Moves the focus drive: sample and objective {way} µm apart, a frame, back together, another frame; tells"
            " the defocus here. Nothing comes closer than now"
        )

    # what is possible

    def _on_possible_changed(self, *_: object) -> None:
        if self._state.pair is None:
            return
        offline = isinstance(self._estimator.source, Image)
        self.first_box.setVisible(offline)
        self.take_button.setVisible(not offline)
        self.take_button.setEnabled(self._session.connection is not None and not self._session.is_running)
        others = [layer for layer in reversed(self._viewer.layers) if is_source(layer)]
        items = [(_SAME, None), *((layer.name, layer) for layer in others if layer is not self._estimator.source)]
        if not any(layer is self._state.first_shot for _, layer in items):
            self._state.first_shot = None
        refill(self.first_box, [*items[1:], items[0]], self._state.first_shot)

    def _on_z_changed(self, z_um: float) -> None:
        """What two shots of the camera have told holds for where they were taken, and no live frame renews it."""
        newest = self._state.newest
        if self._state.pair is None or self._session.is_running or newest is None or newest.seen.source != CAMERA:
            return
        if newest.seen.z_um is not None and abs(z_um - newest.seen.z_um) > _SAME_PLACE_UM:
            self._state.clear()

    # the evidence

    def _on_estimated(self, estimated: Estimated) -> None:
        self._newest = estimated if estimated.first is not None else None
        if self.difference_button.isChecked():
            self._show_difference()

    def _on_difference_toggled(self, wanted: bool) -> None:
        if wanted:
            self._show_difference()
        else:
            hide_difference(self._viewer)

    def _show_difference(self) -> None:
        if self._newest is not None and self._newest.first is not None:
            show_difference(self._viewer, self._newest.first, self._newest.seen)
