"""Tables, lists, labels, curves, maps, settings and records of runs."""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # records as tests make them

from fuzz.images import DATA, kept
from fuzz.targets import Target, as_file
from made_calibration import record as calibration_record
from made_lenses import made_curve
from made_records import hold_record, refocus_record, sweep_record
from napari_autofocus.cli.parts.lens_slide import read_steps
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.focus.zstack import FocusSettings, ZStack, judge_stack
from napari_autofocus.io import write_stack
from napari_autofocus.io.positions import Position, Positions, read_positions, write_positions
from napari_autofocus.labelling.entries import Label
from napari_autofocus.labelling.painting import KEY as PAINTING
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.labelling.standing import StandingLabels
from napari_autofocus.labelling.store import LabelStore
from napari_autofocus.labelling.tables import export_labels, import_labels
from napari_autofocus.models.labelled.labels import StackLabels
from napari_autofocus.routines.acquire_config import AcquireConfig
from napari_autofocus.routines.surveying.record import SurveyRecord
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, fit_focus_map
from napari_autofocus.workflows import survey as surveys
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquire.plan import AcquisitionPlan
from napari_autofocus.workflows.calibration import record as calibrations
from napari_autofocus.workflows.labels.focus_file import FocusRecord, read_focus, write_focus
from napari_autofocus.workflows.mda.maps import read_map_height
from napari_autofocus.workflows.mda.saving import read_frames
from napari_autofocus.workflows.mda.sequences import read_sequence
from napari_autofocus.workflows.runs.files import as_text, read_json, write_csv
from napari_autofocus.workflows.simulate import prepare_folder
from napari_autofocus.workflows.tuning_found import read_found
from napari_autofocus.workflows.virtual.slide_book import SlideBook

_PLACES = Positions(
    (Position(0.0, 1.5, 2.5, "first"), Position(100.0, -20.0, 3.0, "second"), Position(7.0, 7.0, 1.0)), "XY", "Z"
)


def _listed(name: str) -> list[bytes]:
    path = kept() / name
    write_positions(path, _PLACES)
    return [path.read_bytes()]


def _old_list() -> list[bytes]:
    device = {"DEVICE": "XY", "AXES": 2, "X": 1.0, "Y": 2.0, "Z": 0}
    drive = {"DEVICE": "Z", "AXES": 1, "X": 3.0, "Y": 0, "Z": 0}
    entry = {"LABEL": "Pos0", "DEFAULT_XY_STAGE": "XY", "DEFAULT_Z_STAGE": "Z", "DEVICES": [device, drive]}
    return [json.dumps({"VERSION": 3, "ID": "Micro-Manager XY-position list", "POSITIONS": [entry]}).encode()]


def _sequences() -> list[bytes]:
    text = """\
stage_positions: &a
  - {x: 0, y: 1, z: 2, name: first}
  - [3, 4, 5]
channels: [{config: DAPI, exposure: 10}]
z_plan: {range: 4, step: 1}
autofocus_plan: {axes: [p]}
"""
    bomb = "a: &a [x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8))
    return [text.encode(), (bomb + "stage_positions: [{x: 0, y: 0, name: *i}]\n").encode()]


def _useq() -> list[bytes]:
    return [each.replace(b"[3, 4, 5]", b"{x: 3, y: 4}") for each in _sequences()]


def _label_table() -> list[bytes]:
    path, store = kept() / "table.csv", kept() / "for_table.db"
    store.unlink(missing_ok=True)
    with LabelStore(store) as opened:
        opened.add("s.ome.tif", {"best_z_um": 1.25}, annotator="ann", source="person")
        opened.add("t.ome.tif", {"best_z_um": None}, annotator="bob", source="person")
        opened.add("s.ome.tif", {"best_z_um": 1.0}, annotator="ann", source="p", scope="patch", key="0,0,8")
        export_labels(opened, path)
    return [path.read_bytes(), b"path,best_z_um,slide,stain\ns.ome.tif,1.25,1,he\nt.ome.tif,,2,ihc\n"]


def _import(path: Path) -> None:
    with LabelStore(path.with_name("new.db")) as store:
        import_labels(store, path, annotator="me")
        _use(store, path)


def _label_store() -> list[bytes]:
    path = kept() / "labels.db"
    path.unlink(missing_ok=True)
    with LabelStore(path) as store:
        store.add("s.ome.tif", {"best_z_um": 1.25}, annotator="ann", source="person")
        store.add("s.ome.tif", {"best_z_um": 1.5}, annotator="ann", source="person")
        store.undo("s.ome.tif", annotator="ann")
        store.add_many([Label("s.ome.tif", 0.7, "importance", "0,0,8")], annotator="bob", source="person")
        painting = Painting.empty((12, 12), 4).to_value()
        store.add("s.ome.tif", painting, annotator="bob", source="person", scope="importance", key=PAINTING)
        store.add("s.ome.tif", {"best_z_um": 1.0}, annotator="bob", source="person", scope="patch", key="0,0,8")
    return [path.read_bytes()]


