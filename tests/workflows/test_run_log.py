"""A session's runs are kept, bounded, and come back from files as they were."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from made_records import hold_record, refocus_record, sweep_record
from napari_autofocus.errors import InputError
from napari_autofocus.routines.refocus_config import Composite
from napari_autofocus.workflows.run_log import RunEntry, RunLog, read_json
from napari_autofocus.workflows.runs.entry import THUMBNAIL_WIDTH_PX, thumbnails
from napari_autofocus.workflows.runs.files import COLUMNS, picture_folder

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def colours(shade: int, shape: tuple[int, int] = (300, 400)) -> np.ndarray:
    return np.full((*shape, 3), shade, np.uint8)


def filled() -> RunLog:
    log = RunLog()
    log.add(refocus_record(), before=colours(10), after=colours(200), when=NOON)
    log.add(sweep_record(), when=NOON + timedelta(minutes=1))
    return log


def same(first: RunEntry, second: RunEntry) -> bool:
    return (first.number, first.when, first.record) == (second.number, second.when, second.record)


def test_runs_are_numbered_timed_and_told() -> None:
    log, told = RunLog(), []
    log.added.connect(told.append)
    first = log.add(refocus_record())
    second = log.add(sweep_record(), when=NOON.astimezone(timezone(timedelta(hours=2))))
    assert [entry.number for entry in log.entries] == [1, 2]
    assert told == [first, second]
    assert abs(datetime.now(UTC) - first.when) < timedelta(minutes=5)
    assert (second.when, second.when.utcoffset()) == (NOON, timedelta(0))


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(InputError, match="time zone"):
        RunLog().add(refocus_record(), when=datetime(2026, 11, 21, 12, 0))


def test_the_oldest_runs_give_way_and_are_counted() -> None:
    log = RunLog(most=2)
    for _ in range(5):
        log.add(refocus_record())
    assert [entry.number for entry in log.entries] == [4, 5]
    assert log.left_out == 3


def test_numbers_go_on_after_the_log_was_cleared() -> None:
    log, cleared = filled(), []
    log.cleared.connect(lambda: cleared.append(True))
    log.clear()
    assert (len(log), cleared, log.add(refocus_record()).number) == (0, [True], 3)


def test_only_small_copies_of_frames_are_kept() -> None:
    frame = colours(90, (600, 800))
    entry = RunLog().add(refocus_record(), before=frame)
    assert entry.before is not None
    assert entry.before.shape == (120, THUMBNAIL_WIDTH_PX, 3)
    assert not np.shares_memory(entry.before, frame)
    assert entry.after is None


def test_small_frames_keep_their_size_and_are_copied() -> None:
    frame = colours(90, (20, 30))
    small, _ = thumbnails(frame, None)
    frame[:] = 0
    assert small is not None
    assert small.shape == (20, 30, 3)
    assert small.min() == 90


def test_both_pictures_of_a_run_share_one_range_of_grey() -> None:
    dim = np.full((40, 40), 1000, np.uint16)
    bright = dim + np.uint16(1000)
    bright[:20] += 1000
    before, after = thumbnails(dim, bright)
    assert before is not None
    assert after is not None
    assert before.max() == 0
    assert (after.min(), after.max()) == (127, 255)


def test_frames_with_nan_and_without_any_number_become_pictures() -> None:
    holed = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    holed[:5] = np.nan
    before, after = thumbnails(holed, np.full((20, 20), np.nan))
    assert before is not None
    assert after is not None
    assert before.dtype == after.dtype == np.uint8
    assert (int(before[:5].max()), int(after.max())) == (0, 0)
    assert before.max() > 200


def test_the_table_has_one_row_a_run(tmp_path: Path) -> None:
    filled().export_csv(tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(encoding="utf-8") as file:
        refocused, swept = csv.DictReader(file)
    assert list(refocused) == list(COLUMNS)
    assert (refocused["when"], refocused["kind"]) == ("2026-11-21T12:00:00+00:00", "refocus")
    assert float(refocused["moved_um"]) == pytest.approx(-6.9)
    assert refocused["reasons"] == "The second shot says +0.05 µm. That is within 0.3 DOF."
    assert (swept["kind"], swept["best_z_um"], swept["model"], swept["x_um"]) == ("sweep", "0.0", "", "")


def test_json_brings_back_every_record_and_picture(tmp_path: Path) -> None:
    log = filled()
    log.export_json(tmp_path / "runs.json", pictures=True)
    refocused, swept = read_json(tmp_path / "runs.json")
    assert all(same(*pair) for pair in zip(log.entries, (refocused, swept), strict=True))
    assert np.array_equal(refocused.before, log.entries[0].before)
    assert np.array_equal(refocused.after, log.entries[0].after)
    assert swept.before is None
    names = sorted(path.name for path in picture_folder(tmp_path / "runs.json").iterdir())
    assert names == ["run-001-after.png", "run-001-before.png"]


def test_an_all_in_focus_image_and_its_depth_are_kept_small_and_come_back(tmp_path: Path) -> None:
    depth_um = np.full((300, 400), 4.5, np.float32)
    depth_um[:, :100] = np.nan
    log, path = RunLog(), tmp_path / "runs.json"
    composite = Composite(np.full((300, 400, 3), 90, np.uint8), depth_um, (1.0, 8.0))
    entry = log.add(refocus_record(), composite=composite)
    assert entry.composite is not None
    assert entry.depth_um is not None
    assert entry.composite.shape[:2] == entry.depth_um.shape == (120, THUMBNAIL_WIDTH_PX)
    log.export_json(path, pictures=True)
    [back] = read_json(path)
    assert back.composite is not None
    assert back.depth_um is not None
    np.testing.assert_array_equal(back.composite, entry.composite)
    np.testing.assert_array_equal(back.depth_um, entry.depth_um)
    assert np.isnan(back.depth_um[:, :40]).all()


def test_json_without_pictures_makes_no_folder_and_says_what_was_left_out(tmp_path: Path) -> None:
    log = RunLog(most=1)
    log.add(refocus_record())
    log.add(refocus_record(), before=colours(3))
    log.export_json(tmp_path / "runs.json")
    assert [path.name for path in tmp_path.iterdir()] == ["runs.json"]
    assert json.loads((tmp_path / "runs.json").read_text())["left_out"] == 1


def test_a_hold_of_focus_is_a_run_as_well(tmp_path: Path) -> None:
    log = RunLog()
    log.add(hold_record(), when=NOON)
    log.export_json(tmp_path / "runs.json")
    log.export_csv(tmp_path / "runs.csv")
    assert same(read_json(tmp_path / "runs.json")[0], log.entries[0])
    with (tmp_path / "runs.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["kind"], row["method"], row["outcome"], row["frames"]) == ("hold", "hold", "cancelled", "3")
    assert (row["before_um"], row["after_um"], row["verdict"]) == ("0.1", "0.6", "")


def test_lost_pictures_leave_the_records_readable(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    filled().export_json(path, pictures=True)
    (picture_folder(path) / "run-001-before.png").unlink()
    (picture_folder(path) / "run-001-after.png").write_bytes(b"no picture")
    entry = read_json(path)[0]
    assert (entry.before, entry.after) == (None, None)


def test_pictures_are_read_from_the_folder_beside_the_file_only(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    filled().export_json(path, pictures=True)
    (picture_folder(path) / "run-001-before.png").rename(tmp_path / "elsewhere.png")
    path.write_text(path.read_text().replace("run-001-before.png", "../elsewhere.png"))
    assert read_json(path)[0].before is None


def test_every_run_is_appended_to_the_file_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    log = RunLog(path)
    log.add(refocus_record())
    assert len(read_json(path)) == 1
    log.add(sweep_record())
    log.clear()
    assert [entry.record for entry in read_json(path)] == [refocus_record(), sweep_record()]


def test_a_run_whose_file_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "gone" / "runs.jsonl")
    with pytest.raises(InputError, match=r"could not be written to .*runs\.jsonl"):
        log.add(refocus_record())
    assert len(log) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "other", "version": 1, "runs": []}',
        '{"format": "napari-autofocus runs", "version": 2, "runs": []}',
        '{"format": "napari-autofocus runs", "version": 1, "runs": [{}]}',
        '{"format": "napari-autofocus runs", "version": 1, "runs": ["one"]}',
        '{"format": "napari-autofocus runs", "version": 1, "runs": [{"kind": "sweep", "record": {}}]}',
    ],
)
def test_what_is_no_run_log_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_json(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs\.json cannot be read"):
        read_json(tmp_path / "runs.json")


def test_a_failed_export_leaves_the_older_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.json"
    filled().export_json(path)
    before = path.read_text()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        RunLog().export_json(path)
    assert path.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["runs.json"]
