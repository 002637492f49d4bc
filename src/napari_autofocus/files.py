"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_autofocus.errors import InputError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary name beside ``target`` that takes its place when the block ends well, and is removed otherwise.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}); choose a folder that exists.") from error
    temporary = Path(name)
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror or error}).") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(target: Path) -> None:
    """Remove what :func:`replacing` left beside a file when its process was killed; nobody may be writing it now."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        left.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, unless it is there.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}); name another.") from error


def flush_to_disk(path: Path) -> None:
    """Wait until a file's content is on the disk, where a power cut leaves it."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
