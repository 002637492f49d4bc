"""A thread that works on the newest task only: one is under way, at most one waits, and a newer one takes its place."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError

Task = Callable[[], Any]


class NewestOnly(QObject):
    """Asked and answering on the thread that made it; the thread behind it sleeps, without polling, until it is asked.

    Parameters
    ----------
    name : str
        Name of the thread.
    """

    answered = Signal(object)
    refused = Signal(object)
    _ended = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._under_way: Future[Any] | None = None
        self._waiting: Task | None = None
        self._forgotten = False
        self._closed = False
        self._ended.connect(self._on_ended)

    def ask(self, task: Task) -> None:
        """Have a task done, in place of one that waits; nothing is done any more once this is closed."""
        if self._closed:
            return
        if self._under_way is not None:
            self._waiting = task
            return
        self._forgotten = False
        self._under_way = self._pool.submit(task)
        self._under_way.add_done_callback(self._ended.emit)

    def forget(self) -> None:
        """Drop what waits, and tell no answer to what was asked until now."""
        self._waiting, self._forgotten = None, True

    def close(self, timeout_s: float = 30.0) -> bool:
        """Take no more work and wait for the thread; returns whether it came to rest in time."""
        self._closed = True
        self.forget()
        under_way = [self._under_way] if self._under_way is not None else []
        at_rest = not wait(under_way, timeout_s).not_done
        self._pool.shutdown(wait=at_rest)
        return at_rest

    def _on_ended(self, done: Future[Any]) -> None:
        forgotten, self._under_way = self._forgotten, None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.ask(waiting)
        if not forgotten:
            self._tell(done)

    def _tell(self, done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            self.answered.emit(done.result())
        elif isinstance(error, AutofocusError):
            self.refused.emit(error)
        else:
            raise error  # a programming error: napari shows it with its traceback
