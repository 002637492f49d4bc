"""Who said which stack, field or patch is sharp where: a SQLite file that is only ever added to.

Each annotator has an own current value of a label, which is that annotator's last entry; nobody overwrites another's.
Undo and redo add an own earlier value once more. What :meth:`LabelStore.add` has returned is on the disk, and survives
a killed process and a power cut.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.labelling.entries import COLUMNS, Label, LabelEntry, PathLike, Place, Scope, entry_of, name_below
from napari_autofocus.labelling.schema import SCHEMA_VERSION, connect, patiently, translated
from napari_autofocus.plain_json import UNUSABLE

__all__ = ["SCHEMA_VERSION", "STORE_NAME", "Label", "LabelEntry", "LabelStore", "PathLike", "Scope"]

STORE_NAME = "labels.db"
"""The name of a data set's label store unless the user chooses another."""

_WAIT_S = 30.0
_PAUSE_S = 0.01  # between two transactions of a program, so that others who wait have their turn
_ADD = f"INSERT INTO entries ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"
_NEWER = (
    "newer.stack = entries.stack AND newer.scope = entries.scope AND newer.key = entries.key AND newer.id > entries.id"
)
# The annotators' last entries; of those of schema 1, where a label had one value for all, only the last of a label.
_STANDING = f"""
NOT EXISTS (SELECT 1 FROM entries newer WHERE newer.annotator = entries.annotator AND {_NEWER})
AND (origin_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM entries newer WHERE newer.origin_id IS NULL AND {_NEWER}))"""
# The annotator's newest action that was not taken back yet, and the oldest one undone since the newest action.
_TO_UNDO = f"""
annotator = :annotator AND (value != 'null' OR previous_id IS NOT NULL) AND {_STANDING}
ORDER BY COALESCE(origin_id, id) DESC LIMIT 1"""
_TO_REDO = f"""
+annotator = :annotator AND next_id IS NOT NULL AND {_STANDING}
AND id > (SELECT COALESCE(MAX(id), 0) FROM entries WHERE annotator = :annotator AND origin_id = id)
ORDER BY (SELECT COALESCE(undone.origin_id, undone.id) FROM entries undone WHERE undone.id = entries.next_id) LIMIT 1"""


