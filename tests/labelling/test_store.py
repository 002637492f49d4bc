from __future__ import annotations

import csv
import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.labelling import Label, LabelStore, export_labels, import_labels
from napari_autofocus.labelling.opinions import Opinion, consensus
from napari_autofocus.labelling.tables import export_consensus
from napari_autofocus.models.labelled.labels import StackLabels


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.db") as opened:
        yield opened


def _best(z_um: float) -> dict[str, float]:
    return {"best_z_um": z_um}


def test_the_current_value_is_the_last_entry(store: LabelStore) -> None:
    first = store.add("a.tif", _best(1.0), annotator="ann", source="brenner")
    second = store.add("a.tif", _best(1.5), annotator="bob", source="person")

    assert store.current("a.tif") == second
    assert (second.value, second.annotator) == (_best(1.5), "bob")
    assert store.history("a.tif") == [first, second]


def test_nobody_overwrites_another_annotators_label(store: LabelStore) -> None:
    first = store.add("a.tif", _best(1.0), annotator="ann", source="person")
    second = store.add("a.tif", _best(1.5), annotator="bob", source="person")
    third = store.add("a.tif", _best(1.2), annotator="ann", source="person")

    assert store.labels("a.tif") == [second, third]
    assert (first.previous_id, second.previous_id, third.previous_id) == (None, None, first.id)
    assert store.current("a.tif", annotator="bob") == second
    assert store.current("a.tif", annotator="eve") is None


def test_scopes_and_keys_are_labels_of_their_own(store: LabelStore) -> None:
    store.add("a.tif", _best(1.0), annotator="ann", source="brenner")
    store.add("a.tif", _best(2.0), annotator="ann", source="brenner", scope="patch", key="0,128,128")
    store.add("a.tif", 0.7, annotator="ann", source="brenner", scope="importance", key="0,128,128")

    assert store.current("a.tif").value == _best(1.0)
    assert store.current("a.tif", scope="patch", key="0,128,128").value == _best(2.0)
    assert store.current("a.tif", scope="importance", key="0,128,128").value == 0.7
    assert store.current("a.tif", scope="patch", key="0,0,128") is None


def test_an_unknown_scope_is_refused(store: LabelStore) -> None:
    with pytest.raises(InputError, match="field, patch, importance"):
        store.add("a.tif", 1, annotator="ann", source="person", scope="tile")


def test_undo_goes_back_step_by_step_and_only_adds(store: LabelStore) -> None:
    for z_um in (1.0, 2.0, 3.0):
        store.add("a.tif", _best(z_um), annotator="ann", source="person")

    assert store.undo("a.tif", annotator="ann").value == _best(2.0)
    assert store.undo("a.tif", annotator="ann").value == _best(1.0)
    assert store.undo("a.tif", annotator="ann").value is None
    assert store.undo("a.tif", annotator="ann") is None
    assert store.current("a.tif") is None
    assert store.labels() == []
    assert [entry.value for entry in store.history()] == [*map(_best, (1.0, 2.0, 3.0, 2.0, 1.0)), None]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.just("undo"), st.floats(-100, 100)), max_size=12))
def test_undo_behaves_like_a_stack_of_values(actions: list[str | float]) -> None:
    expected: list[float] = []
    with LabelStore(":memory:", root=Path.cwd()) as store:
        for action in actions:
            if action == "undo":
                store.undo("a.tif", annotator="ann")
                expected = expected[:-1]
            else:
                store.add("a.tif", action, annotator="ann", source="person")
                expected.append(action)
        current = store.current("a.tif")
    assert (current.value if current else None) == (expected[-1] if expected else None)


def test_several_labels_are_stored_all_or_none(store: LabelStore) -> None:
    labels = [Label("a.tif", _best(1.0)), Label("b.tif", float("nan"))]
    with pytest.raises(InputError, match=r"b\.tif cannot be stored"):
        store.add_many(labels, annotator="ann", source="brenner")
    assert store.history() == []


