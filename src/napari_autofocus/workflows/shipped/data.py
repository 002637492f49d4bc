"""The training data of the models that ship: shards of simulated fields, each a pure function of its number."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError

WriteShard = Callable[[Path, int], None]
"""Writes one shard, given the folder of the data and its number; run in processes of its own."""


@dataclass(frozen=True)
class ShardWritten:
    """Progress: so many shards of training data are there."""

    done: int
    total: int


def check_fields(name: str, fields: Any, file: Path) -> None:
    """Note which slides the training data are drawn from; data of another recipe must not be taken for this one's.

    Parameters
    ----------
    name : str
        Of the recipe.
    fields : dataclass
        What slides are drawn from.
    file : Path
        The note, in the folder of the recipe.

    Raises
    ------
    InputError
        If it says otherwise.
    """
    wanted = json.loads(json.dumps(asdict(fields)))
    if not file.exists():
        file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    elif json.loads(file.read_text(encoding="utf-8")) != wanted:
        raise InputError(
            f"{file.parent} holds training data of another recipe than {name} is now; delete it, or name another"
            " folder."
        )


def shard_of(data: Path, number: int) -> Path:
    """Folder of a shard."""
    return data / f"shard-{number:04d}"


def write_shards(write: WriteShard, data: Path, shards: int, processes: int) -> Generator[ShardWritten, None, None]:
    """Write the shards that are not there yet, in processes that work side by side."""
    missing = [number for number in range(shards) if not shard_of(data, number).exists()]
    yield ShardWritten(shards - len(missing), shards)
    # Fresh processes: a fork would inherit the threads of torch in an unknown state.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        coming = [pool.submit(write, data, number) for number in missing]
        try:
            for done, finished in enumerate(as_completed(coming), shards - len(missing) + 1):
                finished.result()
                yield ShardWritten(done, shards)
        finally:
            pool.shutdown(cancel_futures=True)
