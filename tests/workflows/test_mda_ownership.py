"""Acquisitions and routines that ask for one microscope at once: one gets it, the others are told which."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from pymmcore_plus.mda import MDAEngine
from useq import MDASequence

from mda_finders import scripted_finder
from napari_autofocus.errors import MicroscopeTaken
from napari_autofocus.microscope.edge import connect_directly
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.records import SweepRecord, TrackRecord
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.routines.track import TrackConfig, track
from napari_autofocus.workflows.mda import MdaFocusConfig, acquire_with_autofocus
from truthful_model import TruthfulModel

PATIENT_S = 120.0
PLACES = MDASequence(stage_positions=[(0, 0, 1), (300, 0, 2)])
SWEEP = SweepConfig(dof_um=1.0, range_um=4.0, step_um=1.0)


pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


@contextmanager
def acquiring(rig: SimulatedRig, pool: ThreadPoolExecutor) -> Iterator[Future[None]]:
    """An acquisition of somebody else's, held after its first frame."""
    started, go_on = threading.Event(), threading.Event()

    def on_frame(*_: Any) -> None:
        started.set()
        go_on.wait(PATIENT_S)

    connect_directly(rig.core.mda, "frameReady", on_frame)
    running = pool.submit(rig.core.mda.run, PLACES)
    assert started.wait(PATIENT_S)
    try:
        yield running
    finally:
        go_on.set()
        running.result(PATIENT_S)
        rig.core.mda.events.frameReady.disconnect(on_frame)


def swept(microscope: CoreMicroscope) -> SweepRecord:
    steps = sweep(microscope, SWEEP)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            record: SweepRecord = finished.value
            return record


def frames_of(rig: SimulatedRig) -> list[float]:
    """Where each frame of an acquisition is taken from now on, µm."""
    taken: list[float] = []
    connect_directly(rig.core.mda, "frameReady", lambda *_: taken.append(rig.core.getPosition()))
    return taken


def test_a_routine_is_told_that_an_acquisition_has_the_microscope(rig: SimulatedRig, pool: ThreadPoolExecutor) -> None:
    with acquiring(rig, pool):
        record = swept(rig.microscope)
        assert record.outcome == "refused"
        assert record.reasons[0].startswith("An acquisition (MDA) has had the microscope for")
        assert record.moves == 0
    assert swept(rig.microscope).moves > 0


def test_somebody_s_acquisition_is_cancelled_before_it_moves_a_stage_that_a_routine_has(
    rig: SimulatedRig, pool: ThreadPoolExecutor
) -> None:
    told: list[MicroscopeTaken] = []
    rig.microscope.ownership.on_turned_away(told.append)
    taken = frames_of(rig)
    steps = sweep(rig.microscope, SWEEP)
    next(steps)
    here = rig.core.getPosition(), rig.core.getXYPosition()

    pool.submit(rig.core.mda.run, PLACES).result(PATIENT_S)

    assert (rig.core.getPosition(), rig.core.getXYPosition()) == here
    assert taken == []
    assert [error.owner for error in told] == ["the sweep"]
    assert list(steps)[-1] is not None  # the sweep goes on as if nothing had been
    rig.core.mda.run(PLACES)
    assert len(taken) == 2


def test_an_acquisition_with_autofocus_is_told_who_has_the_microscope(
    rig: SimulatedRig, pool: ThreadPoolExecutor
) -> None:
    def acquire() -> Any:
        config = MdaFocusConfig(axes=("p",))
        return acquire_with_autofocus(rig.microscope, PLACES, scripted_finder(lambda _: 0.0), config)

    with rig.microscope.owned_by("the survey"), pytest.raises(MicroscopeTaken, match="The survey"):
        pool.submit(acquire).result(PATIENT_S)
    assert type(rig.core.mda.engine) is MDAEngine
    assert pool.submit(acquire).result(PATIENT_S).outcome == "done"


