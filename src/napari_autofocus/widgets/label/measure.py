"""Running Brenner: on the stack at hand or on all that are open, with progress, to be stopped and taken up again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.focus.zstack import FocusSettings
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import button, choice, columns_form, number, row
from napari_autofocus.widgets.worker import Job, Worker
from napari_autofocus.workflows.batch import PlaneMeasured

_POLARITIES = (("Told by the curve", "auto"), ("Greatest contrast", "max"), ("Least contrast", "min"))
_PATCH_SIZES = (32, 64, 128, 256, 512)


class MeasureSection(QWidget):
    """Buttons and progress of measuring, and how it is done.

    Signals: ``stepped`` (a record of progress), ``done`` (the result), ``failed`` (an error), ``stopped``,
    ``settings_changed``.

    Parameters
    ----------
    worker : Worker
        Measures.
    """

    stepped = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    stopped = Signal()
    settings_changed = Signal()

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._job: Job | None = None
        self._enabled = False
        self.find_button = button("Find best focus", "Measure every plane of this stack and judge the focus curve")
        self.all_button = button(
            "Find in all open", "Measure every stack of the list that was not measured yet; a second time goes on there"
        )
        self.cancel_button = button("Cancel", "Stop measuring after the plane it is at; what was found is kept")
        self.progress = QProgressBar()
        self.step_box = number(0.5, 0.001, 1000, 0.1, "µm", "Distance between two planes, µm", decimals=3)
        self.patch_box = choice(
            [("Auto", None), *((f"{size} px", size) for size in _PATCH_SIZES)],
            "Side of a patch, pixels; Auto: about six across a single stack, 128 px in a folder",
        )
        self.polarity_box = choice(
            _POLARITIES,
            "What focus looks like: greatest contrast (stained, fluorescent) or least contrast (transparent)",
        )
        self.form = columns_form(("z step", self.step_box), ("Patch", self.patch_box), ("Focus is", self.polarity_box))
        self.fold = Fold("How to measure", "Size of a patch, and what focus looks like", self.form)
        self._arrange()
        self.find_button.setEnabled(False)
        self.cancel_button.clicked.connect(self.cancel)
        for signal in (self.step_box.valueChanged, self.patch_box.activated, self.polarity_box.activated):
            signal.connect(lambda *_: self.settings_changed.emit())

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.find_button, self.all_button, self.cancel_button))
        column.addWidget(self.progress)
        self._show_running(False)

    @property
    def is_running(self) -> bool:
        """Whether something is being measured."""
        return self._job is not None

    def settings(self, auto_patch_px: int | None = None) -> FocusSettings:
        """How to judge; ``auto_patch_px`` is the side of a patch where the user chose none, px."""
        patch_px = self.patch_box.currentData() or auto_patch_px
        return FocusSettings(polarity=self.polarity_box.currentData(), patch_px=patch_px)

    def offer(self, *, this: bool, all_open: bool) -> None:
        """Whether there is a stack at hand, and a list of them."""
        self._enabled = this
        self.all_button.setVisible(all_open)
        self._show_running(self.is_running)

    def run(self, work: Generator[Any, None, Any], total: int) -> None:
        """Measure; ``total`` is how many steps of progress to expect."""
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(0)
        self.progress.setFormat("plane %v of %m")
        # Signals and methods of this widget, of which Qt lets go together with it: a lambda would still be called when
        # napari has deleted the widget, and crash it.
        self._job = self._worker.run(
            work,
            step=self._on_step,
            done=self.done,
            failed=self.failed,
            cancelled=self.stopped,
            ended=self._on_ended,
        )
        self._show_running(True)

    def cancel(self) -> None:
        """Stop after the plane it is at."""
        if self._job is not None:
            self._job.cancel()

    def _on_step(self, step: Any) -> None:
        if isinstance(step, PlaneMeasured):
            self.progress.setRange(0, step.stacks * step.planes)
            self.progress.setValue((step.stack - 1) * step.planes + step.plane)
            self.progress.setFormat(f"stack {step.stack} of {step.stacks}, plane {step.plane} of {step.planes}")
        elif hasattr(step, "done"):
            self.progress.setValue(step.done)
        self.stepped.emit(step)

    def _on_ended(self) -> None:
        if self.sender() is self._job:  # another one may have been started since it was stopped
            self._job = None
            self._show_running(False)

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.find_button.setEnabled(self._enabled and not running)
        self.all_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.patch_box.setEnabled(not running)
        self.polarity_box.setEnabled(not running)
