"""What came of a training: how wrong the model will be, its answers on held-out frames, and a button to use it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, label, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.facts import Facts
from napari_autofocus.widgets.train.scatter import DefocusScatter
from napari_autofocus.widgets.train.words import made_facts, made_headline
from napari_autofocus.workflows.training.steps import Answer, TrainingMade

_TIP = "Measured on stacks that were held out: no network has learned from them"


class TrainingResult(QWidget):
    """Shows a model that was made, and puts it to use.

    Parameters
    ----------
    session : Session
        What the panels share; its ``focus`` is told the model.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self.made: TrainingMade | None = None
        self._former: ModelPredictor | None = None
        self._used: ModelPredictor | None = None
        self._build(theme)
        self._arrange()
        self.use_button.clicked.connect(self._on_use_clicked)
        self.undo_button.clicked.connect(self._on_undo_clicked)
        self.report_button.clicked.connect(self._on_report_clicked)
        connect_while_alive(self, [(session.focus.model_changed, self._on_model_changed)])

    def _build(self, theme: str) -> None:
        self.name_label = label("")
        self.headline, self.reasons, self.message = Message(theme), Message(theme), Message(theme)
        self.scatter = DefocusScatter(theme)
        self.facts = Facts(theme, _TIP)
        self.notes = label("", wrap=True)
        self.fold = Fold(
            "What to know of these figures", "What they were measured on, and what was left out", self.notes
        )
        self.use_button = button("Use it now", "Estimate and refocus with this model from now on")
        self.undo_button = button("Undo", "Use the model that was used before")
        self.report_button = button("Show report", "Open the page of figures beside the model")
        self.again_button = button("Train another", "Back to what to train; this model stays where it is")

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        snug(self.headline, self.reasons, self.message, self.notes)
        beside = row(self.scatter, self.facts)
        beside.setStretch(0, 3)
        beside.setStretch(1, 2)
        for part in (self.name_label, self.headline, self.reasons):
            column.addWidget(part)
        column.addLayout(beside)
        column.addWidget(self.fold)
        column.addLayout(row(self.use_button, self.undo_button, self.report_button, self.again_button))
        column.addWidget(self.message)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.headline, self.reasons, self.message, self.scatter, self.facts):
            part.set_theme(theme)

    def show_made(self, made: TrainingMade) -> None:
        """Show this model."""
        if made is self.made:
            return
        self.made, self._used = made, None
        self.name_label.setText(f"<b>{made.name}</b> is ready")
        self.name_label.setToolTip(made.model)
        self.headline.say(*made_headline(made))
        self.reasons.say(" ".join(made.reasons), "plain" if made.works is not False else "warning")
        self.scatter.set_dof(made.dof_um)
        self.scatter.show_points(_points(made, refused=False), _points(made, refused=True))
        self.facts.show_facts(made_facts(made))
        self.notes.setText("\n".join(made.notes))
        self.report_button.setEnabled(bool(made.report))
        self.message.say("")
        self._update()

    def _update(self) -> None:
        self.undo_button.setEnabled(self._used is not None)
        self.use_button.setEnabled(self._used is None)

    # putting it to use

    def _on_use_clicked(self) -> None:
        if self.made is None:
            return
        path = Path(self.made.model)
        self.use_button.setEnabled(False)
        self._session.analysis.call(
            lambda: load_model(path), done=self._on_loaded, failed=self.message.fail, ended=self._update
        )

    def _on_loaded(self, model: ModelPredictor) -> None:
        state = self._session.focus
        self._former, self._used = state.model, model
        state.use_model(model)
        self.message.say(f"{model.name} is in use, in the Autofocus panel too.", "good")
        self._update()

    def _on_model_changed(self, model: object) -> None:
        """Another model was put to use, here or elsewhere: there is nothing to undo any more."""
        if self._used is not None and model is not self._used:
            self._used = None
            self.message.say("")
            self._update()

    def _on_undo_clicked(self) -> None:
        former = self._former
        self._session.focus.use_model(former)
        self.message.say(f"{former.name} is in use again." if former is not None else "No model is in use.")

    def _on_report_clicked(self) -> None:
        if self.made is not None and self.made.report:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self.made.report))


def _points(made: TrainingMade, *, refused: bool) -> list[tuple[float, float]]:
    def told(answer: Answer) -> bool:
        return answer.found_um is not None and answer.refused is refused

    return [(answer.true_um, answer.found_um) for answer in made.answers if told(answer)]
