"""Following a focus map on a microscope of a few lines and on the simulated one: when it moves, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_microscope import FakeMicroscope, flat

from napari_autofocus.errors import DriveHalted, ForeignMove, HardwareError, InputError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.follow import FollowConfig, FollowRecord, FollowStep, follow


class Slope:
    """Rises by 2 µm a mm along x, over a slide that ends 5 mm to each side."""

    def z_um(self, x_um: float, y_um: float) -> float:
        return 0.002 * x_um

    def covers(self, x_um: float, y_um: float) -> bool:
        return abs(x_um) <= 5000


class MovableMicroscope(FakeMicroscope):
    """A fake microscope whose slide a test moves by hand."""

    def xy_um(self) -> tuple[float, float]:
        return self.x_um, 0.0

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        raise AssertionError("Following moves no slide.")


class Following:
    """A following that a test runs look by look."""

    def __init__(self, surface: Any = None, drive: dict[str, Any] | None = None, **settings: Any) -> None:
        self.microscope = MovableMicroscope(flat(), **(drive or {}))
        self.record: FollowRecord | None = None
        self.steps = follow(self.microscope, surface or Slope(), FollowConfig(**settings), keep=self._keep)

    def look(self, x_um: float | None = None) -> FollowStep:
        if x_um is not None:
            self.microscope.x_um = x_um
        return next(self.steps)

    def _keep(self, record: FollowRecord) -> None:
        self.record = record


def test_the_drive_goes_where_the_map_says_as_the_slide_moves() -> None:
    following = Following(offset_um=0.5)
    assert following.look().state == "moved"
    assert following.microscope.focus.z_um == pytest.approx(0.5)
    assert following.look().state == "following"
    step = following.look(1000.0)
    assert (step.state, step.z_um) == ("moved", pytest.approx(2.5))
    assert "+2.00 µm" in step.sentence
    assert step.wait_s == 0.2
    following.steps.close()
    assert following.record is not None
    assert (following.record.ended, following.record.moves) == ("cancelled", 2)
    assert following.microscope.frames == 0


def test_small_differences_move_nothing() -> None:
    following = Following(dead_band_um=0.3)
    assert following.look(100.0).state == "following"
    assert following.microscope.focus.commands == []


def test_outside_the_map_it_ends_and_nothing_moves() -> None:
    following = Following()
    following.look(4900.0)
    moved = len(following.microscope.focus.commands)
    step = following.look(5100.0)
    assert step.state == "stopped"
    assert "x 5100, y 0 µm, outside the focus map" in step.sentence
    with pytest.raises(StopIteration):
        following.look()
    assert following.record is not None
    assert following.record.ended == "left_map"
    assert len(following.microscope.focus.commands) == moved


def test_begun_outside_the_map_it_is_refused() -> None:
    following = Following()
    assert following.look(9000.0).state == "stopped"
    assert following.microscope.focus.commands == []
    with pytest.raises(StopIteration):
        following.look()
    assert following.record is not None
    assert following.record.ended == "refused"


def test_a_surface_without_a_number_is_never_a_move() -> None:
    class Hole(Slope):
        def z_um(self, x_um: float, y_um: float) -> float:
            return float("nan")

    following = Following(Hole())
    assert following.look().state == "stopped"
    assert following.microscope.focus.commands == []


def test_a_step_that_is_too_long_is_not_made() -> None:
    following = Following(largest_step_um=5.0)
    following.look()
    step = following.look(4000.0)
    assert "+8.00 µm from the drive, more than the 5 µm allowed" in step.sentence
    assert following.microscope.focus.z_um == pytest.approx(0.0)


def test_beyond_the_limits_nothing_moves() -> None:
    following = Following(drive={"limits_um": (-5.0, 5.0)})
    following.look()
    step = following.look(3000.0)
    assert "beyond the limits of Z, -5 to 5 µm" in step.sentence
    with pytest.raises(StopIteration):
        following.look()
    assert following.record is not None
    assert following.record.ended == "at_limit"


def test_focus_turned_by_hand_becomes_the_offset() -> None:
    following = Following()
    following.look(1000.0)
    following.microscope.focus.z_um += 1.5
    step = following.look()
    assert (step.state, step.offset_um) == ("offset", pytest.approx(1.5))
    assert following.look(2000.0).z_um == pytest.approx(5.5)


def test_focus_turned_far_by_hand_ends_it() -> None:
    following = Following()
    following.look(0.0)
    following.microscope.focus.z_um += 30.0
    assert "more than the 20 µm that count as an offset" in following.look().sentence
    assert following.microscope.focus.z_um == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("fault", "ended"), [(HardwareError("It sticks."), "hardware"), (DriveHalted("Halted."), "halted")]
)
def test_a_fault_is_an_end_and_no_exception(fault: Exception, ended: str) -> None:
    following = Following()

    def fail(_: int) -> None:
        raise fault

    following.microscope.focus.before_move = fail
    assert following.look(1000.0).state == "stopped"
    with pytest.raises(StopIteration):
        following.look()
    assert following.record is not None
    assert (following.record.ended, following.record.reasons) == (ended, (str(fault),))


def test_a_drive_moved_beyond_its_limits_is_left_alone() -> None:
    following = Following()
    following.look(0.0)

    def astray() -> float:
        raise ForeignMove("Somebody else moved the focus drive Z to 500 µm, beyond its limits.", 500.0)

    following.microscope.focus.position_um = astray  # type: ignore[method-assign]
    step = following.look(1000.0)
    assert (step.state, step.z_um) == ("stopped", 500.0)
    assert following.microscope.focus.commands == []


@pytest.mark.parametrize(
    "settings", [{"offset_um": 50.0}, {"offset_um": float("nan")}, {"largest_step_um": 0.0}, {"interval_s": -1.0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError):
        FollowConfig(**settings)


def test_the_record_comes_back_from_json() -> None:
    following = Following()
    following.look()
    following.steps.close()
    assert following.record is not None
    assert FollowRecord.from_json(following.record.to_json()) == following.record
    with pytest.raises(InputError, match="not the record"):
        FollowRecord.from_json("[]")


@pytest.mark.parametrize("direction", [1, -1])
def test_the_simulated_microscope_stays_in_focus_on_a_tilted_slide(
    make_rig: Callable[..., SimulatedRig], direction: int
) -> None:
    rig = make_rig(focus_direction=direction)
    rig.scene.best_focus_um = lambda x_um, y_um: -0.004 * x_um + 1.0  # type: ignore[method-assign]

    class Truth(Slope):
        def z_um(self, x_um: float, y_um: float) -> float:
            return direction * rig.scene.best_focus_um(x_um, y_um)

    steps = follow(rig.microscope, Truth(), FollowConfig())
    for x_um in (0.0, 700.0, 1400.0, 2100.0):
        rig.microscope.move_xy_to(x_um, 0.0)
        next(steps)
        assert abs(rig.true_defocus_um()) < 0.2
    steps.close()
