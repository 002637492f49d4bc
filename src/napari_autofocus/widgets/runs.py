"""The table of runs: what happened, when and how well, with export to files and to the clipboard."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QGuiApplication, QKeySequence, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QMessageBox,
    QShortcut,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, label, row
from napari_autofocus.widgets.run.details import RunDetails
from napari_autofocus.widgets.run.model import MODEL_COLUMN, RunsModel
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.run_log import RunEntry, RunLog
from napari_autofocus.workflows.runs.drift_log import looks_of_runs, write_looks
from napari_autofocus.workflows.runs.files import as_text

_TABLE, _RECORDS, _PICTURES, _DRIFT = (
    "Table, one row a run (*.csv)",
    "Full records (*.json)",
    "Full records and pictures (*.json)",
    "Drift: where best focus lay, one row a look (*.csv)",
)
_ROOM_FOR_MODEL_PX = 520
_ROW_PX = 22
_LEAST_ROWS = 3
_FRAME_PX = 6


class RunsTable(QWidget):
    """Lists the runs of a log, newest first, and shows the one that is selected.

    Parameters
    ----------
    session : Session
        What the panels of the viewer share.
    log : RunLog
        The runs.
    """

    def __init__(self, session: Session, log: RunLog) -> None:
        super().__init__()
        self._session = session
        self._log = log
        theme = session.viewer.theme
        self.model = RunsModel(log, theme)
        self.count = label("")
        self.copy_button = button("Copy", "Copy the selected runs, or all, for a spreadsheet (Ctrl+C in the table)")
        self.export_button = button(
            "Export…", "Write all runs to a file: a table, full records, or the drift they tell"
        )
        self.clear_button = button("Clear", "Forget all runs, after a question")
        self.details = RunDetails(theme)
        self.message = Message(theme)
        self.table = self._make_table()
        self._arrange()
        self._connect()
        self._on_log_changed()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setStretchLastSection(True)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.horizontalHeader().setStyleSheet("QHeaderView::section { border: none; padding: 2px 3px; }")
        table.setMinimumHeight((_LEAST_ROWS + 1) * _ROW_PX)
        table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        return table

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(5)
        column.addLayout(row(self.count, 1, self.copy_button, self.export_button, self.clear_button))
        column.addWidget(self.table, 2)
        column.addWidget(self.details, 3)
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.copy_button.clicked.connect(self._on_copy_clicked)
        self.export_button.clicked.connect(self._on_export_clicked)
        self.clear_button.clicked.connect(self._on_clear_clicked)
        self.table.selectionModel().currentRowChanged.connect(self._on_current_changed)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self._on_copy_clicked)
        connect_while_alive(self, [(self._log.added, self._on_added), (self._log.cleared, self._on_cleared)])

    @property
    def selected(self) -> tuple[RunEntry, ...]:
        """The runs that are selected, oldest first."""
        rows = sorted((index.row() for index in self.table.selectionModel().selectedRows()), reverse=True)
        return tuple(entry for entry in map(self.model.entry, rows) if entry is not None)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.model, self.details, self.message):
            part.set_theme(theme)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the model where there is room for it; the row's tooltip names it anyway."""
        self.table.setColumnHidden(MODEL_COLUMN, event.size().width() < _ROOM_FOR_MODEL_PX)
        super().resizeEvent(event)

    # what happens

    def _on_added(self, entry: RunEntry) -> None:
        """Follow the newest run, unless the user is looking at an older one."""
        follows = self.table.currentIndex().row() <= 0
        self.model.add(entry)
        if follows:
            self._select(0)
        self._on_log_changed()

    def _on_cleared(self) -> None:
        self.model.clear()
        self._on_log_changed()

    def _on_log_changed(self) -> None:
        runs = len(self._log)
        of = f" newest of {runs + self._log.left_out}" if self._log.left_out else ""
        self.count.setText(f"{runs}{of} run{'' if runs == 1 else 's'}" if runs else "No run yet: press Refocus.")
        self.table.setVisible(bool(runs))
        self.table.setMaximumHeight((max(runs, _LEAST_ROWS) + 1) * _ROW_PX + _FRAME_PX)  # the rest is for the details
        for part in (self.copy_button, self.export_button, self.clear_button):
            part.setEnabled(bool(runs))
        self.message.say("")
        if runs and not self.table.currentIndex().isValid():
            self._select(0)
        self._on_current_changed()

    def _select(self, number: int) -> None:
        flags = QItemSelectionModel.SelectionFlag
        self.table.selectionModel().setCurrentIndex(
            self.model.index(number, 0), flags.ClearAndSelect | flags.Rows | flags.Current
        )

    def _on_current_changed(self, *_: object) -> None:
        self.details.show_run(self.model.entry(self.table.currentIndex().row()))

    def _on_copy_clicked(self) -> None:
        copied = self.selected or self._log.entries
        QGuiApplication.clipboard().setText(as_text(copied))
        self.message.say(f"{_runs(len(copied))} copied.")

    def _on_export_clicked(self) -> None:
        filters = ";;".join((_TABLE, _RECORDS, _PICTURES, _DRIFT))
        name, chosen = QFileDialog.getSaveFileName(self, "Export all runs", "runs.csv", filters)
        if name and chosen == _DRIFT:
            self.export_drift(_with_suffix(Path(name), chosen))
        elif name:
            self.export(_with_suffix(Path(name), chosen), pictures=chosen == _PICTURES)

    def export(self, path: Path, *, pictures: bool = False) -> None:
        """Write all runs, beside the GUI: a table for ``.csv``, otherwise full records."""
        log, count = self._log, len(self._log)

        def write() -> None:
            if path.suffix.lower() == ".csv":
                log.export_csv(path)
            else:
                log.export_json(path, pictures=pictures)

        self._session.analysis.call(
            write, done=lambda _: self.message.say(f"{_runs(count)} written to {path}."), failed=self.message.fail
        )

    def export_drift(self, path: Path) -> None:
        """Write where best focus lay by every run that tells, beside the GUI: a table for ``.csv``."""
        looks = looks_of_runs(self._log.entries)
        if not looks:
            self.message.say("No run tells where best focus lay, so there is no drift to write.", "warning")
            return
        count = f"{len(looks)} look{'' if len(looks) == 1 else 's'}"
        self._session.analysis.call(
            lambda: write_looks(path, looks),
            done=lambda _: self.message.say(f"{count} written to {path}."),
            failed=self.message.fail,
        )

    def _on_clear_clicked(self) -> None:
        question = f"Forget {_runs(len(self._log))}? They are lost unless they were exported."
        if QMessageBox.question(self, "Clear the runs", question) == QMessageBox.StandardButton.Yes:
            self._log.clear()


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _with_suffix(path: Path, chosen: str) -> Path:
    """The name as typed, with the ending of the chosen kind where it has none of ours."""
    if path.suffix.lower() in (".csv", ".json"):
        return path
    return path.with_name(f"{path.name}{'.csv' if chosen in (_TABLE, _DRIFT) else '.json'}")
