"""The Acquire with autofocus panel: arm the microscope, run acquisitions in any widget, and see what focusing found."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.files import replacing
from napari_autofocus.widgets.mda.arming import MdaArming, finder_of
from napari_autofocus.widgets.mda.form import SWEEP, MdaForm
from napari_autofocus.widgets.mda.table import FocusTable
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, Tone, button, connect_while_alive, row, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.mda import FocusEvent, MdaFocusRecord

_NOT_CONNECTED = "Connect a microscope in the Microscope panel first."
_ARM, _DISARM = "Focus acquisitions", "Stop focusing acquisitions"
_TIP = (
    "From now on, acquisitions that any widget or script runs on this microscope are focused;"
    " pressed again, its own engine is put back"
)
_READY = "Acquisitions on this microscope are left as they are."
_TONES: dict[str, Tone] = {"done": "good", "stopped": "warning", "cancelled": "plain", "failed": "error"}


class MdaFocusPanel(QWidget):
    """Focuses acquisitions that are run on the connected core by any widget."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self.record: MdaFocusRecord | None = None
        self._group = ""
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._on_connection_changed()

    def _build(self, theme: str) -> None:
        self.arming = MdaArming(self._session)
        self.form = MdaForm(theme)
        self.arm_button = button(_ARM, _TIP, checkable=True)
        self.arm_button.setMinimumHeight(34)
        self.cancel_button = button("Cancel acquisition", "End the acquisition; what was taken stays")
        self.message = Message(theme)
        self.table = FocusTable(theme)
        self.summary = Message(theme)
        self.save_button = button("Save record…", "Keep all that focusing found in a file (.json)")
        snug(self.message, self.summary)

    def _arrange(self) -> None:
        column = scrolled(self)
        column.addWidget(self.form)
        column.addLayout(row(self.arm_button, self.cancel_button))
        column.addWidget(self.message)
        column.addWidget(self.table, 1)
        column.addWidget(self.summary)
        column.addStretch(0)
        column.addLayout(row(1, self.save_button))

    def _connect(self) -> None:
        arming, session = self.arming, self._session
        for signal, slot in (
            (self.arm_button.toggled, self._on_arm_toggled),
            (self.cancel_button.clicked, self._on_cancel_clicked),
            (self.save_button.clicked, self._on_save_clicked),
            (self.form.changed, self._enable),
            (arming.started, self._on_started),
            (arming.focused, self._on_focused),
            (arming.ended, self._on_ended),
        ):
            signal.connect(slot)
        self.destroyed.connect(lambda *_: arming.let_go())
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_running_changed),
                (session.focus.model_changed, self._on_model_changed),
                (session.closing, arming.let_go),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # arming

    def _on_arm_toggled(self, wanted: bool) -> None:
        try:
            self._arm() if wanted else self.arming.disarm()
        except InputError as error:
            self.message.fail(error)
        else:
            self._say_state()
        self._enable()

    def _arm(self) -> None:
        by_sweep = self.form.finder == SWEEP
        config = self.form.config(self._group)
        if config.on_failure == "map" and self.form.height is None:
            raise InputError("There is no focus map to fall back on; open one, or choose what else to do on failure.")
        finder = finder_of(self._session, self.form.range_box.value() if by_sweep else None)
        self.arming.arm(finder, config, self.form.height)

    def _say_state(self) -> None:
        if self._session.connection is None:
            self.message.say(_NOT_CONNECTED)
        elif not self.arming.is_armed or self.arming.finder is None:
            self.message.say(_READY)
        else:
            self.message.say(f"Armed: acquisitions run by any widget are focused by {self.arming.finder.name}.", "good")

    def _on_cancel_clicked(self) -> None:
        self._session.stop_run()

    # while it runs

    def _on_started(self) -> None:
        self.record = None
        self.table.clear_events()
        self.summary.say("Acquiring…")
        self._enable()

    def _on_focused(self, event: FocusEvent) -> None:
        self.table.add(event)

    def _on_ended(self, record: MdaFocusRecord) -> None:
        self.record = record
        self.summary.say(record.summary(), _TONES[record.outcome] if not record.missing else "warning")
        self._enable()

    def _on_save_clicked(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the record", "autofocus.json", "Records (*.json)")
        if name:
            self.save_record(Path(name))

    def save_record(self, path: Path) -> None:
        """Keep the record of the last acquisition."""
        if self.record is None:
            return
        try:
            with replacing(path) as part:
                part.write_text(self.record.to_json() + "\n", encoding="utf-8")
        except AutofocusError as error:
            self.message.fail(error)

    # what is possible now

    def _on_connection_changed(self, *_: object) -> None:
        self.arming.let_go()
        try:
            self._group = self.form.show_channels(self._session.microscope)
        except AutofocusError as error:
            self.message.fail(error)
            return
        self._say_state()
        self._enable()

    def _on_model_changed(self, *_: object) -> None:
        if self.arming.is_armed and self.form.finder != SWEEP:
            self.message.say("Another model is in use now; disarm and arm again to focus by it.", "warning")
        self._enable()

    def _on_running_changed(self, _: bool) -> None:
        self._enable()

    def _enable(self, *_: object) -> None:
        armed, acquiring = self.arming.is_armed, self.arming.is_acquiring
        with QSignalBlocker(self.arm_button):
            self.arm_button.setChecked(armed)
        self.arm_button.setText(_DISARM if armed else _ARM)
        has_finder = self.form.finder == SWEEP or self._session.focus.chosen is not None
        ready = self._session.connection is not None and (armed or has_finder)
        self.arm_button.setEnabled(ready and not acquiring)
        self.form.setEnabled(not armed)
        self.cancel_button.setEnabled(armed and self._session.is_running and acquiring)
        self.save_button.setEnabled(self.record is not None and not acquiring)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.form, self.message, self.summary, self.table):
            part.set_theme(self._viewer.theme)
