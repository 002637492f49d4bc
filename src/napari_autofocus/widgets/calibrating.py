"""The Calibrate panel: one button from an unknown microscope to a model that is proved on it, or not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari.viewer
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.files import make_folder
from napari_autofocus.widgets.calibrate.form import CalibrationForm
from napari_autofocus.widgets.calibrate.progress import CalibrationProgress
from napari_autofocus.widgets.calibrate.result import CalibrationResult
from napari_autofocus.widgets.calibrate.use import CalibratedModel
from napari_autofocus.widgets.calibrate.work import calibrate, look
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.calibration.apart import teach_apart
from napari_autofocus.workflows.calibration.record import CalibrationRecord, read_record
from napari_autofocus.workflows.calibration.report import REPORT
from napari_autofocus.workflows.calibration.steps import CalibrationStep
from napari_autofocus.workflows.calibration_plan import CalibrationPlan, Undertaking

if TYPE_CHECKING:
    from napari_autofocus.workflows.calibration.teaching import Teaching


_START, _GO_ON = "Calibrate to this microscope…", "Go on with this calibration…"
_NOT_CONNECTED = "Connect a microscope in the Microscope panel first, and focus roughly on a part with content."


class CalibrationPanel(QWidget):
    """Calibrates a model to the connected microscope."""

    teaching: Teaching = staticmethod(teach_apart)

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._asked: tuple[CalibrationPlan, Undertaking] | None = None
        self._begun: CalibrationRecord | None = None
        self._ours = self._stopping = False
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self.form.suggest(self._session.focus.objective)

    # layout

    def _build(self, theme: str) -> None:
        self.form = CalibrationForm(self._session)
        self.start_button = button(_START, "Say what will happen, and ask before anything moves")
        self.question, self.message = Message(theme), Message(theme)
        self.yes_button = button("Go ahead", "Begin: stage and drive move as told above (µm)")
        self.no_button = button("Not now", "Leave everything as it is")
        self.progress = CalibrationProgress(theme)
        self.stop_button = button("Stop", "Halt the drive and go home; it can be gone on with later")
        self.result = CalibrationResult(theme)
        self._model = CalibratedModel(self._session, self)
        snug(self.question, self.message)

    def _arrange(self) -> None:
        column = scrolled(self)
        for part in (self.form, self.start_button, self.question):
            column.addWidget(part)
        column.addLayout(row(self.yes_button, self.no_button))
        for part in (self.progress, self.stop_button, self.result, self.message):
            column.addWidget(part)
        column.addStretch(1)

    def _connect(self) -> None:
        result, model, session = self.result, self._model, self._session
        for signal, slot in (
            (self.form.changed, self._on_name_changed),
            (self.start_button.clicked, self._on_start_clicked),
            (self.yes_button.clicked, self._on_yes_clicked),
            (self.no_button.clicked, self._on_no_clicked),
            (self.stop_button.clicked, self._on_stop_clicked),
            (result.use_button.clicked, self._on_use_clicked),
            (result.undo_button.clicked, self._on_undo_clicked),
            (result.report_button.clicked, self._on_report_clicked),
            (result.again_button.clicked, self._on_again_clicked),
            (model.recorded, self._on_installed),
            (model.said, self.message.say),
            (model.failed, self._on_result_failed),
        ):
            signal.connect(slot)
        connect_while_alive(
            self,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.running_changed, self._on_changed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    @property
    def is_running(self) -> bool:
        """Whether a calibration is on its way."""
        return self._ours

    # beginning

    def _on_name_changed(self) -> None:
        """What the folder of that name holds decides what the button does."""
        self._asked, self._begun = None, None
        self.message.say("")
        try:
            self._begun = read_record(self.form.folder)
        except InputError as error:
            self.message.fail(error)
        if self._begun is not None and self._begun.verdict is not None:
            self.result.show_record(self._begun)
        elif self._begun is not None:
            self.message.say(f"{self.form.name} was begun and not finished; it goes on where it was.")
        self._on_changed()

    def _on_start_clicked(self) -> None:
        """Ask the microscope where it is, then the person."""
        microscope = self._session.microscope
        if microscope is None:
            self.message.fail(_NOT_CONNECTED)
            return
        self.message.say("")
        begun = self._begun
        begun_at = None if begun is None else begun.begun_at
        try:
            plan_for = self.form.planner() if begun is None else lambda _: begun.plan
        except InputError as error:
            self.message.fail(error)
            return
        self._session.hardware.call(
            lambda: look(microscope, plan_for, begun_at), done=self._on_looked, failed=self.message.fail
        )

    def _on_looked(self, asked: tuple[CalibrationPlan, Undertaking]) -> None:
        self._asked = asked
        self.question.say("\n".join((*asked[1].sentences(), "Is it safe to do that?")), "warning")
        self._on_changed()

    def _on_no_clicked(self) -> None:
        self._asked = None
        self._on_changed()

    def _on_yes_clicked(self) -> None:
        microscope, asked = self._session.microscope, self._asked
        self._asked = None
        if microscope is None or asked is None or self._session.is_running:
            self._on_changed()
            return
        try:
            make_folder(self.form.target.parent)
            work = calibrate(microscope, asked[0], self.form.folder, self.form.target, teaching=self.teaching)
        except InputError as error:
            self.message.fail(error)
            return
        self._ours, self._stopping = True, False
        self.progress.begin()
        self._session.start_run(work, step=self._on_step, done=self._on_done, failed=self._on_failed)
        self._on_changed()

    # while it runs

    def _on_step(self, step: CalibrationStep) -> None:
        if step.frame is not None:
            self._session.view.show(step.frame)
        if not self._stopping:
            self.progress.show_step(step)

    def _on_stop_clicked(self) -> None:
        self._stopping = True
        self.stop_button.setEnabled(False)
        self.progress.words.say("Stopping; stage and drive go home…")
        self._session.stop_run()

    def _on_done(self, record: CalibrationRecord) -> None:
        self._begun = record
        self.result.show_record(record)

    def _on_failed(self, error: AutofocusError) -> None:
        if not self._stopping:
            self.message.fail(error)

    def _on_changed(self, *_: object) -> None:
        running = self._session.is_running
        if self._ours and not running:
            self._on_ended()
        ours, begun = self._ours, self._begun
        finished = begun is not None and begun.verdict is not None and not ours
        idle = not ours and not finished
        for part in (self.form, self.start_button):
            part.setVisible(idle and self._asked is None)
        self.form.setEnabled(begun is None or begun.verdict is not None or not running)
        self.start_button.setText(_START if begun is None else _GO_ON)
        self.start_button.setEnabled(self._session.connection is not None and not running)
        for part in (self.question, self.yes_button, self.no_button):
            part.setVisible(idle and self._asked is not None)
        for part in (self.progress, self.stop_button):
            part.setVisible(ours)
        self.stop_button.setEnabled(ours and not self._stopping)
        self.result.setVisible(finished)
        self._enable_result()
        if self._session.connection is None and idle and not self.message.text():
            self.message.say(_NOT_CONNECTED)

    def _on_ended(self) -> None:
        self._ours = False
        if self._begun is None or self._begun.verdict is None:
            stopped, self._stopping = self._stopping, False
            failure = self.message.text() if self.message.tone == "error" else ""
            self._on_name_changed()
            if failure:
                self.message.fail(failure)
            elif stopped:
                self.message.say("Stopped; nothing of what was done is lost, and stage and drive are home.")

    def _on_connection_changed(self, *_: object) -> None:
        self._asked = None
        self.message.say("")
        if self._begun is None and self._session.connection is not None:
            self.form.suggest(self._session.focus.objective)
        self._on_changed()

    # what came of it

    def _enable_result(self) -> None:
        begun = self._begun
        trusted = begun is not None and begun.verdict is not None and begun.verdict.trust != "no"
        self.result.use_button.setEnabled(trusted and not self._model.is_used)
        self.result.undo_button.setEnabled(trusted and (begun.installed is not None or self._model.is_used))

    def _on_use_clicked(self) -> None:
        self.result.use_button.setEnabled(False)
        self._model.use(self.form.folder, self.form.target)

    def _on_undo_clicked(self) -> None:
        self._model.undo(self.form.folder)

    def _on_installed(self, record: CalibrationRecord) -> None:
        self._begun = record
        self._enable_result()

    def _on_result_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)
        self._enable_result()

    def _on_report_clicked(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.form.folder / REPORT)))

    def _on_again_clicked(self) -> None:
        self._model.forget()
        self.form.suggest(self._session.focus.objective)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.question, self.message, self.progress, self.result):
            part.set_theme(self._viewer.theme)
