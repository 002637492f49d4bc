"""Who said which stack, field or patch is sharp where: a SQLite file that is only ever added to.

The current value of a label is its last entry; undo adds the value before it once more. What :meth:`LabelStore.add` has
returned is on the disk, and survives a killed process and a power cut.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from napari_autofocus.errors import InputError

Scope = Literal["field", "patch", "importance"]
PathLike = str | os.PathLike[str]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4E41464C  # "NAFL": tells a label store from any other SQLite file
_WAIT_S = 30.0  # how long one process waits for another one's transaction
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_utc TEXT NOT NULL,
    annotator TEXT NOT NULL,
    source TEXT NOT NULL,
    stack TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    previous_id INTEGER REFERENCES entries(id)
);
CREATE INDEX IF NOT EXISTS by_label ON entries (stack, scope, key, id);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'a label store is only ever added to'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'a label store is only ever added to'); END;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_COLUMNS = "id, time_utc, annotator, source, stack, scope, key, value, previous_id"


@dataclass(frozen=True)
class Label:
    """A statement to be stored.

    Parameters
    ----------
    stack : path-like
        The stack's file or folder, absolute or relative to the root of the data set.
    value : JSON value
        What is said, such as ``{"best_z_um": 1.25}``; None withdraws the label.
    scope : str
        ``field``, ``patch`` or ``importance``.
    key : str
        Which part of the field, such as ``"128,256,128"`` (y, x, size in px); empty for the field.
    """

    stack: PathLike
    value: Any
    scope: Scope = "field"
    key: str = ""

    def __post_init__(self) -> None:
        if self.scope not in get_args(Scope):
            raise InputError(f"A label's scope is one of {', '.join(get_args(Scope))}; found {self.scope!r}.")


@dataclass(frozen=True)
class LabelEntry:
    """One line of the store, as it was confirmed.

    Parameters
    ----------
    time_utc : str
        ISO 8601, UTC.
    source : str
        What made the statement: ``brenner``, ``person``, ``import``, ``undo`` ...
    stack : str
        Relative to the root of the data set, with forward slashes.
    previous_id : int or None
        The entry whose value an undo brings back; None where there was none.
    """

    id: int
    time_utc: str
    annotator: str
    source: str
    stack: str
    scope: Scope
    key: str
    value: Any
    previous_id: int | None


class LabelStore:
    """Labels of a data set; several threads and processes may use the same file at once.

    Parameters
    ----------
    path : path-like
        The SQLite file; made if it does not exist.
    root : path-like, optional
        Folder that stack paths are relative to; by default the folder of the file.

    Raises
    ------
    InputError
        If the file is damaged, is no label store, was written by a later version, or cannot be made.
    """

    def __init__(self, path: PathLike, *, root: PathLike | None = None) -> None:
        self.path = Path(path)
        self.root = Path(root if root is not None else self.path.parent).resolve()
        self._lock = threading.RLock()
        with self._translated():
            self._connection = sqlite3.connect(
                self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

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
        """Store several statements, all or none."""
        prepared = [(self._relative(label.stack), label, _to_json(label)) for label in labels]
        with self._writing():
            return [
                self._insert(annotator, source, (stack, label.scope, label.key), value, self._last_id(stack, label))
                for stack, label, value in prepared
            ]

    def undo(self, stack: PathLike, *, annotator: str, scope: Scope = "field", key: str = "") -> LabelEntry | None:
        """Bring back the value before the current one, by adding it again; further calls go further back.

        Returns
        -------
        LabelEntry or None
            The entry added (its value None where the label had been given once only); None if there is no label.
        """
        place = (self._relative(stack), scope, key)
        with self._writing():
            now = self._last(place)
            if now is None or (now.previous_id is None and now.value is None):
                return None
            before = self._by_id(now.previous_id) if now.previous_id is not None else None
            value = json.dumps(before.value if before else None)
            return self._insert(annotator, "undo", place, value, before.previous_id if before else None)

    def current(self, stack: PathLike, *, scope: Scope = "field", key: str = "") -> LabelEntry | None:
        """The last entry of a label; None if there is none, or it was withdrawn."""
        with self._lock, self._translated():
            entry = self._last((self._relative(stack), scope, key))
        return entry if entry is not None and entry.value is not None else None

    def labels(self, stack: PathLike | None = None, *, scope: Scope | None = None) -> list[LabelEntry]:
        """The current entry of every label, withdrawn ones left out; of one stack or scope where given."""
        newest = "id IN (SELECT MAX(id) FROM entries GROUP BY stack, scope, key) AND value != 'null'"
        return self._select(newest, stack, scope)

    def history(self, stack: PathLike | None = None, *, scope: Scope | None = None) -> list[LabelEntry]:
        """Every entry, oldest first; of one stack or scope where given."""
        return self._select("1", stack, scope)

    def _select(self, condition: str, stack: PathLike | None, scope: Scope | None) -> list[LabelEntry]:
        wanted = {"stack": None if stack is None else self._relative(stack), "scope": scope}
        filters = "(:stack IS NULL OR stack = :stack) AND (:scope IS NULL OR scope = :scope)"
        query = f"SELECT {_COLUMNS} FROM entries WHERE {condition} AND {filters} ORDER BY id"
        with self._lock, self._translated():
            return [_entry(row) for row in self._connection.execute(query, wanted)]

    def _insert(
        self, annotator: str, source: str, place: tuple[str, str, str], value: str, previous_id: int | None
    ) -> LabelEntry:
        row = (datetime.now(UTC).isoformat(), annotator, source, *place, value, previous_id)
        command = "INSERT INTO entries (time_utc, annotator, source, stack, scope, key, value, previous_id)"
        cursor = self._connection.execute(f"{command} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return _entry((cursor.lastrowid, *row))

    def _last_id(self, stack: str, label: Label) -> int | None:
        entry = self._last((stack, label.scope, label.key))
        return entry.id if entry else None

    def _last(self, place: tuple[str, str, str]) -> LabelEntry | None:
        condition = "stack = ? AND scope = ? AND key = ? ORDER BY id DESC LIMIT 1"
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM entries WHERE {condition}", place).fetchone()
        return _entry(row) if row else None

    def _by_id(self, number: int) -> LabelEntry:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM entries WHERE id = ?", (number,)).fetchone()
        return _entry(row)

    def _prepare(self) -> None:
        execute = self._connection.execute
        version = execute("PRAGMA user_version").fetchone()[0]
        ours = execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
        if not ours and execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise InputError(f"{self.path} is a SQLite file of another kind; choose another name for the label store.")
        if ours and version > SCHEMA_VERSION:
            raise InputError(
                f"{self.path} was written by a later version (schema {version}, known here up to {SCHEMA_VERSION});"
                " update napari-autofocus to open it."
            )
        # A write-ahead log keeps readers and a writer apart; FULL puts each commit on the disk before it returns.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        if version < SCHEMA_VERSION:
            self._connection.executescript(_SCHEMA)

    def _relative(self, stack: PathLike) -> str:
        """Path of a stack below the root, with forward slashes, so that a data set can be moved."""
        path = Path(stack)
        if not path.is_absolute() and not (self.root / path).exists() and path.exists():
            path = path.absolute()  # relative to the working folder
        place = Path(os.path.normpath(self.root / path))
        for candidate in (place, place.parent.resolve() / place.name):
            if candidate.is_relative_to(self.root):
                return candidate.relative_to(self.root).as_posix()
        raise InputError(f"{stack} lies outside the data set {self.root}; open the label store with a root above both.")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: the write lock is taken first, so that nobody writes between our reading and writing."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's exceptions as one sentence each."""
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{self.path} {_explain(error)}") from error


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return f"has been in use by another program for {_WAIT_S:g} s; close that program and try again."
    if "unable to open" in text or "readonly" in text:
        return f"cannot be opened for writing ({text}); check that its folder exists and may be written."
    if "closed" in text:
        return "was closed before; open the label store again."
    if "full" in text:
        return f"cannot grow ({text}); make room on the disk."
    return f"is damaged or no label store ({text}); restore it from a copy, or choose another file."


def _to_json(label: Label) -> str:
    try:
        return json.dumps(label.value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The label {label.value!r} of {label.stack} cannot be stored ({error}).") from error


def _entry(row: tuple[Any, ...]) -> LabelEntry:
    number, time_utc, annotator, source, stack, scope, key, value, previous_id = row
    return LabelEntry(number, time_utc, annotator, source, stack, scope, key, json.loads(value), previous_id)