def _entries() -> list[bytes]:
    """Rows of a store as JSON, so that edits reach what they say."""
    with LabelStore(_stored()) as store:
        rows = store._connection.execute("SELECT * FROM entries").fetchall()
    return [json.dumps([list(row) for row in rows]).encode()]


def _stored() -> Path:
    _label_store()
    return kept() / "labels.db"


def _with_entries(data: bytes, folder: Path) -> Path:
    path = folder / "labels.db"
    LabelStore(path).close()
    connection = sqlite3.connect(path)
    try:
        for row in json.loads(data):
            connection.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(row))})", row)
        connection.commit()
    except (ValueError, TypeError, RecursionError, OverflowError, sqlite3.Error):
        pass  # what cannot be stored cannot be read
    finally:
        connection.close()
    return path


def _store(path: Path) -> None:
    with LabelStore(path, read_only=True, wait_s=0.1) as store:
        _use(store, path)
    with LabelStore(path, wait_s=0.1) as store:
        store.add("s.ome.tif", {"best_z_um": 2.0}, annotator="me", source="person")
        store.undo_last(annotator="ann")
        store.redo_last(annotator="ann")
        _use(store, path)


def _use(store: LabelStore, path: Path) -> None:
    store.history()
    standing = StandingLabels(store.labels())
    for stack in list(standing):
        standing.field(stack), standing.patches(stack), standing.importance(stack), standing.paintings(stack)
    export_labels(store, path.with_name("out.csv"))


@functools.cache
def _stack_bytes() -> bytes:
    return write_stack(kept() / "s.ome.tif", ZStack(DATA, np.arange(len(DATA)) * 0.5)).read_bytes()


def _beside_a_stack(name: str) -> Any:
    def place(data: bytes, folder: Path) -> Path:
        (folder / "s.ome.tif").write_bytes(_stack_bytes())
        (folder / name).write_bytes(data)
        return folder / "s.ome.tif"

    return place


def _labels_of(stack: Path) -> None:
    labels = StackLabels(stack.parent)
    labels.field(stack), labels.patches(stack), labels.facts(stack), labels.without_stack([stack])


def _map() -> FocusMap:
    rng = np.random.default_rng(1)
    points = [FocusPoint(float(x), float(y), 0.01 * x - 0.02 * y, 0.1) for x, y in rng.uniform(0, 500, (9, 2))]
    return fit_focus_map(points)


def _use_map(path: Path) -> None:
    read_map_height(path)(100.0, 100.0)
    read_positions(path)


def _curve(path: Path) -> None:
    curve = LensCurve.load(path)
    curve.sampled(), curve.overshoot_um, curve.rms_um, curve.to_json(), curve.extended_um(1e6)
    curve.value_at(sum(curve.range_um) / 2)


def _records() -> list[bytes]:
    made = (("refocus", refocus_record()), ("sweep", sweep_record()), ("hold", hold_record()))
    runs = [
        {"number": n, "when": "2026-01-02T03:04:05+00:00", "kind": kind, "record": json.loads(record.to_json())}
        for n, (kind, record) in enumerate(made, 1)
    ]
    whole = {"format": "napari-autofocus runs", "version": 1, "left_out": 0, "runs": runs}
    return [json.dumps({**whole, "runs": [run]}).encode() for run in runs] + [json.dumps(whole).encode()]


def _use_runs(path: Path) -> None:
    entries = read_json(path)
    as_text(entries)
    write_csv(path.with_name("out.csv"), entries)


def _survey() -> list[bytes]:
    points = tuple(FocusPoint(10.0 * n, 5.0, 0.1 * n, 0.1) for n in range(3))
    places = tuple((10.0 * n, 5.0) for n in range(4))
    made = SurveyRecord("one-shot", "done", ("All.",), places, (0, 1, 2), points, 6, 3, 2.0, 0.0, 0.0, 1.0, 1)
    return [made.to_json().encode()]


def _use_survey(path: Path) -> None:
    record = surveys.read_record(path)
    assert record is not None
    record.outcomes, record.left, record.taken_at((0.0, 5.0)), record.to_json()


