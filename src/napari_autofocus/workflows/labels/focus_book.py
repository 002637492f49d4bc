"""What Brenner found in each stack of a data set, kept on the disk so that nothing is measured twice.

A small file a stack, beside the stacks in ``.napari-autofocus/focus``, or in the user's cache where the data set cannot
be written. Nobody's opinion is in here, only measurements: the folder may be deleted at any time, and costs time only.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import platformdirs

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.focus.zstack import FocusSettings, StackFocus
from napari_autofocus.io.stacks import split_position
from napari_autofocus.workflows.labels.focus_file import FocusRecord, read_focus, write_focus

BESIDE = Path(".napari-autofocus") / "focus"
"""Where a book lies below the data set's folder."""
_ABANDONED_S = 3600.0  # age from which an unfinished file is what a killed process left behind


class Measuring(Protocol):
    """What decides on a measurement: ``LabelSettings`` of the batch, ``ReadingSettings`` of data sets."""

    @property
    def focus(self) -> FocusSettings:
        """Measure, polarity, patches."""

    @property
    def step_um(self) -> float | None:
        """Distance of planes in place of what the file says, µm."""

    @property
    def channel(self) -> int | str | None:
        """Which channel."""


@dataclass(frozen=True)
class StackState:
    """A stack's files as they are now: equal states hold equal planes.

    Parameters
    ----------
    files : int
        One, or those of a folder.
    size : int
        Bytes of all of them.
    changed_ns : int
        When the last of them was changed, ns.
    """

    files: int
    size: int
    changed_ns: int


def state_of(path: Path) -> StackState | None:
    """The state of a stack's file or folder; None if it is gone or may not be read. Take it before measuring."""
    place, _ = split_position(path)
    try:
        found = [place.stat()] if not place.is_dir() else [entry.stat() for entry in _files_below(place)]
    except OSError:
        return None
    newest = max((each.st_mtime_ns for each in found), default=0)
    return StackState(len(found), sum(each.st_size for each in found), newest)


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != BESIDE.parts[0]:
                    yield from _files_below(Path(entry.path))
            else:
                yield entry


class FocusBook:
    """The measurements of a data set's stacks; any number of processes may read and write at once.

    Parameters
    ----------
    root : Path
        The data set's folder. Stacks are known by their path below it, so that the folder can be moved.
    folder : Path, optional
        Where to keep what is found, if that was settled before (by another process, say).
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self.root = root.resolve()
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        self._beside = self.root / BESIDE
        self._settled = folder
        self._cache = platformdirs.user_cache_path("napari-autofocus", appauthor=False) / "focus" / name

    @cached_property
    def folder(self) -> Path:
        """Where new measurements are kept: beside the stacks, otherwise in the user's cache; made if need be.

        Raises
        ------
        InputError
            If neither can be made.
        """
        if self._settled is not None:
            return self._settled
        try:
            make_folder(self._beside)
        except InputError:
            pass
        else:
            if os.access(self._beside, os.W_OK):
                return self._beside
        make_folder(self._cache)
        return self._cache

    @property
    def note(self) -> str | None:
        """A sentence where measurements are not kept beside the stacks, None where they are or nothing was kept."""
        if "folder" not in vars(self) or self.folder == self._beside:
            return None
        return f"{self.root} cannot be written, so what is measured is kept in {self.folder}."

    def get(self, path: Path, how: FocusSettings | Measuring) -> StackFocus | None:
        """What was found in a stack; None if it was not measured so, has changed since, or the file is damaged."""
        state = state_of(path)
        if state is None:
            return None
        about = self._about(path, how)
        for folder in (self._beside, self._cache):
            record = read_focus(folder / _file_name(about))
            if record is not None and record.about == {**about, "state": asdict(state)}:
                return replace(record.focus, source=os.fspath(path))
        return None

    def put(
        self, path: Path, how: FocusSettings | Measuring, focus: StackFocus, *, state: StackState | None = None
    ) -> None:
        """Keep what was found in a stack; it is on the disk when this returns.

        Parameters
        ----------
        path : Path
            The stack, below the root or anywhere else.
        how : FocusSettings or Measuring
            How it was measured.
        focus : StackFocus
            What was found.
        state : StackState, optional
            The stack's, from :func:`state_of`, before it was measured; without it, as it is now.

        Raises
        ------
        InputError
            If nothing can be written: a full disk, say.
        """
        state = state or state_of(path)
        if state is None:
            return
        about = self._about(path, how)
        record = FocusRecord({**about, "state": asdict(state)}, focus)
        write_focus(self.folder / _file_name(about), record)

    def tidy(self) -> None:
        """Remove the unfinished files that killed processes left behind more than an hour ago."""
        for folder in (self._beside, self._cache):
            for left in folder.glob(".*.part"):
                try:
                    if time.time() - left.stat().st_mtime > _ABANDONED_S:
                        left.unlink()
                except OSError:  # somebody else's, or gone by now
                    continue

    def _about(self, path: Path, how: FocusSettings | Measuring) -> dict[str, Any]:
        """The stack and how it is measured, in JSON values."""
        focus, step_um, channel = (
            (how, None, None) if isinstance(how, FocusSettings) else (how.focus, how.step_um, how.channel)
        )
        return {"stack": self._name(path), "focus": asdict(focus), "step_um": step_um, "channel": channel}

    def _name(self, path: Path) -> str:
        """Path below the root, with forward slashes; the whole path for a stack that lies elsewhere."""
        place = path.absolute().parent.resolve() / path.name
        return (place.relative_to(self.root) if place.is_relative_to(self.root) else place).as_posix()


def _file_name(about: dict[str, Any]) -> str:
    """A name that only this stack, measured this way, has; it begins with the stack's own for those who look."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:20]
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(about["stack"]).name)[:40]
    return f"{stem}-{digest}.npz"
