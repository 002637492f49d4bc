"""What came of teaching a virtual refocuser: what it gains on held-out stacks, and a button to use it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, button, label, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.facts import Facts
from napari_autofocus.widgets.train.gains import GainPlot
from napari_autofocus.widgets.train.words import refocuser_facts, refocuser_headline
from napari_autofocus.workflows.training.steps import RefocuserMade

_TIP = (
    "Mean gain by half the distance of two shots, on stacks that were held out: the network has not learned from them"
)


class RefocuserResult(QWidget):
    """Shows a virtual refocuser that was made, and hands it to the Virtual refocus panel.

    Parameters
    ----------
    session : Session
        What the panels share; it is told the model.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self.made: RefocuserMade | None = None
        self.name_label = label("")
        self.headline, self.message = Message(theme), Message(theme)
        self.plot = GainPlot(theme)
        self.facts = Facts(theme, _TIP)
        self.notes = label("", wrap=True)
        self.fold = Fold(
            "What to know of these figures", "What they were measured on, and what was left out", self.notes
        )
        self.use_button = button(
            "Use it now", "Recover images with this model in the Virtual refocus panel from now on"
        )
        self.report_button = button("Show report", "Open the page of figures beside the model")
        self.again_button = button("Train another", "Back to what to train; this model stays where it is")
        self._arrange()
        self.use_button.clicked.connect(self._on_use_clicked)
        self.report_button.clicked.connect(self._on_report_clicked)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        snug(self.headline, self.message, self.notes)
        beside = row(self.plot, self.facts)
        beside.setStretch(0, 3)
        beside.setStretch(1, 2)
        for part in (self.name_label, self.headline):
            column.addWidget(part)
        column.addLayout(beside)
        column.addWidget(self.fold)
        column.addLayout(row(self.use_button, self.report_button, self.again_button))
        column.addWidget(self.message)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.headline, self.message, self.plot, self.facts):
            part.set_theme(theme)

    def show_made(self, made: RefocuserMade) -> None:
        """Show this model."""
        if made is self.made:
            return
        self.made = made
        self.name_label.setText(f"<b>{made.name}</b> is ready")
        self.name_label.setToolTip(made.model)
        self.headline.say(*refocuser_headline(made))
        means = [(gain.half_um, gain.recovered_db - gain.sharper_db) for gain in made.gains]
        base = [(gain.half_um, gain.base_db - gain.sharper_db) for gain in made.gains if gain.base_db is not None]
        self.plot.show_points(made.pairs, means, base)
        self.facts.show_facts(refocuser_facts(made))
        self.notes.setText("\n".join(made.notes))
        self.report_button.setEnabled(bool(made.report))
        self.use_button.setEnabled(True)
        self.message.say("")

    def _on_use_clicked(self) -> None:
        if self.made is not None:
            self._session.choose_refocuser(Path(self.made.model))
            self.use_button.setEnabled(False)
            self.message.say(f"The Virtual refocus panel recovers images with {self.made.name} from now on.", "good")

    def _on_report_clicked(self) -> None:
        if self.made is not None and self.made.report:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self.made.report))
