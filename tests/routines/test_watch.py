"""The watched drive counts moves and notices those of others."""

from __future__ import annotations

import pytest
from fake_microscope import FakeDrive

from napari_autofocus.errors import ForeignMove, HardwareError, MoveRefused
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.routines.running.watch import WatchedDrive


@pytest.fixture
def drive() -> FakeDrive:
    return FakeDrive(VirtualClock(), largest_step_um=2.0)


def test_goes_far_in_steps_and_counts_them(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    assert watched.go(5.0) == 5.0
    assert drive.commands == [2.0, 4.0, 5.0]
    assert watched.moves == 3


def test_a_reading_within_the_tolerance_is_the_same_place(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    drive.z_um = 0.15
    assert watched.position_um() == 0.15
    watched.expect(-0.2)


def test_a_foreign_move_stops_the_next_one(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    watched.go(1.0)
    drive.z_um = 1.3
    with pytest.raises(ForeignMove, match=r"from 1\.00 to 1\.30"):
        watched.move_to(2.0)
    assert drive.commands == [1.0]
    assert watched.last_um == 1.3


def test_a_foreign_move_seen_in_a_frame_is_noticed(drive: FakeDrive) -> None:
    with pytest.raises(ForeignMove):
        WatchedDrive(drive, 0.2).expect(0.9)


def test_a_reading_that_is_no_number_is_a_fault_and_not_a_person(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    with pytest.raises(HardwareError, match="nan") as caught:
        watched.expect(float("nan"))
    assert not isinstance(caught.value, ForeignMove)
    assert watched.last_um == 0.0


def test_a_refused_move_is_not_counted_and_leaves_the_place_known(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    with pytest.raises(MoveRefused):
        watched.move_to(3.0)
    assert watched.moves == 0
    drive.z_um = 1.0
    with pytest.raises(ForeignMove):
        watched.position_um()


def test_after_a_failed_move_any_place_is_expected(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)

    def fail(index: int) -> None:
        drive.z_um = 0.7
        if index == 0:
            raise HardwareError("Stuck half way.")

    drive.before_move = fail
    with pytest.raises(HardwareError, match="half way"):
        watched.move_to(1.5)
    assert watched.go(0.0) == 0.0
    assert watched.moves == 2


def test_a_drive_that_does_not_come_nearer_is_no_drive(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    drive.move_to = lambda z_um: drive.z_um  # type: ignore[method-assign]
    with pytest.raises(HardwareError, match=r"sent to 1\.50"):
        watched.go(1.5)


def test_looking_again_accepts_whatever_is_there(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    drive.z_um = 9.0
    watched.look_again()
    assert watched.last_um == 9.0
    drive.z_um = float("nan")
    watched.look_again()
    assert watched.last_um == 9.0


def test_is_as_the_drive_it_watches(drive: FakeDrive) -> None:
    watched = WatchedDrive(drive, 0.2)
    assert (watched.label, watched.focus_direction) == ("Z", 1)
    assert (watched.limits_um, watched.largest_step_um) == (drive.limits_um, 2.0)
