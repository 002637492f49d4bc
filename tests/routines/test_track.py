"""Holding focus on a microscope of a few lines: when it moves, gives way and stops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fake_microscope import FakeMicroscope

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError, MoveRefused
from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction, defocus_um
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.records import TrackRecord
from napari_autofocus.routines.track import TrackConfig, TrackStep, track


@dataclass
class Card:
    dof_um: float = 1.0
    range_um: float = 10.0


class Oracle:
    """Tells the true defocus of a fake microscope whose best focus a test moves; ``spoil`` changes its answers."""

    name, fingerprint, card = "oracle", "f" * 64, Card()

    def __init__(self, microscope: FakeMicroscope, noise_um: float = 0.0) -> None:
        self._microscope, self._noise_um = microscope, noise_um
        self._rng = np.random.default_rng(1)
        self.best_um = 0.0
        self.looks = 0
        self.spoil: Callable[[FocusEstimate], FocusEstimate] = lambda estimate: estimate

    def estimate(self, image: Image, **_: Any) -> FocusEstimate:
        self.looks += 1
        drive = self._microscope.focus
        error_um = self._noise_um * self._rng.standard_normal()
        value = defocus_um(drive.z_um, self.best_um, drive.focus_direction or 1) + error_um
        patch = PatchPrediction(0, 0, image.shape[0], 1.0, True, value, 0.1, 0.9)
        return self.spoil(FocusEstimate("flat", value, 0.1, direction_probability=0.99, patches=(patch,)))


def texture(z_um: float) -> Image:
    """A pattern whose contrast is ``z_um`` grey levels around 100."""
    return np.tile([100.0 + z_um, 100.0 - z_um], (8, 4)).repeat(2, axis=1)


def verdict(name: Any) -> Callable[[FocusEstimate], FocusEstimate]:
    return lambda estimate: FocusEstimate(name, estimate.defocus_um, reasons=(f"It is {name}.",))


@dataclass
class Bench:
    """A microscope, its oracle, and a hold that a test runs round by round; the clock advances as it asks."""

    microscope: FakeMicroscope
    oracle: Oracle
    drift_um_s: float = 0.0
    record: TrackRecord | None = None

    def start(self, **settings: Any) -> None:
        config = TrackConfig(**{"interval_s": 1.0, **settings})
        self.steps = track(self.microscope, self.oracle, config, keep=self._keep)

    def next(self) -> TrackStep:
        step = next(self.steps)
        self.microscope.clock.sleep(step.wait_s)
        self.oracle.best_um += self.drift_um_s * step.wait_s
        return step

    def rounds(self, count: int) -> list[TrackStep]:
        """So many rounds, or as many as there are."""
        made = []
        for _ in range(count):
            try:
                made.append(self.next())
            except StopIteration:
                break
        return made

    def states(self, count: int) -> list[str]:
        return [step.state for step in self.rounds(count)]

    def _keep(self, record: TrackRecord) -> None:
        self.record = record


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    def make(noise_um: float = 0.0, curve: Callable[[float], float] = lambda z_um: 20.0, **drive: Any) -> Bench:
        microscope = FakeMicroscope(curve, **drive)
        return Bench(microscope, Oracle(microscope, noise_um))

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


def test_inside_the_dead_band_nothing_moves(bench: Bench) -> None:
    bench.start(dead_band_um=0.5)
    bench.oracle.best_um = 0.45
    assert set(bench.states(20)) == {"holding"}
    assert bench.microscope.focus.commands == []


def test_the_default_dead_band_is_a_fifth_of_the_depth_of_field(bench: Bench) -> None:
    bench.start()
    bench.oracle.best_um = 0.19
    assert bench.states(3) == ["holding"] * 3
    bench.oracle.best_um = 0.4
    assert "corrected" in bench.states(5)


def test_a_single_estimate_moves_nothing(bench: Bench) -> None:
    bench.oracle.best_um = 3.0
    bench.start()
    assert bench.states(2) == ["holding", "corrected"]


def test_a_correction_is_no_longer_than_allowed(bench: Bench) -> None:
    bench.oracle.best_um = 5.0
    bench.start(largest_correction_um=2.0)
    moved = [step.moved_um for step in bench.rounds(5)]
    assert moved == pytest.approx([0, 2, 2, 1, 0])
    assert bench.microscope.focus.z_um == pytest.approx(5.0)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("average", ["mean", "median"])
def test_follows_drift_with_few_moves(make_bench: Callable[..., Bench], direction: int, average: str) -> None:
    bench = make_bench(noise_um=0.1, focus_direction=direction)
    bench.drift_um_s = 0.02
    bench.start(average=average)
    steps = bench.rounds(300)
    errors = [abs(step.frame.z_um - bench.oracle.best_um) for step in steps[-1:] if step.frame]
    assert max(errors) < 0.5
    assert 10 <= len(bench.microscope.focus.commands) <= 30  # 6 µm of drift in bands of a third
    assert steps[-1].drift_um == pytest.approx(6.0, abs=0.3)


def test_a_median_shrugs_off_a_wild_estimate_that_moves_a_mean(make_bench: Callable[..., Bench]) -> None:
    moves = {}
    for average in ("mean", "median"):
        bench = make_bench()
        bench.start(average=average)
        bench.rounds(5)
        bench.oracle.best_um = 4.0
        bench.next()
        bench.oracle.best_um = 0.0
        bench.rounds(10)
        moves[average] = len(bench.microscope.focus.commands)
    assert moves["median"] == 0 < moves["mean"]


def test_unknown_direction_is_refused_and_nothing_moves_or_is_exposed(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(focus_direction=0)
    bench.start()
    assert bench.rounds(3) == []
    assert bench.record is not None
    assert bench.record.ended == "refused"
    assert "state it, or run a refocus" in bench.record.reasons[0]
    assert bench.microscope.frames == 0


def test_a_direction_that_is_stated_is_used_where_the_drive_knows_none(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(focus_direction=0)
    bench.oracle.best_um = 1.0
    bench.start(focus_direction=1)
    bench.rounds(4)
    assert bench.microscope.focus.z_um == pytest.approx(1.0)


def test_a_drive_outside_its_limits_is_refused(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(z_um=200.0)
    bench.start()
    assert bench.rounds(3) == []
    assert bench.record is not None
    assert bench.record.ended == "refused"
    assert "outside its limits" in bench.record.reasons[0]


# A person at the stage.


def test_gives_way_to_a_person_at_the_drive_and_goes_on_from_the_new_place(bench: Bench) -> None:
    bench.start(interval_s=1.0, rest_s=3.0)
    bench.rounds(3)
    bench.microscope.focus.z_um = bench.oracle.best_um = 7.0
    assert bench.states(4) == ["paused", "paused", "paused", "paused"]
    assert bench.states(3) == ["resumed", "holding", "holding"]
    assert bench.microscope.focus.commands == []
    step = bench.next()
    assert step.best_z_um == pytest.approx(7.0)
    assert step.drift_um == pytest.approx(0.0)


def test_rests_only_once_the_stage_has_stood_still_for_the_whole_time(bench: Bench) -> None:
    bench.start(rest_s=3.0)
    bench.rounds(2)
    for z_um in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        bench.microscope.focus.z_um = z_um
        assert bench.next().state == "paused"
    assert bench.states(3) == ["paused", "paused", "resumed"]


def test_gives_way_when_the_slide_is_moved(bench: Bench) -> None:
    bench.start()
    bench.rounds(2)
    bench.microscope.x_um = 40.0
    step = bench.next()
    assert (step.state, bench.microscope.focus.commands) == ("paused", [])
    assert "40.0 µm" in step.sentence
    assert "resumed" in bench.states(8)


def test_a_slide_that_shakes_a_little_is_the_same_field(bench: Bench) -> None:
    bench.start()
    bench.rounds(2)
    bench.microscope.x_um = 3.0
    assert bench.next().state == "holding"


def test_a_drive_beyond_its_limits_pauses_until_it_is_back(bench: Bench) -> None:
    bench.start()
    bench.rounds(2)

    def elsewhere(index: int) -> None:
        raise ForeignMove("Somebody moved Z beyond its limits.", 300.0)

    bench.microscope.before_snap = elsewhere
    assert bench.states(10) == ["paused"] * 10
    bench.microscope.before_snap = lambda index: None
    assert "resumed" in bench.states(6)


def test_what_was_known_before_a_pause_moves_nothing_after_it(bench: Bench) -> None:
    bench.start(rest_s=1.0)
    bench.rounds(5)
    bench.microscope.focus.z_um = bench.oracle.best_um = -9.0
    bench.rounds(12)
    assert bench.microscope.focus.commands == []


# What stops it.


@pytest.mark.parametrize("name", ["no_content", "unsure", "uneven", "out_of_range"])
def test_misses_in_a_row_stop_it_and_move_nothing(bench: Bench, name: str) -> None:
    bench.start(misses=4)
    bench.rounds(3)
    bench.oracle.spoil, bench.oracle.best_um = verdict(name), 9.0
    steps = bench.rounds(10)
    assert [step.state for step in steps] == ["missed"] * 3 + ["stopped"]
    assert bench.record is not None
    assert (bench.record.ended, bench.record.misses) == (name, 4)
    assert f"It is {name}." in bench.record.reasons[-1]
    assert bench.microscope.focus.commands == []


def test_misses_between_good_rounds_do_not_add_up(bench: Bench) -> None:
    bench.start(misses=3)
    for _ in range(4):
        bench.oracle.spoil = verdict("unsure")
        assert bench.states(2) == ["missed", "missed"]
        bench.oracle.spoil = lambda estimate: estimate
        assert bench.next().state == "holding"


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_an_answer_that_is_no_number_never_moves_anything(bench: Bench, value: Any) -> None:
    bench.start(misses=3)
    bench.oracle.spoil = lambda estimate: FocusEstimate("flat", value)
    assert bench.states(5) == ["missed", "missed", "stopped"]
    assert bench.record is not None
    assert bench.record.ended == "unsure"
    assert bench.microscope.focus.commands == []
    bench.record.to_json()


def sharp_until(bench: Bench, contrast: list[float]) -> None:
    """Have the frames carry the first contrast of a list that a test may change."""
    take = bench.microscope.snap

    def snap() -> Any:
        frame = take()
        return type(frame)(texture(contrast[0]), frame.z_um, frame.x_um, frame.y_um, 25.0, frame.started_s)

    bench.microscope.snap = snap  # type: ignore[method-assign]


def test_sharpness_that_falls_while_the_model_claims_focus_stops_it(bench: Bench) -> None:
    contrast = [10.0]
    sharp_until(bench, contrast)
    bench.start(misses=3)
    assert bench.states(5) == ["holding"] * 5
    contrast[0] = 5.0  # a quarter of the sharpness
    assert bench.states(5) == ["missed", "missed", "stopped"]
    assert bench.record is not None
    assert bench.record.ended == "sharpness_fell"
    assert "25%" in bench.record.reasons[-1]


def test_sharpness_may_fall_where_the_model_says_that_focus_is_lost(bench: Bench) -> None:
    contrast = [10.0]
    sharp_until(bench, contrast)
    bench.start(misses=3, dead_band_um=5.0)
    bench.rounds(3)
    contrast[0], bench.oracle.best_um = 5.0, 2.0
    assert bench.states(5) == ["holding"] * 5


def doubtful(side: int, probability: float) -> Callable[[FocusEstimate], FocusEstimate]:
    return lambda estimate: FocusEstimate(
        "unsure",
        side * (estimate.defocus_um or 0.0),
        direction_probability=probability,
        reasons=("Which side?",),
    )


def test_near_focus_a_likely_side_counts(bench: Bench) -> None:
    sharp_until(bench, [10.0])
    bench.start(misses=3, window=3)
    bench.rounds(4)
    bench.oracle.best_um, bench.oracle.spoil = 0.6, doubtful(1, 0.9)
    assert "missed" not in bench.states(10)
    assert bench.microscope.focus.z_um == pytest.approx(0.6, abs=0.21)
    assert bench.microscope.focus.commands == sorted(bench.microscope.focus.commands)


def test_near_focus_what_is_known_of_best_focus_overrules_a_doubtful_side(bench: Bench) -> None:
    """The drive stands still in a wide dead band while best focus has gone to one side; the model names the other."""
    sharp_until(bench, [10.0])
    bench.start(misses=3, window=3, dead_band_um=0.9)
    bench.oracle.best_um = 0.5
    bench.rounds(6)
    bench.oracle.spoil = doubtful(-1, 0.7)
    steps = bench.rounds(6)
    assert {step.state for step in steps} == {"holding"}
    assert steps[-1].best_z_um == pytest.approx(0.5, abs=0.05)


def test_near_focus_an_even_chance_moves_nothing_and_stops_nothing(bench: Bench) -> None:
    sharp_until(bench, [10.0])
    bench.start(misses=3, window=3)
    bench.rounds(4)
    bench.oracle.best_um, bench.oracle.spoil = 0.6, doubtful(-1, 0.5)
    assert set(bench.states(10)) == {"missed"}
    assert bench.microscope.focus.commands == []


def test_not_knowing_the_side_near_focus_is_a_miss_once_frames_are_no_longer_sharp(bench: Bench) -> None:
    contrast = [10.0]
    sharp_until(bench, contrast)
    bench.start(misses=3, dead_band_um=2.0)
    bench.rounds(3)
    bench.oracle.spoil, bench.oracle.best_um = doubtful(1, 0.9), 0.6
    assert bench.states(8) == ["holding"] * 8
    contrast[0] = 5.0
    assert bench.states(5) == ["missed", "missed", "stopped"]
    assert bench.record is not None
    assert (bench.record.ended, bench.record.moves) == ("unsure", 0)


@pytest.mark.parametrize("start_um", [1.0, -1.0])
def test_a_wrong_direction_is_found_out_and_undone(make_bench: Callable[..., Bench], start_um: float) -> None:
    bench = make_bench(z_um=start_um)
    bench.oracle.spoil = lambda estimate: FocusEstimate("flat", -(estimate.defocus_um or 0.0), 0.1)
    bench.start()
    bench.rounds(20)
    assert bench.record is not None
    assert bench.record.ended == "wrong_way"
    assert bench.microscope.focus.z_um == pytest.approx(start_um, abs=0.6)
    assert max(abs(z_um) for z_um in bench.microscope.focus.commands) < 6.0


def test_not_knowing_the_side_far_from_focus_stops_it_however_sharp_the_frames(bench: Bench) -> None:
    sharp_until(bench, [10.0])
    bench.start(misses=3)
    bench.rounds(3)
    bench.oracle.spoil, bench.oracle.best_um = verdict("unsure"), 3.0
    assert bench.states(5) == ["missed", "missed", "stopped"]


def test_a_specimen_that_is_sharper_out_of_focus_is_not_judged_by_sharpness(bench: Bench) -> None:
    contrast = [5.0]
    sharp_until(bench, contrast)
    bench.start(misses=3, dead_band_um=5.0)
    bench.rounds(3)
    contrast[0], bench.oracle.best_um = 10.0, 2.0
    bench.rounds(2)
    contrast[0], bench.oracle.best_um = 2.0, 0.0
    assert bench.states(5) == ["holding"] * 5


def test_bleaching_is_not_taken_for_defocus(bench: Bench) -> None:
    level = [1.0]
    take = bench.microscope.snap

    def snap() -> Any:
        frame = take()
        return type(frame)(level[0] * texture(10.0), frame.z_um, frame.x_um, frame.y_um, 25.0, frame.started_s)

    bench.microscope.snap = snap  # type: ignore[method-assign]
    bench.start(misses=3)
    bench.rounds(3)
    level[0] = 0.4
    assert bench.states(6) == ["holding"] * 6


def test_focus_that_goes_too_far_is_no_drift(bench: Bench) -> None:
    bench.drift_um_s = 0.5
    bench.start(most_drift_um=4.0)
    bench.rounds(40)
    assert bench.record is not None
    assert bench.record.ended == "drifted_away"
    assert abs(bench.microscope.focus.z_um) < 4.5


def test_best_focus_beyond_the_limits_stops_it_inside_them(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limits_um=(-2.0, 2.0))
    bench.drift_um_s = 0.2
    bench.start()
    bench.rounds(40)
    assert bench.record is not None
    assert bench.record.ended == "at_limit"
    assert "beyond the limits of Z, -2 to 2 µm" in bench.record.reasons[-1]
    assert all(-2 <= z_um <= 2 for z_um in bench.microscope.focus.commands)


def test_a_refusal_of_the_drive_stops_it(bench: Bench) -> None:
    def refuse(index: int) -> None:
        raise MoveRefused("Not now.")

    bench.microscope.focus.before_move = refuse
    bench.oracle.best_um = 1.0
    bench.start()
    assert bench.states(4) == ["holding", "stopped"]
    assert bench.record is not None
    assert (bench.record.ended, bench.record.moves) == ("at_limit", 0)


def test_a_drive_that_sticks_stops_it(bench: Bench) -> None:
    bench.microscope.focus.move_to = lambda z_um: bench.microscope.focus.z_um  # type: ignore[method-assign]
    bench.oracle.best_um = 1.0
    bench.start()
    assert bench.states(4) == ["holding", "stopped"]
    assert bench.record is not None
    assert bench.record.ended == "hardware"
    assert "stands at 0.00 µm" in bench.record.reasons[-1]


def test_one_lost_frame_is_a_miss_and_many_stop_it(bench: Bench) -> None:
    def fail(index: int) -> None:
        raise FrameError("The camera took no frame.")

    bench.start(misses=3)
    bench.rounds(2)
    bench.microscope.before_snap = fail
    assert bench.next().state == "missed"
    bench.microscope.before_snap = lambda index: None
    assert bench.next().state == "holding"
    bench.microscope.before_snap = fail
    assert bench.states(5) == ["missed", "missed", "stopped"]
    assert bench.record is not None
    assert bench.record.ended == "hardware"


def test_hardware_that_fails_stops_it_at_once(bench: Bench) -> None:
    def fail(index: int) -> None:
        raise HardwareError("The controller answered with error 42.")

    bench.start()
    bench.rounds(2)
    bench.microscope.before_snap = fail
    assert bench.states(5) == ["stopped"]
    assert bench.record is not None
    assert bench.record.ended == "hardware"
    assert "error 42" in bench.record.reasons[-1]


def test_optics_that_the_model_refuses_are_told(bench: Bench) -> None:
    def refuse(estimate: FocusEstimate) -> FocusEstimate:
        raise InputError("The optics are unknown; give them, or insist.")

    bench.oracle.spoil = refuse
    bench.start()
    assert bench.states(3) == ["stopped"]
    assert bench.record is not None
    assert (bench.record.ended, bench.record.moves) == ("refused", 0)


# How it ends, and what it leaves.


def test_closing_leaves_the_drive_where_it_is_and_tells_the_record(bench: Bench) -> None:
    bench.oracle.best_um = 1.5
    bench.start()
    bench.rounds(4)
    bench.steps.close()
    assert bench.microscope.focus.z_um == pytest.approx(1.5)
    record = bench.record
    assert record is not None
    assert (record.ended, record.rounds, record.moves) == ("cancelled", 4, 1)
    assert (record.start_um, record.end_um) == pytest.approx((0.0, 1.5))
    assert TrackRecord.from_json(record.to_json()) == record


def test_moves_before_and_after_a_pause_are_counted(bench: Bench) -> None:
    bench.oracle.best_um = 1.0
    bench.start(rest_s=1.0)
    bench.rounds(4)
    bench.microscope.focus.z_um, bench.oracle.best_um = 5.0, 6.0
    bench.rounds(12)
    bench.steps.close()
    assert bench.record is not None
    assert (bench.record.moves, bench.record.pauses) == (2, 1)


def test_the_microscope_is_put_back_after_every_round(bench: Bench) -> None:
    bench.start()
    bench.rounds(3)
    assert bench.microscope.restored == 3


def test_the_wait_is_what_is_left_of_the_interval(bench: Bench) -> None:
    bench.start(interval_s=2.0)
    assert next(bench.steps).wait_s == pytest.approx(2.0 - 0.025)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval_s", 0.0),
        ("dead_band_um", -1.0),
        ("most_drift_um", math.nan),
        ("window", 0),
        ("misses", 0),
        ("least_sharpness", 1.0),
        ("average", "mode"),
        ("focus_direction", 2),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=str(value) if isinstance(value, str) else "hold|direction"):
        TrackConfig(**{name: value})
