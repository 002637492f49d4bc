"""The label store as a table (CSV, Parquet), and labels from a table."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.labelling.entries import Label, LabelEntry, PathLike
from napari_autofocus.labelling.opinions import Consensus
from napari_autofocus.labelling.store import LabelStore

COLUMNS = ("path", "scope", "key", "best_z_um", "value", "annotator", "source", "time_utc", "entry")
CONSENSUS_COLUMNS = ("path", "best_z_um", "trusted", "verdict", "status", "annotators", "reason")


def export_labels(store: LabelStore, path: PathLike, *, history: bool = False) -> Path:
    """Write the current labels (or every entry) as a table, whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in ``.csv`` or ``.parquet``.
    history : bool
        Whether superseded entries are written too.

    Returns
    -------
    Path
        The file written; its columns are :data:`COLUMNS`, ``value`` as JSON.

    Raises
    ------
    InputError
        If the name has another ending or the file cannot be written.
    """
    rows = [_row(entry) for entry in (store.history() if history else store.labels())]
    return _write(Path(path), rows, COLUMNS)


def export_consensus(found: Mapping[str, Consensus], path: PathLike) -> Path:
    """Write what holds for each stack as a table, one row a stack; training reads such a ``labels.csv`` too.

    Parameters
    ----------
    found : mapping of str to Consensus
        By the name of the stack; stacks of which nobody said anything are left out.
    path : path-like
        Ends in ``.csv`` or ``.parquet``.

    Returns
    -------
    Path
        The file written; its columns are :data:`CONSENSUS_COLUMNS`.

    Raises
    ------
    InputError
        If the name has another ending or the file cannot be written.
    """
    rows = [
        {
            "path": name,
            "best_z_um": each.best_z_um,
            "trusted": each.is_usable,
            "verdict": each.verdict,
            "status": each.status,
            "annotators": ", ".join(opinion.annotator for opinion in each.opinions),
            "reason": each.reason,
        }
        for name, each in found.items()
        if each.opinions
    ]
    return _write(Path(path), rows, CONSENSUS_COLUMNS)


def _write(target: Path, rows: list[dict[str, Any]], columns: Sequence[str]) -> Path:
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if target.suffix.lower() not in writers:
        raise InputError(f"Labels are written as .csv or .parquet; found {target.name}.")
    with replacing(target) as temporary:
        writers[target.suffix.lower()](temporary, rows, columns)
    return target


def _row(entry: LabelEntry) -> dict[str, Any]:
    said = entry.value if isinstance(entry.value, dict) else {}
    best_z_um = said.get("best_z_um")
    return {
        "path": entry.stack,
        "scope": entry.scope,
        "key": entry.key,
        "best_z_um": float(best_z_um) if isinstance(best_z_um, int | float) else None,
        "value": json.dumps(entry.value),
        "annotator": entry.annotator,
        "source": entry.source,
        "time_utc": entry.time_utc,
        "entry": entry.id,
    }


def _write_csv(path: Path, rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        table = csv.DictWriter(handle, columns)
        table.writeheader()
        table.writerows(rows)


def _write_parquet(path: Path, rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    import pyarrow as pa  # slow to import
    import pyarrow.parquet as pq

    types = {"best_z_um": pa.float64(), "entry": pa.int64(), "trusted": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def import_labels(store: LabelStore, path: PathLike, *, annotator: str, source: str = "import") -> list[LabelEntry]:
    """Add the labels of a CSV table, all or none.

    Parameters
    ----------
    path : path-like
        Table with the columns ``path`` (relative to the root of the data set) and ``best_z_um`` (empty: in focus
        nowhere), or one that :func:`export_labels` wrote.
    annotator : str
        Who says it, where the table has no column ``annotator`` that names somebody else.

    Raises
    ------
    InputError
        If a column is missing or a position is not a number; nothing has been added then.
    """
    table = Path(path)
    rows = list(enumerate(read_label_rows(table), start=2))
    labels = [(row.get("annotator") or annotator, _label(row, f"{table}, line {line}")) for line, row in rows]
    return store.add_of_many(labels, source=source)


def read_label_rows(table: Path) -> list[dict[str, str | None]]:
    """The rows of a CSV table of labels, as text by column.

    Raises
    ------
    InputError
        If it cannot be read, or lacks the column ``path`` or ``best_z_um``.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read as a table of labels ({error}); give a CSV file.") from error
    if not {"path", "best_z_um"} <= set(columns):
        raise InputError(f"{table} needs the columns path and best_z_um; it has {', '.join(columns) or 'none'}.")
    return rows


def _label(row: dict[str, str | None], where: str) -> Label:
    stack = row["path"] or ""
    if not stack:
        raise InputError(f"{where}: the path is empty; name a stack in every row.")
    value = _value(row, where)
    scope = row.get("scope") or "field"
    return Label(stack, value, scope=scope, key=row.get("key") or "")  # type: ignore[arg-type]  # checked by Label


def _value(row: dict[str, str | None], where: str) -> Any:
    if text := row.get("value"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise InputError(f"{where}: the value {text!r} is not JSON; correct it.") from error
    text = (row["best_z_um"] or "").strip()
    try:
        best_z_um = float(text) if text else None
    except ValueError:
        best_z_um = math.nan
    if best_z_um is not None and not math.isfinite(best_z_um):
        raise InputError(f"{where}: best_z_um is {text!r}; give a number of µm, or leave it empty.")
    return {"best_z_um": best_z_um}
