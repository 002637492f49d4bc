from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest
from pytestqt.qtbot import QtBot
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.widgets.worker import Worker


@pytest.fixture
def worker(qtbot: QtBot) -> Iterator[Worker]:
    made = Worker("test worker")
    yield made
    assert made.close(5)


def counting(log: list[str], release: threading.Event | None = None) -> Generator[int, None, str]:
    try:
        for number in range(3):
            yield number
            if release is not None:
                release.wait(5)
        return "counted"
    finally:
        log.append("put back")


def test_steps_and_result_arrive_in_order_on_the_gui_thread(worker: Worker, qtbot: QtBot) -> None:
    heard: list[object] = []
    threads: set[int] = set()

    def hear(what: object) -> None:
        heard.append(what)
        threads.add(threading.get_ident())

    worker.run(counting([]), step=hear, done=hear)
    qtbot.waitUntil(lambda: not worker.busy)
    assert heard == [0, 1, 2, "counted"]
    assert threads == {threading.get_ident()}


def test_cancel_closes_the_generator_between_steps(worker: Worker, qtbot: QtBot) -> None:
    log: list[str] = []
    release = threading.Event()
    job = worker.run(counting(log, release), step=lambda step: job.cancel(), cancelled=lambda: log.append("cancelled"))
    qtbot.waitUntil(lambda: job._stop.is_set())
    release.set()
    qtbot.waitUntil(lambda: not worker.busy)
    assert log == ["put back", "cancelled"]


@pytest.mark.parametrize("error", [RuntimeError("Device timed out"), InputError("Device timed out")])
def test_errors_arrive_as_ours(worker: Worker, qtbot: QtBot, error: Exception) -> None:
    told: list[Exception] = []

    def fail() -> None:
        raise error

    worker.call(fail, failed=lambda error: told.append(error))
    qtbot.waitUntil(lambda: not worker.busy)
    assert isinstance(told[0], HardwareError | InputError)
    assert "Device timed out" in str(told[0])


def test_a_programming_error_is_raised_where_napari_shows_it(worker: Worker, qtbot: QtBot) -> None:
    with qtbot.capture_exceptions() as raised:
        worker.call(lambda: 1 / 0)
        qtbot.waitUntil(lambda: not worker.busy)
    assert raised[0][0] is ZeroDivisionError


def test_jobs_run_one_after_another(worker: Worker, qtbot: QtBot) -> None:
    order: list[str] = []
    first = threading.Event()
    worker.call(lambda: (first.wait(5), order.append("first")))
    worker.call(lambda: order.append("second"))
    first.set()
    qtbot.waitUntil(lambda: not worker.busy)
    assert order == ["first", "second"]


def test_close_cancels_joins_and_refuses_more(qtbot: QtBot) -> None:
    worker, log, release = Worker("closing worker"), [], threading.Event()
    worker.run(counting(log, release))
    worker.cancel_all()
    release.set()
    assert worker.close(5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("closing worker")]
    with pytest.raises(HardwareError, match="viewer has been closed"):
        worker.call(lambda: None)


def test_work_that_comes_while_python_ends_is_refused(worker: Worker) -> None:
    """A viewer that was never closed: Python's threads take no more, and a panel that goes must not crash on it."""
    worker._pool.shutdown()
    with pytest.raises(HardwareError, match="viewer has been closed"):
        worker.call(lambda: None)


def test_what_ends_after_its_widget_has_gone_is_told_to_nobody(worker: Worker, qtbot: QtBot) -> None:
    class Listening(QObject):
        stepped = Signal(object)
        done = Signal(object)

    release, log, heard = threading.Event(), [], []
    listening = Listening()
    listening.done.connect(heard.append)
    worker.run(counting(log, release), step=listening.stepped, done=listening.done)
    listening.deleteLater()
    qtbot.waitUntil(lambda: not isalive(listening))
    release.set()
    qtbot.waitUntil(lambda: not worker.busy)

    assert log == ["put back"]
    assert heard == []
