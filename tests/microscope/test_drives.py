"""The focus drive, over simulated stages of both directions and over MMCore's own demo stage."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import DriveHalted, ForeignMove, HardwareError, InputError, MoveRefused
from napari_autofocus.microscope.cores import release_core
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import SimulatedRig
from rigs import RigMaker

DIRECTIONS = pytest.mark.parametrize("focus_direction", [1, -1])


@pytest.fixture(params=["simulated", "demo"])
def microscope(request: pytest.FixtureRequest, make_rig: RigMaker) -> Iterator[CoreMicroscope]:
    """The same drive over Python devices and over MMCore's C++ ones."""
    if request.param == "simulated":
        yield make_rig().microscope
        return
    pytest.importorskip("mm_test_adapters")
    core = CMMCorePlus()
    core.loadSystemConfiguration()
    with CoreMicroscope(core, late_report_s=0.5) as microscope:
        yield microscope
    release_core(core)


def move_by_others(microscope: CoreMicroscope, z_um: float) -> None:
    microscope.core.setPosition(z_um)
    microscope.core.waitForDevice(microscope.focus.label)


def test_it_arrives_and_reads_back(microscope: CoreMicroscope) -> None:
    assert [microscope.focus.move_to(z) for z in (5.0, -3.0, 0.25)] == [5.0, -3.0, 0.25]
    assert microscope.focus.position_um() == 0.25
    assert microscope.focus.moved_by_others == 0


def test_without_limits_it_keeps_within_50_um_of_where_it_was_found(microscope: CoreMicroscope) -> None:
    assert microscope.focus.limits_um == (-50.0, 50.0)
    walk_to(microscope.focus, 50.0)
    with pytest.raises(MoveRefused, match=r"50\.001 µm lies outside the limits.*\(-50 to 50 µm\)"):
        microscope.focus.move_to(50.001)


@pytest.mark.parametrize("target_um", [math.nan, math.inf, -math.inf, 26.0, -26.0])
def test_a_refused_move_moves_nothing(microscope: CoreMicroscope, target_um: float) -> None:
    with pytest.raises(MoveRefused):
        microscope.focus.move_to(target_um)
    assert microscope.core.getPosition() == 0.0
    assert microscope.focus.moves == 0


def test_walking_covers_more_than_the_largest_step(microscope: CoreMicroscope) -> None:
    assert walk_to(microscope.focus, 49.0) == 49.0
    assert walk_to(microscope.focus, -49.0) == -49.0
    assert microscope.focus.moves == 2 + 4


def test_a_foreign_move_inside_the_limits_is_counted(microscope: CoreMicroscope) -> None:
    move_by_others(microscope, 7.0)
    assert microscope.focus.position_um() == 7.0
    assert microscope.focus.moved_by_others == 1
    assert microscope.focus.move_to(2.0) == 2.0


def test_a_foreign_move_stops_whoever_relies_on_the_position(microscope: CoreMicroscope) -> None:
    microscope.focus.move_to(3.0)
    with microscope.restoring():
        assert microscope.focus.position_um() == 3.0
        move_by_others(microscope, 7.0)
        for _ in range(2):
            with pytest.raises(ForeignMove, match=r"to 7 µm while a routine relied on its position"):
                microscope.focus.move_to(4.0)
    assert microscope.focus.position_um() == 7.0


def test_a_foreign_move_beyond_the_limits_is_refused_until_it_is_undone(microscope: CoreMicroscope) -> None:
    move_by_others(microscope, 80.0)
    for _ in range(2):
        with pytest.raises(ForeignMove, match=r"to 80 µm, beyond its limits \(-50 to 50 µm\)"):
            microscope.focus.move_to(49.0)
    with pytest.raises(ForeignMove):
        microscope.focus.position_um()
    assert microscope.core.getPosition() == 80.0
    move_by_others(microscope, 40.0)
    assert microscope.focus.position_um() == 40.0


