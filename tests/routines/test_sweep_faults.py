"""Every fault at every step of every search: where the drive ends, what was commanded, and what was put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

import pytest

from napari_autofocus.microscope.faults import CameraFault, Fault, StageFault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, SweepStep, sweep
from rigs import RigMaker, TextureScene

LIMITS_UM = (-4.5, 5.0)
START_UM = -0.5
MOST_STEPS = 60
OUTCOMES = {"focused", "reverted", "failed", "cancelled"}

EVERYWHERE = pytest.mark.parametrize(
    ("method", "direction"), [(method, direction) for method in SEARCHES for direction in (1, -1)]
)


class FaultyStand:
    """A rig whose sweep can be broken anywhere, and what it was like before the sweep.

    Live mode is a mere switch: real live frames would count as exposures of the schedule.
    """

    def __init__(self, make_rig: RigMaker, direction: int, faults: Iterable[Fault] = (), **settings: Any) -> None:
        scene = TextureScene((24, 32), best_um=1.3, noise=0.5)
        stage = {"focus_direction": direction, "backlash_um": 1.0, "settling_s": 0.0, "timeout_s": 1.0}
        self.rig: SimulatedRig = make_rig(scene, limits_um=LIMITS_UM, exposure_ms=5.0, **stage, **settings)
        self.rig.microscope.focus.move_to(START_UM)
        self._switch_live(True)
        self.before = self.state()
        self.earlier_commands = len(self.rig.z_stage.commands_um)
        self.rig.z_stage._faults._stage = [f for f in faults if f.kind in get_args(StageFault)]
        self.rig.z_stage._faults._camera = [f for f in faults if f.kind in get_args(CameraFault)]
        self.rig.z_stage._faults.commands = 0
        self.kept: list[SweepRecord] = []

    def _switch_live(self, on: bool) -> None:
        core: Any = self.rig.core
        core.isSequenceRunning = lambda: on
        core.stopSequenceAcquisition = lambda: self._switch_live(False)
        core.startContinuousSequenceAcquisition = lambda *_: self._switch_live(True)

    def state(self) -> tuple[Any, ...]:
        core = self.rig.core
        return core.isSequenceRunning(), core.getExposure(), core.getAutoShutter(), self.rig.shutter.get_open()

    def run(self, method: str, until: Callable[[SweepStep], bool] = lambda _: False) -> SweepRecord:
        """Sweep to the end, or close after the step for which ``until`` holds; somebody tampers with the camera."""
        config = SweepConfig(method=method, step_um=1.0, range_um=4.0, furthest_um=4.0, polarity="max")  # type: ignore[arg-type]
        steps = sweep(self.rig.microscope, config, keep=self.kept.append)
        try:
            for taken, step in enumerate(steps):
                assert taken < MOST_STEPS
                self._tamper()
                if until(step):
                    break
        finally:
            steps.close()
        return self.kept[0]

    def _tamper(self) -> None:
        self.rig.core.setExposure(3.0)
        self.rig.core.setAutoShutter(False)
        self.rig.shutter.set_open(True)

    @property
    def commands_um(self) -> list[float]:
        return self.rig.z_stage.commands_um[self.earlier_commands :]

    def require_safe(self, record: SweepRecord) -> None:
        """What holds whatever happened."""
        low, high = LIMITS_UM
        assert all(low <= z_um <= high for z_um in self.commands_um)
        assert record.outcome in OUTCOMES
        assert record.reasons
        assert self.state() == self.before
        z_um = self.rig.core.getPosition("Z")
        assert record.end_um == pytest.approx(z_um, abs=1e-6), record
        if record.outcome == "focused":
            assert abs(self.rig.true_defocus_um()) < 0.5, record
        elif abs(z_um - START_UM) > 0.1:
            assert f"was last seen at {z_um:.2f} µm" in record.reasons[-1], record

    def is_back(self) -> bool:
        return bool(abs(self.rig.core.getPosition("Z") - START_UM) <= 0.1)


def undisturbed(make_rig: RigMaker, method: str, direction: int) -> tuple[int, int]:
    """Exposures and commands of a sweep without faults."""
    stand = FaultyStand(make_rig, direction)
    stand.require_safe(stand.run(method))
    return stand.rig.z_stage._faults.exposures, len(stand.commands_um)


@EVERYWHERE
def test_a_camera_that_fails_at_any_exposure(make_rig: RigMaker, method: str, direction: int) -> None:
    exposures, _ = undisturbed(make_rig, method, direction)
    for kind in get_args(CameraFault):
        for at in range(1, exposures + 1):
            stand = FaultyStand(make_rig, direction, [Fault(kind, at, times=99)])
            record = stand.run(method)
            stand.require_safe(record)
            # A frame that comes again is only known as such where the drive has moved in between.
            assert record.outcome == "failed" or kind == "stale-frame", record
            assert record.outcome == "focused" or stand.is_back(), record


@EVERYWHERE
def test_a_stage_that_fails_once_at_any_command(make_rig: RigMaker, method: str, direction: int) -> None:
    _, commands = undisturbed(make_rig, method, direction)
    for kind in get_args(StageFault):
        for at in range(1, commands + 1):
            stand = FaultyStand(make_rig, direction, [Fault(kind, at)])
            record = stand.run(method)
            stand.require_safe(record)
            assert record.outcome == "focused" or stand.is_back(), record


@EVERYWHERE
def test_a_stage_that_fails_for_good_at_any_command(make_rig: RigMaker, method: str, direction: int) -> None:
    _, commands = undisturbed(make_rig, method, direction)
    for kind in get_args(StageFault):
        for at in range(1, commands + 1, 3):
            stand = FaultyStand(make_rig, direction, [Fault(kind, at, times=99)])
            record = stand.run(method)
            stand.require_safe(record)
            assert record.outcome in ("failed", "focused")


@pytest.mark.parametrize("method", SEARCHES)
def test_closed_after_any_step(make_rig: RigMaker, method: str) -> None:
    exposures, _ = undisturbed(make_rig, method, -1)
    for taken in range(exposures - 1):
        stand = FaultyStand(make_rig, -1)
        record = stand.run(method, until=lambda step, last=taken: step.index == last)  # type: ignore[misc]
        stand.require_safe(record)
        assert record.outcome == "cancelled"
        assert stand.is_back()


@pytest.mark.parametrize("call", ["setPosition", "snapImage", "deviceBusy"])
@pytest.mark.parametrize("method", SEARCHES)
def test_ctrl_c_during_any_call_to_the_core(make_rig: RigMaker, method: str, call: str) -> None:
    """Within the sweep, within its verified move, and on the way back."""
    for at in range(1, 2000, 11 if call == "deviceBusy" else 1):
        stand = FaultyStand(make_rig, 1, speed_um_s=1e5)
        interrupt_at(stand.rig, call, at)
        try:
            stand.run(method)
        except KeyboardInterrupt:
            assert stand.kept[0].outcome == "cancelled", stand.kept[0]
            assert stand.is_back()
        else:
            break
    else:
        pytest.fail("the sweep never ended before it was interrupted")
    stand.require_safe(stand.kept[0])
    assert at > 5


def interrupt_at(rig: SimulatedRig, call: str, at: int) -> None:
    """Ctrl-C arrives while the core carries out its so-manieth call."""
    carry_out, calls = getattr(rig.core, call), 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        result = carry_out(*arguments)
        if calls == at:
            raise KeyboardInterrupt
        return result

    setattr(rig.core, call, interrupted)


def test_a_restore_that_fails_swallows_no_interrupt(make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(exposure_ms: float) -> None:
        raise RuntimeError("exposure is locked")

    stand = FaultyStand(make_rig, 1)
    interrupt_at(stand.rig, "snapImage", 6)
    stand._tamper = lambda: monkeypatch.setattr(stand.rig.camera, "get_exposure", lambda: 99.0)  # type: ignore[method-assign]
    monkeypatch.setattr(stand.rig.camera, "set_exposure", stuck)
    with pytest.raises(KeyboardInterrupt):
        stand.run("uniform")
    assert stand.kept[0].outcome == "cancelled"
    assert "The microscope could not be put back: The exposure" in stand.kept[0].reasons[-1]
    assert stand.is_back()


def test_ctrl_c_on_the_way_back_of_a_failed_sweep(make_rig: RigMaker) -> None:
    stand = FaultyStand(make_rig, 1, [Fault("zero-frame", 6)])
    set_position = stand.rig.core.setPosition
    interrupts = 0

    def interrupted(*arguments: Any) -> None:
        nonlocal interrupts
        if stand.rig.z_stage._faults.exposures >= 6:
            interrupts += 1
            raise KeyboardInterrupt
        set_position(*arguments)

    stand.rig.core.setPosition = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stand.run("uniform")
    assert interrupts == 2  # the first does not end the way back, the second does
    assert stand.kept[0].outcome == "cancelled"
    assert "Interrupted on the way back" in stand.kept[0].reasons[-1]
    stand.require_safe(stand.kept[0])


def test_a_camera_that_is_recording_is_left_to_it(make_rig: RigMaker) -> None:
    stand = FaultyStand(make_rig, 1)
    stand.rig.core.events.sequenceAcquisitionStarted.emit("Camera")
    record = stand.run("uniform")
    assert (record.outcome, record.frames, stand.commands_um) == ("failed", 0, [])
    assert "could not be made ready for a sweep: The camera is recording" in record.reasons[0]


def test_a_person_who_takes_the_drive_beyond_the_limits_is_told_where_it_stands(make_rig: RigMaker) -> None:
    stand = FaultyStand(make_rig, 1)
    steps = sweep(
        stand.rig.microscope, SweepConfig(method="uniform", step_um=1.0, range_um=4.0), keep=stand.kept.append
    )
    for _ in range(6):
        next(steps)
    commands = len(stand.commands_um)
    stand.rig.core.setPosition("Z", 40.0)
    stand.rig.clock.sleep(1.0)
    assert list(steps) == []
    record = stand.kept[0]
    assert (record.outcome, record.end_um) == ("failed", 40.0)
    assert "beyond its limits" in record.reasons[0]
    assert len(stand.commands_um) == commands + 1  # the person's own


@pytest.mark.parametrize("after", [1, 5, 9])
def test_a_halt_is_a_cancel_and_ends_at_the_start(make_rig: RigMaker, after: int) -> None:
    stand = FaultyStand(make_rig, 1)
    set_position, calls = stand.rig.core.setPosition, 0

    def halted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        set_position(*arguments)
        if calls == after:
            stand.rig.microscope.focus.stop()

    stand.rig.core.setPosition = halted  # type: ignore[method-assign]
    record = stand.run("uniform")
    stand.require_safe(record)
    assert record.outcome == "cancelled"
    assert stand.is_back()
