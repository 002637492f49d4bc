"""The SQLite file of a label store: how it is made, opened, brought up to date, and what its errors mean.

Schema 1 knew one value of a label, whoever gave it; since schema 2 each annotator has an own one. Entries of schema 1
keep their meaning: of them only the last one of a label stands.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from napari_autofocus.errors import InputError

SCHEMA_VERSION = 2
_LOOK_S = 0.002  # how often one looks whether others have finished writing
APPLICATION_ID = 0x4E41464C  # "NAFL": tells a label store from any other SQLite file
_TABLE = """
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
)"""
_STEPS = (
    _TABLE,
    "CREATE INDEX IF NOT EXISTS by_label ON entries (stack, scope, key, id)",
    """CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'a label store is only ever added to'); END""",
    """CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'a label store is only ever added to'); END""",
    "ALTER TABLE entries ADD COLUMN next_id INTEGER REFERENCES entries(id)",
    "ALTER TABLE entries ADD COLUMN origin_id INTEGER",
    "CREATE INDEX IF NOT EXISTS by_annotator ON entries (annotator, stack, scope, key, id)",
    "CREATE INDEX IF NOT EXISTS said_anew ON entries (annotator, id) WHERE origin_id = id",
    "CREATE INDEX IF NOT EXISTS of_schema_1 ON entries (stack, scope, key, id) WHERE origin_id IS NULL",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


_LONGEST = 2000
_LARGEST_VALUE = 2**26  # bytes; a field painted in single pixels has a tenth
_COLUMN = r"\w+ (?:INTEGER|TEXT)(?: PRIMARY KEY AUTOINCREMENT| NOT NULL| REFERENCES entries\(id\))?"
_INDEX = re.compile(r"CREATE INDEX \w+ ON entries \([\w, ]+\)(?: WHERE \w+ (?:= \w+|IS NULL))?")
_TRIGGER = r"CREATE TRIGGER \w+ BEFORE (?:UPDATE|DELETE) ON entries BEGIN SELECT RAISE\(ABORT, '[^']*'\); END"
_STATEMENTS = {
    ("table", "entries"): re.compile(rf"CREATE TABLE entries ?\( ?{_COLUMN}(?: ?, {_COLUMN})* ?\)"),
    ("trigger", "never_changed"): re.compile(_TRIGGER),
    ("trigger", "never_deleted"): re.compile(_TRIGGER),
}


def connect(path: Path, *, wait_s: float, read_only: bool = False) -> sqlite3.Connection:
    """Open a label store's file; made, or brought up to date, unless it is opened for reading only.

    Parameters
    ----------
    wait_s : float
        How long to wait for another program's transaction, s.

    Raises
    ------
    InputError
        If it is another program's file or was written by a later version.
    sqlite3.Error
        If it cannot be opened or is damaged; see :func:`translated`.
    """
    try:
        return _connected(path, wait_s, read_only)
    except UnicodeDecodeError as error:  # SQLite complains in words of the file's, which are no text
        raise sqlite3.DatabaseError("it is damaged") from error


def _connected(path: Path, wait_s: float, read_only: bool) -> sqlite3.Connection:
    connection = _reading(path, wait_s) if read_only else _plain(str(path), wait_s)
    try:
        version = _checked_version(connection, path)
        if read_only:
            _make_readable(connection, version)
        else:
            _make_ready(connection, path, version)
        connection.execute("PRAGMA busy_timeout = 0")  # from here on see patiently
    except BaseException:
        connection.close()
        raise
    return connection


def _plain(name: str, wait_s: float, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(name, timeout=wait_s, isolation_level=None, check_same_thread=False, uri=uri)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    return connection


def _reading(path: Path, wait_s: float) -> sqlite3.Connection:
    """For reading only, unless what a killed program left must be tidied up first.

    A file with a write-ahead log (schema 1) in a folder that cannot be written is read as it lies there.
    """
    name = f"file:{quote(str(path.absolute()))}"
    unfinished = any(_size(path, suffix) for suffix in ("-journal", "-wal"))
    ways = [f"{name}?mode=ro", f"{name}?mode=rw", *([] if unfinished else [f"{name}?mode=ro&immutable=1"])]
    for way in ways[:-1]:
        try:
            return _read(way, wait_s)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
    return _read(ways[-1], wait_s)


def _read(name: str, wait_s: float) -> sqlite3.Connection:
    """Open a file and look into it, for SQLite opens nothing before."""
    connection = _plain(name, wait_s, uri=True)
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _size(path: Path, suffix: str) -> int:
    beside = path.with_name(path.name + suffix)
    return beside.stat().st_size if beside.exists() else 0


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    execute = connection.execute
    # In this order: another program may be making the store at this moment, its tables and its mark at once.
    has_tables = bool(execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0])
    ours = execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    version = int(execute("PRAGMA user_version").fetchone()[0])
    if has_tables and not ours:
        raise InputError(f"{path} is a SQLite file of another kind; choose another name for the label store.")
    if ours and version > SCHEMA_VERSION:
        raise InputError(
            f"{path} was written by a later version (schema {version}, known here up to {SCHEMA_VERSION});"
            " update napari-autofocus to open it."
        )
    if has_tables:
        _check_statements(connection, path)
    return version if ours else 0


def _check_statements(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what a label store never holds: a foreign file's views, triggers and columns are programs of its own."""
    for kind, name, statement in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        pattern = _STATEMENTS.get((kind, name), _INDEX if kind == "index" else None)
        text = " ".join(str(statement or "").split())
        if name != "sqlite_sequence" and (pattern is None or len(text) > _LONGEST or not pattern.fullmatch(text)):
            raise InputError(
                f"{path} holds the {kind} {name!r}, which no label store has; restore it from a copy, or choose another"
                " file."
            )


