"""The Train panel: choose stacks, watch a model learn beside napari, pause it, and use what came of it."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.models.extras import require_training
from napari_autofocus.models.library import user_folder
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.choice import TrainingChoice
from napari_autofocus.widgets.train.progress import TrainingProgressView
from napari_autofocus.widgets.train.refocuser import RefocuserResult
from napari_autofocus.widgets.train.result import TrainingResult
from napari_autofocus.widgets.train.run import TrainingRun
from napari_autofocus.widgets.train.unfinished import UnfinishedTrainings
from napari_autofocus.widgets.train.words import in_the_panel
from napari_autofocus.workflows.training.request import TrainingRequest
from napari_autofocus.workflows.training.steps import RefocuserMade, TrainingMade


class TrainingPanel(QWidget):
    """Makes a model of z-stacks of one's own microscope."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self.run = TrainingRun.of(self._session)
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._check_installed()
        self._on_changed()

    def _build(self, theme: str) -> None:
        self.unfinished = UnfinishedTrainings()
        self.choice = TrainingChoice(self._session, theme)
        self.train_button = button("Train", "Teach a model of these stacks, in a process beside napari")
        self.progress = TrainingProgressView(self.run, theme)
        self.result = TrainingResult(self._session, theme)
        self.refocuser = RefocuserResult(self._session, theme)
        self.message = Message(theme)
        snug(self.message)

    def _arrange(self) -> None:
        column = scrolled(self)
        for part in (self.unfinished, self.choice, self.train_button, self.progress):
            column.addWidget(part)
        for part in (self.result, self.refocuser, self.message):
            column.addWidget(part)
        column.addStretch(1)

    def _connect(self) -> None:
        self.train_button.clicked.connect(self._on_train_clicked)
        self.choice.changed.connect(self._list_unfinished)
        self.unfinished.resumed.connect(self._start)
        self.unfinished.failed.connect(self._on_failed)
        self.unfinished.discarded.connect(self._on_discarded)
        for result in (self.result, self.refocuser):
            result.again_button.clicked.connect(self._on_again_clicked)
        pairs = [
            (self._session.dataset_chosen, self._on_dataset_chosen),
            (self.run.changed, self._on_changed),
            (self.run.stepped, self._on_stepped),
            (self.run.made, self._on_made),
            (self.run.paused, self._on_paused),
            (self.run.thrown_away, self._on_thrown_away),
            (self.run.failed, self._on_failed),
            (self._viewer.events.theme, self._on_theme_changed),
        ]
        connect_while_alive(self, pairs)

    def _check_installed(self) -> None:
        try:
            require_training()
        except AutofocusError as error:
            self.message.fail(error)
            self.train_button.setEnabled(False)

    # what the user does

    def _on_train_clicked(self) -> None:
        try:
            request = self.choice.request()
        except AutofocusError as error:
            self.message.fail(error)
            return
        self._start(request)

    def _start(self, request: TrainingRequest) -> None:
        self.choice.summary.stop()
        self.message.say("")
        self.run.start(request)

    def _on_again_clicked(self) -> None:
        self.run.forget()
        self.choice.suggest_name()
        self.choice.list_models()

    def _on_dataset_chosen(self, folder: Path) -> None:
        self.choice.choose(folder)

    # what the training does

    def _on_changed(self) -> None:
        is_idle, made = self.run.state == "idle", self.run.result
        for part in (self.choice, self.train_button):
            part.setVisible(is_idle and made is None)
        self.progress.setVisible(not is_idle)
        self.result.setVisible(is_idle and isinstance(made, TrainingMade))
        self.refocuser.setVisible(is_idle and isinstance(made, RefocuserMade))
        if is_idle and isinstance(made, TrainingMade):
            self.result.show_made(made)
        elif is_idle and isinstance(made, RefocuserMade):
            self.refocuser.show_made(made)
        self._list_unfinished()
        self.progress.refresh()

    def _list_unfinished(self) -> None:
        if self.run.state == "idle" and self.run.result is None:
            self.unfinished.look_in(user_folder(), self.choice.folder)
        else:
            self.unfinished.hide()

    def _on_stepped(self, _: object) -> None:
        self.progress.refresh()

    def _on_made(self, _: object) -> None:
        self.message.say("")

    def _on_paused(self) -> None:
        name = self.run.request.target.stem if self.run.request is not None else "The training"
        self.message.say(f"{name} is paused; it goes on where it stopped, also after napari was closed.")

    def _on_thrown_away(self) -> None:
        self.message.say("The training was cancelled; nothing of it is kept.")

    def _on_failed(self, error: object) -> None:
        self.message.fail(in_the_panel(str(error)))

    def _on_discarded(self) -> None:
        self.choice.suggest_name()
        self._list_unfinished()

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.choice, self.progress, self.result, self.refocuser, self.message):
            part.set_theme(self._viewer.theme)
