"""One owner at a time, the others told who it is, and no owner that outlives its run."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from napari_autofocus.errors import MicroscopeTaken
from napari_autofocus.microscope import ownership
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.ownership import Ownership
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.running.owning import owning
from rigs import RigMaker

PATIENT_S = 60.0


pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "PATIENCE_S", 0.0)


def in_thread(work: Callable[[], Any]) -> Any:
    """What a function returns or raises in another thread, which is gone afterwards."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(PATIENT_S)


def counting(steps: int) -> Iterator[int]:
    yield from range(steps)


def test_the_other_thread_is_told_who_has_it(rig: SimulatedRig) -> None:
    sentence = r"^The survey has had the microscope for 0 s \(thread MainThread\); wait until it has ended, or stop it"
    with rig.microscope.owned_by("the survey"), pytest.raises(MicroscopeTaken, match=sentence):
        in_thread(lambda: rig.microscope.focus.move_to(3.0))
    assert rig.z_stage.axial_um() == 0.0


@pytest.mark.parametrize(
    "act",
    [
        lambda microscope: microscope.focus.move_to(1.0),
        lambda microscope: microscope.move_xy_to(5.0, 5.0),
        lambda microscope: microscope.snap(),
        lambda microscope: microscope.live.start(),
        lambda microscope: microscope.focus_through(None),
        lambda microscope: microscope.restoring().__enter__(),
    ],
    ids=["drive", "slide", "snap", "live", "lens", "run"],
)
def test_only_the_owner_acts(rig: SimulatedRig, act: Callable[[CoreMicroscope], Any]) -> None:
    with rig.microscope.owned_by("the survey"), pytest.raises(MicroscopeTaken):
        in_thread(lambda: act(rig.microscope))
    in_thread(lambda: act(rig.microscope))  # free again
    rig.microscope.live.stop()


def test_reading_and_halting_need_no_ownership(rig: SimulatedRig) -> None:
    with rig.microscope.owned_by("the survey"):
        assert in_thread(rig.microscope.focus.position_um) == 0.0
        in_thread(rig.microscope.stop)


def test_two_microscopes_over_one_core_have_one_owner(rig: SimulatedRig) -> None:
    other = CoreMicroscope(rig.core, clock=rig.clock)
    with rig.microscope.owned_by("the sweep"), pytest.raises(MicroscopeTaken, match="The sweep"):
        in_thread(lambda: other.focus.move_to(1.0))
    other.close()


def test_two_cores_have_two_owners(make_rig: RigMaker) -> None:
    one, other = make_rig(), make_rig()
    with one.microscope.owned_by("the sweep"):
        in_thread(lambda: other.microscope.focus.move_to(1.0))
    assert other.z_stage.axial_um() == pytest.approx(1.0, abs=0.2)


def test_a_moment_is_waited_for(rig: SimulatedRig) -> None:
    began, done = threading.Event(), threading.Event()

    def look() -> None:
        with rig.microscope.owned_by("hold focus", brief=True):
            began.set()
            done.wait(PATIENT_S)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        assert began.wait(PATIENT_S)
        threading.Timer(0.1, done.set).start()
        rig.microscope.focus.move_to(2.0)
        looking.result(PATIENT_S)


def test_a_moment_that_lasts_is_named(rig: SimulatedRig, impatient: None) -> None:
    with rig.microscope.owned_by("hold focus", brief=True), pytest.raises(MicroscopeTaken, match="Hold focus"):
        in_thread(lambda: rig.microscope.focus.move_to(2.0))


def test_an_owner_that_crashed_is_none(rig: SimulatedRig) -> None:
    with pytest.raises(ZeroDivisionError), rig.microscope.owned_by("the sweep"):
        raise ZeroDivisionError
    assert rig.microscope.ownership.owner is None


def test_an_owner_whose_thread_died_between_two_steps_is_none(rig: SimulatedRig) -> None:
    steps = owning(rig.microscope, "the survey", counting(3))
    thread = threading.Thread(target=lambda: next(steps))
    thread.start()
    thread.join()
    assert rig.microscope.ownership.owner is None
    with rig.microscope.owned_by("the sweep"):
        assert rig.microscope.ownership.owner == "the sweep"
        steps.close()
        assert rig.microscope.ownership.owner == "the sweep"
    assert rig.microscope.ownership.owner is None


def test_a_forgotten_owner_is_none(rig: SimulatedRig) -> None:
    steps = owning(rig.microscope, "the survey", counting(3))
    next(steps)
    assert rig.microscope.ownership.owner == "the survey"
    del steps
    gc.collect()
    assert rig.microscope.ownership.owner is None


def test_a_run_may_go_on_in_another_thread(rig: SimulatedRig) -> None:
    def moves() -> Iterator[float]:
        for z_um in (1.0, 2.0, 3.0):
            yield rig.microscope.focus.move_to(z_um)

    with ThreadPoolExecutor(4) as pool:
        steps = owning(rig.microscope, "the sweep", moves())
        reached = [pool.submit(next, steps).result(PATIENT_S) for _ in range(3)]
        pool.submit(steps.close).result(PATIENT_S)
    assert reached == pytest.approx([1.0, 2.0, 3.0], abs=0.11)
    assert rig.microscope.ownership.owner is None