def test_an_excursion_beyond_the_limits_is_told_by_the_next_move(rig: SimulatedRig) -> None:
    move_by_others(rig.microscope, 80.0)
    move_by_others(rig.microscope, 0.0)
    with pytest.raises(ForeignMove, match=r"to 80 µm, beyond"):
        rig.microscope.focus.move_to(1.0)
    assert rig.microscope.focus.move_to(1.0) == 1.0


def test_an_unreported_foreign_move_is_noticed_by_reading_back(rig: SimulatedRig) -> None:
    focus = rig.microscope.focus
    with focus.watch():
        with rig.core.events.stagePositionChanged.blocked():
            move_by_others(rig.microscope, 5.0)
        with pytest.raises(ForeignMove):
            focus.position_um()


def test_a_foreign_move_during_ours_ends_it_before_the_next_leg(rig: SimulatedRig) -> None:
    def interfere(label: str, z_um: float) -> None:
        rig.core.events.stagePositionChanged.disconnect(interfere)
        move_by_others(rig.microscope, 20.0)

    rig.microscope.focus.move_to(5.0)
    rig.core.events.stagePositionChanged.connect(interfere)
    with pytest.raises(ForeignMove, match="while it was on its way"):
        rig.microscope.focus.move_to(0.0)
    assert rig.z_stage.commands_um[-2:] == [-1.5, 20.0]


def test_a_target_beyond_the_limits_is_refused_before_the_first_step(microscope: CoreMicroscope) -> None:
    for target_um in (51.0, 1e9, -math.inf, math.nan):
        with pytest.raises(MoveRefused):
            walk_to(microscope.focus, target_um)
    assert microscope.core.getPosition() == 0.0


class LyingDrive:
    """Accepts every command; moves by a share of the way."""

    label, focus_direction, limits_um, largest_step_um = "Z", 1, (-100.0, 100.0), 10.0

    def __init__(self, share: float) -> None:
        self.share, self.z_um, self.commands = share, 0.0, 0

    def position_um(self) -> float:
        return self.z_um

    def move_to(self, z_um: float) -> float:
        self.commands += 1
        self.z_um += self.share * (z_um - self.z_um)
        return self.z_um

    def stop(self) -> None: ...


@pytest.mark.parametrize("share", [0.0, 0.2, -1.0, math.nan])
def test_a_walk_ends_where_the_drive_comes_no_nearer(share: float) -> None:
    drive = LyingDrive(share)
    with pytest.raises(HardwareError, match=r"from 0\.00 towards 45\.00 µm and came no nearer"):
        walk_to(drive, 45.0)
    assert drive.commands == 1


def test_limits_that_shrink_during_a_move_hold_for_its_next_leg(rig: SimulatedRig) -> None:
    focus = rig.microscope.focus
    focus.move_to(5.0)
    rig.core.events.stagePositionChanged.connect(lambda *_: focus.set_limits(-8.0, -0.5))
    with pytest.raises(HardwareError, match=r"on its way to 0 µm when its limits were set to -8 to -0\.5"):
        focus.move_to(0.0)
    assert rig.z_stage.commands_um[-1] == -1.5


