"""Stacks read before they are needed: a thread reads what will be looked at next, within a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import StackFocus, ZStack
from napari_autofocus.io.napari import to_layer

ROOM_BYTES = 2**30
"""Memory for the stacks that are kept; a stack that does not fit stays in its file, read plane by plane."""
_LIMITS_PERCENT = (0.2, 99.8)
_LIMITS_STEP_PX = 4


@dataclass(frozen=True, eq=False)
class ReadStack:
    """A stack that can be shown at once.

    Parameters
    ----------
    stack : ZStack
        Its planes are in memory where ``in_memory`` is true, otherwise in the file.
    pixels : array, shape (Z, Y, X) or (Z, Y, X, C)
        For an image layer.
    about : dict
        Attributes of an image layer, as the reader gives them.
    focus : StackFocus or None
        What was measured of it before.
    """

    path: Path
    stack: ZStack
    pixels: Any
    about: dict[str, Any]
    in_memory: bool
    focus: StackFocus | None = None

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return int(self.pixels.nbytes) if self.in_memory else 0


class _NoLongerWanted(Exception):
    """Something else is wanted first."""


class Prefetch(QObject):
    """Reads the stacks that are wanted, the first one first, and keeps them until they are wanted no more.

    Parameters
    ----------
    open_stack : callable
        Opens a stack without reading its planes; called in the thread.
    focus_of : callable
        What was measured of a stack before, or None; called in the thread.
    room_bytes : int
        Memory for what is kept.
    """

    has_read = Signal(object)
    refused = Signal(object, object)
    """Path and the error that says why a stack cannot be read."""

    def __init__(
        self,
        open_stack: Callable[[Path], ZStack],
        focus_of: Callable[[Path], StackFocus | None],
        *,
        room_bytes: int = ROOM_BYTES,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._open, self._focus_of, self._room = open_stack, focus_of, room_bytes
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="napari-autofocus reading")
        self._lock = threading.Lock()
        self._wanted: tuple[Path, ...] = ()
        self._kept: dict[Path, ReadStack] = {}
        self._bad: set[Path] = set()
        self._under_way: Future[None] | None = None
        self._closed = False

    @property
    def kept(self) -> tuple[Path, ...]:
        """The stacks that could be shown at once."""
        with self._lock:
            return tuple(self._kept)

    def get(self, path: Path) -> ReadStack | None:
        """A stack that has been read; None where it has not."""
        with self._lock:
            return self._kept.get(path)

    def want(self, paths: Sequence[Path]) -> None:
        """Read these, the most urgent first, and let go of all others."""
        with self._lock:
            self._wanted = tuple(dict.fromkeys(paths))
            self._kept = {path: read for path, read in self._kept.items() if path in self._wanted}
            self._bad.clear()
            if not self._closed and (self._under_way is None or self._under_way.done()):
                self._under_way = self._pool.submit(self._work)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Read no more, let go of everything; returns whether the thread came to rest in time."""
        with self._lock:
            self._closed, self._wanted = True, ()
            self._kept.clear()
            under_way = [self._under_way] if self._under_way is not None else []
        at_rest = not wait(under_way, timeout_s).not_done
        self._pool.shutdown(wait=at_rest)
        return at_rest

    # in the thread

    def _work(self) -> None:
        while (path := self._next()) is not None:
            try:
                read = self._read(path)
            except _NoLongerWanted:
                continue
            except (AutofocusError, OSError) as error:
                with self._lock:
                    self._bad.add(path)
                self.refused.emit(path, error)
                continue
            self._keep(read)

    def _next(self) -> Path | None:
        with self._lock:
            left = (path for path in self._wanted if path not in self._kept and path not in self._bad)
            found = next(left, None)
            if found is None:
                self._under_way = None  # under the lock: whoever wants something from now on starts anew
            return found

    def _keep(self, read: ReadStack) -> None:
        with self._lock:
            wanted = read.path in self._wanted
            if wanted:
                self._kept[read.path] = read
        if wanted:
            self.has_read.emit(read)

    def _read(self, path: Path) -> ReadStack:
        stack = self._open(path)
        lazy, about, _ = to_layer(stack)
        in_memory = self._fits(lazy.nbytes)
        pixels = self._planes(path, stack) if in_memory else lazy
        if not about["rgb"]:
            about["contrast_limits"] = _limits(pixels, lazy.dtype)
        kept = replace(stack, data=pixels) if in_memory else stack
        return ReadStack(path, kept, pixels, about, in_memory, self._focus_of(path))

    def _fits(self, nbytes: int) -> bool:
        with self._lock:
            return sum(read.nbytes for read in self._kept.values()) + nbytes <= self._room

    def _planes(self, path: Path, stack: ZStack) -> np.ndarray:
        planes = np.empty(stack.data.shape, stack.data.dtype)
        for index in range(len(stack)):
            self._give_way(path)
            planes[index] = stack.plane(index)
        return planes

    def _give_way(self, path: Path) -> None:
        """Leave a stack that is not wanted any more, or not as much as the one that the user waits for."""
        with self._lock:
            if path not in self._wanted:
                raise _NoLongerWanted
            first = self._wanted[0]
            if path != first and first not in self._kept and first not in self._bad:
                raise _NoLongerWanted


def _limits(pixels: Any, dtype: np.dtype) -> tuple[float, float]:
    """Contrast limits from the middle plane, which is near focus, free of single odd pixels."""
    middle = np.asarray(pixels[len(pixels) // 2])[::_LIMITS_STEP_PX, ::_LIMITS_STEP_PX]
    low, high = (float(value) for value in np.nanpercentile(middle, _LIMITS_PERCENT))
    if high > low:
        return low, high
    return (low, low + 1.0) if dtype.kind == "f" else (0.0, float(np.iinfo(dtype).max if dtype.kind in "iu" else 1))
