"""The camera's part of the Microscope panel: one frame, live frames, exposure and channel."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.microscope.channels import Channels, choose_channel_group, set_channel
from napari_autofocus.microscope.controls import set_exposure_ms
from napari_autofocus.microscope.state import MicroscopeState
from napari_autofocus.widgets.parts.forms import button, choice, label, number, row
from napari_autofocus.widgets.parts.shortcuts import LIVE_KEY, native
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.stand.watching import MicroscopeWatch


class CameraSection(QWidget):
    """Takes frames and says with which light."""

    def __init__(self, session: Session, watch: MicroscopeWatch) -> None:
        super().__init__()
        self._session = session
        self._watch = watch
        self._channels = Channels()
        self._build()
        self.snap_button.clicked.connect(session.snap)
        self.live_button.clicked.connect(session.set_live)
        self.exposure_box.valueChanged.connect(self._on_exposure_changed)
        self.group_box.activated.connect(self._on_group_chosen)
        self.preset_box.activated.connect(self._on_preset_chosen)

    def _build(self) -> None:
        self.snap_button = button("Snap", "Take one frame and show it")
        self.live_button = button("Live", f"Show frames as the camera takes them ({native(LIVE_KEY)})", checkable=True)
        self.exposure_box = number(10, 0.1, 10_000, 1, "ms", "Exposure time, ms", decimals=1)
        self.group_box = choice((), "Which group of presets counts as the channel (no unit)")
        self.preset_box = choice((), "Channel: a preset of that group, as the configuration defines it (no unit)")
        self.channel_row = QWidget()
        channels = row(label("Channel"), self.group_box, self.preset_box)
        channels.setStretch(1, 1)
        channels.setStretch(2, 1)
        self.channel_row.setLayout(channels)
        self.channel_row.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.snap_button, self.live_button, 1, label("Exposure"), self.exposure_box))
        column.addWidget(self.channel_row)

    def show_state(self, state: MicroscopeState) -> None:
        """Show what the camera is set to."""
        with QSignalBlocker(self.exposure_box):
            self.exposure_box.setValue(state.exposure_ms)
        self._show_channels(state.channels)

    def show_live(self, live: bool) -> None:
        """Show whether live mode is on."""
        self.live_button.setChecked(live)
        self.live_button.setText("Stop live" if live else "Live")

    def _show_channels(self, found: Channels) -> None:
        self.channel_row.setVisible(bool(found.groups))
        if (found.groups, found.group) != (self._channels.groups, self._channels.group):
            _fill(self.group_box, found.groups, found.group, "choose a group")
        _fill(self.preset_box, found.presets, found.preset, "none of its presets")
        self.preset_box.setEnabled(bool(found.presets))
        self._channels = found

    def _on_exposure_changed(self, value_ms: float) -> None:
        self._watch.act(lambda microscope: set_exposure_ms(microscope, value_ms))

    def _on_group_chosen(self, _: int) -> None:
        if group := self.group_box.currentData():
            self._watch.act(lambda microscope: choose_channel_group(microscope, group))

    def _on_preset_chosen(self, _: int) -> None:
        if preset := self.preset_box.currentData():
            self._watch.act(lambda microscope: set_channel(microscope, preset))


def _fill(box: QWidget, names: tuple[str, ...], chosen: str, otherwise: str) -> None:
    """Give a choice its names; where none of them is chosen, it says so. A list that is open is left alone."""
    if box.view().isVisible():
        return
    with QSignalBlocker(box):
        box.clear()
        for name in names:
            box.addItem(name, name)
        if chosen not in names:
            box.insertItem(0, otherwise, "")
        box.setCurrentIndex(max(box.findData(chosen), 0))