def test_hold_focus_gives_way_to_an_acquisition_and_goes_on_after_it(
    rig: SimulatedRig, pool: ThreadPoolExecutor
) -> None:
    kept: list[TrackRecord] = []
    config = TrackConfig(insist=True, interval_s=1.0, rest_s=1.0)
    steps = track(rig.microscope, TruthfulModel(rig), config, keep=kept.append)

    def look() -> str:
        step = next(steps)
        rig.clock.sleep(step.wait_s)
        return f"{step.state}: {step.sentence}"

    states = [look()]
    with acquiring(rig, pool):
        states += [look(), look()]
    while not states[-1].startswith("resumed"):
        states.append(look())
    states.append(look())
    steps.close()

    assert states[0].startswith(("holding", "corrected"))
    assert states[1].startswith("paused: An acquisition (MDA) has had the microscope")
    assert states[-1].startswith(("holding", "corrected"))
    assert kept[0].pauses == 1


def test_an_acquisition_that_fails_frees_the_microscope(rig: SimulatedRig) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    rig.core.mda.engine.exec_event = fail  # type: ignore[union-attr, method-assign]
    with pytest.raises(ZeroDivisionError):
        rig.core.mda.run(PLACES)
    assert rig.microscope.ownership.owner is None


def test_a_routine_inside_an_acquisition_of_its_own_thread_is_the_acquisition_s(rig: SimulatedRig) -> None:
    """Whoever writes an engine of their own may focus in it."""
    records: list[SweepRecord] = []
    connect_directly(rig.core.mda, "eventStarted", lambda _: records.append(swept(rig.microscope)))
    rig.core.mda.run(MDASequence(stage_positions=[(0, 0)]))
    assert [record.outcome != "refused" and record.moves > 0 for record in records] == [True]


class Panels:
    """Everybody who may ask for the stage, each over a microscope of their own; who moves it is written down."""

    def __init__(self, rig: SimulatedRig) -> None:
        self.rig = rig
        self.kept: list[TrackRecord] = []
        self.overlaps: list[str] = []
        self._moving = ""
        command = rig.z_stage.set_position_um

        def watched(z_um: float) -> None:
            name = rig.microscope.ownership.owner or "nobody"
            if self._moving or rig.z_stage.busy():
                self.overlaps.append(f"{name} while {self._moving or 'it still moved'}")
            self._moving = name
            command(z_um)
            self._moving = ""

        rig.z_stage.set_position_um = watched  # type: ignore[method-assign]

    def sweeping(self) -> str:
        microscope = CoreMicroscope(self.rig.core, clock=self.rig.clock, late_report_s=0.0)
        try:
            record = swept(microscope)
        finally:
            microscope.close()
        return f"{record.outcome}: {' '.join(record.reasons)}"

    def moving(self) -> str:
        try:
            self.rig.microscope.focus.move_to(2.0)
        except MicroscopeTaken as taken:
            return f"refused: {taken}"
        return "moved"

    def holding(self) -> str:
        config = TrackConfig(insist=True, interval_s=0.5, rest_s=0.5)
        steps = track(self.rig.microscope, TruthfulModel(self.rig), config, keep=self.kept.append)
        states = {next(steps).state for _ in range(4)}
        steps.close()
        return " ".join(sorted(states))

    def acquiring(self) -> str:
        try:
            config = MdaFocusConfig(axes=("p",))
            record = acquire_with_autofocus(self.rig.microscope, PLACES, scripted_finder(lambda _: 0.0), config)
        except MicroscopeTaken as taken:
            return f"refused: {taken}"
        return record.outcome


@pytest.mark.parametrize("seed", range(3))
def test_everybody_asks_at_once_and_everybody_gets_an_answer(
    rig: SimulatedRig, pool: ThreadPoolExecutor, seed: int
) -> None:
    """No deadlock, no two commands at once, no owner left behind; a refusal names who has it."""
    panels = Panels(rig)
    work: list[Callable[[], str]] = [
        panels.sweeping,
        panels.sweeping,
        panels.moving,
        panels.holding,
        panels.acquiring,
    ]
    start = threading.Barrier(len(work))

    def at_once(act: Callable[[], str]) -> str:
        start.wait(PATIENT_S)
        return act()

    order = work[seed:] + work[:seed]
    answers = [future.result(PATIENT_S) for future in [pool.submit(at_once, act) for act in order]]

    assert panels.overlaps == []
    assert all(answers)
    refused = [answer for answer in answers if answer.startswith("refused")]
    assert all("has had the microscope" in answer for answer in refused)
    assert len(refused) < len(answers)
    assert rig.microscope.ownership.owner is None
    assert not rig.core.mda.is_running()
