"""Shards of training data: folders of arrays that appear whole or not at all, read through memory maps.

What lies in them is said by ``dataset.py``, ``field_dataset.py`` and ``refocus/samples.py``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.files import flush_to_disk

NAMES = "names.json"


@contextmanager
def writing_shard(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` to fill, which takes its place when the block ends well, and is removed otherwise.

    Raises
    ------
    InputError
        If it cannot be written, because the disk is full for instance; nothing is left of it then.
    """
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        for path in unfinished.iterdir():
            flush_to_disk(path)
        unfinished.rename(folder)
    except Exception as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}); is the disk full? Make room, then start again."
        ) from error


def finished_shards(folder: Path) -> list[Path]:
    """The shards of a folder, in order. Raises InputError if there is none."""
    found = sorted(p for p in folder.glob("shard-*") if p.is_dir() and p.suffix != ".part")
    if not found:
        raise InputError(f"{folder} holds no training data (no shard-* folder); write some first.")
    return found


def write_names(folder: Path, kind: int, names: dict[str, Any]) -> None:
    """Note the format of a shard and the names that its numbers stand for."""
    (folder / NAMES).write_text(json.dumps({"format": kind, **names}), encoding="utf-8")


def read_names(folder: Path, kind: int) -> dict[str, Any]:
    """The names of a shard. Raises InputError if they cannot be read, or another version wrote them."""
    try:
        names = dict(json.loads((folder / NAMES).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} cannot be read ({error}); delete it and make it again.") from error
    if names.get("format") != kind:
        raise InputError(
            f"{folder} was written as training data of format {names.get('format')}, this version reads {kind}; delete"
            " it and make it again."
        )
    return names


def read_array(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    """An array of a shard, left on disk if mapped. Raises InputError if it cannot be read."""
    try:
        return np.asarray(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path} is no readable array ({error}); delete its folder and make it again.") from error


def joined(shards: Sequence[Path], file: str) -> npt.NDArray[Any]:
    """The arrays of one name of all shards, one after the other, in memory. Raises InputError as they are read."""
    return np.concatenate([read_array(path / file) for path in shards])


class Rows:
    """The arrays of one name of all shards as one sequence of rows, left on disk.

    Raises
    ------
    InputError
        If one cannot be read.
    """

    def __init__(self, shards: Sequence[Path], file: str) -> None:
        self.parts = [read_array(path / file, mapped=True) for path in shards]
        self._starts = np.cumsum([0] + [len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return np.asarray(self.parts[shard][index - self._starts[shard]])
