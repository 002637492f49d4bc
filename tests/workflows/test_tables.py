"""Labels become rows and dictionaries without losing or inventing anything, and files appear complete or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.zstack import FocusCurve, PatchFocus, StackFocus
from napari_autofocus.workflows.reports.tables import (
    COLUMNS,
    as_dictionary,
    failed_row,
    rows_of,
    write_table,
)


@pytest.fixture
def focus() -> StackFocus:
    z_um = np.array([0.0, 0.5, 1.0])
    field = FocusCurve(z_um, np.array([1.0, 2.0, 1.0]), "peak", True, 0.5, 0.02, 30.0, ("Clear.", "Sure."))
    patches = (
        PatchFocus(0, 0, 8, 0.4, 0.1, 0.75, True, "peak"),
        PatchFocus(0, 8, 8, None, None, 0.0, False, "no_peak"),
    )
    return StackFocus("s", 3, field, PatchGrid((8, 16), 8), patches, np.zeros((2, 3)))


def test_rows_are_the_field_and_then_its_patches(focus: StackFocus) -> None:
    field, first, second = rows_of("a.tif", focus)
    assert list(field) == list(COLUMNS)
    assert (field["scope"], field["best_z_um"], field["reasons"]) == ("field", 0.5, "Clear. Sure.")
    assert (first["scope"], first["x"], first["size"], first["importance"]) == ("patch", 0, 8, 0.75)
    assert (second["best_z_um"], second["trusted"], second["path"]) == (None, False, "a.tif")


def test_dictionary_carries_the_keys_that_scripts_rely_on(focus: StackFocus) -> None:
    label = as_dictionary("a.tif", focus)
    assert {"path", "planes", "best_z_um", "uncertainty_um", "verdict", "trusted", "patches"} <= set(label)
    assert {"y", "x", "size", "best_z_um", "importance", "trusted"} <= set(label["patches"][0])
    assert label["best_z_from_patches_um"] == 0.4
    assert label["trusted_patches"] == 1


def test_csv_and_parquet_hold_the_same(focus: StackFocus, tmp_path: Path) -> None:
    rows = [*rows_of("a.tif", focus), failed_row("b.tif", "It is empty.")]
    write_table(tmp_path / "t.csv", rows)
    write_table(tmp_path / "t.parquet", rows)
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        from_csv = list(csv.DictReader(file))
    from_parquet = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["scope"] for row in from_csv] == ["field", "patch", "patch", "failed"]
    assert [row["best_z_um"] for row in from_csv] == ["0.5", "0.4", "", ""]
    assert from_parquet == rows


def test_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_table(tmp_path / "t.xlsx", [])


def test_table_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_table(tmp_path / "no" / "t.csv", [])


def test_a_failing_write_leaves_the_old_table_and_nothing_else(focus: StackFocus, tmp_path: Path) -> None:
    target = tmp_path / "t.parquet"
    target.write_text("old")
    with pytest.raises(pa.ArrowInvalid):
        write_table(target, [{**rows_of("a.tif", focus)[0], "planes": "three"}])
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    assert target.read_text() == "old"
