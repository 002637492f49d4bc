"""An annotator at a data set: which stack is at hand, what is said about it, what comes next. No layers, no layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack
from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.widgets.label.others import Others
from napari_autofocus.widgets.label.prefetch import Prefetch, ReadStack
from napari_autofocus.widgets.label.words import counts_words, opinion_words, short_name
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.worker import Worker
from napari_autofocus.workflows.batch import LabelSettings
from napari_autofocus.workflows.labels.desk import LabellingDesk, WorkItem

AHEAD = 2
"""How many stacks are read before they are needed."""
_SAVED = "Each label is on the disk the moment you give it; Ctrl+Z takes it back."


class AtDesk(QObject):
    """Says, undoes and goes on, in a folder of stacks; tells the panel what there is to show.

    Signals: ``opened`` (LabellingDesk or None), ``turning`` (the stack at hand is about to go), ``turned_to`` (WorkItem
    or None: this one is at hand now), ``came`` (ReadStack: the stack at hand can be shown), ``changed`` (paths whose
    labels are others now), ``said`` (a sentence) and ``failed`` (an error; nothing was stored then, and the stack at
    hand stays).

    Parameters
    ----------
    worker : Worker
        Opens folders, and looks for what others said.
    measuring : Worker
        Measures stacks of the folder; it is closed only once this has come to rest.
    """

    opened = Signal(object)
    turning = Signal()
    turned_to = Signal(object)
    came = Signal(object)
    changed = Signal(object)
    said = Signal(str)
    failed = Signal(object)

    def __init__(self, worker: Worker, measuring: Worker) -> None:
        super().__init__()
        self._worker, self._measuring = worker, measuring
        self.desk: LabellingDesk | None = None
        self._reading: Prefetch | None = None
        self._path: Path | None = None
        self._items: dict[Path, WorkItem] = {}
        self._told = False
        self._closed = False
        self._others = Others(worker, self)
        self._others.found.connect(self.tell)
        self._others.failed.connect(self.failed)

    # the folder

    def open(
        self,
        folder: Path,
        annotator: str,
        settings: LabelSettings,
        at: Path | None = None,
        opinion: Opinion | None = None,
    ) -> None:
        """Take up work on a folder, beginning with the stack ``at``, otherwise with the first that is open.

        Parameters
        ----------
        opinion : Opinion, optional
            What was said about the stack ``at`` before the folder was open; it is stored now.
        """
        self._worker.call(
            lambda: LabellingDesk(folder, annotator, settings=settings),
            done=lambda desk: self._on_opened(desk, at, opinion),
            failed=self.failed,
        )

    def _on_opened(self, desk: LabellingDesk, at: Path | None, opinion: Opinion | None) -> None:
        if self._closed:  # meanwhile: nobody would end the threads that reading it takes
            desk.close()
            return
        if self.desk is not None:
            self.turning.emit()
            self._measuring.call(self._put_away().close)
        self.desk, self._told = desk, False
        settings = desk.settings
        self._reading = Prefetch(lambda path: _open(path, settings), desk.focus_of, parent=self)
        self._reading.has_read.connect(self._on_read)
        self._reading.refused.connect(self._on_refused)
        self._take_items()
        self._others.watch(desk)
        self.opened.emit(desk)
        first = next((path for path in self._items if at is not None and path.resolve() == at.resolve()), None)
        self.turn_to(first or self._first_open())
        if first is not None and opinion is not None:
            self.say(opinion, go_on=False)

    def _first_open(self) -> Path | None:
        return self.desk.after(None) or next(iter(self._items), None)

    def leave(self) -> None:
        """Put the folder away; whatever was said is on the disk."""
        if self.desk is not None:
            self.turning.emit()
            desk = self._put_away()
            self._measuring.call(desk.close)
            self.opened.emit(None)

    def close(self) -> None:
        """Put the folder away for good, and end the threads."""
        self._closed = True
        self.turning.emit()
        self._worker.close()
        self._measuring.close()
        if self.desk is not None:
            self._put_away().close()

    def _put_away(self) -> LabellingDesk:
        self._others.rest()
        self._reading.close()
        desk, self.desk, self._reading, self._path, self._items = self.desk, None, None, None, {}
        return desk

    @property
    def item(self) -> WorkItem | None:
        """The stack at hand."""
        return self._items.get(self._path) if self._path is not None else None

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """All stacks of the folder."""
        return tuple(self._items.values())

    def item_of(self, path: Path) -> WorkItem | None:
        """A stack of the folder."""
        return self._items.get(path)

    def _take_items(self) -> None:
        self._items = {item.path: item for item in self.desk.items} if self.desk is not None else {}

    # what others say

    def look(self) -> None:
        """See what others have said meanwhile, beside the GUI."""
        self._others.look()

    def tell(self, paths: tuple[Path, ...]) -> None:
        """The labels of these stacks have changed."""
        self._take_items()
        self.changed.emit(paths)

    # what comes next

    def turn_to(self, path: Path | None) -> None:
        """Have this stack at hand; it comes as soon as it has been read, and the next ones are read meanwhile."""
        if self.desk is None or self._reading is None or path is None:
            return
        self.turning.emit()
        self._path = path
        self.turned_to.emit(self.item)
        self._reading.want([path, *self._ahead(path)])
        read = self._reading.get(path)
        if read is not None:
            self.came.emit(read)

    def _ahead(self, path: Path) -> list[Path]:
        """The stacks that are likely to come next."""
        ahead = [path]
        while len(ahead) <= AHEAD and (found := self.desk.after(ahead[-1])) is not None:
            ahead.append(found)
        return ahead[1:]

    def step(self, by: int) -> None:
        """Turn to the next (1) or previous (-1) stack, open or not."""
        if self.desk is None or self._path is None:
            return
        beyond = self.desk.after if by > 0 else self.desk.before
        self.turn_to(beyond(self._path, only_open=False))

    def _go_on(self, words: str) -> None:
        """Say what was stored, and turn to the next stack that is open."""
        found = self.desk.after(self._path) or self.desk.after(None)  # at the end those that were passed over
        if found is None or found == self._path:
            self.said.emit(f"{words} No stack is left to say anything about: {counts_words(self.desk.counts())}.")
            self.turn_to(self._path)
            return
        self.said.emit(words)
        self.turn_to(found)

    def _on_read(self, read: ReadStack) -> None:
        self._note(read.path, "")
        if read.path == self._path:
            self.came.emit(read)

    def _on_refused(self, path: Path, error: object) -> None:
        self._note(path, str(error))
        if path == self._path:
            self.failed.emit(error)

    def _note(self, path: Path, failed: str) -> None:
        """Remember whether a stack can be read: one that cannot is passed over from now on."""
        item = self._items.get(path)
        if self.desk is not None and item is not None and item.failed != failed:
            self.desk.note(path, failed=failed)
            self.tell((path,))

    # what is said

    def say(self, opinion: Opinion, *, go_on: bool = True) -> None:
        """Store what the annotator says about the stack at hand, and turn to the next open one."""
        path = self._path
        if self.desk is None or path is None or not self._kept(lambda: self.desk.say(path, opinion)):
            return
        words = f"{short_name(self._items[path].name)}: {opinion_words(opinion)}."
        if not self._told:
            words, self._told = f"{words} {_SAVED}", True
        self.tell((path,))
        if go_on:
            self._go_on(words)
        else:
            self.said.emit(words)

    def say_patch(self, corner: tuple[int, int, int], best_z_um: float | None) -> None:
        """Store where one patch of the stack at hand is sharp, µm."""
        path = self._path
        if self.desk is None or path is None:
            return
        if self._kept(lambda: self.desk.say_patch(path, corner, best_z_um)):
            where = "has no focus" if best_z_um is None else f"is sharp at {plain_um(best_z_um)}"
            self.tell((path,))
            self.said.emit(f"{short_name(self._items[path].name)}: the patch at {corner[1]}, {corner[0]} px {where}.")

    def paint(self, painting: Painting) -> None:
        """Store what was painted on the stack at hand."""
        path = self._path
        if self.desk is not None and path is not None and self._kept(lambda: self.desk.paint(path, painting)):
            self.tell((path,))

    def undo(self) -> None:
        """Take back what the annotator said last, and turn to that stack."""
        self._change("undo", "Nothing of yours is left to undo.")

    def redo(self) -> None:
        """Say again what was taken back last, and turn to that stack."""
        self._change("redo", "There is nothing to redo.")

    def _change(self, name: str, nothing: str) -> None:
        if self.desk is None:
            return
        made: list[Any] = []
        if not self._kept(lambda: made.append(getattr(self.desk, name)())):
            return
        change = made[0]
        if change is None:
            self.said.emit(nothing)
            return
        self.tell((change.path,))
        if change.path in self._items:  # the history also knows stacks that have left the folder since
            self.turn_to(change.path)
        self.said.emit(f"{change.words}.")

    def _kept(self, store: Any) -> bool:
        """Whether it could be stored; why not is told."""
        try:
            store()
        except (AutofocusError, OSError) as error:
            self.failed.emit(error)
            return False
        return True


def _open(path: Path, settings: LabelSettings) -> ZStack:
    return open_stack(
        path, step_um=settings.step_um, channel=settings.channel, focus_direction=settings.focus_direction
    )