class LabelStore:
    """Labels of a data set; several threads, processes and computers may use the same file at once.

    Parameters
    ----------
    path : path-like
        The SQLite file; made if it does not exist.
    root : path-like, optional
        Folder that stack paths are relative to; by default the folder of the file.
    read_only : bool
        True leaves the file as it is, in a folder that may not be written too; adding to it is an error.
    wait_s : float
        How long to wait while another program writes, s.

    Raises
    ------
    InputError
        If the file is damaged, is no label store, was written by a later version, or cannot be made.
    """

    def __init__(
        self, path: PathLike, *, root: PathLike | None = None, read_only: bool = False, wait_s: float = _WAIT_S
    ) -> None:
        self.path = Path(path)
        self.root = Path(root if root is not None else self.path.parent).resolve()
        self._read_only = read_only
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._next_turn = 0.0
        with self._translated():
            self._connection = connect(self.path, wait_s=wait_s, read_only=read_only)

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was confirmed is already on the disk."""
        with self._lock:
            self._connection.close()

    def add(
        self, stack: PathLike, value: Any, *, annotator: str, source: str, scope: Scope = "field", key: str = ""
    ) -> LabelEntry:
        """Store one statement; see :class:`Label`. It is on the disk when this returns."""
        return self.add_many([Label(stack, value, scope, key)], annotator=annotator, source=source)[0]

    def add_many(self, labels: Iterable[Label], *, annotator: str, source: str) -> list[LabelEntry]:
        """Store several statements of one annotator, all or none."""
        return self.add_of_many([(annotator, label) for label in labels], source=source)

    def add_of_many(self, labels: Iterable[tuple[str, Label]], *, source: str) -> list[LabelEntry]:
        """Store several statements, each with its annotator, all or none."""
        prepared = [(name, self._place(label.stack, label.scope, label.key), label.to_json()) for name, label in labels]
        with self._writing():
            return [self._say(annotator, source, place, value) for annotator, place, value in prepared]

    def undo(self, stack: PathLike, *, annotator: str, scope: Scope = "field", key: str = "") -> LabelEntry | None:
        """Bring back the annotator's value before the own current one; further calls go further back.

        Returns
        -------
        LabelEntry or None
            The entry added (its value None where the label had been given once only); None if there is no label.
        """
        place = self._place(stack, scope, key)
        with self._writing():
            return self._step_back(self._own(annotator, place))

    def redo(self, stack: PathLike, *, annotator: str, scope: Scope = "field", key: str = "") -> LabelEntry | None:
        """Take back an undo of the annotator's; None if none was made since the annotator last said something."""
        place = self._place(stack, scope, key)
        with self._writing():
            return self._step_forth(self._own(annotator, place))

    def undo_last(self, *, annotator: str) -> LabelEntry | None:
        """Undo the annotator's newest action, on whichever stack it was; None if there is none left."""
        with self._writing():
            return self._step_back(self._first(_TO_UNDO, {"annotator": annotator}))

    def redo_last(self, *, annotator: str) -> LabelEntry | None:
        """Redo what the annotator undid last, on whichever stack; None if something new was said since."""
        with self._writing():
            return self._step_forth(self._first(_TO_REDO, {"annotator": annotator}))

    def current(
        self, stack: PathLike, *, annotator: str | None = None, scope: Scope = "field", key: str = ""
    ) -> LabelEntry | None:
        """What the annotator, or whoever spoke last, says now; None if nothing was said, or it was withdrawn."""
        said = [e for e in self.labels(stack, scope=scope) if e.key == key and annotator in (None, e.annotator)]
        return said[-1] if said else None

    def labels(self, stack: PathLike | None = None, *, scope: Scope | None = None) -> list[LabelEntry]:
        """What each annotator says now, withdrawn labels left out, oldest first; of one stack or scope where given."""
        return self._select(f"{_STANDING} AND value != 'null'", stack, scope)

    def history(
        self, stack: PathLike | None = None, *, scope: Scope | None = None, after_id: int = 0
    ) -> list[LabelEntry]:
        """Every entry, oldest first; of one stack or scope, or newer than a known one, where given."""
        return self._select(f"id > {int(after_id)}", stack, scope)

    @property
    def newest_id(self) -> int:
        """Number of the newest entry; 0 where there is none."""
        with self._lock, self._translated():
            return int(self._execute("SELECT COALESCE(MAX(id), 0) FROM entries").fetchone()[0])

    def _select(self, condition: str, stack: PathLike | None, scope: Scope | None) -> list[LabelEntry]:
        wanted = {"stack": None if stack is None else self._relative(stack), "scope": scope}
        filters = "(:stack IS NULL OR stack = :stack) AND (:scope IS NULL OR scope = :scope)"
        return self._entries(f"{condition} AND {filters} ORDER BY id", wanted)

    def _entries(self, condition: str, wanted: Any) -> list[LabelEntry]:
        with self._lock, self._translated():
            rows = self._execute(f"SELECT {COLUMNS} FROM entries WHERE {condition}", wanted)
            try:
                return [entry_of(row) for row in rows]
            except UNUSABLE as error:
                raise InputError(
                    f"{self.path} holds an entry that no label store writes ({error}); restore it from a copy."
                ) from error

    def _first(self, condition: str, wanted: Any) -> LabelEntry | None:
        return next(iter(self._entries(condition, wanted)), None)

    def _own(self, annotator: str, place: Place) -> LabelEntry | None:
        """The annotator's last entry of a label, unless somebody overwrote it while the file was of schema 1."""
        of_label = "annotator = ? AND stack = ? AND scope = ? AND key = ?"
        return self._first(f"{of_label} AND {_STANDING}", (annotator, *place))

    def _say(self, annotator: str, source: str, place: Place, value: str) -> LabelEntry:
        before = self._own(annotator, place)
        return self._insert(annotator, source, place, value, before.id if before else None, None, None)

    def _step_back(self, now: LabelEntry | None) -> LabelEntry | None:
        if now is None or not now.is_undoable:
            return None
        if now.previous_id is None:
            return self._insert(now.annotator, "undo", now.place, "null", None, now.id, 0)
        return self._again(now, self._by_id(now.previous_id), "undo", now.id)

    def _step_forth(self, now: LabelEntry | None) -> LabelEntry | None:
        if now is None or now.next_id is None:
            return None
        undone = self._by_id(now.next_id)
        return self._again(now, undone, "redo", undone.next_id)

    def _again(self, now: LabelEntry, old: LabelEntry, source: str, next_id: int | None) -> LabelEntry:
        value = json.dumps(old.value)
        return self._insert(now.annotator, source, now.place, value, old.previous_id, next_id, old.acted_id)

    def _insert(
        self,
        annotator: str,
        source: str,
        place: Place,
        value: str,
        previous_id: int | None,
        next_id: int | None,
        origin_id: int | None,
    ) -> LabelEntry:
        number = self.newest_id + 1
        time_utc = datetime.now(UTC).isoformat()
        links = (previous_id, next_id, number if origin_id is None else origin_id)
        row = (number, time_utc, annotator, source, *place, value, *links)
        self._connection.execute(_ADD, row)
        return entry_of(row)

    def _by_id(self, number: int | None) -> LabelEntry:
        return self._entries("id = ?", (number,))[0]

    def _place(self, stack: PathLike, scope: Scope, key: str) -> Place:
        return self._relative(stack), scope, key

    def _relative(self, stack: PathLike) -> str:
        return name_below(self.root, stack)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: the write lock is taken first, so that nobody writes between our reading and writing."""
        if self._read_only:
            raise InputError(f"{self.path} was opened for reading only; open it for writing to add to it.")
        with self._lock, self._translated():
            if self._is_shared:
                time.sleep(max(self._next_turn - time.monotonic(), 0.0))
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
                self._execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._next_turn = time.monotonic() + _PAUSE_S

    @property
    def _is_shared(self) -> bool:
        """Whether others could wait for the file; nobody does for one in memory."""
        return str(self.path) != ":memory:"

    def _execute(self, command: str, values: Any = ()) -> sqlite3.Cursor:
        return patiently(self._connection, command, values, self._wait_s)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self.path, self._wait_s):
            yield
