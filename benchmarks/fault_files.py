"""A disk that fills up under a folder, byte by byte, for the fault campaign."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class FullDisk:
    """Files below a folder take so many bytes and not one more; used as a context manager."""

    def __init__(self, folder: Path, room_bytes: int) -> None:
        self._folder, self.left, self.written, self.struck = os.path.realpath(folder), room_bytes, 0, 0

    def __enter__(self) -> FullDisk:
        self._open = io.open
        builtins.open = io.open = self._opened  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        builtins.open = io.open = self._open

    def _opened(self, file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        handle = self._open(file, mode, *arguments, **named)
        is_ours = not isinstance(file, int) and os.path.realpath(os.fspath(file)).startswith(self._folder)
        if is_ours and set(mode) & set("wax+"):
            write = handle.write
            return _Watched(handle, lambda data: self._take(data, write))
        return handle

    def _take(self, data: Any, write: Callable[[Any], int]) -> int:
        size = len(data.encode()) if isinstance(data, str) else memoryview(data).nbytes
        self.written += size
        if size > self.left:
            self.struck += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= size
        return write(data)


class _Watched:
    """A file whose writing is counted."""

    def __init__(self, handle: Any, write: Callable[[Any], int]) -> None:
        self._handle, self.write = handle, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def __enter__(self) -> _Watched:
        self._handle.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._handle.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._handle)
