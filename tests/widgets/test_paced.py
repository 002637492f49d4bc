"""A generator paced by its own waits: steps in between, others first, and an end whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication

from napari_autofocus.errors import HardwareError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.parts.paced import PacedJob
from napari_autofocus.widgets.session import Session


@dataclass(frozen=True)
class Step:
    number: int
    wait_s: float


class Counter:
    """A generator that counts, and a log of what became of it and where."""

    def __init__(self, wait_s: float = 0.0, most: int = 10**6) -> None:
        self.wait_s, self.most = wait_s, most
        self.closed = 0
        self.threads: set[str] = set()
        self.error: Exception | None = None

    def work(self) -> Generator[Step, None, str]:
        try:
            for number in range(self.most):
                self.threads.add(threading.current_thread().name)
                if self.error is not None:
                    raise self.error
                yield Step(number, self.wait_s)
            return "counted"
        finally:
            self.closed += 1


class Heard:
    """Everything that a job told."""

    def __init__(self, job: PacedJob) -> None:
        self.steps: list[Step] = []
        self.returned: list[str] = []
        self.failed: list[object] = []
        self.ended = 0
        job.stepped.connect(self.steps.append)
        job.returned.connect(self.returned.append)
        job.failed.connect(self.failed.append)
        job.ended.connect(self._on_ended)

    def _on_ended(self) -> None:
        self.ended += 1


Started = tuple[PacedJob, Heard]


@pytest.fixture
def start(connected: tuple[Session, SimulatedRig]) -> Callable[[Counter], Started]:
    def make(counter: Counter) -> Started:
        job = PacedJob(connected[0], counter.work())
        heard = Heard(job)
        job.start()
        return job, heard

    return make


def test_every_step_is_taken_on_the_hardware_thread_and_told_in_order(
    start: Callable[[Counter], Started], qtbot: QtBot
) -> None:
    counter = Counter(most=5)
    job, heard = start(counter)
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert [step.number for step in heard.steps] == [0, 1, 2, 3, 4]
    assert (heard.returned, heard.failed, job.is_over) == (["counted"], [], True)
    assert all(name.startswith("napari-autofocus hardware") for name in counter.threads)


def test_nothing_waits_on_the_hardware_thread_between_steps(
    connected: tuple[Session, SimulatedRig], start: Callable[[Counter], Started], qtbot: QtBot
) -> None:
    session, _ = connected
    job, heard = start(Counter(wait_s=60.0))
    qtbot.waitUntil(lambda: len(heard.steps) == 1)
    done: list[object] = []
    session.ask(lambda microscope: microscope.focus.move_to(3.0), done=done.append)
    qtbot.waitUntil(lambda: bool(done))
    assert len(heard.steps) == 1
    job.cancel()
    qtbot.waitUntil(lambda: heard.ended == 1)


def test_cancelling_between_steps_closes_the_generator_once(start: Callable[[Counter], Started], qtbot: QtBot) -> None:
    counter = Counter(wait_s=60.0)
    job, heard = start(counter)
    qtbot.waitUntil(lambda: len(heard.steps) == 1)
    job.cancel()
    job.cancel()
    qtbot.waitUntil(lambda: heard.ended > 0)
    assert (counter.closed, heard.ended, heard.returned, heard.failed) == (1, 1, [], [])


def test_a_listener_may_cancel(start: Callable[[Counter], Started], qtbot: QtBot) -> None:
    counter = Counter()
    job, heard = start(counter)
    job.stepped.connect(lambda step: job.cancel() if step.number == 2 else None)
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert len(heard.steps) == 3
    assert counter.closed == 1


def test_a_failure_is_told_and_ends_it(start: Callable[[Counter], Started], qtbot: QtBot) -> None:
    counter = Counter()
    counter.error = HardwareError("The stage is gone.")
    _, heard = start(counter)
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert [str(error) for error in heard.failed] == ["The stage is gone."]
    assert heard.returned == []


def test_gives_way_to_a_routine_that_holds_the_microscope(
    connected: tuple[Session, SimulatedRig], start: Callable[[Counter], Started], qtbot: QtBot
) -> None:
    session, _ = connected
    release, begun = threading.Event(), threading.Event()

    def routine() -> Generator[None, None, None]:
        begun.set()
        release.wait(5)
        yield None

    job, heard = start(Counter(wait_s=0.01))
    qtbot.waitUntil(lambda: len(heard.steps) >= 2)
    session.start_run(routine(), step=lambda step: None, failed=lambda error: None)
    # Its time is up and the step before the routine has been told: now it could take the next one.
    qtbot.waitUntil(lambda: begun.is_set() and not job._calling and not job._timer.isActive())
    assert len(session.hardware._jobs) == 1  # the routine alone
    before = len(heard.steps)
    release.set()
    qtbot.waitUntil(lambda: len(heard.steps) > before)
    job.cancel()
    qtbot.waitUntil(lambda: heard.ended == 1)


@pytest.mark.parametrize("how", ["disconnect", "close"])
@pytest.mark.parametrize("wait_s", [0.0, 60.0])
def test_ends_with_the_microscope_and_leaves_no_thread(
    connected: tuple[Session, SimulatedRig],
    start: Callable[[Counter], Started],
    qtbot: QtBot,
    how: str,
    wait_s: float,
) -> None:
    session, _ = connected
    counter = Counter(wait_s)
    job, heard = start(counter)
    qtbot.waitUntil(lambda: len(heard.steps) >= 1)
    getattr(session, how)()
    assert (counter.closed, heard.ended, job.is_over) == (1, 1, True)
    seen = len(heard.steps)
    QCoreApplication.processEvents()  # what the thread told last arrives now, and is not heard any more
    assert len(heard.steps) == seen
    assert not job._timer.isActive()
    session.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def test_cancelled_and_then_disconnected_it_is_closed_all_the_same(
    connected: tuple[Session, SimulatedRig], start: Callable[[Counter], Started], qtbot: QtBot
) -> None:
    session, _ = connected
    counter = Counter(wait_s=60.0)
    job, heard = start(counter)
    qtbot.waitUntil(lambda: len(heard.steps) == 1)
    job.cancel()
    session.disconnect()
    qtbot.waitUntil(lambda: heard.ended == 1)
    assert counter.closed == 1
