"""Two shots around a focal position: where they are taken, and where the drive ends whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from fake_microscope import FakeMicroscope, flat, peak_at, run_to_end

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.routines.two_planes import TwoPlanes, TwoPlanesConfig, TwoPlanesStep, take_two_planes


def take(microscope: FakeMicroscope, **settings: Any) -> tuple[list[TwoPlanesStep], TwoPlanes]:
    return run_to_end(take_two_planes(microscope, TwoPlanesConfig(**settings)))


@pytest.mark.parametrize(("direction", "order"), [(1, (4.0, 6.0)), (-1, (6.0, 4.0)), (0, (4.0, 6.0))])
def test_sample_and_objective_come_together_from_the_first_shot_to_the_second(
    direction: int, order: tuple[float, float]
) -> None:
    microscope = FakeMicroscope(peak_at(5.0), z_um=5.0, focus_direction=direction)
    steps, result = take(microscope)
    assert result.outcome == "taken"
    assert tuple(step.z_um for step in steps) == order
    assert [shot.z_um for shot in result.shots] == list(order)
    assert microscope.focus.commands == [*order, 5.0]
    assert result.end_um == microscope.focus.z_um == 5.0
    assert microscope.restored == 1


def test_the_focal_position_may_be_named_and_the_drive_ends_there() -> None:
    microscope = FakeMicroscope(peak_at(5.0), z_um=-3.0)
    _, result = take(microscope, centre_um=2.0, half_um=1.5)
    assert microscope.focus.commands == [0.5, 3.5, 2.0]
    assert (result.start_um, result.centre_um, result.end_um, result.moves) == (-3.0, 2.0, 2.0, 3)


def test_nothing_moves_where_a_shot_would_lie_beyond_the_limits() -> None:
    microscope = FakeMicroscope(flat(), z_um=9.5, limits_um=(-10.0, 10.0))
    steps, result = take(microscope)
    assert (steps, result.outcome, microscope.focus.commands) == ([], "refused", [])
    assert "8.50 and 10.50 µm reach beyond the limits of the focus drive (-10 to 10 µm)" in result.reasons[0]


@pytest.mark.parametrize("after", [1, 2])
def test_cancelling_brings_the_drive_back_to_where_it_started(after: int) -> None:
    microscope = FakeMicroscope(flat(), z_um=-3.0)
    kept: list[TwoPlanes] = []
    steps = take_two_planes(microscope, TwoPlanesConfig(centre_um=2.0), keep=kept.append)
    for _ in range(after):
        next(steps)
    steps.close()
    assert microscope.focus.z_um == -3.0
    assert [result.outcome for result in kept] == ["cancelled"]
    assert len(kept[0].shots) == after


def test_a_camera_that_fails_ends_the_run_at_the_start() -> None:
    microscope = FakeMicroscope(flat(), z_um=1.0)

    def fail(index: int) -> None:
        if index == 1:
            raise HardwareError("The camera was unplugged.")

    microscope.before_snap = fail
    _, result = take(microscope)
    assert result.outcome == "failed"
    assert result.reasons[0] == "The camera was unplugged."
    assert microscope.focus.z_um == result.end_um == 1.0


def test_a_drive_that_somebody_else_moves_is_left_alone() -> None:
    microscope = FakeMicroscope(flat(), z_um=0.0)

    def push(index: int) -> None:
        if index == 1:
            microscope.focus.z_um = 7.0

    microscope.before_snap = push
    _, result = take(microscope)
    assert result.outcome == "failed"
    assert microscope.focus.z_um == 7.0


def test_a_slide_that_moves_between_the_shots_makes_no_pair() -> None:
    microscope = FakeMicroscope(flat(), z_um=0.0)

    def move(index: int) -> None:
        microscope.x_um = 50.0 * index

    microscope.before_snap = move
    _, result = take(microscope)
    assert result.outcome == "failed"
    assert "moved by 50.0 µm" in result.reasons[0]


@pytest.mark.parametrize("settings", [{"half_um": 0.0}, {"half_um": float("nan")}, {"centre_um": float("inf")}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TwoPlanesConfig(**settings)


def test_the_result_is_kept_and_returned_alike() -> None:
    kept: list[TwoPlanes] = []
    _, result = run_to_end(take_two_planes(FakeMicroscope(flat()), TwoPlanesConfig(), keep=kept.append))
    assert kept == [result]