def test_paths_are_kept_relative_to_the_data_set(
    store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.tif").touch()
    monkeypatch.chdir(tmp_path / "sub")

    entry = store.add(tmp_path / "sub" / "a.tif", 1, annotator="ann", source="person")

    assert entry.stack == "sub/a.tif"
    assert store.current("sub/a.tif").id == entry.id
    assert store.current("a.tif").id == entry.id  # relative to the working folder
    with pytest.raises(InputError, match="outside the data set"):
        store.add(tmp_path.parent / "x.tif", 1, annotator="ann", source="person")


def test_entries_cannot_be_changed_or_deleted(store: LabelStore) -> None:
    store.add("a.tif", 1, annotator="ann", source="person")
    with sqlite3.connect(store.path) as connection:
        for command in ("DELETE FROM entries", "UPDATE entries SET value = '2'"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(command)
    connection.close()


def test_labels_survive_closing_and_opening(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        entry = store.add("a.tif", _best(0.1), annotator="ann", source="person")
    with LabelStore(tmp_path / "labels.db") as store:
        assert store.labels() == [entry]


def test_a_killed_process_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    script = """
import sys, time
from napari_autofocus.labelling.store import LabelStore
store = LabelStore(sys.argv[1])
for z in range(1000000):
    store.add("a.tif", z, annotator="ann", source="person")
    print("confirmed", z, flush=True)
"""
    path = tmp_path / "labels.db"
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    confirmed = [process.stdout.readline() for _ in range(5)]
    process.kill()  # SIGKILL: no handler runs
    confirmed += process.stdout.readlines()
    process.wait()
    process.stdout.close()

    last = int([line for line in confirmed if line.endswith("\n")][-1].split()[1])
    with LabelStore(path) as store:
        values = [entry.value for entry in store.history()]
    assert values == list(range(len(values)))
    assert len(values) >= last + 1


def _write_many(path: Path, name: str, count: int) -> None:
    with LabelStore(path) as store:
        for number in range(count):
            store.add("a.tif", number, annotator=name, source="person")


def test_two_processes_at_once_lose_no_writes(tmp_path: Path) -> None:
    path, count = tmp_path / "labels.db", 40
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, name, count)) for name in ("ann", "bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0]
    with LabelStore(path) as store:
        entries = store.history()
    assert len(entries) == 2 * count
    for name in ("ann", "bob"):
        own = [entry for entry in entries if entry.annotator == name]
        assert [entry.value for entry in own] == list(range(count))
        assert [entry.previous_id for entry in own] == [None, *(entry.id for entry in own[:-1])]


def test_threads_may_share_a_store(store: LabelStore) -> None:
    def write(name: str) -> None:
        for number in range(25):
            store.add(f"{name}.tif", number, annotator=name, source="person")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.current(f"{name}.tif").value for name in "abcd"] == [24] * 4
    assert len(store.history()) == 100


@pytest.mark.parametrize(
    "content", [b"this is no database, it is a text of some length" * 50, b"SQLite format 3\0" * 99]
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.db").write_bytes(content)
    with pytest.raises(InputError, match="is damaged or no label store"):
        LabelStore(tmp_path / "labels.db")


def test_damage_inside_the_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add_many([Label(f"{i}.tif", i) for i in range(500)], annotator="ann", source="person")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(InputError, match="is damaged or no label store"), LabelStore(path) as store:
        store.labels()


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE things (name)")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="of another kind"):
        LabelStore(tmp_path / "other.db")


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    LabelStore(tmp_path / "labels.db").close()
    connection = sqlite3.connect(tmp_path / "labels.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="later version \\(schema 99"):
        LabelStore(tmp_path / "labels.db")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check that its folder exists"):
        LabelStore(tmp_path / "nowhere" / "labels.db")


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels.db")
    store.close()
    with pytest.raises(InputError, match="closed before"):
        store.add("a.tif", 1, annotator="ann", source="person")


def test_csv_and_parquet_hold_the_current_labels_of_every_annotator(store: LabelStore, tmp_path: Path) -> None:
    store.add("a.tif", _best(1.0), annotator="ann", source="brenner")
    store.add("a.tif", _best(1.5), annotator="bob", source="person")
    store.add("b.tif", 0.5, annotator="ann", source="brenner", scope="importance", key="0,0,64")

    export_labels(store, tmp_path / "out.csv")
    export_labels(store, tmp_path / "out.parquet")

    with (tmp_path / "out.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["path"], row["scope"], row["best_z_um"]) for row in rows] == [
        ("a.tif", "field", "1.0"),
        ("a.tif", "field", "1.5"),
        ("b.tif", "importance", ""),
    ]
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["path"], row["best_z_um"], row["value"]) for row in table] == [
        ("a.tif", 1.0, '{"best_z_um": 1.0}'),
        ("a.tif", 1.5, '{"best_z_um": 1.5}'),
        ("b.tif", None, "0.5"),
    ]
    assert sorted(p.name for p in tmp_path.glob("*.part")) == []


def test_an_export_comes_back_through_import(store: LabelStore, tmp_path: Path) -> None:
    store.add("a.tif", {"best_z_um": 1.5, "trusted": True}, annotator="ann", source="brenner")
    store.add("a.tif", _best(-2.25), annotator="ann", source="brenner", scope="patch", key="0,0,64")
    export_labels(store, tmp_path / "out.csv")

    with LabelStore(tmp_path / "second.db") as second:
        import_labels(second, tmp_path / "out.csv", annotator="eve")
        assert [(e.stack, e.scope, e.key, e.value) for e in second.labels()] == [
            (e.stack, e.scope, e.key, e.value) for e in store.labels()
        ]


def test_an_export_of_two_annotators_comes_back_as_two_annotators(store: LabelStore, tmp_path: Path) -> None:
    for annotator, z_um in (("Brenner", 1.0), ("ann", 1.5), ("bob", 4.0)):
        store.add("a.tif", _best(z_um), annotator=annotator, source="person")
    export_labels(store, tmp_path / "out.csv")
    with LabelStore(tmp_path / "second.db") as second:
        import_labels(second, tmp_path / "out.csv", annotator="eve")
        said = {entry.annotator: entry.value for entry in second.labels()}
        assert said == {"Brenner": _best(1.0), "ann": _best(1.5), "bob": _best(4.0)}


def test_what_holds_of_each_stack_is_a_table_that_training_reads(tmp_path: Path) -> None:
    ann, bob = (Opinion("sharp", z_um, annotator=name) for name, z_um in (("ann", 1.5), ("bob", 4.0)))
    found = {"a.tif": consensus([ann]), "b.tif": consensus([ann, bob]), "c.tif": consensus([])}
    for name in ("labels.csv", "labels.parquet"):
        export_consensus(found, tmp_path / name)
    labels = StackLabels(tmp_path)
    assert labels.field(tmp_path / "a.tif").best_z_um == 1.5
    assert labels.field(tmp_path / "b.tif").set_aside
    assert labels.field(tmp_path / "c.tif") is None
    rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert [(row["path"], row["trusted"], row["status"], row["annotators"]) for row in rows] == [
        ("a.tif", True, "confirmed", "ann"),
        ("b.tif", False, "disputed", "ann, bob"),
    ]


def test_labels_csv_is_imported(store: LabelStore, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,best_z_um\na.tif,1.25\nempty.tif,\n")
    entries = import_labels(store, tmp_path / "labels.csv", annotator="ann")
    assert [(e.stack, e.value, e.source) for e in entries] == [
        ("a.tif", _best(1.25), "import"),
        ("empty.tif", {"best_z_um": None}, "import"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,z\na.tif,1\n", "needs the columns path and best_z_um; it has path, z"),
        ("path,best_z_um\na.tif,1\nb.tif,sharp\n", "line 3: best_z_um is 'sharp'"),
        ("path,best_z_um\na.tif,nan\n", "line 2: best_z_um is 'nan'"),
        ("path,best_z_um\n,1\n", "line 2: the path is empty"),
    ],
)
def test_a_faulty_table_adds_nothing(store: LabelStore, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        import_labels(store, tmp_path / "labels.csv", annotator="ann")
    assert store.history() == []


def test_an_export_of_another_ending_is_refused(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        export_labels(store, tmp_path / "labels.xlsx")
