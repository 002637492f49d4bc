"""The training that runs: what is done, how far it is, how it learns, and the buttons that pause or end it."""

from __future__ import annotations

from qtpy.QtWidgets import QMessageBox, QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.forms import button, label, row
from napari_autofocus.widgets.train.curves import LearningCurves
from napari_autofocus.widgets.train.facts import Facts
from napari_autofocus.widgets.train.gains import GainPlot
from napari_autofocus.widgets.train.run import TrainingRun
from napari_autofocus.widgets.train.scatter import DefocusScatter
from napari_autofocus.widgets.train.words import bar_of, doing_words, learning_facts, taught_bar
from napari_autofocus.workflows.training.steps import Learning, Working

_TIP = "Where training stands: figures are of the last validation, on stacks that are held back"


class TrainingProgressView(QWidget):
    """Shows a training while it runs.

    Parameters
    ----------
    run : TrainingRun
        The training.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, run: TrainingRun, theme: str) -> None:
        super().__init__()
        self._run = run
        self.doing_label = label("", wrap=True)
        self.progress = QProgressBar()
        self.progress.setToolTip("How far this step is; when teaching, the time spent of the time there is")
        self.curves = LearningCurves(theme)
        self.scatter = DefocusScatter(theme)
        self.gains = GainPlot(theme)
        self.facts = Facts(theme, _TIP)
        self.pause_button = button(
            "Pause", "Stop after the next step and keep everything: it goes on from there, also after napari was closed"
        )
        self.cancel_button = button("Cancel…", "Stop at once and delete what was learned; asks first")
        self._arrange()
        self.pause_button.clicked.connect(run.pause)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(self.doing_label)
        column.addWidget(self.progress)
        column.addWidget(self.curves)
        beside = row(self.scatter, self.gains, self.facts)
        for place, share in enumerate((3, 3, 2)):
            beside.setStretch(place, share)
        column.addLayout(beside)
        self.gains.hide()
        column.addLayout(row(self.pause_button, self.cancel_button))

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.curves, self.scatter, self.gains, self.facts):
            part.set_theme(theme)

    def refresh(self) -> None:
        """Show where the training stands."""
        run = self._run
        name = run.request.target.stem if run.request is not None else ""
        doing = doing_words(run.newest) if run.newest is not None else "Starting"
        if run.state == "pausing":
            doing = "Stopping after the next step"
        self.doing_label.setText(f"<b>{name}</b> · {doing}")
        self.pause_button.setEnabled(run.state == "running")
        self.cancel_button.setEnabled(run.state != "idle")
        self._show_bar(run.newest)
        self.curves.show_steps(run.curve)
        self._show_pairs()
        self.facts.show_facts(learning_facts(run.curve[-1], run.dof_um, run.left_s) if run.curve else [])

    def _show_pairs(self) -> None:
        """What the last validation found, by what is taught."""
        recovers = bool(self._run.curve) and self._run.curve[-1].stage == "refocus"
        self.scatter.setVisible(not recovers)
        self.gains.setVisible(recovers)
        if recovers:
            self.gains.show_points(self._run.pairs)
        else:
            self.scatter.set_dof(self._run.dof_um or 0.0)
            self.scatter.show_points(self._run.pairs)

    def _show_bar(self, step: Working | Learning | None) -> None:
        value, most, text = 0, 0, ""
        if isinstance(step, Learning):
            value, most, text = taught_bar(self._run.taught_s, self._run.left_s)
        elif step is not None:
            value, most, text = bar_of(step)
        self.progress.setRange(0, most)
        self.progress.setValue(value)
        self.progress.setFormat(text)

    def _on_cancel_clicked(self) -> None:
        """A box of its own that does not hold up what runs."""
        box = QMessageBox(self.window())
        box.setWindowTitle("Cancel the training")
        box.setText("Stop the training and delete what was learned?\n\nPause keeps it, to go on with later.")
        delete = box.addButton("Delete it", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("Go on training", QMessageBox.ButtonRole.RejectRole)
        box.buttonClicked.connect(lambda pressed: self._run.throw_away() if pressed is delete else None)
        box.open()