def _book() -> list[bytes]:
    plan = AcquisitionPlan(((100.0, 0.0), (200.0, 0.0)), config=AcquireConfig(range_um=2.0, patch_px=32))
    book = AcquisitionBook(kept() / "book", plan)
    (kept() / "book").mkdir(exist_ok=True)
    book.save()
    return [next((kept() / "book").glob("*.json")).read_bytes()]


def _use_book(path: Path) -> None:
    book = AcquisitionBook.read(path.parent)
    assert book is not None
    book.plan.differences(book.plan), book.plan.to_json()


def _calibration() -> list[bytes]:
    folder = kept() / "calibration"
    calibration_record().write(folder)
    return [(folder / calibrations.RECORD).read_bytes()]


def _use_calibration(path: Path) -> None:
    record = calibrations.read_record(path.parent)
    assert record is not None
    record.to_json()


def _focus() -> list[bytes]:
    stack = ZStack(np.repeat(np.repeat(DATA, 4, 1), 4, 2), np.arange(len(DATA)) * 0.5, source="s")
    path = kept() / "focus.npz"
    write_focus(path, FocusRecord({"a": 1}, judge_stack(stack, FocusSettings(patch_px=16, stride_px=16))))
    return [path.read_bytes()]


def _found() -> list[bytes]:
    leg = {"until": 1.0, "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0001, "dropout": 0.1}
    member = {"member": 0, "width": 1.0, "born_with": leg, "scores_um": [0.4, None], "taken": [0, 0]}
    facts = {"backbone": "mobilenet-v3-small", "width": 1.0, "channels": 3, "course": [leg], "batch": 64, "best": 0}
    facts |= {"score_um": 0.4, "samples": 100, "seconds": 3.0, "population": [member], "asked": {}, "notes": ["One."]}
    return [json.dumps({"kind": "tuned settings of napari-autofocus", "format": 1, **facts}).encode()]


def _journal() -> list[bytes]:
    lines = [{"plan": {"a": 1}}, {"phase": "shots", "tile": [0, 1], "fact": 2}, {"phase": "shots", "tile": [1, 1]}]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def _overwrite(path: Path) -> None:
    prepare_folder(path.parent, overwrite=True)


def _steps(path: Path) -> None:
    [asdict(step) for step in read_steps(path)]


def _copied(path: Path) -> None:
    shutil.copy(path, path.with_name("frames.copy"))
    read_frames(path.parent)


TARGETS = [
    *(Target(f"positions-{n[2:]}", functools.partial(_listed, n), as_file(n), read_positions)
      for n in ("a.pos", "a.csv", "a.yaml", "a.json", "a.ome.xml")),
    Target("positions-old", _old_list, as_file("a.pos"), read_positions),
    Target("positions-useq", _sequences, as_file("a.yaml"), read_positions),
    Target("useq", _useq, as_file("a.yaml"), read_sequence),
    Target("label-table", _label_table, as_file("a.csv"), _import),
    Target("label-entries", _entries, _with_entries, _store),
    Target("label-store", _label_store, as_file("labels.db"), _store),
    Target("labels-csv", _label_table, _beside_a_stack("labels.csv"), _labels_of),
    Target("labels-db", _label_store, _beside_a_stack("labels.db"), _labels_of),
    Target("focus-map", lambda: [_map().to_json().encode()], as_file("a.json"), _use_map),
    Target("lens-curve", lambda: [made_curve().to_json().encode()], as_file("a.json"), _curve),
    Target("lens-slide", lambda: [b"x_um,y_um,height_um\n0,0,0\n10,0,5\n20,0,10\n"], as_file("a.csv"), _steps),
    Target("runs", _records, as_file("a.json"), _use_runs),
    Target("runs-lines", lambda: [json.dumps(json.loads(r)["runs"][0]).encode() for r in _records()],
           as_file("a.jsonl"), _use_runs),
    Target("survey", _survey, as_file("a.json"), _use_survey),
    Target("acquisition", _book, as_file("acquisition.json"), _use_book),
    Target("calibration", _calibration, as_file(calibrations.RECORD), _use_calibration),
    Target("focus-kept", _focus, as_file("a.npz"), read_focus),
    Target("tuned", _found, as_file("a.json"), read_found),
    Target("slide-journal", _journal, as_file("a.jsonl"), SlideBook.read),
    Target("mda-frames", lambda: [b'{"index": {"p": 0}, "z": 1.0}\n{"index": {"p": 1}}\n'],
           as_file("frames.jsonl"), _copied),
    Target("simulation", lambda: [b'{"stacks": [{"path": "a.ome.tif"}, {"path": "b.ome.tif"}], "settings": {}}'],
           as_file("simulation.json"), _overwrite),
]  # fmt: skip
