"""What came of a calibration, on one page: verdict, before against after, live runs, what was set aside."""

from __future__ import annotations

import html

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, Tone, button, label, row, snug
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.train.scatter import DefocusScatter
from napari_autofocus.workflows.calibration.record import CalibrationRecord, Trust
from napari_autofocus.workflows.calibration.words import Rows, estimate_words, key_figures, proof_rows

_TONES: dict[Trust, Tone] = {"trust": "good", "care": "warning", "no": "error"}
_PROOF_HEADS = ("Run", "Start", "Before", "Now", "End", "Ended")
_SCATTER_PX = 158


class CalibrationResult(QWidget):
    """Shows a finished calibration; what its buttons do is the panel's business.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._theme = theme
        self.record: CalibrationRecord | None = None
        self.verdict, self.reasons = Message(theme), Message(theme)
        self.figures = _table("Both models on the same frames, which were held out: mean error, µm, and shares, %")
        self.scatters = (DefocusScatter(theme), DefocusScatter(theme))
        self.names = (label("Before"), label("After"))
        self.proofs = _table(
            "Live runs, µm: defocus by a Brenner sweep at start and end, and what both models said of the start"
        )
        self.proofs_fold = Fold("Live runs", "Each run, µm", self.proofs)
        self.estimate, self.left_out = label("", wrap=True), label("", wrap=True)
        self.more = Fold(
            "What the figures mean", "The error estimate, and what was set aside", self.estimate, self.left_out
        )
        self.use_button = button("Use it now", "Estimate and refocus with this model from now on")
        self.undo_button = button("Undo calibration", "Use the model from before again, and put this one's file away")
        self.report_button = button("Open report", "Open the page with all figures in the browser")
        self.again_button = button("Calibrate again", "Back to the settings, for another calibration")
        self._arrange()

    def _arrange(self) -> None:
        snug(self.verdict, self.reasons, self.estimate, self.left_out)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for part in (self.verdict, self.reasons, self.figures):
            column.addWidget(part)
        column.addLayout(row(*(_below(*pair) for pair in zip(self.names, self.scatters, strict=True))))
        for scatter in self.scatters:
            scatter.setFixedHeight(_SCATTER_PX)
            scatter.setMinimumWidth(0)
        for part in (self.proofs_fold, self.more):
            column.addWidget(part)
        column.addLayout(row(self.use_button, self.undo_button))
        column.addLayout(row(self.report_button, self.again_button))

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        for part in (self.verdict, self.reasons, *self.scatters):
            part.set_theme(theme)
        if self.record is not None:
            self._show_tables(self.record)

    def show_record(self, record: CalibrationRecord) -> None:
        """Show this calibration."""
        assert record.verdict is not None
        assert record.taught is not None
        self.record = record
        self.verdict.say(record.verdict.sentence, _TONES[record.verdict.trust])
        self.reasons.say("\n".join(f"• {reason}" for reason in record.verdict.reasons))
        for scatter, evaluation in zip(self.scatters, (record.before, record.taught.held_out), strict=True):
            scatter.parentWidget().setVisible(evaluation is not None)
            if evaluation is not None:
                _show(scatter, evaluation)
        before = "" if record.before is None else record.before.model
        self.names[0].setText(f"Before: {before}")
        self.names[1].setText(f"After: {record.name}")
        self.estimate.setText(estimate_words(record))
        self.left_out.setText(_left_out(record))
        self.proofs_fold.setVisible(bool(record.proofs))
        self._show_tables(record)

    def _show_tables(self, record: CalibrationRecord) -> None:
        before = "–" if record.before is None else "Before"
        self.figures.setText(_html(("", before, "After"), key_figures(record), self._theme))
        rows = [cells[: len(_PROOF_HEADS)] for cells in proof_rows(record.proofs)]
        self.proofs.setText(_html(_PROOF_HEADS, rows, self._theme))


def _left_out(record: CalibrationRecord) -> str:
    if not record.set_aside:
        return "Nothing was set aside."
    return "Set aside:\n" + "\n".join(f"• {each.what}: {each.reason}" for each in record.set_aside)


def _show(scatter: DefocusScatter, evaluation: Evaluation) -> None:
    told = [each for each in evaluation.results if each.estimate_um is not None]
    points = [[(e.true_um, e.estimate_um) for e in told if e.refused is refused] for refused in (False, True)]
    scatter.set_dof(evaluation.dof_um)
    scatter.show_points(*points)


def _below(name: QLabel, scatter: DefocusScatter) -> QWidget:
    both = QWidget()
    column = QVBoxLayout(both)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(1)
    column.addWidget(name)
    column.addWidget(scatter)
    return both


def _table(tip: str) -> QLabel:
    made = label("", tip=tip)
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _html(heads: tuple[str, ...], rows: Rows, theme: str) -> str:
    text = theme_colours(theme).text

    def line(cells: tuple[str, ...], tag: str) -> str:
        sides = ("left", *["right"] * (len(cells) - 1))
        told = (f'<{tag} align="{side}">{html.escape(cell)}</{tag}>' for side, cell in zip(sides, cells, strict=True))
        return f"<tr>{''.join(told)}</tr>"

    body = "".join(line(cells, "td") for cells in rows)
    return f'<table cellpadding="2" width="100%" style="color:{text}">{line(heads, "th")}{body}</table>'
