"""Work on a folder: what the desk tells is shown in the list, in the viewer and in words."""

from __future__ import annotations

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QObject

from napari_autofocus.labelling.painting import Painting
from napari_autofocus.widgets.label.agreement import AgreementTable
from napari_autofocus.widgets.label.desk import AtDesk
from napari_autofocus.widgets.label.layer import ShownStack
from napari_autofocus.widgets.label.list import WorkList
from napari_autofocus.widgets.label.measure import MeasureSection
from napari_autofocus.widgets.label.paint import ImportancePaint
from napari_autofocus.widgets.label.prefetch import ReadStack
from napari_autofocus.widgets.label.said import Said
from napari_autofocus.widgets.label.view import StackView
from napari_autofocus.widgets.label.words import own_of, summary_words
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message
from napari_autofocus.widgets.parts.sentences import stack_sentence
from napari_autofocus.workflows.batch import StackFailed
from napari_autofocus.workflows.labels.brenner import BrennerSummary, StackMeasured
from napari_autofocus.workflows.labels.desk import WorkItem


class FolderWork(QObject):
    """Shows the stack at hand, and what everybody says about it.

    Parameters
    ----------
    viewer : ViewerModel
        Where stacks are shown.
    at : AtDesk
        What is at hand.
    work, measure, view, paint, message, agreement, agreement_fold
        Parts of the panel.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        at: AtDesk,
        *,
        work: WorkList,
        measure: MeasureSection,
        view: StackView,
        paint: ImportancePaint,
        message: Message,
        agreement: AgreementTable,
        agreement_fold: Fold,
    ) -> None:
        super().__init__(view)
        self._at, self._work, self._measure, self._view, self._paint = at, work, measure, view, paint
        self._message, self._agreement, self._fold = message, agreement, agreement_fold
        self._shown = ShownStack(viewer)
        self._read: ReadStack | None = None
        for signal, slot in (
            (at.turned_to, self._on_turned_to),
            (at.came, self._on_came),
            (at.changed, self._on_changed),
            (at.said, self._on_said),
            (at.failed, message.fail),
            (work.chosen, at.turn_to),
            (paint.painted, self._on_painted),
            (agreement_fold.toggled, self._show_agreement),
        ):
            signal.connect(slot)

    def enter(self) -> None:
        """A folder was opened."""
        self._work.model.annotator = self._at.desk.annotator
        self._measure.offer(this=False, all_open=True)
        self._list()
        self._show_agreement()

    def leave(self) -> None:
        """The folder was put away."""
        self._read = None
        self._paint.leave()

    @property
    def read(self) -> ReadStack | None:
        """The stack in the viewer; None while it is being read."""
        return self._read

    # the stack at hand

    def _on_turned_to(self, item: WorkItem) -> None:
        self._paint.stop()
        self._work.mark(item.path)
        self._read = None
        self._measure.offer(this=False, all_open=True)
        if item.failed:
            self._message.fail(item.failed)
        else:
            self._view.z_label.setText(f"Reading {item.name} …")

    def _on_came(self, read: ReadStack) -> None:
        self._read = read
        layer = self._shown.show(read)
        focus = read.focus or self._at.desk.focus_of(read.path)
        self._view.show_stack(layer, list(read.stack.z_um), focus, self._said_of(read.path))
        self._measure.offer(this=True, all_open=True)
        painting = self._at.desk.painting(read.path)
        self._paint.show(layer, read.stack.field_shape, painting, focus)
        self._go_to_best()

    def _go_to_best(self) -> None:
        """Begin where the stack is sharp as far as anybody knows, otherwise in its middle."""
        if self._view.best_um is not None:
            self._view.go_to_peak()
        else:
            z_um = self._read.stack.z_um
            self._view.go_to(float(z_um[len(z_um) // 2]))

    def _said_of(self, path: Path) -> Said:
        item, desk = self._at.item_of(path), self._at.desk
        if item is None or desk is None:
            return Said()
        own = own_of(item, desk.annotator)
        others = tuple(
            (opinion.annotator, opinion.best_z_um)
            for opinion in item.consensus.persons
            if opinion is not own and opinion.best_z_um is not None
        )
        patches = {
            corner: found.best_z_um for corner, found in desk.patches(path).items() if found.best_z_um is not None
        }
        return Said(own.best_z_um if own is not None else None, others, patches)

    # what has changed

    def _list(self) -> None:
        desk, item = self._at.desk, self._at.item
        self._work.show_items(self._at.items, desk.counts())
        self._work.mark(item.path if item is not None else None)

    def _on_changed(self, paths: tuple[Path, ...]) -> None:
        self._list()
        self._show_agreement()
        read = self._read
        if read is None or read.path not in paths:
            return
        self._view.set_said(self._said_of(read.path))
        if self._paint.kind is None:
            painting = self._at.desk.painting(read.path)
            self._paint.show(self._view.layer, read.stack.field_shape, painting, self._view.focus)

    def _on_said(self, words: str) -> None:
        self._message.say(words)

    def _on_painted(self, painting: Painting) -> None:
        self._at.paint(painting)

    def _show_agreement(self, *_: object) -> None:
        if self._fold.isExpanded() and self._at.desk is not None:
            self._agreement.show_pairs(self._at.desk.agreement())

    # Brenner

    def find(self, *, all_open: bool) -> None:
        """Measure the stack at hand, or all that were not measured yet."""
        item, desk = self._at.item, self._at.desk
        if desk is not None and (all_open or item is not None):
            self._measure.run(desk.brenner(None if all_open else [item.path]), 1)

    def on_step(self, step: object) -> None:
        """One stack more is measured, or could not be."""
        if isinstance(step, StackMeasured | StackFailed) and self._at.desk is not None:
            path = Path(step.path)
            self._at.tell((path,))
            self._take_focus((path,))

    def on_done(self, summary: BrennerSummary) -> None:
        """All are measured; those that were known already have come in without a word."""
        if self._at.desk is None:
            return
        paths = tuple(item.path for item in self._at.items)
        self._at.tell(paths)
        if len(summary.measured) + summary.known + len(summary.failed) > 1:
            self._message.say(summary_words(summary), "warning" if summary.failed else "plain")
        elif summary.failed:
            self._message.fail(summary.failed[0].reason)
        if self._view.focus is None:
            self._take_focus(paths)

    def _take_focus(self, paths: tuple[Path, ...]) -> None:
        """Show the new curve of the stack at hand, if it is among these."""
        if self._read is None or self._read.path not in paths:
            return
        focus = self._at.desk.focus_of(self._read.path)
        if focus is None:
            return
        self._view.set_focus(focus)
        self._view.set_said(self._said_of(self._read.path))
        self._view.go_to_peak()
        self._message.say(stack_sentence(focus), "good" if focus.field.trusted else "warning")

    def accepted_um(self) -> float | None:
        """What the annotator accepts: the line, or where there is none what Brenner says of the whole stack, µm."""
        if self._view.plot.peak_um is not None or self._at.item is None:
            return self._view.plot.peak_um
        found = self._at.item.consensus.brenner
        return found.best_z_um if found is not None and found.trusted else None
