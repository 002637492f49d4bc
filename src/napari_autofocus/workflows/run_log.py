"""Every run and every hold of a session, in memory and bounded; ``workflows/runs/files.py`` writes and reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy.typing as npt
from psygnal import Signal

from napari_autofocus.errors import InputError
from napari_autofocus.routines.refocus_config import Composite
from napari_autofocus.workflows.runs.entry import RunEntry, RunRecord, small_depth, thumbnails
from napari_autofocus.workflows.runs.files import append_line, read_json, write_csv, write_json

__all__ = ["MOST_RUNS", "RunEntry", "RunLog", "read_json"]

MOST_RUNS = 500


class RunLog:
    """The runs of a session, oldest first.

    Emits ``added`` (the RunEntry) and ``cleared``.

    Parameters
    ----------
    path : Path, optional
        Also append every run to this file, one JSON object a line; ``read_json`` reads it back. None: memory only.
    most : int
        Runs that are kept in memory; the oldest give way.
    """

    added = Signal(object)
    cleared = Signal()

    def __init__(self, path: Path | None = None, *, most: int = MOST_RUNS) -> None:
        if most < 1:
            raise InputError(f"A run log keeps at least one run; found most = {most}.")
        self.path = path
        self._most = most
        self._entries: list[RunEntry] = []
        self._counted = 0
        self._left_out = 0

    @property
    def entries(self) -> tuple[RunEntry, ...]:
        """The runs that are kept, oldest first."""
        return tuple(self._entries)

    @property
    def left_out(self) -> int:
        """Runs that gave way to newer ones since the log was last cleared."""
        return self._left_out

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        record: RunRecord,
        *,
        before: npt.NDArray[Any] | None = None,
        after: npt.NDArray[Any] | None = None,
        composite: Composite | None = None,
        when: datetime | None = None,
    ) -> RunEntry:
        """Keep one more run.

        Parameters
        ----------
        record : SweepRecord, RefocusRecord or TrackRecord
            What the run left behind.
        before, after : np.ndarray, shape (Y, X) or (Y, X, 3)
            The first and the last frame, full size; only small copies are kept.
        composite : Composite, optional
            The all-in-focus image of an uneven field with its depth; only small copies are kept.
        when : datetime, optional
            With its time zone; now by default.

        Raises
        ------
        InputError
            If ``when`` has no time zone, or the log's file cannot be written; in the latter case the run is kept in
            memory all the same.
        """
        moment = when or datetime.now(UTC)
        if moment.tzinfo is None:
            raise InputError(f"The time of a run needs its time zone; found {moment.isoformat()}: give it in UTC.")
        self._counted += 1
        entry = RunEntry(self._counted, moment.astimezone(UTC), record, *thumbnails(before, after))
        if composite is not None:
            small, _ = thumbnails(composite.image, None)
            entry = replace(entry, composite=small, depth_um=small_depth(composite.depth_um))
        self._entries.append(entry)
        self._trim()
        self.added.emit(entry)
        if self.path is not None:
            append_line(self.path, entry)
        return entry

    def clear(self) -> None:
        """Forget every run; numbers go on, so that no two runs of a session share one."""
        self._entries.clear()
        self._left_out = 0
        self.cleared.emit()

    def export_csv(self, path: Path) -> None:
        """Write one row a run (see ``run_files.COLUMNS``). Raises InputError."""
        write_csv(path, self.entries)

    def export_json(self, path: Path, *, pictures: bool = False) -> None:
        """Write full records, with shots and curves; ``pictures`` puts the thumbnails into a folder beside the file.

        Raises
        ------
        InputError
            If the folder does not exist or cannot be written.
        """
        write_json(path, self.entries, left_out=self._left_out, pictures=pictures)

    def _trim(self) -> None:
        surplus = len(self._entries) - self._most
        if surplus > 0:
            del self._entries[:surplus]
            self._left_out += surplus
