"""Label z-stacks: a folder of them as a work list, or the one that is open; by keys, by dragging, by Brenner.

Joins the parts that stand in ``label/``: ``source`` (what is labelled), ``list``, ``measure``, ``view`` (the stack at
hand), ``paint`` and ``keys``; ``single`` and ``folder`` are the two ways of working.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import napari.viewer
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QPushButton, QWidget

from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.widgets.label.acts import LabelActs
from napari_autofocus.widgets.label.agreement import AgreementTable
from napari_autofocus.widgets.label.buttons import Brushes, SayButtons
from napari_autofocus.widgets.label.desk import AtDesk
from napari_autofocus.widgets.label.folder import FolderWork
from napari_autofocus.widgets.label.keys import LabelKeys, key_card
from napari_autofocus.widgets.label.leaving import Leaving
from napari_autofocus.widgets.label.list import WorkList
from napari_autofocus.widgets.label.measure import MeasureSection
from napari_autofocus.widgets.label.paint import ImportancePaint
from napari_autofocus.widgets.label.single import SingleStack
from napari_autofocus.widgets.label.source import SourceSection, dropped_path
from napari_autofocus.widgets.label.view import StackView
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, connect_while_alive, scrolled, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Worker
from napari_autofocus.workflows.batch import LabelSettings
from napari_autofocus.workflows.labels.brenner import BrennerSummary
from napari_autofocus.workflows.labels.desk import LabellingDesk

_MESSAGE_LINES = 2
"""So that the buttons above do not move from stack to stack."""
_STOPPED = "Stopped; what was found is kept, and the next run goes on from there."


class LabellingPanel(QWidget):
    """The annotator's desk."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._build()
        self._arrange()
        self._connect()
        self._enter_single()

    # layout

    def _build(self) -> None:
        viewer, theme = self._viewer, self._viewer.theme
        self.source = SourceSection(viewer)
        self.work = WorkList(theme)
        measuring = Worker("napari-autofocus labelling")
        self.measure = MeasureSection(measuring)
        self.view = StackView(viewer)
        self.message = Message(theme)
        self.say_buttons, self.brushes = SayButtons(), Brushes()
        self.agreement = AgreementTable()
        self.agreement_fold = Fold(
            "Agreement", "How far annotators agree with each other and with Brenner", self.agreement
        )
        self.paint_fold = Fold("Paint importance", "Say by hand which parts tell about focus", self.brushes)
        self.key_fold = Fold("Keys", "What the keys do while this panel is shown", key_card())
        self.paint, self.at = ImportancePaint(viewer), AtDesk(Worker("napari-autofocus label desk"), measuring)
        self.single = SingleStack(viewer, self.source, self.measure, self.view, self.message)
        self.folder = FolderWork(
            viewer,
            self.at,
            work=self.work,
            measure=self.measure,
            view=self.view,
            paint=self.paint,
            message=self.message,
            agreement=self.agreement,
            agreement_fold=self.agreement_fold,
        )
        self.setAcceptDrops(True)

    def _arrange(self) -> None:
        snug(self.message)
        self.message.setMinimumHeight(_MESSAGE_LINES * self.message.fontMetrics().lineSpacing())
        column = scrolled(self)
        for part, stretch in (
            (self.source, 0),
            (self.work, 3),
            (self.measure, 0),
            (self.view, 2),
            (self.say_buttons, 0),
            (self.message, 0),
            (self.measure.fold, 0),
            (self.paint_fold, 0),
            (self.agreement_fold, 0),
            (self.key_fold, 0),
        ):
            column.addWidget(part, stretch)

    def _connect(self) -> None:
        self.acts = LabelActs(self.at, self.single, self.folder, self.view, self.paint, self.message)
        actions = self.acts.by_name
        self.keys = LabelKeys(self._viewer, self, actions, esc_taken=lambda: self._session.is_running)
        self.say_buttons.pressed.connect(lambda action: actions[action]())
        for signal, slot in (
            (self.source.folder_wanted, self.open_folder),
            (self.source.folder_left, self.at.leave),
            (self.source.layer_chosen, self._on_layer_chosen),
            (self.source.save_wanted, self._on_save_wanted),
            (self.source.annotator_changed, self._on_annotator_changed),
            (self.source.failed, self.message.fail),
            (self.measure.find_button.clicked, self._on_find_clicked),
            (self.measure.all_button.clicked, lambda: self.folder.find(all_open=True)),
            (self.measure.settings_changed, self._on_settings_changed),
            (self.measure.stepped, self.folder.on_step),
            (self.measure.done, self._on_measured),
            (self.measure.failed, self.message.fail),
            (self.measure.stopped, self._on_measuring_stopped),
            (self.brushes.chosen, self.acts.brush),
            (self.acts.brush_changed, self._on_brush_changed),
            (self.acts.back_changed, self.keys.want_back),
            (self.at.opened, self._on_opened),
        ):
            signal.connect(slot)
        leave = Leaving(self._viewer, self.at, self.paint, self.view.picking)
        # Not at once: napari crashes if layers go while Qt is in the middle of deleting a widget.
        self.destroyed.connect(lambda: QTimer.singleShot(0, leave))
        connect_while_alive(
            self,
            [
                (self._viewer.events.theme, self._on_theme_changed),
                (self._session.running_changed, self.keys.refresh),
                (self._session.dataset_chosen, self.open_folder),
                (self._session.closing, leave),
            ],
        )

    # what others press and read

    @property
    def find_button(self) -> QPushButton:
        """Measures the stack at hand."""
        return self.measure.find_button

    @property
    def go_button(self) -> QPushButton:
        """Shows the best plane of the stack at hand."""
        return self.view.go_button

    @property
    def result(self) -> StackFocus | None:
        """What was measured of the stack at hand; None where it was not."""
        return self.view.focus

    @property
    def is_running(self) -> bool:
        """Whether something is being measured."""
        return self.measure.is_running

    @property
    def layer(self) -> Image | None:
        """The layer of the stack at hand."""
        return self.view.layer

    # folder or single layer

    def open_folder(self, path: Path) -> None:
        """Work on a folder of stacks, or on that of a stack, beginning there."""
        folder, at = (path, None) if path.is_dir() and path.suffix != ".zarr" else (path.parent, path)
        self._open(folder, at)

    def _open(self, folder: Path, at: Path | None, opinion: Opinion | None = None) -> None:
        self.measure.cancel()
        self.message.say(f"Looking for stacks in {folder} …")
        self.at.open(folder, self.source.annotator, LabelSettings(focus=self.measure.settings()), at, opinion)

    def _on_opened(self, desk: LabellingDesk | None) -> None:
        if desk is None:
            self._enter_single()
            return
        self.source.show_folder(desk.root)
        self.view.patches_check.setChecked(False)  # in the way of whoever judges sharpness by eye
        self._show_mode(in_folder=True)
        self.message.say("")
        self.folder.enter()

    def _enter_single(self) -> None:
        self.measure.cancel()
        self.folder.leave()
        self.source.show_folder(None)
        self._show_mode(in_folder=False)
        self.source.refresh()

    def _show_mode(self, *, in_folder: bool) -> None:
        self.view.brief = in_folder
        self.keys.set_in_folder(in_folder)
        policy = self.message.sizePolicy()
        policy.setRetainSizeWhenHidden(in_folder)
        self.message.setSizePolicy(policy)
        for part in (self.work, self.paint_fold, self.agreement_fold):
            part.setVisible(in_folder)
        self.say_buttons.buttons["undo"].setEnabled(in_folder)

    def _on_layer_chosen(self) -> None:
        if self.at.desk is None:
            self.single.take()

    def _on_save_wanted(self, path: Path) -> None:
        self._open(path.parent, path, self.single.opinion)

    def _on_annotator_changed(self, name: str) -> None:
        """Another person goes on where the last one was."""
        desk, item = self.at.desk, self.at.item
        if desk is not None:
            self.at.open(desk.root, name, desk.settings, item.path if item is not None else None)

    def _on_settings_changed(self) -> None:
        desk, item = self.at.desk, self.at.item
        if desk is None:
            self.single.on_step_changed()
        else:
            settings = replace(desk.settings, focus=self.measure.settings())
            self.at.open(desk.root, desk.annotator, settings, item.path if item is not None else None)

    # measuring

    def _on_find_clicked(self) -> None:
        if self.at.desk is None:
            self.single.find()
        else:
            self.folder.find(all_open=False)

    def _on_measured(self, found: object) -> None:
        if isinstance(found, StackFocus):
            self.single.on_measured(found)
        elif isinstance(found, BrennerSummary):
            self.folder.on_done(found)

    def _on_measuring_stopped(self) -> None:
        if self.at.desk is not None:
            self.message.say(_STOPPED)

    # others

    def _on_brush_changed(self, kind: int | None) -> None:
        self.brushes.show_kind(kind)
        if kind is not None:
            self.paint_fold.expand(animate=False)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a file or a folder."""
        if dropped_path(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Work on the folder that was dropped, or on that of the file."""
        path = dropped_path(event)
        if path is not None:
            event.acceptProposedAction()
            self.open_folder(path)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.view, self.work, self.message):
            part.set_theme(self._viewer.theme)
