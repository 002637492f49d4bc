"""Refocus by a model that reads the true defocus of a fake field, or says something else about it on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from fake_microscope import FakeMicroscope, run_to_end
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_predictor import FakeCard, FakePredictor
from napari_autofocus.errors import DriveHalted, ForeignMove, FrameError, HardwareError, InputError, MoveRefused
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import RefocusConfig, propose, refocus
from napari_autofocus.routines.sweep import SweepConfig

BEST_UM = 1.5
OPTICS = ImageOptics(Objective(20, 0.75))
CONFIG = RefocusConfig(optics=OPTICS)
Answer = Callable[[float], FocusEstimate]

both_directions = pytest.mark.parametrize("direction", [1, -1])


def flat_at(defocus_um: float, **others: Any) -> FocusEstimate:
    return FocusEstimate("flat", defocus_um, 0.05, direction_probability=0.99, reasons=("Read.",), **others)


def stand(defocus_um: float = 5.0, direction: int = 1, **drive: Any) -> FakeMicroscope:
    """A microscope whose frames carry the axial position, so far out of focus."""
    z_um = direction * (BEST_UM + defocus_um)
    return FakeMicroscope(lambda axial: axial, focus_direction=direction, z_um=z_um, **drive)


def model(answer: Answer = flat_at, *, calls: dict[int, Answer] | None = None) -> FakePredictor:
    """Reads the true defocus; ``calls`` says otherwise for single frames, counted from 0."""
    seen = iter(range(1000))

    def read(image: np.ndarray) -> FocusEstimate:
        index, defocus_um = next(seen), float(image.mean()) - BEST_UM
        return (calls or {}).get(index, answer)(defocus_um)

    return FakePredictor(read)


def unsure(_: float) -> FocusEstimate:
    return FocusEstimate("unsure", 2.0, 1.0, direction_probability=0.6, reasons=("Undecided.",))


def empty(_: float) -> FocusEstimate:
    return FocusEstimate("no_content", reasons=("No content.",))


def too_far(defocus_um: float) -> FocusEstimate:
    return FocusEstimate("out_of_range", math.copysign(5.0, defocus_um), 1.0, reasons=("Too far.",))


def run(
    microscope: FakeMicroscope, predictor: FakePredictor, config: RefocusConfig = CONFIG, **others: Any
) -> RefocusRecord:
    return run_to_end(refocus(microscope, predictor, config, **others))[1]


def axial_error(microscope: FakeMicroscope) -> float:
    return abs(microscope.axial_um - BEST_UM)


@both_directions
@pytest.mark.parametrize("start_um", [-6.0, -0.8, 0.9, 7.5])
def test_a_field_is_focused_in_two_frames_and_one_move(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run(microscope, model())
    assert axial_error(microscope) < 1e-6
    assert (record.outcome, record.frames, record.moves) == ("focused", 2, 1)
    assert record.before_um == pytest.approx(start_um)
    assert record.after_um == pytest.approx(0)
    assert [shot.phase for shot in record.shots] == ["shot", "verify"]
    assert (record.model, record.fingerprint, record.focus_direction) == ("fake", "f" * 64, direction)


def test_a_field_in_focus_is_left_alone() -> None:
    microscope = stand(0.2)
    record = run(microscope, model())
    assert (record.outcome, record.frames, record.moves) == ("already_in_focus", 1, 0)
    assert microscope.focus.commands == []


def test_an_error_of_the_first_estimate_is_corrected_by_the_second() -> None:
    microscope = stand(8.0)
    record = run(microscope, model(calls={0: lambda d: flat_at(d - 1.0)}))
    assert (record.outcome, record.frames, record.moves) == ("focused", 3, 2)
    assert axial_error(microscope) < 1e-6


def test_corrections_that_never_arrive_end_where_they_began() -> None:
    jumpy = iter([6.0, 0.9, -0.9, 0.9, -0.9, 0.9])
    record = run(microscope := stand(6.0), model(lambda _: flat_at(next(jumpy))))
    assert (record.outcome, record.moves) == ("reverted", 4)
    assert axial_error(microscope) == pytest.approx(6.0)


def test_without_content_nothing_moves() -> None:
    microscope = stand()
    record = run(microscope, model(empty))
    assert (record.outcome, record.frames, record.moves) == ("skipped_no_content", 1, 0)
    assert record.reasons == ("No content.",)
    assert microscope.focus.commands == []


@both_directions
def test_an_unsure_estimate_is_looked_at_again_farther_apart(direction: int) -> None:
    microscope = stand(3.0, direction)
    record = run(microscope, model(calls={0: unsure}))
    assert (record.outcome, record.frames, record.moves) == ("focused", 3, 2)
    assert direction * (microscope.focus.commands[0] - direction * (BEST_UM + 3.0)) == pytest.approx(-2.0)
    assert axial_error(microscope) < 1e-6


def test_a_model_that_stays_unsure_moves_nothing_for_good() -> None:
    microscope = stand(3.0)
    record = run(microscope, model(unsure))
    assert record.outcome == "refused"
    assert "Undecided." in record.reasons
    assert axial_error(microscope) == pytest.approx(3.0)


def sideless(defocus_um: float) -> FocusEstimate:
    """Knows its distance from focus, and names the near side wherever it is."""
    if abs(defocus_um) < 0.3:
        return flat_at(defocus_um)
    return FocusEstimate("unsure", abs(defocus_um), 0.3, direction_probability=0.6, reasons=("Undecided.",))


@both_directions
@pytest.mark.parametrize("defocus_um", [6.0, 1.2, -1.2, -6.0])
def test_two_frames_settle_the_side_that_the_model_cannot_see(defocus_um: float, direction: int) -> None:
    """As even optics, or one colour, make it: the second frame lies nearer or farther, and that tells."""
    microscope = stand(defocus_um, direction)
    record = run(microscope, model(sideless))
    assert record.outcome == "focused"
    assert record.frames in (3, 4)
    assert axial_error(microscope) < 0.3
    assert "settle the side of focus" in record.reasons[0]
    assert record.shots[0].verdict == "unsure"
    assert record.shots[1].verdict == ("out_of_range" if defocus_um == -6.0 else "flat")  # then at -8 µm, of ± 4 known


def test_a_side_that_two_frames_do_not_settle_is_refused() -> None:
    """The distance does not follow the move: something else is being read."""
    microscope = stand(6.0)
    record = run(microscope, model(calls={0: sideless, 1: lambda d: sideless(d + 1.9)}))
    assert record.outcome == "refused"
    assert axial_error(microscope) == pytest.approx(6.0)


def test_frames_settle_no_side_where_nobody_knows_which_way_the_drive_focuses() -> None:
    microscope = stand(6.0)
    microscope.focus.focus_direction = 0
    record = run(microscope, model(sideless))
    assert record.outcome == "refused"
    assert "where it started" in record.reasons[-1]


@both_directions
def test_out_of_range_steps_towards_focus_once(direction: int) -> None:
    microscope = stand(7.0, direction)
    record = run(microscope, model(calls={0: too_far}))
    assert record.outcome == "focused"
    assert [shot.phase for shot in record.shots] == ["shot", "edge", "verify"]
    assert axial_error(microscope) < 1e-6


def test_out_of_range_twice_is_a_refusal() -> None:
    microscope = stand(7.0)
    record = run(microscope, model(too_far))
    assert (record.outcome, record.frames) == ("refused", 2)
    assert axial_error(microscope) == pytest.approx(7.0)


@both_directions
@pytest.mark.parametrize("start_um", [-6.0, -0.8, 0.9, 7.5])
def test_a_model_with_the_wrong_sign_is_undone(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run(microscope, model(lambda d: flat_at(-d, warnings=("Other optics.",))))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(abs(start_um))
    assert record.warnings == ("Other optics.",)
    assert record.after_um is None  # the frame that was judged is not of where the drive stands now


def test_a_direction_that_was_stated_wrongly_is_named() -> None:
    microscope = stand(4.0)
    microscope.focus.focus_direction = 0
    record = run(microscope, FakePredictor(lambda image: flat_at(float(image.mean()) - BEST_UM)))
    assert record.outcome in ("reverted", "refused")
    microscope = _blind(4.0, 1)
    record = run(microscope, model(), replace(CONFIG, focus_direction=-1))
    assert record.outcome == "reverted"
    assert "focus direction stated for this drive is wrong" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(4.0)


def test_a_short_move_that_play_has_eaten_is_made_again() -> None:
    microscope = stand(-0.6)
    record = run(microscope, model(calls={1: lambda d: flat_at(d - 1.0)}))
    assert [shot.phase for shot in record.shots] == ["shot", "verify", "verify", "verify"]
    assert record.outcome == "focused"
    assert "play" in record.reasons[0]


def test_a_short_move_in_the_wrong_direction_is_undone_after_one_more() -> None:
    microscope = stand(-0.6)
    record = run(microscope, model(lambda d: flat_at(-d)))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(0.6)
    assert record.frames == 3


def test_frames_that_contradict_each_other_are_not_believed() -> None:
    microscope = stand(5.0)
    record = run(microscope, model(calls={1: lambda _: flat_at(-4.0)}))
    assert record.outcome == "reverted"
    assert "contradict" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(5.0)


@pytest.mark.parametrize("verdict", [unsure, empty, too_far])
def test_a_move_that_cannot_be_verified_is_undone(verdict: Answer) -> None:
    microscope = stand(5.0)
    record = run(microscope, model(calls={1: verdict}))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(5.0)


# A drive that does not know its direction.


class BlindDrive:
    """Passes everything on but its direction."""

    focus_direction = 0

    def __init__(self, drive: Any) -> None:
        self._drive = drive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._drive, name)


def _blind(defocus_um: float, direction: int) -> FakeMicroscope:
    microscope = stand(defocus_um, direction)
    axial = FakeMicroscope.axial_um.fget  # type: ignore[attr-defined]

    class Blind(FakeMicroscope):
        @property
        def axial_um(self) -> float:
            return direction * (self.focus.z_um + self.focus.lag_um)

    assert axial is not None
    blind = Blind(lambda z_um: z_um, focus_direction=direction, z_um=microscope.focus.z_um)
    blind.focus = BlindDrive(blind.focus)  # type: ignore[assignment]
    return blind


@both_directions
def test_an_unknown_direction_is_found_out_by_a_small_move(direction: int) -> None:
    microscope = _blind(4.0, direction)
    record = run(microscope, model())
    assert (record.outcome, record.focus_direction) == ("focused", direction)
    assert [shot.phase for shot in record.shots] == ["shot", "probe", "verify"]
    assert abs(microscope.focus.commands[0] - direction * (BEST_UM + 4.0)) == pytest.approx(2.0)
    assert axial_error(microscope) < 1e-6


@both_directions
def test_a_direction_that_is_stated_is_not_probed(direction: int) -> None:
    microscope = _blind(4.0, direction)
    record = run(microscope, model(), replace(CONFIG, focus_direction=direction))
    assert (record.outcome, record.frames) == ("focused", 2)


@both_directions
def test_a_direction_is_found_out_at_the_edge_of_the_range(direction: int) -> None:
    for calls in ({1: too_far_by}, {0: too_far_by, 1: too_far_by}):
        microscope = _blind(3.9, direction)
        record = run(microscope, model(calls=dict(calls)))
        assert (record.outcome, record.focus_direction) == ("focused", direction)
        assert axial_error(microscope) < 1e-6


def too_far_by(defocus_um: float) -> FocusEstimate:
    return FocusEstimate("out_of_range", defocus_um, 0.5, reasons=("Too far.",))


@both_directions
def test_an_unsure_frame_is_looked_at_again_although_the_direction_is_unknown(direction: int) -> None:
    microscope = _blind(3.0, direction)
    record = run(microscope, model(calls={0: unsure}))
    assert (record.outcome, record.focus_direction) == ("focused", direction)
    assert axial_error(microscope) < 1e-6


def test_without_leave_to_probe_nothing_moves() -> None:
    microscope = _blind(4.0, 1)
    record = run(microscope, model(), replace(CONFIG, probe_um=0.0))
    assert record.outcome == "refused"
    assert microscope.focus.commands == []


def test_a_probe_that_fits_neither_direction_is_undone() -> None:
    microscope = _blind(4.0, 1)
    record = run(microscope, model(calls={1: lambda _: flat_at(4.1)}))
    assert record.outcome == "refused"
    assert "neither" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(4.0)


# Limits, time, and hardware that fails.


def test_a_target_beyond_the_limits_is_refused_before_anything_moves() -> None:
    microscope = stand(8.0, limits_um=(5.0, 20.0))
    record = run(microscope, model())
    assert record.outcome == "refused"
    assert microscope.focus.commands == []


def test_an_estimate_may_not_ask_for_any_distance() -> None:
    microscope = stand(9.0)
    record = run(microscope, model(), replace(CONFIG, largest_move_um=5.0))
    assert record.outcome == "refused"
    assert "5 µm are allowed" in record.reasons[0]
    assert microscope.focus.commands == []


@pytest.mark.parametrize("value", [math.nan, None])
def test_an_estimate_that_is_no_number_moves_nothing(value: float | None) -> None:
    microscope = stand(4.0)
    answer = FocusEstimate("flat", value, 0.1)
    assert run(microscope, model(lambda _: answer)).outcome == "refused"
    assert microscope.focus.commands == []
    assert microscope.restored == 1


def test_a_run_out_of_time_goes_back() -> None:
    microscope = stand(8.0)
    record = run(microscope, model(calls={0: lambda d: flat_at(d - 1)}), replace(CONFIG, timeout_s=0.07))
    assert record.outcome == "timed_out"
    assert axial_error(microscope) == pytest.approx(8.0)


@pytest.mark.parametrize("frame", [0, 1])
def test_a_camera_that_fails_leaves_the_drive_where_it_was(frame: int) -> None:
    def fail(index: int) -> None:
        if index == frame:
            raise FrameError("The camera took no frame.")

    microscope = stand(6.0)
    microscope.before_snap = fail
    record = run(microscope, model())
    assert record.outcome == "failed"
    assert "took no frame" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(6.0)
    assert microscope.restored == 1


def test_a_failure_after_a_verified_improvement_keeps_it() -> None:
    def fail(index: int) -> None:
        if index == 1:
            raise HardwareError("The drive is stuck.")

    microscope = stand(8.0)
    microscope.focus.before_move = fail
    record = run(microscope, model(calls={0: lambda d: flat_at(d - 1.5)}))
    assert record.outcome == "failed"
    assert axial_error(microscope) == pytest.approx(1.5)
    assert "best place that was verified" in record.reasons[-1]


@pytest.mark.parametrize("error", [DriveHalted("Halted."), HardwareError("Stuck."), MoveRefused("No.")])
def test_a_drive_that_fails_has_a_named_outcome(error: Exception) -> None:
    def fail(index: int) -> None:
        if index == 0:
            raise error

    microscope = stand(6.0)
    microscope.focus.before_move = fail
    record = run(microscope, model())
    assert record.outcome == {DriveHalted: "cancelled", HardwareError: "failed", MoveRefused: "refused"}[type(error)]
    assert axial_error(microscope) == pytest.approx(6.0)


def test_a_person_who_takes_the_drive_keeps_it() -> None:
    microscope = stand(6.0)

    def turn(index: int) -> None:
        if index == 1:
            microscope.focus.z_um += 3.0

    microscope.before_snap = turn
    record = run(microscope, model())
    assert record.outcome == "failed"
    assert "not moved back" in record.reasons[0]
    assert microscope.focus.z_um == pytest.approx(BEST_UM + 3.0)


def test_a_frame_from_before_the_move_is_not_trusted() -> None:
    microscope = stand(6.0)
    taken: list[Frame] = []
    snap = microscope.snap

    def stale() -> Frame:
        taken.append(snap())
        return replace(taken[-1], started_s=taken[0].started_s)

    microscope.snap = stale  # type: ignore[method-assign]
    record = run(microscope, model())
    assert record.outcome == "failed"
    assert "before the drive had come to rest" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(6.0)


@pytest.mark.parametrize("steps", [1, 2])
def test_closing_it_goes_back_unless_it_is_done(steps: int) -> None:
    microscope, kept = stand(8.0), []
    generator = refocus(microscope, model(calls={0: lambda d: flat_at(d - 1)}), CONFIG, keep=kept.append)
    for _ in range(steps):
        next(generator)
    generator.close()
    assert [record.outcome for record in kept] == ["cancelled"]
    assert axial_error(microscope) == pytest.approx(8.0)
    assert microscope.restored == 1


def test_optics_that_are_refused_move_nothing() -> None:
    microscope, kept = stand(), []
    with pytest.raises(InputError, match="optics are unknown"):
        run(microscope, model(), RefocusConfig(), keep=kept.append)
    assert microscope.focus.commands == []
    assert kept == []


def test_the_region_and_the_pixel_size_of_the_frame_reach_the_model() -> None:
    asked: dict[str, Any] = {}

    class Asked(FakePredictor):
        def estimate(self, image: Any, **others: Any) -> FocusEstimate:
            asked.update(others)
            return flat_at(0.0)

    microscope = stand(0.0)
    snap = microscope.snap
    microscope.snap = lambda: replace(snap(), pixel_size_um=0.5, bit_depth=12)  # type: ignore[method-assign]
    region = np.ones((4, 4), bool)
    run(microscope, Asked(flat_at), replace(CONFIG, region=region, insist=True))
    assert asked["optics"].objective.pixel_size_um == pytest.approx(0.5)
    assert asked["region"] is region
    assert (asked["insist"], asked["bit_depth"]) == (True, 12)


# A sweep that helps.

SWEEP = SweepConfig(method="uniform", range_um=6.0, step_um=1.0, polarity="max", noise_frames=1)


class Peaked(FakeMicroscope):
    """Frames whose mean has a peak in focus: a sweep sees it, the model only if asked to."""

    def __init__(self, defocus_um: float) -> None:
        super().__init__(
            lambda axial: 20 + 100 / (1 + ((axial - BEST_UM) / 1.7) ** 2) ** 1.5, z_um=BEST_UM + defocus_um
        )


def test_a_sweep_helps_where_the_model_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.routines.sweeping.run.sharpness", lambda image, *_, **__: float(image.mean()))
    microscope = Peaked(3.4)
    record = run(microscope, model(unsure), replace(CONFIG, sweep=SWEEP))
    assert (record.outcome, record.method) == ("focused", "one-shot, sweep")
    assert axial_error(microscope) < 0.2
    assert len(record.curve) > 5
    assert record.frames == microscope.frames


def test_a_sweep_that_finds_nothing_leaves_the_drive_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.routines.sweeping.run.sharpness", lambda image, *_, **__: 20.0)
    microscope = Peaked(3.4)
    record = run(microscope, model(unsure), replace(CONFIG, sweep=SWEEP))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(3.4)


def test_closing_it_during_the_sweep_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.routines.sweeping.run.sharpness", lambda image, *_, **__: float(image.mean()))
    microscope, kept = Peaked(3.4), []
    steps = refocus(microscope, model(unsure), replace(CONFIG, sweep=SWEEP), keep=kept.append)
    while next(steps).phase != "sweep":
        pass
    next(steps)
    steps.close()
    assert [record.outcome for record in kept] == ["cancelled"]
    assert axial_error(microscope) == pytest.approx(3.4)


# Proposals.


@both_directions
def test_a_proposal_moves_nothing_and_is_carried_out_without_a_new_first_frame(direction: int) -> None:
    microscope, predictor = stand(5.0, direction), model()
    _, proposal = run_to_end(propose(microscope, predictor, CONFIG))
    assert microscope.focus.commands == []
    assert proposal.target_um == pytest.approx(direction * BEST_UM)
    record = run(microscope, predictor, proposal=proposal)
    assert record.outcome == "focused"
    assert microscope.frames == 2


@pytest.mark.parametrize("moved", ["z", "xy"])
def test_a_proposal_for_another_place_is_read_anew(moved: str) -> None:
    microscope, predictor = stand(5.0), model()
    _, proposal = run_to_end(propose(microscope, predictor, CONFIG))
    if moved == "z":
        microscope.focus.move_to(BEST_UM - 3.0)
    else:
        microscope.x_um += 500.0
        microscope.xy_um = lambda: (microscope.x_um, 0.0)  # type: ignore[attr-defined]
    record = run(microscope, predictor, proposal=proposal)
    assert record.outcome == "focused"
    assert microscope.frames == 3


@pytest.mark.parametrize(
    ("answer", "word"), [(unsure, "Undecided"), (empty, "No content"), (lambda _: flat_at(0.1), "Already")]
)
def test_a_proposal_without_a_move_says_why(answer: Answer, word: str) -> None:
    _, proposal = run_to_end(propose(stand(), model(answer), CONFIG))
    assert proposal.target_um is None
    assert word in proposal.reason


# Neighbours.


class OnASlide(FakeMicroscope):
    """Best focus depends on the place; the field at the origin is empty."""

    def __init__(self, defocus_um: float, slope: float) -> None:
        super().__init__(lambda axial: axial, z_um=BEST_UM + defocus_um)
        self.slope, self.place = slope, (0.0, 0.0)
        self.visited: list[tuple[float, float]] = []

    def xy_um(self) -> tuple[float, float]:
        return self.place

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        self.place = (x_um, y_um)
        self.visited.append(self.place)
        return self.place

    def snap(self) -> Frame:
        frame = super().snap()
        image = frame.image - self.slope * self.place[0] if self.place != (0.0, 0.0) else np.full((4, 4), np.nan)
        return replace(frame, image=image, x_um=self.place[0], y_um=self.place[1], pixel_size_um=0.5)


def test_an_empty_field_takes_the_focus_between_its_neighbours() -> None:
    microscope = OnASlide(3.0, slope=0.5)
    predictor = FakePredictor(
        lambda image: empty(0) if np.isnan(image).any() else flat_at(float(image.mean()) - BEST_UM)
    )
    record = run(microscope, predictor, replace(CONFIG, neighbours=4))
    assert record.outcome == "skipped_no_content"
    assert axial_error(microscope) < 1e-6  # a tilt does not shift the mean of opposite neighbours
    assert microscope.place == (0.0, 0.0)
    assert len(microscope.visited) == 5


def test_neighbours_without_content_move_nothing() -> None:
    microscope = OnASlide(3.0, slope=0.5)
    record = run(microscope, model(empty), replace(CONFIG, neighbours=4))
    assert record.outcome == "skipped_no_content"
    assert microscope.focus.commands == []
    assert microscope.place == (0.0, 0.0)


def test_a_microscope_without_a_slide_to_move_says_so() -> None:
    with pytest.raises(InputError, match="cannot move its slide"):
        run(stand(), model(empty), replace(CONFIG, neighbours=4))


# Transparent specimens.


@dataclass(frozen=True)
class TransparentCard(FakeCard):
    stains: tuple[str, ...] = ("unstained",)


def hides_in_focus(defocus_um: float) -> FocusEstimate:
    return empty(defocus_um) if abs(defocus_um) < 0.4 else flat_at(defocus_um)


@both_directions
def test_what_does_not_show_in_focus_is_verified_from_beside(direction: int) -> None:
    microscope = stand(5.0, direction)
    predictor = replace(model(hides_in_focus), card=TransparentCard())
    record = run(microscope, predictor)
    assert record.outcome == "focused"
    assert axial_error(microscope) < 0.01
    assert record.after_um == pytest.approx(0.0, abs=0.01)
    assert record.frames == 3
    assert "Verified from 2 µm beside" in record.reasons[-1]


def test_a_frame_beside_that_disagrees_brings_the_drive_back() -> None:
    microscope = stand(5.0)
    says = {0: flat_at, 1: empty, 2: lambda defocus_um: flat_at(defocus_um + 1.5)}
    record = run(microscope, replace(model(calls=says), card=TransparentCard()))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(5.0)


def test_what_was_left_is_corrected_from_beside() -> None:
    microscope = stand(5.0)
    says = {0: lambda defocus_um: flat_at(defocus_um + 0.6), 1: empty}
    record = run(microscope, replace(model(calls=says), card=TransparentCard()))
    assert record.outcome == "focused"
    assert axial_error(microscope) < 0.01


def test_a_stained_field_that_shows_nothing_after_the_move_is_not_looked_at_from_beside() -> None:
    microscope = stand(5.0)
    record = run(microscope, model(hides_in_focus))
    assert record.outcome == "reverted"
    assert axial_error(microscope) == pytest.approx(5.0)


# Whatever a model says.

verdicts = st.sampled_from(["flat", "tilted", "uneven", "no_content", "out_of_range", "unsure"])
answers = st.builds(
    lambda verdict, value: FocusEstimate(verdict, value, 0.1, reasons=("Drawn.",)),
    verdicts,
    st.floats(-12, 12),
)


@settings(deadline=None, max_examples=60)
@example([FocusEstimate("flat", 1.0, 0.1), FocusEstimate("uneven", 1.0, 0.1)], 1)  # no nearer than at the start
@given(said=st.lists(answers, min_size=1, max_size=12), direction=st.sampled_from([1, -1]))
def test_whatever_a_model_says_the_drive_ends_at_the_start_or_where_a_second_frame_agreed(
    said: list[FocusEstimate], direction: int
) -> None:
    microscope, answers = stand(4.0, direction), iter(said + [said[-1]] * 50)
    record = run(microscope, model(lambda _: next(answers)), replace(CONFIG, uneven="leave"))
    low, high = microscope.focus.limits_um
    assert all(low <= z_um <= high for z_um in microscope.focus.commands)
    assert record.reasons
    if record.outcome == "focused":
        assert record.after_um is not None
        assert abs(record.after_um) <= 0.5
    elif axial_error(microscope) != pytest.approx(4.0):
        said_um = [estimate.defocus_um or 0.0 for estimate in said[: record.frames]]
        assert any(abs(later) < abs(earlier) for earlier, later in pairwise(said_um))
        assert "the best place that was verified" in record.reasons[-1]
    assert RefocusRecord.from_json(record.to_json()) == record


@contextmanager
def _foreign(microscope: FakeMicroscope) -> Iterator[None]:
    raise ForeignMove("Somebody else has the drive.")
    yield


def test_a_microscope_that_cannot_be_made_ready_is_an_outcome() -> None:
    microscope = stand()
    microscope.restoring = lambda: _foreign(microscope)  # type: ignore[method-assign]
    record = run(microscope, model())
    assert record.outcome == "failed"
    assert "could not be made ready for a refocus" in record.reasons[0]


def near(defocus_um: float) -> FocusEstimate:
    return FocusEstimate("unsure", defocus_um, 0.1, direction_probability=0.9, reasons=("Near, side undecided.",))


@pytest.mark.parametrize(
    ("sharper", "left_um", "outcome"),
    [
        (True, 0.1, "focused"),
        (True, 0.7, "focused"),
        (None, 0.1, "focused"),  # the distances before and after the move agree with it
        (None, 0.7, "reverted"),
        (False, 0.1, "reverted"),
        (False, 0.7, "reverted"),
    ],
)
def test_an_unsure_frame_near_focus_counts_where_pictures_or_distances_agree(
    monkeypatch: pytest.MonkeyPatch, sharper: bool | None, left_um: float, outcome: str
) -> None:
    monkeypatch.setattr("napari_autofocus.routines.refocusing.belief.sharper_than_start", lambda _: sharper)
    microscope = stand(5.0)
    record = run(microscope, model(calls={0: lambda d: flat_at(d - left_um), 1: near}))
    assert record.outcome == outcome
    if outcome == "focused":
        assert axial_error(microscope) <= 0.3
    else:
        assert axial_error(microscope) == pytest.approx(5.0)


def test_a_blurred_copy_of_the_first_frame_is_not_in_focus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.routines.refocusing.belief.sharper_than_start", lambda _: False)
    microscope = stand(5.0)
    record = run(microscope, model())
    assert record.outcome == "reverted"
    assert "blurred copy" in record.reasons[0]
    assert axial_error(microscope) == pytest.approx(5.0)
