"""Looks at best focus over time, from holds and runs into tables and rates."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from made_records import hold_record, refocus_record, sweep_record
from napari_autofocus.records import TrackRecord, TrackSample
from napari_autofocus.workflows.run_log import RunLog
from napari_autofocus.workflows.runs.drift_log import (
    Look,
    append_look,
    drift_of_looks,
    drift_path,
    looks_of_hold,
    looks_of_runs,
    newest_series,
    write_looks,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
RATE_UM_H = 30.0


def hold(direction: int, *, rate_um_h: float = RATE_UM_H, pause_at: int | None = None) -> TrackRecord:
    """Ten minutes of a drive that follows best focus in steps, read with 0.1 µm of noise."""
    rng, z_um, samples = np.random.default_rng(5), 50.0, []
    for number in range(60):
        at_s = 10.0 * number
        best_um = 50.0 + rate_um_h / 3600 * at_s
        defocus_um = direction * (z_um - best_um) + rng.normal(0, 0.1)
        moved = best_um - z_um if abs(best_um - z_um) > 0.3 else 0.0
        z_um += moved
        state = "paused" if number == pause_at else "holding"
        samples.append(TrackSample(at_s, state, z_um, best_um, defocus_um, 0.0, moved))
    return hold_record(focus_direction=direction, seconds=600.0, samples=tuple(samples), x_um=0.0, y_um=0.0)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_hold_tells_the_rate_within_its_error_whatever_the_drive(direction: int) -> None:
    looks = looks_of_hold(hold(direction), NOON)
    assert len(looks) == 60
    assert looks[-1].when == NOON - timedelta(seconds=10)
    drift = drift_of_looks(looks)
    assert drift is not None
    assert abs(drift.rate_um_h - RATE_UM_H) < 3 * drift.error_um_h
    assert drift.error_um_h < 1.5
    assert drift.jumps == ()


def test_looks_before_a_pause_are_of_another_place() -> None:
    assert len(looks_of_hold(hold(1, pause_at=40), NOON)) == 20


def test_a_run_log_tells_the_looks_of_every_kind_of_run() -> None:
    log = RunLog()
    log.add(refocus_record(end_um=0.1, after_um=0.05, focus_direction=-1), when=NOON)
    log.add(refocus_record(outcome="reverted"), when=NOON)
    log.add(sweep_record(), when=NOON + timedelta(minutes=1))
    log.add(hold(1), when=NOON + timedelta(minutes=20))
    looks = looks_of_runs(log.entries)
    assert looks[0].best_z_um == pytest.approx(0.1 + 0.05)
    assert [look.source for look in looks[:2]] == ["refocus", "sweep"]
    assert [look.source for look in looks[2:]] == ["hold"] * 60


def test_only_the_place_of_the_newest_look_counts() -> None:
    looks = [Look(NOON + timedelta(seconds=n), "live", 1.0, 1.0, 0.1, x, 0.0) for n, x in enumerate((0, 0, 500, 505))]
    assert [look.x_um for look in newest_series(looks)] == [500, 505]
    assert newest_series([]) == []


def test_looks_are_appended_beside_the_run_log_and_written_as_a_table(tmp_path: Path) -> None:
    looks = looks_of_hold(hold(1), NOON)[:3]
    path = drift_path(tmp_path / "runs.jsonl")
    assert path.name == "runs-drift.csv"
    for look in looks:
        append_look(path, look)
    write_looks(tmp_path / "table.csv", looks)
    for file in (path, tmp_path / "table.csv"):
        rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        assert len(rows) == 3
        assert float(rows[2]["best_z_um"]) == pytest.approx(looks[2].best_z_um)
        assert datetime.fromisoformat(rows[0]["when"]) == looks[0].when
