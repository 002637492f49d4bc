"""Refocus by two shots of a fake field whose optics are even: one frame alone could not tell the side of focus."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from fake_microscope import FakeMicroscope, run_to_end
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_pair import FakePair
from fake_predictor import FakePredictor
from napari_autofocus.errors import FrameError, HardwareError, InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.routines.two_shot import PairRefocusConfig, refocus_by_pair

BEST_UM = 1.5
CONFIG = PairRefocusConfig(optics=ImageOptics(Objective(20, 0.75)))
Answer = Callable[[float], FocusEstimate]

both_directions = pytest.mark.parametrize("direction", [1, -1])


def flat_at(defocus_um: float, **others: Any) -> FocusEstimate:
    return FocusEstimate("flat", defocus_um, 0.05, direction_probability=0.99, reasons=("Read.",), **others)


def said(verdict: Any, value: float | None = None) -> Answer:
    return lambda _: FocusEstimate(verdict, value, 1.0, reasons=(f"It is {verdict}.",))


def too_far(defocus_um: float) -> FocusEstimate:
    return FocusEstimate("out_of_range", math.copysign(8.0, defocus_um), 1.0, reasons=("Too far.",))


class BlindMicroscope(FakeMicroscope):
    """Its drive does not know its direction, which is ``really``."""

    really = 1

    @property
    def axial_um(self) -> float:
        return self.really * self.focus.z_um


def stand(defocus_um: float, direction: int = 1, *, blind: bool = False, **drive: Any) -> FakeMicroscope:
    """A microscope whose frames carry how far from focus they are, without the side."""
    kind = BlindMicroscope if blind else FakeMicroscope
    focus_direction = 0 if blind else direction
    z_um = direction * (BEST_UM + defocus_um)
    made = kind(lambda axial: abs(axial - BEST_UM), focus_direction=focus_direction, z_um=z_um, **drive)
    if isinstance(made, BlindMicroscope):
        made.really = direction
    return made


def pair(answer: Answer = flat_at, *, calls: dict[int, Answer] | None = None) -> FakePair:
    """Tells the side by which of the two frames is the blurrier; ``calls`` says otherwise for single pairs, from 0."""
    seen = iter(range(1000))

    def read(first: np.ndarray, second: np.ndarray, dz_um: float) -> FocusEstimate:
        before, after = float(first.mean()), float(second.mean())
        defocus_um = min((after, -after), key=lambda value: abs(abs(value - dz_um) - before))
        return (calls or {}).get(next(seen), answer)(defocus_um)

    return FakePair(read)


def run(
    microscope: FakeMicroscope, predictor: FakePair, config: PairRefocusConfig = CONFIG, **others: Any
) -> RefocusRecord:
    return run_to_end(refocus_by_pair(microscope, predictor, config, **others))[1]


def error(microscope: FakeMicroscope) -> float:
    return abs(microscope.axial_um - BEST_UM)


def phases(record: RefocusRecord) -> list[str]:
    return [shot.phase for shot in record.shots]


def axial(microscope: FakeMicroscope) -> list[float]:
    """Where the drive was sent, along the way that brings sample and objective together, from focus."""
    return [microscope.focus.focus_direction * z_um - BEST_UM for z_um in microscope.focus.commands]


@both_directions
@pytest.mark.parametrize("start_um", [-7.0, -3.1, -0.8])
def test_a_field_below_focus_is_focused_by_two_pairs(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run(microscope, model := pair())
    assert (record.outcome, record.method, phases(record)) == (
        "focused",
        "two-shot",
        ["apart", "shot", "apart", "verify"],
    )
    assert error(microscope) < 1e-6
    assert record.before_um == pytest.approx(start_um)
    assert record.after_um == pytest.approx(0)
    assert (record.model, record.fingerprint, record.focus_direction) == ("fake-pair", "e" * 64, direction)
    assert model.distances_um == pytest.approx([2.0, 2.0])


@both_directions
@pytest.mark.parametrize("start_um", [0.9, 3.0, 6.5])
def test_a_field_above_focus_is_looked_at_again_from_below_and_approached_without_reversal(
    direction: int, start_um: float
) -> None:
    microscope = stand(start_um, direction)
    record = run(microscope, pair())
    assert (record.outcome, phases(record)) == ("focused", ["apart", "shot", "apart", "again", "verify"])
    assert axial(microscope) == pytest.approx([start_um - 2, start_um, -4.0, -2.0, 0.0], abs=1e-6)


@both_directions
@pytest.mark.parametrize("start_um", [-7.0, -2.0, 0.4, 6.5])
def test_nothing_comes_closer_than_the_start_or_focus(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    run(microscope, pair())
    assert max(axial(microscope)) <= max(start_um, 0) + 1e-6


def test_a_shot_that_lies_right_serves_twice() -> None:
    record = run(microscope := stand(-2.0), pair())
    assert (record.outcome, phases(record)) == ("focused", ["apart", "shot", "verify"])
    assert record.moves == len(microscope.focus.commands) == 3


def test_a_field_in_focus_is_left_where_it_is() -> None:
    microscope = stand(0.1)
    record = run(microscope, pair())
    assert (record.outcome, record.frames, record.moves) == ("already_in_focus", 2, 2)
    assert axial(microscope) == pytest.approx([-1.9, 0.1])


def test_a_field_without_content_is_left_where_it_is() -> None:
    microscope = stand(3.0)
    record = run(microscope, pair(said("no_content")))
    assert (record.outcome, record.frames, record.moves) == ("skipped_no_content", 2, 2)
    assert error(microscope) == pytest.approx(3.0)


@pytest.mark.parametrize("answer", [said("unsure", 2.0), lambda _: flat_at(math.nan), lambda _: flat_at(None)])  # type: ignore[arg-type]
def test_what_is_no_answer_moves_nothing(answer: Answer) -> None:
    microscope = stand(3.0)
    record = run(microscope, pair(answer))
    assert record.outcome == "refused"
    assert axial(microscope) == pytest.approx([1.0, 3.0])


def test_no_room_for_the_step_apart_is_one_sentence() -> None:
    microscope = stand(-4.0, limits_um=(-3.0, 20.0))
    record = run(microscope, pair())
    assert (record.outcome, microscope.focus.commands) == ("refused", [])
    assert len(record.reasons) == 1
    assert "beyond the limits of Z, -3 to 20 µm" in record.reasons[0]


def test_without_room_below_focus_a_field_above_it_is_approached_as_it_is() -> None:
    microscope = stand(3.0, limits_um=(BEST_UM - 2.5, 20.0))
    record = run(microscope, pair())
    assert (record.outcome, phases(record)) == ("focused", ["apart", "shot", "apart", "verify"])
    assert error(microscope) < 1e-6


def test_an_error_of_the_first_estimate_is_corrected() -> None:
    microscope = stand(-6.0)
    record = run(microscope, pair(calls={0: lambda d: flat_at(d + 1.0)}))
    assert record.outcome == "focused"
    assert error(microscope) < 1e-6


@both_directions
@pytest.mark.parametrize("start_um", [-6.0, -0.8, 0.9, 6.0])
def test_a_model_with_the_wrong_sign_is_undone(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run(microscope, pair(lambda d: flat_at(-d)))
    assert record.outcome == "reverted"
    assert error(microscope) == pytest.approx(abs(start_um))


@pytest.mark.parametrize(("start_um", "then_um"), [(-5.0, -7.0), (5.0, 4.0)])
def test_pairs_that_contradict_each_other_are_not_believed(start_um: float, then_um: float) -> None:
    microscope = stand(start_um)
    record = run(microscope, pair(calls={1: lambda _: flat_at(then_um)}))
    assert record.outcome == "reverted"
    assert error(microscope) == pytest.approx(5.0)


def test_a_blurred_copy_of_the_start_is_not_in_focus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.routines.refocusing.belief.sharper_than_start", lambda _: False)
    microscope = stand(-5.0)
    record = run(microscope, pair())
    assert record.outcome == "reverted"
    assert "blurred copy" in record.reasons[0]
    assert error(microscope) == pytest.approx(5.0)


@both_directions
def test_out_of_range_steps_towards_focus_once(direction: int) -> None:
    microscope = stand(-12.0, direction)
    record = run(microscope, pair(calls={0: too_far}))
    assert (record.outcome, phases(record)[:4]) == ("focused", ["apart", "shot", "apart", "edge"])
    assert error(microscope) < 1e-6


def test_two_shots_carry_both_frames() -> None:
    steps, _ = run_to_end(refocus_by_pair(stand(-3.0), pair(), CONFIG))
    assert [step.first is None for step in steps] == [True, False, True, False]
    assert steps[1].first is steps[0].frame
    assert steps[0].estimate is None


@both_directions
@pytest.mark.parametrize("steps", range(1, 5))
def test_closing_it_anywhere_goes_back(steps: int, direction: int) -> None:
    microscope, kept = stand(4.0, direction), []
    generator = refocus_by_pair(microscope, pair(), CONFIG, keep=kept.append)
    for _ in range(steps):
        next(generator)
    generator.close()
    assert [record.outcome for record in kept] == ["cancelled"]
    assert error(microscope) == pytest.approx(4.0)
    assert microscope.restored == 1


@pytest.mark.parametrize("frame", range(4))
def test_a_camera_that_fails_leaves_the_drive_where_it_was(frame: int) -> None:
    def fail(index: int) -> None:
        if index == frame:
            raise FrameError("The camera took no frame.")

    microscope = stand(-6.0)
    microscope.before_snap = fail
    record = run(microscope, pair())
    assert record.outcome == "failed"
    assert error(microscope) == pytest.approx(6.0)


@pytest.mark.parametrize("move", range(4))
def test_a_drive_that_fails_once_is_brought_back(move: int) -> None:
    def fail(index: int) -> None:
        if index == move:
            raise HardwareError("Stuck.")

    microscope = stand(-6.0)
    microscope.focus.before_move = fail
    assert run(microscope, pair()).outcome == "failed"
    assert error(microscope) == pytest.approx(6.0)


def test_a_person_who_takes_the_drive_keeps_it() -> None:
    microscope = stand(6.0)

    def turn(index: int) -> None:
        if index == 2:
            microscope.focus.z_um += 3.0

    microscope.before_snap = turn
    record = run(microscope, pair())
    assert (record.outcome, "not moved back" in record.reasons[0]) == ("failed", True)


def test_a_drive_that_falls_short_between_two_shots_fails() -> None:
    microscope = stand(-6.0)
    move_to = microscope.focus.move_to

    def short(z_um: float) -> float:
        return move_to(z_um - (0.3 if len(microscope.focus.commands) == 1 else 0.0))

    microscope.focus.move_to = short  # type: ignore[method-assign]
    record = run(microscope, pair())
    assert record.outcome == "failed"
    assert "moved by 1.70 µm between two shots, where 2 µm were asked for" in record.reasons[0]


def test_optics_that_are_refused_leave_no_record_and_the_drive_at_the_start() -> None:
    microscope, kept = stand(4.0), []
    with pytest.raises(InputError, match="optics are unknown"):
        run(microscope, pair(), PairRefocusConfig(), keep=kept.append)
    assert error(microscope) == pytest.approx(4.0)
    assert kept == []


@pytest.mark.parametrize(("dz_um", "borne"), [(1.8, True), (2.2, True), (2.5, False), (1.0, False)])
def test_a_distance_that_the_model_cannot_bear_is_refused_before_anything_moves(dz_um: float, borne: bool) -> None:
    microscope = stand(-4.0)
    if borne:
        model = pair()
        assert run(microscope, model, replace(CONFIG, dz_um=dz_um)).outcome == "focused"
        assert model.distances_um[0] == pytest.approx(dz_um)
        return
    with pytest.raises(InputError, match="2 µm apart, give or take 10%; found"):
        run(microscope, pair(), replace(CONFIG, dz_um=dz_um))
    assert microscope.focus.commands == []


def test_a_sweep_helps_where_the_pair_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "napari_autofocus.routines.sweeping.run.sharpness"
    monkeypatch.setattr(target, lambda image, *_, **__: -float(image.mean()))
    sweep = SweepConfig(method="uniform", range_um=6.0, step_um=1.0, polarity="max", noise_frames=1)
    record = run(stand(3.4), pair(said("unsure")), replace(CONFIG, sweep=sweep))
    assert record.method == "two-shot, sweep"
    assert len(record.curve) > 5


# A drive that does not know its direction.


@both_directions
@pytest.mark.parametrize("start_um", [-5.0, -0.8, 0.9, 5.0])
def test_where_nobody_knows_the_direction_even_optics_are_focused_all_the_same(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction, blind=True)
    record = run(microscope, model := pair())
    assert record.outcome == "focused"
    assert error(microscope) < 1e-6
    assert record.focus_direction == 0  # two shots of even optics cannot tell it
    assert model.distances_um[:2] == pytest.approx([2.0, -2.0])
    farthest = max(abs(direction * z_um - BEST_UM) for z_um in microscope.focus.commands)
    assert farthest <= abs(start_um) + 2 + 1e-6


def test_readings_that_differ_by_the_direction_move_nothing() -> None:
    microscope = stand(4.0, blind=True)
    record = run(microscope, pair(lambda _: flat_at(4.0)))
    assert record.outcome == "refused"
    assert "different places" in record.reasons[0]
    assert error(microscope) == pytest.approx(4.0)


def test_without_leave_to_probe_nothing_moves() -> None:
    microscope = stand(4.0, blind=True)
    record = run(microscope, pair(), replace(CONFIG, probe_um=0.0))
    assert (record.outcome, microscope.focus.commands) == ("refused", [])


# Two shots that decide where one leaves doubt.


def one_shot(*answers: FocusEstimate) -> FakePredictor:
    left = iter(answers)
    return FakePredictor(lambda _: next(left))


UNSURE = FocusEstimate("unsure", 2.0, 1.0, direction_probability=0.6, reasons=("Undecided.",))


@both_directions
@pytest.mark.parametrize("start_um", [-3.0, 3.0])
def test_two_shots_decide_where_one_is_unsure(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run_to_end(refocus(microscope, one_shot(UNSURE), CONFIG, pair=pair()))[1]
    assert (record.outcome, record.method) == ("focused", "one-shot, two-shot")
    assert phases(record)[:3] == ["shot", "apart", "second"]
    assert (record.model, record.fingerprint) == ("fake, fake-pair", f"{'f' * 64}, {'e' * 64}")
    assert error(microscope) < 1e-6


def test_two_shots_decide_where_one_contradicts_itself() -> None:
    microscope = stand(5.0)
    record = run_to_end(refocus(microscope, one_shot(flat_at(-3.0), flat_at(8.0)), CONFIG, pair=pair()))[1]
    assert (record.outcome, record.method) == ("focused", "one-shot, two-shot")
    assert "Two shots decide." in record.reasons[0]
    assert error(microscope) < 1e-6


def test_two_shots_that_find_the_start_in_focus_leave_it_there() -> None:
    microscope = stand(0.1)
    record = run_to_end(refocus(microscope, one_shot(UNSURE), CONFIG, pair=pair()))[1]
    assert (record.outcome, record.frames) == ("already_in_focus", 3)
    assert error(microscope) == pytest.approx(0.1)


def test_two_shots_that_are_unsure_too_leave_the_rest_to_a_refusal() -> None:
    microscope = stand(3.0)
    record = run_to_end(refocus(microscope, one_shot(UNSURE), CONFIG, pair=pair(said("unsure"))))[1]
    assert (record.outcome, record.frames) == ("refused", 3)
    assert error(microscope) == pytest.approx(3.0)


def test_a_sure_shot_needs_no_second_model() -> None:
    microscope = stand(3.0)
    record = run_to_end(refocus(microscope, one_shot(flat_at(3.0), flat_at(0.0)), CONFIG, pair=pair()))[1]
    assert (record.outcome, record.method, record.model) == ("focused", "one-shot", "fake")


# Whatever a model says.

answers = st.builds(
    lambda verdict, value: FocusEstimate(verdict, value, 0.1, reasons=("Drawn.",)),
    st.sampled_from(["flat", "tilted", "uneven", "no_content", "out_of_range", "unsure"]),
    st.floats(-12, 12),
)


@settings(deadline=None, max_examples=60)
@example([FocusEstimate("flat", 2.0, 0.1), FocusEstimate("uneven", 1.0, 0.1)], 1, True)  # nearer than at the start
@given(drawn=st.lists(answers, min_size=1, max_size=12), direction=st.sampled_from([1, -1]), fallback=st.booleans())
def test_whatever_a_model_says_the_drive_ends_at_the_start_or_where_a_pair_agreed(
    drawn: list[FocusEstimate], direction: int, fallback: bool
) -> None:
    microscope, left = stand(4.0, direction), iter(drawn + [drawn[-1]] * 50)
    config = replace(CONFIG, uneven="leave")
    says = pair(lambda _: next(left))
    steps = (
        refocus(microscope, FakePredictor(lambda _: next(left)), config, pair=says)
        if fallback
        else refocus_by_pair(microscope, says, config)
    )
    record = run_to_end(steps)[1]
    assert record.reasons
    if record.outcome == "focused":
        assert record.after_um is not None
        assert abs(record.after_um) <= 0.5
    elif error(microscope) != pytest.approx(4.0):
        said_um = [estimate.defocus_um or 0.0 for estimate in drawn]
        assert any(abs(later) < abs(earlier) for earlier, later in pairwise(said_um))
        assert "the best place that was verified" in record.reasons[-1]
    assert RefocusRecord.from_json(record.to_json()) == record


def test_a_config_knows_no_distance_below_zero() -> None:
    with pytest.raises(InputError, match="dz_um"):
        RefocusConfig(dz_um=-2.0)
