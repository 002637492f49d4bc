"""Which image is looked at: the camera or a layer, how it was taken, and whether estimates follow it."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.optics import PRESETS, Objective
from napari_autofocus.widgets.estimate.estimating import LiveEstimator, Source
from napari_autofocus.widgets.estimate.seeing import CAMERA, is_source, objective_of
from napari_autofocus.widgets.layers.stack_layer import pixel_size_um
from napari_autofocus.widgets.parts.forms import (
    NAME_PX,
    Message,
    button,
    choice,
    connect_while_alive,
    label,
    refill,
    row,
)
from napari_autofocus.widgets.session import Connection, Session

_OBJECTIVE_PX = 104
_OBJECTIVE_TIP = "Objective that the image was taken with, as 20x/0.75 or 100x/1.4 oil; a model refuses unknown optics"
_NONE = "no image"
_UNKNOWN = "unknown"


class ImageChoice(QWidget):
    """Chooses what a :class:`LiveEstimator` looks at, and states the objective of images that do not.

    Parameters
    ----------
    session : Session
        What the panels share.
    estimator : LiveEstimator
        Who looks.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, estimator: LiveEstimator, theme: str) -> None:
        super().__init__()
        self._session = session
        self._viewer = session.viewer
        self._state = session.focus
        self._pixel_words = ""
        self.estimator = estimator
        self._build(theme)
        self._arrange()
        self._connect()
        estimator.enabled = False
        self._refill()
        self._on_settings_changed()
        self._on_connection_changed(session.connection)

    def _build(self, theme: str) -> None:
        self.source_box = choice([], "Image to look at: the camera, or the plane that the slider shows of a layer")
        self.live_button = button("Live", "Show the camera's newest frames", checkable=True)
        self.estimate_button = button(
            "Estimate", "Tell the defocus of every new image; frames that come too fast are left out", checkable=True
        )
        self.objective_box = choice(
            [(_UNKNOWN, None), *((name, name) for name in PRESETS)],
            _OBJECTIVE_TIP,
        )
        self.objective_box.setEditable(True)
        self.message = Message(theme)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        name = label("Image")
        name.setFixedWidth(NAME_PX)
        self.source_box.setMinimumContentsLength(5)
        self.objective_box.setFixedWidth(_OBJECTIVE_PX)
        column.addLayout(row(name, self.source_box, self.objective_box, self.live_button, self.estimate_button))
        column.itemAt(0).layout().setStretch(1, 1)
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.source_box.activated.connect(self._on_source_chosen)
        self.live_button.toggled.connect(self._on_live_toggled)
        self.estimate_button.toggled.connect(self._on_estimate_toggled)
        self.objective_box.activated.connect(self._on_objective_entered)
        self.objective_box.lineEdit().editingFinished.connect(self._on_objective_entered)
        session, layers = self._session, self._viewer.layers.events
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.live_changed, self._on_live_changed),
                (session.focus.model_changed, self._on_model_changed),
                (session.focus.settings_changed, self._on_settings_changed),
                (session.view.shown, self._on_frame_shown),
                (layers.inserted, self._on_layers_changed),
                (layers.removed, self._on_layers_changed),
                (layers.renamed, self._on_layers_changed),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    # what is looked at

    def choose(self, source: Source) -> None:
        """Look at the camera (``camera``), at a layer, or at nothing."""
        self.estimator.set_source(source)
        self._refill()

    def _items(self) -> list[tuple[str, Any]]:
        camera = [(CAMERA, "camera")] if self._session.connection is not None else []
        layers = [(layer.name, layer) for layer in reversed(self._viewer.layers) if is_source(layer)]
        return camera + layers or [(_NONE, None)]

    def _refill(self) -> None:
        """Bring the list up to date; what is gone from it is looked at no more."""
        items = self._items()
        if not any(source is self.estimator.source for _, source in items):
            self.estimator.set_source(items[0][1])
        refill(self.source_box, items, self.estimator.source)
        self._on_model_changed()
        self._show_pixel_size()

    def _on_source_chosen(self, index: int) -> None:
        self.choose(self.source_box.itemData(index))

    def _on_model_changed(self, *_: object) -> None:
        """Two shots of the camera are not estimated by themselves: they need a move, with a button of its own."""
        by_move = self._state.pair is not None and not isinstance(self.estimator.source, Image)
        self.estimate_button.setVisible(not by_move)

    def _on_layers_changed(self, *_: object) -> None:
        self._refill()

    def _on_connection_changed(self, connection: Connection | None) -> None:
        self.live_button.setEnabled(connection is not None)
        if connection is not None:
            self.choose("camera")
        else:
            self._refill()

    def _on_estimate_toggled(self, wanted: bool) -> None:
        self.estimator.enabled = wanted
        if not wanted:
            self._state.clear()

    def _on_live_toggled(self, wanted: bool) -> None:
        if wanted != self._session.is_live:
            self._session.set_live(wanted)

    def _on_live_changed(self, live: bool) -> None:
        self.live_button.setChecked(live)

    # how it was taken

    def _on_objective_entered(self, *_: object) -> None:
        text = self.objective_box.currentText().strip()
        if text == self._objective_name:
            return
        try:
            objective = None if text in ("", _UNKNOWN) else Objective.parse(text)
        except InputError as error:
            self.message.fail(error)
            return
        self._state.choose_objective(objective)

    @property
    def _objective_name(self) -> str:
        return _UNKNOWN if self._state.objective is None else self._state.objective.name

    def _on_settings_changed(self) -> None:
        self.message.say("")
        if self.objective_box.currentText() != self._objective_name:
            self.objective_box.setEditText(self._objective_name)
        self.objective_box.lineEdit().setCursorPosition(0)
        self._show_pixel_size()

    def _on_frame_shown(self, frame: Any) -> None:
        if self.estimator.source == "camera":
            self._tell_pixel_size(frame.pixel_size_um)

    def _show_pixel_size(self) -> None:
        source = self.estimator.source
        objective = self._state.objective
        stated = None if objective is None else objective.pixel_size_um
        if isinstance(source, Image):
            own = objective_of(source)
            by_file = "" if own is None else f", {own.name} by its file"
            self._tell_pixel_size(pixel_size_um(source) or stated, by_file)
        else:
            self._tell_pixel_size(stated)

    def _tell_pixel_size(self, size_um: float | None, more: str = "") -> None:
        text = "Pixel size unknown" if size_um is None else f"{size_um:.4g} µm a pixel in the sample{more}"
        if text != self._pixel_words:
            self._pixel_words = text
            self.objective_box.setToolTip(f"{_OBJECTIVE_TIP}\n{text}")