def _make_readable(connection: sqlite3.Connection, version: int) -> None:
    """A view that looks like the present schema, in memory."""
    if version == SCHEMA_VERSION:
        return
    empty = f"SELECT {', '.join('NULL AS ' + name for name in _OLD_COLUMNS)} WHERE 0"
    source = "SELECT * FROM main.entries" if version else empty
    connection.execute(f"CREATE TEMP VIEW entries AS SELECT *, NULL AS next_id, NULL AS origin_id FROM ({source})")


_OLD_COLUMNS = ("id", "time_utc", "annotator", "source", "stack", "scope", "key", "value", "previous_id")


def _make_ready(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """For writing: a journal that works on network drives, every commit on the disk before it returns."""
    execute = connection.execute
    # A write-ahead log (schema 1) needs memory that all its users share, which two computers do not have.
    execute("PRAGMA journal_mode = TRUNCATE")
    execute("PRAGMA synchronous = FULL")
    if version == SCHEMA_VERSION:
        return
    execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS if _checked_version(connection, path) < SCHEMA_VERSION else ():
            execute(step)
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise


def patiently(connection: sqlite3.Connection, command: str, values: Any, wait_s: float) -> sqlite3.Cursor:
    """Execute a command, again and again while others write.

    SQLite's own waiting sleeps longer and longer, and is never served beside a program that writes without a pause.
    """
    give_up = time.monotonic() + wait_s
    while True:
        try:
            return connection.execute(command, values)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        time.sleep(_LOOK_S)


@contextmanager
def translated(path: Path, wait_s: float) -> Iterator[None]:
    """SQLite's exceptions as one sentence each."""
    try:
        yield
    except sqlite3.Error as error:
        raise InputError(f"{path} {_explain(str(error), wait_s)}") from error


def _explain(text: str, wait_s: float) -> str:
    if "locked" in text:
        return f"has been in use by another program for {wait_s:g} s; close that program and try again."
    if "unable to open" in text or "readonly" in text:
        return f"cannot be opened for writing ({text}); check that its folder exists and may be written."
    if "closed" in text:
        return "was closed before; open the label store again."
    if "full" in text:
        return f"cannot grow ({text}); make room on the disk."
    if "I/O" in text:
        return f"cannot be read or written now ({text}); check the disk or the network and try again."
    return f"is damaged or no label store ({text}); restore it from a copy, or choose another file."