def test_a_halt_that_comes_just_before_the_command_counts(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    focus, set_position = rig.microscope.focus, rig.core.setPosition

    def halted_first(*arguments: object) -> None:
        focus.stop()
        set_position(*arguments)

    rig.z_stage.speed_um_s = 1.0
    monkeypatch.setattr(rig.core, "setPosition", halted_first)
    with pytest.raises(DriveHalted):
        focus.move_to(20.0)
    assert rig.core.getPosition() == pytest.approx(0.0, abs=0.1)
    focus.wait()  # and it rests, long before it could have arrived


def test_an_interrupt_stops_the_drive_and_is_not_lost_over_a_foreign_move(
    rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_position = rig.core.setPosition

    def interrupted(*arguments: object) -> None:
        set_position(*arguments)
        rig.core.events.stagePositionChanged.emit("Z", 40.0)
        raise KeyboardInterrupt

    rig.z_stage.speed_um_s = 1.0
    monkeypatch.setattr(rig.core, "setPosition", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rig.microscope.focus.move_to(20.0)
    assert rig.core.getPosition() == pytest.approx(0.0, abs=0.1)


def test_a_report_that_is_no_number_is_nobody_s_move(rig: SimulatedRig) -> None:
    with rig.microscope.focus.watch():
        rig.core.events.stagePositionChanged.emit("Z", math.nan)
        rig.core.events.stagePositionChanged.emit("Z", math.inf)
        assert rig.microscope.focus.move_to(3.0) == 3.0
    assert rig.microscope.focus.moved_by_others == 0


@pytest.mark.parametrize(
    "settings", [{"timeout_s": math.nan}, {"timeout_s": math.inf}, {"tolerance_um": math.nan}, {"xy_tolerance_um": 0.0}]
)
def test_tolerances_and_time_outs_that_would_never_compare_are_refused(
    make_rig: RigMaker, settings: dict[str, float]
) -> None:
    with pytest.raises(InputError, match=f"{next(iter(settings))} of a drive must be a positive number"):
        make_rig(**settings)


@DIRECTIONS
def test_the_same_target_is_the_same_place_from_either_side(make_rig: RigMaker, focus_direction: int) -> None:
    rig = make_rig(focus_direction=focus_direction, backlash_um=3.0)
    truth = []
    for z_um in (-8.0, 2.0, 12.0, 2.0, 2.4, 2.0):
        rig.microscope.focus.move_to(z_um)
        truth.append(rig.true_axial_um())
    assert truth == pytest.approx([focus_direction * z for z in (-8.0, 2.0, 12.0, 2.0, 2.4, 2.0)], abs=1e-9)


@DIRECTIONS
def test_the_overshoot_leads_away_from_contact(make_rig: RigMaker, focus_direction: int) -> None:
    rig = make_rig(focus_direction=focus_direction)
    rig.microscope.focus.move_to(10.0 * focus_direction)
    rig.microscope.focus.move_to(5.0 * focus_direction)
    assert max(z * focus_direction for z in rig.z_stage.commands_um) == 10.0
    assert rig.z_stage.commands_um[-2:] == [3.5 * focus_direction, 5.0 * focus_direction]


def test_once_the_direction_is_stated_the_overshoot_leads_away_from_contact(make_rig: RigMaker) -> None:
    rig = make_rig(focus_direction=-1, tells_direction=False, approach_um=2.0)
    rig.microscope.focus.approach_from(-1)
    rig.microscope.focus.move_to(-10.0)
    rig.microscope.focus.move_to(-4.0)
    assert rig.z_stage.commands_um[-2:] == pytest.approx([-2.0, -4.0])
    with pytest.raises(InputError, match="approach"):
        rig.microscope.focus.approach_from(0)


def test_without_an_approach_the_play_shows(make_rig: RigMaker) -> None:
    rig = make_rig(backlash_um=3.0, approach_um=0.0)
    rig.microscope.focus.move_to(12.0)
    rig.microscope.focus.move_to(2.0)
    assert rig.true_axial_um() == pytest.approx(5.0)


def test_near_a_limit_the_overshoot_stays_inside_and_the_play_is_told(rig: SimulatedRig) -> None:
    focus = rig.microscope.focus
    focus.set_limits(-5.0, 5.0)
    focus.move_to(-4.5)
    assert rig.z_stage.commands_um == [-5.0, -4.5]
    assert focus.play_left_um == pytest.approx(1.0)
    focus.move_to(-4.0)
    assert rig.z_stage.commands_um[2:] == [-5.0, -4.0]
    focus.move_to(-1.0)
    assert focus.play_left_um == 0.0


def test_limits_of_the_device_hold_as_well(make_rig: RigMaker) -> None:
    rig = make_rig(travel_um=(-30.0, 20.0))
    assert rig.microscope.focus.limits_um == (-30.0, 20.0)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("stage-sticks", r"sent to -4\.5 µm and rests at 0 µm; it may be stuck"),
        ("stage-raises", r"refused to go to -4\.5 µm: the stage controller answered with error 42"),
        ("stage-hangs", r"Z is still busy after 10 s"),
    ],
)
def test_a_failing_stage_is_a_hardware_error_and_gets_no_further_command(
    make_rig: RigMaker, kind: str, words: str
) -> None:
    rig = make_rig(faults=[Fault(kind, at=1)])
    with pytest.raises(HardwareError, match=words):
        rig.microscope.focus.move_to(-3.0)
    assert rig.z_stage.commands_um == [-4.5]


def test_a_failing_listener_of_somebody_else_is_a_hardware_error(rig: SimulatedRig) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("not our bug")

    rig.core.events.stagePositionChanged.connect(fail)
    with pytest.raises(HardwareError, match="not our bug"):
        rig.microscope.focus.move_to(3.0)


def test_after_a_fault_the_drive_works_again_and_blames_nobody(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("stage-sticks", at=2)])
    with rig.microscope.restoring():
        with pytest.raises(HardwareError):
            rig.microscope.focus.move_to(-3.0)
        assert rig.microscope.focus.move_to(2.0) == 2.0
    assert rig.microscope.focus.moved_by_others == 0


