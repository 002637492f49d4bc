"""The buttons that compare in pictures: sharper shot and recovered image in turn, side by side, or by a wipe."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QSlider, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.parts.forms import button, connect_while_alive, row
from napari_autofocus.widgets.parts.shortcuts import add_shortcut, native
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.blink import Blink, SideBySide
from napari_autofocus.widgets.virtual.layers import ResultLayers
from napari_autofocus.widgets.virtual.pair import Shot
from napari_autofocus.widgets.virtual.wipe import Wipe

BLINK_KEY = "Ctrl+Shift+B"
_WIPE_STEPS = 200


class PicturesRow(QWidget):
    """Blink, Side by side and Wipe; all end with the layers they compare, and with the panel.

    Parameters
    ----------
    session : Session
        What the panels share.
    layers : ResultLayers
        Where the recovered image is shown.
    """

    failed = Signal(object)
    """Told the InputError of images that cannot be compared."""

    def __init__(self, session: Session, layers: ResultLayers) -> None:
        super().__init__()
        self._viewer, self._layers = session.viewer, layers
        self.blink, self.beside = blink, beside = Blink(self._viewer), SideBySide(self._viewer)
        tip = "Show the sharper shot and the recovered image in turn, at the same place"
        self.blink_button = button("Blink", f"{tip}; {native(BLINK_KEY)} turns by hand", checkable=True)
        tip = "Show the sharper shot and the recovered image beside each other, moved and zoomed together"
        self.beside_button = button("Side by side", tip, checkable=True)
        self.wipe = wipe = Wipe(self._viewer)
        tip = "Show the sharper shot left of a line and the recovered image right of it; the slider moves the line"
        self.wipe_button = button("Wipe", tip, checkable=True)
        self.wipe_slider = QSlider(Qt.Orientation.Horizontal)
        self.wipe_slider.setRange(0, _WIPE_STEPS)
        self.wipe_slider.setValue(_WIPE_STEPS // 2)
        self.wipe_slider.setToolTip("Where the line of the wipe stands, as a share of the width")
        self.wipe_slider.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row(self.blink_button, self.beside_button, self.wipe_button))
        column.addWidget(self.wipe_slider)
        self.blink_button.toggled.connect(self._on_blink_toggled)
        self.beside_button.toggled.connect(self._on_beside_toggled)
        self.wipe_button.toggled.connect(self._on_wipe_toggled)
        self.wipe_slider.valueChanged.connect(lambda step: self.wipe.move_to(step / _WIPE_STEPS))
        add_shortcut(self._viewer, self, BLINK_KEY, self.turn)
        self.destroyed.connect(_Leaving(session, blink, beside, wipe))
        connect_while_alive(self, [(session.closing, blink.by_hand)])

    def refresh(self) -> None:
        """What can be pressed; what is compared no more is put back."""
        compared = self._compared()
        if compared is None:
            self.stop()
        for part in self._buttons:
            part.setEnabled(compared is not None)

    def stop(self) -> None:
        """Compare no more: layers are as visible as before."""
        for pressed in self._buttons:
            pressed.setChecked(False)

    def turn(self) -> None:
        """By hand: each call shows the other one."""
        if self.blink_button.isEnabled():
            self.blink_button.setChecked(True)
            self.blink.by_hand()
            self.blink.turn()

    def _compared(self) -> tuple[Shot, Image] | None:
        """The sharper shot and the recovered image, where both are still there."""
        recovered, image = self._layers.recovered, self._layers.image
        if recovered is None or image is None:
            return None
        shot = recovered.pair.shots[recovered.image.sharper]
        return (shot, image) if shot.layer in self._viewer.layers else None

    def _on_blink_toggled(self, wanted: bool) -> None:
        compared = self._compared()
        if wanted and compared is not None:
            self._release_others(self.blink_button)
            self.blink.start(*compared)
        else:
            self.blink.stop()

    def _on_beside_toggled(self, wanted: bool) -> None:
        compared = self._compared()
        if wanted and compared is not None:
            self._release_others(self.beside_button)
            self.beside.start(*compared)
        else:
            self.beside.stop()

    def _on_wipe_toggled(self, wanted: bool) -> None:
        compared = self._compared()
        recovered = self._layers.recovered
        if wanted and compared is not None and recovered is not None:
            self._release_others(self.wipe_button)
            try:
                self.wipe.start(recovered.seen[recovered.image.sharper].image, compared[1])
            except InputError as error:
                self.wipe_button.setChecked(False)
                self.failed.emit(error)
        else:
            self.wipe.stop()
        self.wipe_slider.setVisible(self.wipe.is_on)

    @property
    def _buttons(self) -> tuple[QPushButton, ...]:
        return self.blink_button, self.beside_button, self.wipe_button

    def _release_others(self, pressed: QPushButton) -> None:
        """One comparison at a time."""
        for other in self._buttons:
            if other is not pressed:
                other.setChecked(False)


class _Leaving:
    """The panel is gone: layers are as visible as before, unless the viewer goes too."""

    def __init__(self, session: Session, blink: Blink, beside: SideBySide, wipe: Wipe) -> None:
        self._session, self._blink, self._beside, self._wipe = session, blink, beside, wipe

    def __call__(self, *_: object) -> None:
        self._blink.by_hand()
        if not self._session.is_closed:
            self._blink.stop()
            self._beside.stop()
            self._wipe.stop()
