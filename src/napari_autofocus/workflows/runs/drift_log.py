"""Where best focus lay over time, from frames that are taken anyway: holds of focus, live estimates, refocus runs.

Each look is a line; looks at one place of the slide by one drive make a series, whose drift ``focus/drift.py`` tells.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.focus.drift import Drift, drift_of
from napari_autofocus.focus.estimate import refocus_z_um
from napari_autofocus.records import RefocusRecord, SweepRecord, TrackRecord
from napari_autofocus.workflows.reports.tables import write_table
from napari_autofocus.workflows.runs.entry import RunEntry

SAME_PLACE_UM = 20.0
"""Looks that lie this near to each other on the slide are of one place (ours)."""


@dataclass(frozen=True)
class Look:
    """Where best focus lay when a frame was taken.

    Parameters
    ----------
    when : datetime
        With its time zone.
    source : str
        ``hold``, ``live``, ``refocus`` or ``sweep``.
    z_um : float
        Drive position, µm.
    best_z_um : float
        Drive position of best focus, µm.
    uncertainty_um : float or None
        Its standard uncertainty.
    x_um, y_um : float or None
        Place on the slide.
    model : str
        Who said so.
    """

    when: datetime
    source: str
    z_um: float
    best_z_um: float
    uncertainty_um: float | None = None
    x_um: float | None = None
    y_um: float | None = None
    model: str = ""

    def is_near(self, other: Look) -> bool:
        """Whether both are of one place; places that nobody knows count as one."""
        if None in (self.x_um, self.y_um, other.x_um, other.y_um):
            return True
        return math.hypot(self.x_um - other.x_um, self.y_um - other.y_um) <= SAME_PLACE_UM  # type: ignore[operator]


COLUMNS: dict[str, type] = {
    each.name: (str if each.name in ("when", "source", "model") else float) for each in fields(Look)
}


def looks_of_hold(record: TrackRecord, ended: datetime) -> list[Look]:
    """The looks of a hold since its last pause: after one, the place is another.

    Parameters
    ----------
    record : TrackRecord
        Of the hold.
    ended : datetime
        When it ended, with its time zone.
    """
    if record.focus_direction == 0:
        return []
    looks: list[Look] = []
    for sample in record.samples:
        if sample.state in ("paused", "resumed"):
            looks.clear()
        if sample.defocus_um is None or not math.isfinite(sample.defocus_um):
            continue
        taken_um = sample.z_um - sample.moved_um  # z is told after the move
        best_um = refocus_z_um(taken_um, sample.defocus_um, record.focus_direction)
        when = ended - timedelta(seconds=record.seconds - sample.at_s)
        looks.append(Look(when, "hold", taken_um, best_um, None, record.x_um, record.y_um, record.model))
    return looks


def looks_of_runs(entries: Iterable[RunEntry]) -> list[Look]:
    """The looks of a run log, oldest first: a refocus tells one, a sweep its peak, a hold one each round."""
    looks: list[Look] = []
    for entry in entries:
        record = entry.record
        if isinstance(record, TrackRecord):
            looks += looks_of_hold(record, entry.when)
        elif isinstance(record, SweepRecord):
            if record.best_z_um is not None and record.outcome == "focused":
                looks.append(Look(entry.when, "sweep", record.end_um, record.best_z_um, record.uncertainty_um))
        elif (look := _of_refocus(record, entry.when)) is not None:
            looks.append(look)
    return sorted(looks, key=lambda look: look.when)


def _of_refocus(record: RefocusRecord, when: datetime) -> Look | None:
    """Best focus by the last frame of a run that ended in focus."""
    known = record.after_um is not None and record.focus_direction != 0
    if record.outcome not in ("focused", "already_in_focus") or not known:
        return None
    best_um = refocus_z_um(record.end_um, record.after_um or 0.0, record.focus_direction)
    about = record.after_uncertainty_um, record.x_um, record.y_um, record.model
    return Look(when, "refocus", record.end_um, best_um, *about)


def newest_series(looks: Sequence[Look]) -> list[Look]:
    """The looks at the place of the newest one, back to where the slide was last elsewhere; oldest first."""
    series: list[Look] = []
    for look in reversed(looks):
        if series and not look.is_near(series[0]):
            break
        series.append(look)
    return series[::-1]


def drift_of_looks(looks: Sequence[Look]) -> Drift | None:
    """The drift of looks at one place; None where there are too few."""
    sigma = [look.uncertainty_um for look in looks]
    known = [value for value in sigma if value is not None]
    filled = [sum(known) / len(known) if value is None else value for value in sigma] if known else None
    return drift_of([look.when.timestamp() for look in looks], [look.best_z_um for look in looks], filled)


def write_looks(path: Path, looks: Sequence[Look]) -> None:
    """Write a table of looks (``.csv`` or ``.parquet``); the file appears complete or not at all. Raises InputError."""
    write_table(path, [_row(look) for look in looks], COLUMNS)


def append_look(path: Path, look: Look) -> None:
    """Append one look to a CSV file, which is begun with its header where it is not there yet. Raises InputError."""
    try:
        begins = not path.exists() or path.stat().st_size == 0
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(COLUMNS))
            if begins:
                writer.writeheader()
            writer.writerow(_row(look))
    except OSError as error:
        raise InputError(f"The drift could not be written to {path} ({error.strerror}); name another file.") from error


def drift_path(path: Path) -> Path:
    """Where the drift is logged beside a run log."""
    return path.with_name(f"{path.stem}-drift.csv")


def now() -> datetime:
    """The time of a look that is taken now."""
    return datetime.now(UTC)


def _row(look: Look) -> dict[str, Any]:
    return {**asdict(look), "when": look.when.isoformat(timespec="milliseconds")}
