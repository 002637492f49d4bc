"""A run log as files: a table with one row a run, full records as JSON, small pictures beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.plain_json import UNUSABLE, read_plain_json
from napari_autofocus.records import RefocusRecord, SweepRecord, TrackRecord
from napari_autofocus.workflows.reports.tables import write_table
from napari_autofocus.workflows.runs.entry import DepthMap, Picture, RunEntry, RunRecord

FORMAT = "napari-autofocus runs"
VERSION = 1
SUFFIXES = (".csv", ".json")
KINDS: dict[str, type[RefocusRecord] | type[SweepRecord] | type[TrackRecord]] = {
    "refocus": RefocusRecord,
    "sweep": SweepRecord,
    "hold": TrackRecord,
}

COLUMNS: dict[str, type] = {
    "number": int,
    "when": str,
    "kind": str,
    "method": str,
    "outcome": str,
    "start_um": float,
    "end_um": float,
    "moved_um": float,
    "x_um": float,
    "y_um": float,
    "before_um": float,
    "after_um": float,
    "after_uncertainty_um": float,
    "best_z_um": float,
    "uncertainty_um": float,
    "dof_um": float,
    "focus_direction": int,
    "verdict": str,
    "frames": int,
    "moves": int,
    "seconds": float,
    "model": str,
    "fingerprint": str,
    "warnings": str,
    "reasons": str,
}
"""Columns of the table of runs and what they hold; a cell is empty where a kind of run has no such thing.

``when``: ISO 8601, UTC. ``kind``: ``refocus``, ``sweep`` or ``hold``. ``start_um``, ``end_um``: drive position, read
back; ``moved_um``: their difference. ``x_um``, ``y_um``: place on the slide. ``before_um``, ``after_um``: estimated
defocus of the first and the last frame, positive: sample and objective too close. ``best_z_um``, ``uncertainty_um``:
peak of a sweep. ``fingerprint``: SHA-256 of the model. The rest as in the records themselves."""


def kind_of(record: RunRecord) -> str:
    """How files call a kind of record: ``refocus``, ``sweep`` or ``hold``."""
    return next(name for name, kind in KINDS.items() if isinstance(record, kind))


def row_of(entry: RunEntry) -> dict[str, Any]:
    """One run as a row of the table."""
    record = entry.record
    stated = {name: getattr(record, name, None) for name in COLUMNS}
    return {
        **stated,
        "number": entry.number,
        "when": entry.when.isoformat(timespec="seconds"),
        "kind": kind_of(record),
        "method": entry.method,
        "outcome": entry.outcome,
        "frames": entry.frames,
        "before_um": entry.defocus_um[0],
        "after_um": entry.defocus_um[1],
        "moved_um": record.end_um - record.start_um,
        "warnings": " ".join(getattr(record, "warnings", ())),
        "reasons": " ".join(record.reasons),
    }


def as_text(entries: Iterable[RunEntry]) -> str:
    """The table with tabs between its columns, as spreadsheets take it from the clipboard."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), dialect="excel-tab", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row_of(entry) for entry in entries)
    return text.getvalue()


def write_csv(path: Path, entries: Iterable[RunEntry]) -> None:
    """Write one row a run; the file appears complete or not at all.

    Raises
    ------
    InputError
        If the name ends in anything but ``.csv`` or ``.parquet``, or the folder does not exist.
    """
    write_table(path, [row_of(entry) for entry in entries], COLUMNS)


