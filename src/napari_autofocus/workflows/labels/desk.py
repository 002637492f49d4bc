"""An annotator's desk: the stacks of a folder as a work list; saying where they are sharp, undoing and redoing it.

Everything said is in the folder's label store before the call returns. Other annotators may work on the same store;
nobody overwrites another's opinion. The list itself is in ``list.py``, Brenner in ``brenner.py``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.io import find_stacks
from napari_autofocus.labelling.agreement import Agreement, agreement
from napari_autofocus.labelling.entries import LabelEntry, PathLike
from napari_autofocus.labelling.opinions import (
    BRENNER,
    BRENNER_SOURCE,
    Consensus,
    Opinion,
    Status,
    is_same_measurement,
    opinion_of,
)
from napari_autofocus.labelling.painting import KEY as PAINTING
from napari_autofocus.labelling.painting import Painting, overlaid
from napari_autofocus.labelling.standing import Corner, key_of
from napari_autofocus.labelling.store import STORE_NAME, LabelStore
from napari_autofocus.workflows.batch import LabelSettings
from napari_autofocus.workflows.labels.brenner import BrennerStep, BrennerSummary, measure_all
from napari_autofocus.workflows.labels.focus_book import FocusBook
from napari_autofocus.workflows.labels.list import WorkItem, WorkList

__all__ = ["Change", "LabellingDesk", "WorkItem"]

WAIT_S = 5.0
"""How long a confirmation waits while another program writes, s."""
_OURS = (BRENNER_SOURCE, "undo", "redo", "")  # sources that a person's own statement cannot have


@dataclass(frozen=True)
class Change:
    """What undo or redo did: to which stack (which may have left the folder), in words, and as the history has it."""

    path: Path
    words: str
    entry: LabelEntry


class LabellingDesk:
    """One annotator's place at a data set; several threads may use it at once.

    Parameters
    ----------
    folder : path-like
        A folder of stacks, or a single one.
    annotator : str
        Who works here; the name stands beside everything said.
    store : path-like, optional
        The label store; by default ``labels.db`` in the folder.
    settings : LabelSettings, optional
        How stacks are opened, and measured by Brenner.

    Raises
    ------
    InputError
        If there is no stack or no name, or the label store cannot be opened.
    """

    def __init__(
        self, folder: PathLike, annotator: str, *, store: PathLike | None = None, settings: LabelSettings | None = None
    ) -> None:
        self.annotator = _checked_name(annotator)
        self.settings = settings or LabelSettings()
        self._folder = Path(folder).resolve()
        stacks = find_stacks([self._folder])
        alone = self._folder in stacks or not self._folder.is_dir()
        self.root = self._folder.parent if alone else self._folder
        self.book = FocusBook(self.root)
        self.store = LabelStore(store or self.root / STORE_NAME, root=self.root, wait_s=WAIT_S)
        self._list = WorkList(self.root, self.settings)
        self._list.take_in(stacks)
        self._seen_id = self.store.newest_id
        self._list.take_over(self.store.labels())

    def __enter__(self) -> LabellingDesk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the label store; everything said is in it already."""
        self.store.close()

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """Every stack, in the order of the folder."""
        return self._list.items

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of stacks that were labelled and are no longer in the folder."""
        return self._list.missing

    def item(self, path: PathLike) -> WorkItem:
        """One stack of the list; a path outside it is an InputError, here and below."""
        return self._list.item(self._list.name(path))

    def refresh(self, *, folder: bool = False) -> tuple[Path, ...]:
        """Take in what others said since, and stacks that are new in the folder if asked; the stacks that changed."""
        changed = self._list.take_in(find_stacks([self._folder])) if folder else []
        news = self.store.history(after_id=self._seen_id)
        self._seen_id = max([self._seen_id, *(entry.id for entry in news)])
        changed += self._list.take_over(news)
        return tuple(self._list.path(name) for name in dict.fromkeys(changed))

    def counts(self) -> dict[Status, int]:
        """How many stacks have each status."""
        found = [item.consensus.status for item in self.items]
        return {status: found.count(status) for status in get_args(Status)}

    def after(self, path: PathLike | None = None, *, only_open: bool = True) -> Path | None:
        """The next stack (the first for None) that a person should look at, or the next of all; None at the end."""
        return self._beyond(path, self.items, only_open)

    def before(self, path: PathLike | None = None, *, only_open: bool = True) -> Path | None:
        """The stack before (the last for None); see :meth:`after`."""
        return self._beyond(path, self.items[::-1], only_open)

    def say(self, path: PathLike, opinion: Opinion) -> LabelEntry:
        """Store the annotator's opinion on a stack; it is on the disk when this returns.

        Raises
        ------
        InputError
            If it cannot be stored (a full disk, say); nothing has changed then.
        """
        dof_um = opinion.dof_um or self._list.known_dof_um(self._list.name(path))
        source = "person" if opinion.source in _OURS else opinion.source
        return self._store(path, replace(opinion, dof_um=dof_um).to_value(), source=source)

    def say_patch(self, path: PathLike, patch: Corner, best_z_um: float | None) -> LabelEntry:
        """Store where the annotator sees a patch (y, x, size, px) sharp, µm; None: it has no focus to learn from."""
        opinion = Opinion("no_content" if best_z_um is None else "sharp", best_z_um)
        return self._store(path, opinion.to_value(), scope="patch", key=key_of(patch))

    def paint(self, path: PathLike, painting: Painting) -> LabelEntry:
        """Store the importance that the annotator painted over a stack's field, in place of the own one before."""
        value = None if painting.is_empty else painting.to_value()
        return self._store(path, value, scope="importance", key=PAINTING)

    def painting(self, path: PathLike) -> Painting | None:
        """What was painted over a stack: the annotator's own, and others' where that is empty; None if nothing."""
        paintings = self._list.paintings(self._list.name(path))
        own = paintings.pop(self.annotator, None)
        return overlaid([*paintings.values(), *([own] if own is not None else [])])

    def patches(self, path: PathLike) -> dict[Corner, Consensus]:
        """What people say about a stack's patches, by corner and side (y, x, size, px)."""
        return self._list.patches(self._list.name(path))

    def undo(self) -> Change | None:
        """Take the annotator's own last action back, whichever stack it was on; None if there is none left."""
        return self._changed(self.store.undo_last(annotator=self.annotator), "undone")

    def redo(self) -> Change | None:
        """Take the last undo back; None if something was said since."""
        return self._changed(self.store.redo_last(annotator=self.annotator), "redone")

    def history(self, path: PathLike | None = None) -> list[LabelEntry]:
        """Who said what and when, oldest first; about one stack where given."""
        return self.store.history(None if path is None else self._list.name(path))

    def agreement(self) -> tuple[Agreement, ...]:
        """How each two annotators agree, and each with Brenner; may open files to learn their depth of field."""
        return agreement({item.name: item.consensus.opinions for item in self.items}, self._list.dof_um)

    def brenner(self, paths: Iterable[PathLike] | None = None) -> Generator[BrennerStep, None, BrennerSummary]:
        """Measure stacks, all by default; see :func:`~napari_autofocus.workflows.labels.brenner.measure_all`."""
        chosen: Sequence[PathLike] = [item.path for item in self.items] if paths is None else list(paths)
        return measure_all(self, [self._list.path(self._list.name(path)) for path in chosen])

    def focus_of(self, path: PathLike) -> StackFocus | None:
        """What Brenner found in a stack; None if it was not measured, or has changed since."""
        return self.book.get(self._list.path(self._list.name(path)), self.settings)

    def dof_of(self, path: PathLike) -> float | None:
        """Depth of field of a stack, µm, from its file if nobody said it; None where that does not say."""
        return self._list.dof_um(self._list.name(path))

    def say_brenner(self, path: PathLike, opinion: Opinion) -> bool:
        """Store what was measured, unless exactly that was stored last; whether it was stored."""
        name = self._list.name(path)
        value = opinion.to_value()
        known = [each.to_value() for each in self._list.opinions(name) if each.annotator == BRENNER]
        if any(is_same_measurement(value, each) for each in known):
            return False
        self._list.take_over([self.store.add(name, value, annotator=BRENNER, source=BRENNER_SOURCE)])
        return True

    def note(self, path: PathLike, *, failed: str = "", dof_um: float | None = None) -> None:
        """Remember, while the desk is open, why a stack cannot be read, and its depth of field in µm."""
        self._list.note(self._list.name(path), failed, dof_um)

    def _store(self, path: PathLike, value: Any, *, source: str = "person", **where: Any) -> LabelEntry:
        name = self._list.name(path)
        entry = self.store.add(name, value, annotator=self.annotator, source=source, **where)
        self._list.take_over([entry])
        return entry

    def _changed(self, entry: LabelEntry | None, how: str) -> Change | None:
        if entry is None:
            return None
        self._list.take_over([entry])
        return Change(self._list.path(entry.stack), f"{_words(entry)} ({how})", entry)

    def _beyond(self, path: PathLike | None, items: Sequence[WorkItem], only_open: bool) -> Path | None:
        names = [item.name for item in items]
        start = names.index(self._list.name(path)) + 1 if path is not None else 0
        return next((item.path for item in items[start:] if item.is_open or not only_open), None)


def _checked_name(annotator: str) -> str:
    name = annotator.strip()
    if not name or name.casefold() == BRENNER.casefold():
        raise InputError(f"An annotator needs a name of their own, and {BRENNER} is taken; found {annotator!r}.")
    return name


def _words(entry: LabelEntry) -> str:
    """What holds after an undo or redo, such as ``a.tif: ann says 1.25 µm``."""
    about = {"field": "", "patch": f", patch at {entry.key}", "importance": ", painted importance"}[entry.scope]
    if entry.value is None:
        return f"{entry.stack}{about}: nothing said"
    if entry.scope == "importance":
        return f"{entry.stack}{about}: as painted before" if entry.source == "undo" else f"{entry.stack}{about}"
    return f"{entry.stack}{about}: {opinion_of(entry).words}"
