"""What was measured is kept, comes back exactly, and counts only for the file and the settings it was measured with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack, judge_stack
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.workflows.batch import LabelSettings
from napari_autofocus.workflows.labels.focus_book import BESIDE, FocusBook, state_of

MakeStack = Callable[..., ZStack]
PATCHES = FocusSettings(patch_px=32)


@pytest.fixture
def stack_path(tmp_path: Path, make_stack: MakeStack) -> Path:
    (tmp_path / "set").mkdir()
    return write_stack(tmp_path / "set" / "a.ome.tif", make_stack(6.3)) or tmp_path / "set" / "a.ome.tif"


@pytest.fixture
def book(stack_path: Path) -> FocusBook:
    return FocusBook(stack_path.parent)


def measured(path: Path, settings: FocusSettings = PATCHES) -> StackFocus:
    return judge_stack(open_stack(path), settings)


def assert_same(found: StackFocus | None, expected: StackFocus) -> None:
    assert found is not None
    assert (found.source, found.planes, found.grid) == (expected.source, expected.planes, expected.grid)
    assert found.patches == expected.patches
    np.testing.assert_array_equal(found.patch_curves, expected.patch_curves)
    for each in fields(expected.field):
        np.testing.assert_array_equal(getattr(found.field, each.name), getattr(expected.field, each.name))


def test_what_was_kept_comes_back_exactly(book: FocusBook, stack_path: Path) -> None:
    focus = measured(stack_path)
    book.put(stack_path, PATCHES, focus)
    assert_same(FocusBook(book.root).get(stack_path, PATCHES), focus)


def test_curves_without_focus_come_back_exactly(book: FocusBook, stack_path: Path, make_stack: MakeStack) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 64, 96)).astype(np.uint8)
    focus = judge_stack(replace(make_stack(6.3), data=noise, source=str(stack_path)), PATCHES)
    assert None in {patch.best_z_um for patch in focus.patches}
    book.put(stack_path, PATCHES, focus)
    assert_same(book.get(stack_path, PATCHES), focus)


def test_a_stack_that_was_never_measured_is_not_there(book: FocusBook, stack_path: Path) -> None:
    assert book.get(stack_path, PATCHES) is None
    assert book.get(stack_path.with_name("gone.tif"), PATCHES) is None


@pytest.mark.parametrize(
    "other",
    [
        FocusSettings(),
        FocusSettings(patch_px=32, polarity="min"),
        LabelSettings(PATCHES, step_um=2.0),
        LabelSettings(PATCHES, channel=1),
    ],
)
def test_other_settings_are_another_measurement(
    book: FocusBook, stack_path: Path, other: FocusSettings | LabelSettings
) -> None:
    book.put(stack_path, PATCHES, measured(stack_path))
    assert book.get(stack_path, other) is None
    assert book.get(stack_path, LabelSettings(PATCHES)) is not None


def test_a_file_that_changed_since_is_measured_again(book: FocusBook, stack_path: Path, make_stack: MakeStack) -> None:
    before, focus = state_of(stack_path), measured(stack_path)
    write_stack(stack_path, make_stack(8.0, seed=3))
    os.utime(stack_path, ns=(1, 1))
    book.put(stack_path, PATCHES, focus, state=before)
    assert book.get(stack_path, PATCHES) is None


def test_a_folder_of_planes_changes_with_any_of_its_files(tmp_path: Path) -> None:
    planes = tmp_path / "planes"
    planes.mkdir()
    (planes / "z1.tif").write_bytes(b"1")
    before = state_of(planes)
    (planes / "z_um.csv").write_text("file,z_um\n")
    assert before is not None
    assert state_of(planes) != before
    assert state_of(tmp_path / "none") is None


def test_positions_of_one_file_are_kept_apart(book: FocusBook, stack_path: Path) -> None:
    first, second = (stack_path.with_name(f"{stack_path.name}::{number}") for number in (0, 1))
    book.put(first, PATCHES, measured(stack_path))
    assert book.get(first, PATCHES) is not None
    assert book.get(second, PATCHES) is None


def test_a_data_set_that_was_moved_keeps_its_measurements(book: FocusBook, stack_path: Path, tmp_path: Path) -> None:
    focus = measured(stack_path)
    book.put(stack_path, PATCHES, focus)
    shutil.move(stack_path.parent, tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / stack_path.name
    assert_same(FocusBook(tmp_path / "elsewhere").get(moved, PATCHES), replace(focus, source=str(moved)))


@pytest.mark.parametrize("kept_bytes", [0, 10, 500])
def test_a_damaged_file_counts_as_absent(book: FocusBook, stack_path: Path, kept_bytes: int) -> None:
    book.put(stack_path, PATCHES, measured(stack_path))
    (file,) = book.folder.iterdir()
    file.write_bytes(file.read_bytes()[:kept_bytes])
    assert book.get(stack_path, PATCHES) is None


def test_flipped_bytes_count_as_absent_or_change_nothing(book: FocusBook, stack_path: Path) -> None:
    focus = measured(stack_path)
    book.put(stack_path, PATCHES, focus)
    (file,) = book.folder.iterdir()
    whole = file.read_bytes()
    for place in range(0, len(whole), 37):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = book.get(stack_path, PATCHES)
        if found is not None:
            assert_same(found, focus)


def test_where_the_data_set_cannot_be_written_the_cache_serves(
    book: FocusBook, stack_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    (stack_path.parent / BESIDE.parts[0]).write_text("a file in the way of the folder")
    book, focus = FocusBook(stack_path.parent), measured(stack_path)
    book.put(stack_path, PATCHES, focus)
    assert_same(FocusBook(stack_path.parent).get(stack_path, PATCHES), focus)
    assert book.note is not None
    assert str(tmp_path / "cache") in book.note


def test_unfinished_files_of_killed_processes_are_cleared_when_old(book: FocusBook) -> None:
    old, new = (book.folder / f".{name}.npz.x.part" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    book.tidy()
    assert [left.name for left in book.folder.iterdir()] == [new.name]
