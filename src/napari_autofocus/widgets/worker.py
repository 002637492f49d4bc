"""Long work beside the GUI: generators and single calls run one after another in a thread of their own.

Knows neither microscopes nor napari. What is told here is told on the thread that made the :class:`Worker`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from qtpy.QtCore import QObject, Signal, SignalInstance

from napari_autofocus.errors import AutofocusError, HardwareError

Work = Generator[Any, None, Any]
Listener = Callable[[Any], None] | SignalInstance

_CLOSED = "The viewer has been closed; nothing more can be started."
_STEPS_AHEAD = 2
_PATIENCE_S = 0.05


class Job(QObject):
    """One generator on its way; signals arrive on the GUI thread.

    Exactly one of ``returned``, ``failed``, ``cancelled`` and ``crashed`` is emitted, then ``ended``.
    """

    stepped = Signal(object)
    returned = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    crashed = Signal(object)
    ended = Signal()

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._stop = threading.Event()
        self._room = threading.Semaphore(_STEPS_AHEAD)
        self.stepped.connect(self._on_step_heard)
        self.crashed.connect(_raise)

    def cancel(self) -> None:
        """Close the generator after the step it is in; its ``finally`` puts things back."""
        self._stop.set()

    def drive(self) -> None:
        """Run to the end; called on the worker's thread.

        A ``RuntimeError`` is what pymmcore raises for every fault of the hardware, so it is told as one.
        """
        try:
            self._advance()
        except StopIteration as stop:
            self.returned.emit(stop.value)
        except AutofocusError as error:
            self.failed.emit(error)
        except (RuntimeError, TimeoutError) as error:
            translated = HardwareError(f"The hardware reported: {error}")
            translated.__cause__ = error
            self.failed.emit(translated)
        except BaseException as bug:
            # A programming error: raised again on the GUI thread, where napari shows it with its traceback.
            self.crashed.emit(bug)
            raise
        else:
            self.cancelled.emit()
        finally:
            self.ended.emit()

    def _advance(self) -> None:
        try:
            while not self._stop.is_set():
                step = next(self._work)
                # A job that runs ahead of the screen would pile up steps, and Stop would come too late.
                while not self._room.acquire(timeout=_PATIENCE_S) and not self._stop.is_set():
                    pass
                self.stepped.emit(step)
        finally:
            self._work.close()

    def _on_step_heard(self, *_: object) -> None:
        self._room.release()


class Worker(QObject):
    """A queue with one thread behind it.

    Parameters
    ----------
    name : str
        Name of the thread.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._jobs: dict[Job, Future[None]] = {}
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._jobs)

    def run(
        self,
        work: Work,
        *,
        step: Listener | None = None,
        done: Listener | None = None,
        failed: Listener | None = None,
        cancelled: Callable[[], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Job:
        """Queue a generator.

        Parameters
        ----------
        work : generator
            Yields progress, returns its result.
        step, done, failed, cancelled, ended : callable or signal, optional
            Told of each progress record, the result, the error (an :class:`AutofocusError`), the cancelling, and the
            end whatever it was. Signals and methods of a QObject are let go of when Qt deletes it; a bound ``emit`` or
            a lambda would still be called then, and crash.

        Raises
        ------
        HardwareError
            If the worker has been closed.
        """
        if self._closed:
            raise HardwareError(_CLOSED)
        job = Job(work)
        listeners = ((job.stepped, step), (job.returned, done), (job.failed, failed), (job.cancelled, cancelled))
        for signal, listener in (*listeners, (job.ended, ended)):
            if listener is not None:
                signal.connect(listener)
        job.ended.connect(lambda: self._jobs.pop(job, None))
        try:
            self._jobs[job] = self._pool.submit(job.drive)
        except RuntimeError as error:  # Python is about to end, and the viewer was never closed
            raise HardwareError(_CLOSED) from error
        return job

    def call(self, function: Callable[[], Any], **listeners: Callable[..., Any] | None) -> Job:
        """Queue one call; ``done`` is told what it returned, the others as in :meth:`run`."""
        return self.run(_as_generator(function), **listeners)

    def cancel_all(self) -> None:
        """Ask every job to stop after the step it is in; those that wait do not begin."""
        for job in list(self._jobs):
            job.cancel()

    def join(self, timeout_s: float = 30.0) -> bool:
        """Wait until nothing runs; returns whether that came in time."""
        return not wait(list(self._jobs.values()), timeout_s).not_done

    def close(self, timeout_s: float = 30.0) -> bool:
        """Cancel everything, wait for the thread, and take no more work.

        Returns
        -------
        bool
            Whether the thread came to rest in time.
        """
        self._closed = True
        self.cancel_all()
        at_rest = self.join(timeout_s)
        self._pool.shutdown(wait=at_rest, cancel_futures=True)
        return at_rest


def _as_generator(function: Callable[[], Any]) -> Work:
    return function()
    yield  # makes this a generator


def _raise(bug: BaseException) -> None:
    raise bug
