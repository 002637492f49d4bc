"""Label stores of other days and other disks: older files, read-only folders, disks that are full, files in use."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.labelling import LabelEntry, LabelStore
from napari_autofocus.labelling.schema import APPLICATION_ID

# What version 0.1 wrote.
SCHEMA_1 = f"""
PRAGMA journal_mode = WAL;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_utc TEXT NOT NULL, annotator TEXT NOT NULL, source TEXT NOT NULL,
    stack TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    previous_id INTEGER REFERENCES entries(id)
);
CREATE INDEX by_label ON entries (stack, scope, key, id);
CREATE TRIGGER never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'only ever added to'); END;
CREATE TRIGGER never_deleted BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'only ever added to'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
INSERT INTO entries (time_utc, annotator, source, stack, scope, key, value, previous_id) VALUES
    ('2026-01-01T10:00:00+00:00', 'ann', 'person', 'a.tif', 'field', '', '1.0', NULL),
    ('2026-01-01T10:01:00+00:00', 'bob', 'person', 'a.tif', 'field', '', '1.5', 1),
    ('2026-01-01T10:02:00+00:00', 'ann', 'person', 'b.tif', 'field', '', '3.0', NULL),
    ('2026-01-01T10:03:00+00:00', 'ann', 'undo', 'b.tif', 'field', '', 'null', NULL);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "labels.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA_1)
    connection.close()
    return path


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_schema_1_means_what_it_meant(old: Path, read_only: bool) -> None:
    with LabelStore(old, read_only=read_only) as store:
        assert [(e.stack, e.annotator, e.value) for e in store.labels()] == [("a.tif", "bob", 1.5)]
        assert [entry.value for entry in store.history()] == [1.0, 1.5, 3.0, None]


def test_a_file_of_schema_1_is_gone_on_with(old: Path) -> None:
    with LabelStore(old) as store:
        assert store.undo_last(annotator="bob").value == 1.0  # as undo did then
        assert store.redo_last(annotator="bob").value == 1.5
        assert store.undo_last(annotator="ann") is None  # what bob overwrote then is no longer hers
        own = store.add("a.tif", 1.2, annotator="ann", source="person")
        assert own.previous_id is None
    with LabelStore(old) as store:
        assert {e.annotator: e.value for e in store.labels()} == {"ann": 1.2, "bob": 1.5}


def test_reading_leaves_an_old_file_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with LabelStore(old, read_only=True) as store:
        assert store.current("a.tif").value == 1.5
        with pytest.raises(InputError, match="for reading only"):
            store.add("a.tif", 2, annotator="ann", source="person")
    assert old.read_bytes() == before


def test_no_write_ahead_log_is_used_for_two_computers_share_no_memory(old: Path) -> None:
    with LabelStore(old) as store:
        store.add("a.tif", 2, annotator="ann", source="person")
        assert not old.with_name("labels.db-wal").exists()


def test_what_a_killed_writer_left_is_tidied_up_by_a_reader(tmp_path: Path) -> None:
    script = """
import os, sys
from napari_autofocus.labelling import LabelStore
store = LabelStore(sys.argv[1])
store.add("a.tif", 1, annotator="ann", source="person")
connection = store._connection
connection.execute("PRAGMA cache_size = 1")  # so that a half-done transaction is in the file already
connection.execute("BEGIN IMMEDIATE")
for number in range(2000):
    store._insert("ann", "person", ("a.tif", "field", ""), "2", None, None, None)
os._exit(9)
"""
    path = tmp_path / "labels.db"
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=120)
    assert path.with_name("labels.db-journal").stat().st_size > 0
    with LabelStore(path, read_only=True) as store:
        assert [entry.value for entry in store.history()] == [1]


def fill(store: LabelStore, confirmed: list[LabelEntry]) -> None:
    for number in range(1000):
        confirmed.append(store.add(f"{number}.tif", "x" * 900, annotator="ann", source="person"))


def test_a_full_disk_is_told_and_nothing_confirmed_is_lost(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        confirmed: list[LabelEntry] = []
        with pytest.raises(InputError, match=r"cannot grow .*make room on the disk"):
            fill(store, confirmed)
        assert confirmed
        assert store.history() == confirmed
        store._connection.execute("PRAGMA max_page_count = 100000")  # somebody made room
        confirmed.append(store.add("again.tif", 1, annotator="ann", source="person"))
    with LabelStore(tmp_path / "labels.db") as store:
        assert store.history() == confirmed


def test_a_file_that_another_program_holds_is_told(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db", wait_s=0.05) as store:
        other = sqlite3.connect(tmp_path / "labels.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match=r"in use by another program for 0\.05 s"):
            store.add("a.tif", 1, annotator="ann", source="person")
        other.execute("ROLLBACK")
        other.close()
        assert store.add("a.tif", 1, annotator="ann", source="person").id == 1


def test_two_programs_may_bring_a_file_up_to_date_at_once(old: Path) -> None:
    script = "import sys; from napari_autofocus.labelling import LabelStore; LabelStore(sys.argv[1]).close()"
    programs = [subprocess.Popen([sys.executable, "-c", script, str(old)]) for _ in range(2)]
    assert [program.wait(timeout=120) for program in programs] == [0, 0]
    with LabelStore(old) as store:
        assert len(store.labels()) == 1
