"""A thread that works on the newest task only: one is under way, at most one waits, and a newer one takes its place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError

Task = Callable[[], Any]


class NewestOnly(QObject):
    """Asked and answering on the thread that made it; the thread behind it sleeps, without polling, until it is asked.

    It takes the task that waits by itself: a window that is being drawn does not keep it from working.

    Parameters
    ----------
    name : str
        Name of the thread.
    """

    answered = Signal(object)
    refused = Signal(object)
    _ended = Signal(int, object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.RLock()
        self._waiting: tuple[int, Task] | None = None
        self._under_way: Future[Any] | None = None
        self._era = 0
        self._closed = False
        self._ended.connect(self._on_ended)

    def ask(self, task: Task) -> None:
        """Have a task done, in place of one that waits; nothing is done any more once this is closed."""
        with self._lock:
            if self._closed:
                return
            if self._under_way is not None:
                self._waiting = self._era, task
            else:
                self._start(self._era, task)

    def forget(self) -> None:
        """Drop what waits, and tell no answer to what was asked until now."""
        with self._lock:
            self._waiting = None
            self._era += 1

    def close(self, timeout_s: float = 30.0) -> bool:
        """Take no more work and wait for the thread; returns whether it came to rest in time."""
        self.forget()
        with self._lock:
            self._closed = True
        under_way = [self._under_way] if self._under_way is not None else []
        at_rest = not wait(under_way, timeout_s).not_done
        self._pool.shutdown(wait=at_rest)
        return at_rest

    def _start(self, era: int, task: Task) -> None:
        try:
            self._under_way = self._pool.submit(task)
        except RuntimeError:  # Python is about to end, and this was never closed
            return
        self._under_way.add_done_callback(lambda done: self._on_done(era, done))

    def _on_done(self, era: int, done: Future[Any]) -> None:
        """Runs in the thread, as soon as a task is done."""
        with self._lock:
            waiting, self._waiting, self._under_way = self._waiting, None, None
            if waiting is not None:
                self._start(*waiting)
        self._ended.emit(era, done)

    def _on_ended(self, era: int, done: Future[Any]) -> None:
        if era != self._era:
            return
        error = done.exception()
        if error is None:
            self.answered.emit(done.result())
        elif isinstance(error, AutofocusError):
            self.refused.emit(error)
        else:
            raise error  # a programming error: napari shows it with its traceback