def test_a_second_run_between_two_steps_of_the_first_is_refused(rig: SimulatedRig) -> None:
    """Also in one thread: a script that takes steps of two runs in turn."""
    first = owning(rig.microscope, "the survey", counting(3))
    next(first)
    with pytest.raises(MicroscopeTaken, match="The survey"):
        next(owning(rig.microscope, "the sweep", counting(3)))
    assert next(first) == 1
    first.close()


def test_a_run_inside_a_run_is_its_owner_s(rig: SimulatedRig) -> None:
    def outer() -> Iterator[int]:
        inner = owning(rig.microscope, "the refocus", counting(3))
        next(inner)
        rig.microscope.focus.move_to(1.0)  # the inner run rests, its owner does not
        inner.close()
        yield from owning(rig.microscope, "the refocus", counting(2))

    assert list(owning(rig.microscope, "the survey", outer())) == [0, 1]
    assert rig.microscope.ownership.owner is None


def test_many_threads_ask_at_once_and_one_gets_it(rig: SimulatedRig) -> None:
    """A barrier lets twelve threads go at once, many times; never are two inside, and nobody waits for ever."""
    inside, most, told = [0], [0], set[str]()
    names = [f"the run {number}" for number in range(12)]
    rounds = 40
    start = threading.Barrier(len(names))

    def ask(name: str) -> int:
        owned = 0
        for number in range(rounds):
            start.wait(PATIENT_S)
            try:
                with rig.microscope.owned_by(name, brief=number % 4 == 0):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0)
                    inside[0] -= 1
                    owned += 1
            except MicroscopeTaken as taken:
                told.add(taken.owner)
        return owned

    with ThreadPoolExecutor(len(names)) as pool:
        owned = list(pool.map(ask, names, timeout=PATIENT_S))
    assert most == [1]
    assert sum(owned) >= rounds
    assert told <= set(names)
    assert rig.microscope.ownership.owner is None


def test_moves_of_many_threads_never_overlap(rig: SimulatedRig) -> None:
    """Each move reaches its target before the next begins: single moves wait for one another."""
    targets = [float(number) for number in range(-10, 10)]

    def go(z_um: float) -> float:
        return rig.microscope.focus.move_to(z_um)

    with ThreadPoolExecutor(len(targets)) as pool:
        reached = list(pool.map(go, targets, timeout=PATIENT_S))
    assert reached == pytest.approx(targets, abs=0.11)
    assert rig.microscope.focus.moved_by_others == 0


class Owners(RuleBasedStateMachine):
    """Runs that begin, rest, go on, end, are forgotten, or lose their thread, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.core = _Core()
        self.ownership = Ownership(self.core)  # type: ignore[arg-type]
        self.microscope = _Owned(self.ownership)
        self.runs: dict[str, Any] = {}
        self.count = 0
        self.pool = ThreadPoolExecutor(1)

    @rule(inside_pool=st.booleans(), dies=st.booleans())
    def begin(self, inside_pool: bool, dies: bool) -> None:
        self.count += 1
        name = f"the run {self.count}"
        steps = owning(self.microscope, name, counting(10))
        owner = self.ownership.owner
        try:
            if dies:
                _in_dying_thread(lambda: next(steps))
            elif inside_pool:
                self.pool.submit(next, steps).result()
            else:
                next(steps)
        except MicroscopeTaken as taken:
            told = taken.owner
            assert told == owner
        else:
            assert owner is None
            self.runs[name] = steps
            assert self.ownership.owner == (None if dies else name)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.runs)))
        owner = self.ownership.owner
        if next(self.runs[name], None) is None:
            del self.runs[name]
        else:
            assert self.ownership.owner == (owner or name)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), forget=st.booleans())
    def end(self, data: st.DataObject, forget: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.runs)))
        owner = self.ownership.owner
        run = self.runs.pop(name)
        if not forget:
            run.close()
        del run
        gc.collect(0)
        assert self.ownership.owner == (None if owner == name else owner)

    @invariant()
    def the_owner_is_a_run_that_lives(self) -> None:
        assert self.ownership.owner is None or self.ownership.owner in self.runs

    def teardown(self) -> None:
        self.pool.shutdown()


class _Signal:
    def connect(self, slot: object) -> None: ...


class _Core:
    """All that an ownership asks of a core."""

    class mda:
        class events:
            sequenceStarted = sequenceFinished = _Signal()


class _Owned:
    def __init__(self, ownership: Ownership) -> None:
        self.owned_by = ownership.claimed


def _in_dying_thread(work: Callable[[], Any]) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except MicroscopeTaken as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


TestOwners = Owners.TestCase
TestOwners.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
