"""A sweep finds the peak, and whatever goes wrong leaves the drive where it started."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from fake_microscope import FakeMicroscope, flat, mean_value, peak_at, run_to_end
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, SweepStep, sweep

METHODS = list(SEARCHES)
MOST_FRAMES = {"uniform": 52, "coarse-to-fine": 45, "hill-climb": 35, "brent": 45, "curve-fit": 35}


def config(method: str, **others: Any) -> SweepConfig:
    return SweepConfig(**{"method": method, "dof_um": 1.0, **others})


def focus(microscope: FakeMicroscope, method: str, **others: Any) -> tuple[list[SweepStep], SweepRecord]:
    return run_to_end(sweep(microscope, config(method, **others), measure=mean_value))


def assert_back_at_start(microscope: FakeMicroscope, record: SweepRecord, start_um: float) -> None:
    assert microscope.focus.z_um == start_um
    assert record.end_um == start_um
    assert microscope.restored == 1


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("method", METHODS)
def test_finds_the_peak_on_drives_of_both_directions(method: str, direction: int) -> None:
    microscope = FakeMicroscope(peak_at(3.3), noise=0.3, z_um=-1.7, focus_direction=direction, play_um=1.0)
    steps, record = focus(microscope, method)
    assert record.outcome == "focused", record.reasons
    assert microscope.axial_um == pytest.approx(3.3, abs=0.1)
    assert record.best_z_um == pytest.approx(direction * 3.3, abs=0.1)
    assert record.end_um == microscope.focus.z_um
    assert record.moves == len(microscope.focus.commands)
    assert record.frames == microscope.frames == len(steps) == len(record.curve)
    assert microscope.restored == 1


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(
    best_um=st.floats(-10, 10),
    width_um=st.floats(1.2, 2.5),
    noise=st.floats(0.0, 0.5),
    seed=st.integers(0, 9999),
)
def test_ends_at_the_peak_wherever_it_is(method: str, best_um: float, width_um: float, noise: float, seed: int) -> None:
    microscope = FakeMicroscope(peak_at(best_um, width_um), noise=noise, seed=seed)
    _, record = focus(microscope, method)
    assert record.outcome == "focused", record.reasons
    assert abs(microscope.axial_um - best_um) < 0.3
    assert record.frames <= MOST_FRAMES[method]
    assert SweepRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize("method", METHODS)
def test_extends_the_range_when_the_peak_lies_beyond_its_edge(method: str) -> None:
    microscope = FakeMicroscope(peak_at(12.4), noise=0.1)
    _, record = focus(microscope, method, range_um=8.0)
    assert record.outcome == "focused", record.reasons
    assert microscope.axial_um == pytest.approx(12.4, abs=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_reverts_when_the_peak_lies_beyond_the_furthest_place_allowed(method: str) -> None:
    microscope = FakeMicroscope(peak_at(12.4), noise=0.1, z_um=1.0)
    _, record = focus(microscope, method, range_um=8.0, furthest_um=8.0)
    assert record.outcome == "reverted"
    assert record.best_z_um is None
    assert max(microscope.focus.commands) <= 9.0
    assert_back_at_start(microscope, record, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_keeps_inside_the_limits_of_the_drive_and_its_largest_step(method: str) -> None:
    microscope = FakeMicroscope(peak_at(6.0), noise=0.1, z_um=2.0, limits_um=(-3.0, 5.0), largest_step_um=1.5)
    _, record = focus(microscope, method)  # the fake drive refuses what is not allowed
    assert record.outcome == "reverted", record.reasons
    assert min(microscope.focus.commands) >= -3.0
    assert max(microscope.focus.commands) <= 5.0
    assert_back_at_start(microscope, record, 2.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_a_blank_field_leaves_the_drive_at_the_start(method: str, noise: float, seed: int) -> None:
    microscope = FakeMicroscope(flat(), noise=noise, seed=seed, z_um=4.25)
    _, record = focus(microscope, method)
    assert record.outcome == "reverted"
    assert record.best_z_um is None
    assert record.frames <= MOST_FRAMES[method]
    assert_back_at_start(microscope, record, 4.25)


@pytest.mark.parametrize("after", [1, 4, 9])
@pytest.mark.parametrize("method", METHODS)
def test_closing_brings_the_drive_back_and_keeps_a_record(method: str, after: int) -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    kept: list[SweepRecord] = []
    steps = sweep(microscope, config(method), measure=mean_value, keep=kept.append)
    for _ in range(after):
        next(steps)
    commands = len(microscope.focus.commands)
    steps.close()
    assert [record.outcome for record in kept] == ["cancelled"]
    assert kept[0].frames == after
    assert len(microscope.focus.commands) <= commands + 1  # nothing but the way back
    assert_back_at_start(microscope, kept[0], -1.0)


def test_a_sweep_closed_after_its_verified_move_stays_at_the_peak() -> None:
    microscope = FakeMicroscope(peak_at(3.0))
    kept: list[SweepRecord] = []
    steps = sweep(microscope, config("uniform"), measure=mean_value, keep=kept.append)
    while next(steps).phase != "verify":
        pass
    steps.close()
    assert kept[0].outcome == "focused"
    assert microscope.axial_um == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_the_time_is_up_by_the_clock_of_the_microscope(method: str) -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    _, record = focus(microscope, method, timeout_s=0.4)
    assert record.outcome == "timed_out"
    assert 0.4 < record.seconds < 0.6
    assert "0.4 s" in record.reasons[0]
    assert_back_at_start(microscope, record, -1.0)


def raise_at(index: int, error: BaseException) -> Any:
    """A fault that strikes once."""

    def strike(count: int) -> None:
        if count == index:
            raise error

    return strike


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("index", [0, 3])
def test_a_fault_of_the_stage_ends_at_the_start(method: str, index: int) -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    microscope.focus.before_move = raise_at(index, HardwareError("The stage sticks."))
    _, record = focus(microscope, method)
    assert record.outcome == "failed"
    assert record.reasons[0] == "The stage sticks."
    assert_back_at_start(microscope, record, -1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("index", [0, 7])
def test_a_fault_of_the_camera_ends_at_the_start(method: str, index: int) -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    microscope.before_snap = raise_at(index, FrameError("The camera timed out."))
    _, record = focus(microscope, method)
    assert record.outcome == "failed"
    assert record.frames == index
    assert_back_at_start(microscope, record, -1.0)


@pytest.mark.parametrize(
    ("error", "outcome"), [(KeyboardInterrupt(), "cancelled"), (RuntimeError("not translated"), "failed")]
)
def test_whatever_else_ends_a_sweep_the_drive_goes_back(error: BaseException, outcome: str) -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    microscope.before_snap = raise_at(7, error)
    kept: list[SweepRecord] = []
    with pytest.raises(type(error)):
        run_to_end(sweep(microscope, config("uniform"), measure=mean_value, keep=kept.append))
    assert kept[0].outcome == outcome
    assert_back_at_start(microscope, kept[0], -1.0)


def test_a_fault_on_the_way_back_is_tried_again() -> None:
    microscope = FakeMicroscope(flat(), z_um=-1.0)
    microscope.focus.before_move = raise_at(21, HardwareError("The stage sticks."))  # 21 planes, then the way back
    _, record = focus(microscope, "uniform")
    assert record.outcome == "reverted"
    assert_back_at_start(microscope, record, -1.0)


def test_a_drive_that_cannot_come_back_is_said_to_stand_where_it_stands() -> None:
    microscope = FakeMicroscope(flat(), z_um=-1.0)

    def stuck(index: int) -> None:
        if index >= 5:
            raise HardwareError("The stage sticks.")

    microscope.focus.before_move = stuck
    _, record = focus(microscope, "uniform")
    assert record.outcome == "failed"
    assert record.end_um == microscope.focus.z_um == -7.0
    assert "could not be brought back" in record.reasons[-1]
    assert "started at -1.00 µm and was last seen at -7.00" in record.reasons[-1]


def test_a_drive_that_silently_stays_behind_is_noticed() -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=0.0)
    microscope.focus.move_to = lambda z_um: 0.0  # type: ignore[method-assign]
    _, record = focus(microscope, "uniform")
    assert record.outcome == "failed"
    assert "stands at 0.00" in record.reasons[0]


def test_an_image_without_a_sharpness_is_no_measurement() -> None:
    microscope = FakeMicroscope(lambda z_um: float("nan") if z_um < -5 else 20.0)
    _, record = focus(microscope, "uniform")
    assert record.outcome == "failed"
    assert "no measurement" in record.reasons[0]
    assert_back_at_start(microscope, record, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_drive_that_a_person_moved_is_left_to_that_person(method: str) -> None:
    microscope = FakeMicroscope(peak_at(3.0))
    steps = sweep(microscope, config(method), measure=mean_value)
    for _ in range(6):
        next(steps)
    microscope.focus.z_um = 7.5
    _, record = run_to_end(steps)
    assert record.outcome == "failed"
    assert microscope.focus.z_um == record.end_um == 7.5
    assert "somebody else" in record.reasons[0]
    assert "not moved back" in record.reasons[0]


def test_a_person_who_moves_and_cancels_keeps_the_drive() -> None:
    microscope = FakeMicroscope(peak_at(3.0))
    kept: list[SweepRecord] = []
    steps = sweep(microscope, config("uniform"), measure=mean_value, keep=kept.append)
    for _ in range(6):
        next(steps)
    microscope.focus.z_um = 7.5
    steps.close()
    assert kept[0].outcome == "cancelled"
    assert kept[0].end_um == microscope.focus.z_um == 7.5


def test_a_drive_that_reports_a_foreign_move_is_left_alone() -> None:
    microscope = FakeMicroscope(peak_at(3.0))
    microscope.focus.before_move = raise_at(4, ForeignMove("Moved beyond the limits."))
    _, record = focus(microscope, "uniform")
    assert record.outcome == "failed"
    assert len(microscope.focus.commands) == 5


def test_a_slide_that_is_moved_meanwhile_ends_the_sweep() -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    steps = sweep(microscope, config("uniform"), measure=mean_value)
    for _ in range(6):
        next(steps)
    microscope.x_um = 40.0
    _, record = run_to_end(steps)
    assert record.outcome == "failed"
    assert "moved by 40.0 µm" in record.reasons[0]
    assert_back_at_start(microscope, record, -1.0)


def test_a_start_outside_the_limits_is_refused_without_a_frame() -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=8.0, limits_um=(-5.0, 5.0))
    _, record = focus(microscope, "uniform")
    assert (record.outcome, record.frames, record.moves) == ("refused", 0, 0)
    assert "outside its limits -5 to 5" in record.reasons[0]


def test_a_position_that_cannot_be_read_is_an_error_and_nothing_moves() -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=float("nan"))
    with pytest.raises(HardwareError, match="nan"):
        focus(microscope, "uniform")
    assert microscope.focus.commands == []


def test_a_measure_that_fails_brings_the_drive_back_and_is_told() -> None:
    microscope = FakeMicroscope(peak_at(3.0), z_um=-1.0)
    with pytest.raises(InputError, match="region of interest"):
        run_to_end(sweep(microscope, config("uniform", roi=(0, 0, 99, 99))))
    assert microscope.focus.z_um == -1.0
    assert microscope.restored == 1


def test_reverts_when_the_frame_at_the_peak_breaks_the_promise_of_the_curve() -> None:
    """The sample slips away after the search: the last frame is blurred."""
    seen: list[float] = []

    def slipping(z_um: float) -> float:
        seen.append(z_um)
        return peak_at(3.0)(z_um) if len(seen) <= 24 else 20.0

    microscope = FakeMicroscope(slipping)
    _, record = focus(microscope, "uniform", polarity="max", early_stop=False)
    assert record.outcome == "reverted"
    assert any("promised" in reason for reason in record.reasons)
    assert_back_at_start(microscope, record, 0.0)


def test_reverts_when_the_peak_is_worse_than_the_start() -> None:
    """Fluorescence that bleaches: the start was sharper than what is left at the peak."""
    frames: list[int] = []

    def bleaching(z_um: float) -> float:
        frames.append(1)
        return peak_at(3.0, height=100)(z_um) * 0.97 ** len(frames)

    microscope = FakeMicroscope(bleaching, z_um=2.6)
    _, record = focus(microscope, "uniform", polarity="max", range_um=6.0)
    assert record.outcome == "reverted"
    assert any("worse than" in reason for reason in record.reasons)
    assert_back_at_start(microscope, record, 2.6)


def test_a_start_in_focus_stays_in_focus() -> None:
    microscope = FakeMicroscope(peak_at(0.0), noise=0.3)
    _, record = focus(microscope, "coarse-to-fine")
    assert record.outcome == "focused"
    assert abs(microscope.axial_um) < 0.1


def test_an_early_stop_saves_frames_and_finds_the_same_peak() -> None:
    frames = {}
    for early_stop in (True, False):
        microscope = FakeMicroscope(peak_at(-5.0), noise=0.1)
        _, record = focus(microscope, "uniform", polarity="max", early_stop=early_stop)
        assert microscope.axial_um == pytest.approx(-5.0, abs=0.1)
        frames[early_stop] = record.frames
    assert frames[False] == 3 + 21 + 1
    assert frames[True] <= 15


def test_a_minimum_is_focused_where_asked_for() -> None:
    def minimum(z_um: float) -> float:
        return peak_at(1.0 - 2.5, 1.0)(z_um) + peak_at(1.0 + 2.5, 1.0)(z_um)

    microscope = FakeMicroscope(minimum, noise=0.2, z_um=-2.0)
    _, record = focus(microscope, "uniform", polarity="min", step_um=0.5)
    assert record.outcome == "focused", record.reasons
    assert record.verdict == "phase_minimum"
    assert microscope.axial_um == pytest.approx(1.0, abs=0.2)


def test_progress_counts_frames_and_tells_how_many_are_planned() -> None:
    microscope = FakeMicroscope(peak_at(3.0))
    steps, _ = focus(microscope, "uniform")
    assert [step.index for step in steps] == list(range(25))
    assert [step.planned for step in steps[3:]] == [25] * 22
    assert [step.phase for step in steps] == ["start"] * 3 + ["sweep"] * 21 + ["verify"]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("method", METHODS)
def test_scans_run_the_way_in_which_the_drive_approaches(method: str, direction: int) -> None:
    microscope = FakeMicroscope(peak_at(3.0), focus_direction=direction)
    steps, _ = focus(microscope, method)
    for phase in ("sweep", "coarse", "fine", "bracket", "samples"):
        heights = [direction * step.z_um for step in steps if step.phase == phase]
        assert heights == sorted(heights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dof_um": None}, "step in µm"),
        ({"method": "spiral"}, "spiral"),
        ({"range_um": float("nan")}, "range_um"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"range_um": 0.5}, "does not fit"),
        ({"furthest_um": 2.0}, "furthest_um"),
        ({"polarity": "both"}, "polarity"),
        *(
            ({"method": method, "polarity": "min"}, "uniform or coarse-to-fine")
            for method, search in SEARCHES.items()
            if search.follows_maximum
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SweepConfig(**{"dof_um": 1.0, **settings})


def jittery(rng: np.random.Generator) -> FakeMicroscope:
    """Sees any curve there may be, and stands a little off every place that it is sent to."""
    heights = 10 ** rng.uniform(-3, 3) * rng.random(9)
    microscope = FakeMicroscope(lambda z_um: float(np.interp(z_um, np.linspace(-40, 40, 9), heights)))
    move_to, jitter_um = microscope.focus.move_to, float(rng.choice([0.0, 0.1]))

    def move_inexactly(z_um: float) -> float:
        microscope.focus.z_um = move_to(z_um) + jitter_um * float(rng.uniform(-1, 1))
        return microscope.focus.z_um

    microscope.focus.move_to = move_inexactly  # type: ignore[method-assign]
    return microscope


@pytest.mark.parametrize("method", METHODS)
def test_whatever_the_curve_a_sweep_ends_without_the_help_of_its_time_out(method: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        microscope = jittery(rng)
        steps = sweep(microscope, config(method, polarity="max", timeout_s=1e9), measure=mean_value)
        taken = sum(1 for _ in islice(steps, 151))
        assert taken <= 150
        assert all(abs(z_um) <= 30 for z_um in microscope.focus.commands)