def test_halting_from_another_thread_ends_the_move(make_rig: RigMaker) -> None:
    rig = make_rig(speed_um_s=10.0)
    focus = rig.microscope.focus
    rig.core.events.stagePositionChanged.connect(lambda *_: halting.is_alive() or halting.start())
    halting = threading.Thread(target=focus.stop)
    with pytest.raises(HardwareError, match="was halted before it reached"):
        focus.move_to(-20.0)
    halting.join()
    assert rig.z_stage.commands_um == [-21.5]
    assert focus.position_um() > -21.5


def test_beside_qt_reports_of_our_own_moves_are_not_kept_waiting_for_the_event_loop() -> None:
    code = """
import threading
from rigs import TextureScene
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari_autofocus.microscope import simulated
simulated.own_core = lambda make: make()  # as a core that somebody else made beside Qt
simulated_rig = simulated.simulated_rig
with simulated_rig(TextureScene(), exposure_ms=1.0) as rig:
    assert "QCoreSignaler" in type(rig.core.events).__name__
    focus = rig.microscope.focus
    worker = threading.Thread(target=lambda: [focus.move_to(z) for z in (3.0, -2.0, 1.0)])
    worker.start()
    worker.join()
    app.processEvents()
    assert focus.moved_by_others == 0, focus.moved_by_others
    other = threading.Thread(target=rig.core.setPosition, args=(80.0,))
    other.start()
    other.join()
    assert focus.moved_by_others == 1
"""
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tests, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_position_that_is_no_number_is_a_hardware_error(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.z_stage, "get_position_um", lambda: math.nan)
    with pytest.raises(HardwareError, match="reports nan as its position"):
        rig.microscope.focus.position_um()


def test_the_core_knows_the_direction_better_than_the_user(make_rig: RigMaker) -> None:
    rig = make_rig(focus_direction=-1)
    assert CoreMicroscope(rig.core, focus_direction=1).focus.focus_direction == -1


@pytest.mark.parametrize(("given", "found"), [(None, 0), (1, 1), (-1, -1), (0, 0)])
def test_a_direction_nobody_knows_is_never_assumed(make_rig: RigMaker, given: int | None, found: int) -> None:
    rig = make_rig(tells_direction=False, focus_direction=-1)
    rig.microscope.close()
    assert CoreMicroscope(rig.core, focus_direction=given).focus.focus_direction == found


def test_a_direction_that_is_none_is_refused(rig: SimulatedRig) -> None:
    with pytest.raises(InputError, match=r"\+1, -1 or 0"):
        CoreMicroscope(rig.core, focus_direction=2)
