"""The buttons that compare in pictures: sharper shot and recovered image in turn, or side by side."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_autofocus.widgets.forms import button, connect_while_alive, row
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.shortcuts import add_shortcut, native
from napari_autofocus.widgets.virtual_blink import Blink, SideBySide
from napari_autofocus.widgets.virtual_layers import ResultLayers
from napari_autofocus.widgets.virtual_pair import Shot

BLINK_KEY = "Ctrl+Shift+B"


class PicturesRow(QWidget):
    """Blink and Side by side; both end with the layers they compare, and with the panel.

    Parameters
    ----------
    session : Session
        What the panels share.
    layers : ResultLayers
        Where the recovered image is shown.
    """

    def __init__(self, session: Session, layers: ResultLayers) -> None:
        super().__init__()
        self._viewer, self._layers = session.viewer, layers
        self.blink, self.beside = blink, beside = Blink(self._viewer), SideBySide(self._viewer)
        tip = "Show the sharper shot and the recovered image in turn, at the same place"
        self.blink_button = button("Blink", f"{tip}; {native(BLINK_KEY)} turns by hand", checkable=True)
        tip = "Show the sharper shot and the recovered image beside each other, moved and zoomed together"
        self.beside_button = button("Side by side", tip, checkable=True)
        self.setLayout(row(self.blink_button, self.beside_button))
        self.blink_button.toggled.connect(self._on_blink_toggled)
        self.beside_button.toggled.connect(self._on_beside_toggled)
        add_shortcut(self._viewer, self, BLINK_KEY, self.turn)
        self.destroyed.connect(_Leaving(session, blink, beside))
        connect_while_alive(self, [(session.closing, blink.by_hand)])

    def refresh(self) -> None:
        """What can be pressed; what is compared no more is put back."""
        compared = self._compared()
        if compared is None:
            self.stop()
        for part in (self.blink_button, self.beside_button):
            part.setEnabled(compared is not None)

    def stop(self) -> None:
        """Compare no more: layers are as visible as before."""
        for pressed in (self.blink_button, self.beside_button):
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
            self.beside_button.setChecked(False)
            self.blink.start(*compared)
        else:
            self.blink.stop()

    def _on_beside_toggled(self, wanted: bool) -> None:
        compared = self._compared()
        if wanted and compared is not None:
            self.blink_button.setChecked(False)
            self.beside.start(*compared)
        else:
            self.beside.stop()


class _Leaving:
    """The panel is gone: layers are as visible as before, unless the viewer goes too."""

    def __init__(self, session: Session, blink: Blink, beside: SideBySide) -> None:
        self._session, self._blink, self._beside = session, blink, beside

    def __call__(self, *_: object) -> None:
        self._blink.by_hand()
        if not self._session.is_closed:
            self._blink.stop()
            self._beside.stop()