def write_json(path: Path, entries: Sequence[RunEntry], *, left_out: int = 0, pictures: bool = False) -> None:
    """Write full records; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced.
    entries : sequence of RunEntry
        The runs.
    left_out : int
        Older runs that are not among them; said in the file.
    pictures : bool
        Also write the thumbnails, small all-in-focus images and depth maps (µm), into the folder ``<name>-pictures``
        beside the file.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written.
    """
    shown = {entry.number: _write_pictures(path, entry) for entry in entries} if pictures else {}
    runs = [{**_as_dictionary(entry), **shown.get(entry.number, {})} for entry in entries]
    content = {"format": FORMAT, "version": VERSION, "left_out": left_out, "runs": runs}
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def append_line(path: Path, entry: RunEntry) -> None:
    """Append one run to a file of one JSON object a line. Raises InputError if that cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_as_dictionary(entry), allow_nan=False) + "\n")
    except OSError as error:
        raise InputError(f"The run could not be written to {path} ({error.strerror}); name another file.") from error


def read_json(path: Path) -> tuple[RunEntry, ...]:
    """The runs of a file that ``write_json`` or ``append_line`` wrote, with their pictures where these still exist.

    Raises
    ------
    InputError
        If it cannot be read or holds anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a run log: {error}.") from error
    return tuple(_entry(path, run) for run in _runs_in(path, text))


def picture_folder(path: Path) -> Path:
    """Where the thumbnails of a JSON file lie."""
    return path.with_name(f"{path.stem}-pictures")


def _as_dictionary(entry: RunEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "when": entry.when.isoformat(),
        "kind": kind_of(entry.record),
        "record": json.loads(entry.record.to_json()),
    }


def _write_pictures(path: Path, entry: RunEntry) -> dict[str, str]:
    """Write what a run has of them; returns their names."""
    folder = picture_folder(path)
    names: dict[str, str] = {}
    shown = {"before": entry.before, "after": entry.after, "composite": entry.composite, "depth": entry.depth_um}
    for moment, picture in shown.items():
        if picture is not None:
            make_folder(folder)
            kind = "PNG" if picture.dtype == np.uint8 else "TIFF"  # depths in µm
            names[moment] = f"run-{entry.number:03d}-{moment}.{'png' if kind == 'PNG' else 'tif'}"
            with replacing(folder / names[moment]) as unfinished:
                Image.fromarray(picture).save(unfinished, format=kind)
    return names


def _runs_in(path: Path, text: str) -> list[Any]:
    """The runs as dictionaries: a whole file, or one a line."""
    try:
        if path.suffix.lower() == ".jsonl":
            return [read_plain_json(line) for line in text.splitlines() if line.strip()]
        content = read_plain_json(text)
        if content["format"] != FORMAT or content["version"] > VERSION:
            raise InputError(
                f"{path} holds {content['format']!r} version {content['version']}; {FORMAT!r} up to version {VERSION}"
                " can be read."
            )
        return list(content["runs"])
    except UNUSABLE as error:
        raise InputError(f"{path} is not a run log: {error!r}; choose a file that was exported as one.") from error


def _entry(path: Path, run: Any) -> RunEntry:
    try:
        record = KINDS[run["kind"]].from_json(json.dumps(run["record"]))
        before, after, composite = (_picture(path, run.get(moment)) for moment in ("before", "after", "composite"))
        depth_um = _depth(path, run.get("depth"))
        when = datetime.fromisoformat(run["when"])
        return RunEntry(int(run["number"]), when, record, before, after, composite, depth_um)
    except UNUSABLE as error:
        raise InputError(f"{path} holds a run that is none: {error!r}; choose a file that was exported.") from error


def _depth(path: Path, name: str | None) -> DepthMap | None:
    """The same of a small depth map, µm."""
    found = _opened(path, name)
    return None if found is None or found.dtype != np.float32 else found


def _picture(path: Path, name: str | None) -> Picture | None:
    """A thumbnail from the folder beside the file, wherever the name may point; None where it is gone or broken."""
    found = _opened(path, name)
    return None if found is None else found.astype(np.uint8, copy=False)


def _opened(path: Path, name: str | None) -> Any:
    if name is None:
        return None
    try:
        with Image.open(picture_folder(path) / Path(name).name, formats=("PNG", "TIFF")) as picture:
            return np.asarray(picture)
    except OSError:
        return None
