"""Labels of z-stacks as tables and as plain dictionaries: what a script, a spreadsheet or a trainer reads.

One table holds everything; its column ``scope`` says what a row is about: ``field`` (one row a stack), ``patch`` (one
row a patch) or ``failed`` (a stack that could not be labelled; ``reasons`` says why). A cell is empty where a column
does not apply or nothing was found. Files appear complete or not at all.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import CurveVerdict, PatchFocus, StackFocus
from napari_autofocus.io.writing import replacing

COLUMNS: dict[str, type] = {
    "scope": str,
    "path": str,
    "planes": int,
    "y": int,
    "x": int,
    "size": int,
    "best_z_um": float,
    "uncertainty_um": float,
    "verdict": str,
    "trusted": bool,
    "importance": float,
    "reasons": str,
}
"""Columns of the table of labels and what they hold; ``y``, ``x`` and ``size`` of a patch are in pixels."""

SUFFIXES = (".csv", ".parquet")

VERDICT_WORDS: dict[CurveVerdict, str] = {
    "peak": "one clear peak",
    "phase_minimum": "contrast minimum, transparent specimen",
    "no_peak": "no peak",
    "peak_at_edge": "sharpest at the edge of the range",
    "several_peaks": "several peaks",
    "spike": "a single plane stands out",
    "undersampled": "planes too far apart",
}

Row = Mapping[str, Any]


def as_dictionary(path: str, focus: StackFocus) -> dict[str, Any]:
    """One stack's labels as ``napari-autofocus label --json`` prints them."""
    return {
        "path": path,
        "planes": focus.planes,
        "best_z_um": focus.field.best_z_um,
        "uncertainty_um": focus.field.uncertainty_um,
        "verdict": focus.field.verdict,
        "trusted": focus.field.trusted,
        "reasons": list(focus.field.reasons),
        "best_z_from_patches_um": focus.best_z_from_patches_um,
        "trusted_patches": len(focus.trusted_patches),
        "patches": [_patch_dictionary(patch) for patch in focus.patches],
    }


def _patch_dictionary(patch: PatchFocus) -> dict[str, Any]:
    names = "y", "x", "size", "best_z_um", "uncertainty_um", "importance", "trusted", "verdict"
    return {name: getattr(patch, name) for name in names}


def rows_of(path: str, focus: StackFocus) -> list[Row]:
    """One stack's rows of the table: the field first, then its patches."""
    label = as_dictionary(path, focus)
    field = {**label, "scope": "field", "reasons": " ".join(focus.field.reasons)}
    patches = [{**patch, "scope": "patch", "path": path, "planes": focus.planes} for patch in label["patches"]]
    return [{name: row.get(name) for name in COLUMNS} for row in [field, *patches]]


def failed_row(path: str, reason: str) -> Row:
    """The row of a stack that could not be labelled."""
    return {**dict.fromkeys(COLUMNS), "scope": "failed", "path": path, "reasons": reason}


def check_table_path(path: Path) -> None:
    """Refuse a table that could not be written, before any work is done for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"A table is written as .csv or .parquet; {path.name!r} is neither: change its ending.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} for the table does not exist; make it first.")


def write_table(path: Path, rows: Sequence[Row], columns: Mapping[str, type] = COLUMNS) -> None:
    """Write rows as CSV or Parquet, by the file's ending; the file appears when it is complete.

    Parameters
    ----------
    path : Path
        Ends in ``.csv`` or ``.parquet``; an existing table is replaced.
    rows : sequence of mappings
        What is missing or None becomes an empty cell.
    columns : mapping
        Names of the columns, in order, and what they hold.

    Raises
    ------
    InputError
        If the ending is another, or the folder does not exist.
    """
    check_table_path(path)
    write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
    with replacing(path) as unfinished:
        write(unfinished, rows, columns)


def _write_csv(path: Path, rows: Sequence[Row], columns: Mapping[str, type]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(path: Path, rows: Sequence[Row], columns: Mapping[str, type]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[holds]) for name, holds in columns.items()])
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), path)
