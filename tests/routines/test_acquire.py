"""Acquisition on a fake microscope with a slide: what is taken, what is left out, and where everything ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from acquired import MemoryWriter, sweeping
from fake_microscope import FakeMicroscope, peak_at, run_to_end

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError, MoveRefused
from napari_autofocus.focus.curve import judge_curve
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire import AcquireConfig, AcquireRecord, acquire
from napari_autofocus.routines.acquiring.content import ContentVerdict

BEST_UM = 1.3
SMALL = AcquireConfig(range_um=2.0, step_um=0.5, patch_px=16)
PLACES = [(100.0, 0.0), (200.0, 0.0), (300.0, 0.0)]


class Slide(FakeMicroscope):
    """A slide of which some places are glass; frames are noise whose contrast is a focus curve."""

    def __init__(self, glass: tuple[float, ...] = (), **drive: Any) -> None:
        super().__init__(peak_at(BEST_UM, height=40.0, floor=2.0), **drive)
        self.y_um = 0.0
        self.glass = glass
        self.stays_at: list[float] = []
        self.refused_beyond = 1000.0
        self._texture = np.random.default_rng(3).normal(size=(32, 32))

    def xy_um(self) -> tuple[float, float]:
        return self.x_um, self.y_um

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        if abs(x_um) > self.refused_beyond:
            raise MoveRefused(f"{x_um:g} lies outside the limits of the XY stage.")
        self.x_um, self.y_um = x_um, y_um
        self.stays_at.append(x_um)
        self.clock.sleep(0.1)
        return x_um, y_um

    def snap(self) -> Frame:
        frame = super().snap()
        contrast = 2.0 if self.x_um in self.glass else float(frame.image[0, 0])
        noise = self._rng.normal(size=self._texture.shape)
        image = np.clip(128 + contrast * self._texture + noise, 0, 255).astype(np.uint8)
        return Frame(image, frame.z_um, self.x_um, self.y_um, frame.exposure_ms, frame.started_s, 0.5)


def run(microscope: Slide, writer: MemoryWriter, config: AcquireConfig = SMALL, **more: Any) -> AcquireRecord:
    more = {"find": sweeping, "dof_um": 1.0, **more}
    _, record = run_to_end(acquire(microscope, config, more.pop("positions", PLACES), writer, **more))
    return record


def test_stacks_lie_around_each_fields_focus_with_alternating_starts() -> None:
    writer, slide = MemoryWriter(), Slide()
    record = run(slide, writer)
    assert record.outcome == "done"
    assert [each.state for each in record.fields] == ["written"] * 3
    for sink, offset in zip(writer.kept, (-1 / 6, 0, 1 / 6), strict=True):
        z_um = [sink.planes[plane].z_um for plane in range(9)]
        np.testing.assert_allclose(np.diff(z_um), 0.5, atol=1e-3)
        assert np.mean(z_um) == pytest.approx(BEST_UM + offset, abs=0.3)
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)
    assert slide.restored == 4  # one for the run, one for each sweep


def test_glass_is_left_out_and_another_place_is_tried() -> None:
    writer = MemoryWriter()
    record = run(Slide(glass=(100.0, 200.0)), writer, wanted=1)
    assert [each.state for each in record.fields] == ["empty", "empty", "written"]
    assert "0 of 4 patches change with focus" in record.fields[0].reason
    assert record.outcome == "done"


def test_where_positions_do_not_suffice_it_says_so() -> None:
    record = run(Slide(glass=(100.0,)), MemoryWriter())
    assert record.outcome == "done_in_part"
    assert record.reasons[0] == "2 of 3 stacks were written: the positions are used up."


def test_around_here_the_stack_itself_tells_glass() -> None:
    writer = MemoryWriter()
    record = run(Slide(glass=(200.0,)), writer, AcquireConfig(2.0, 0.5, centre="here", patch_px=16), find=None)
    assert [each.state for each in record.fields] == ["written", "empty", "written"]
    assert len(writer.dropped) == 1
    assert [each.centre_um for each in record.written] == [0.0, 0.0]


def test_glass_is_kept_where_it_is_wanted() -> None:
    config = AcquireConfig(2.0, 0.5, skip_empty=False, patch_px=16)
    assert len(run(Slide(glass=(100.0, 200.0, 300.0)), MemoryWriter(), config).written) == 3


@pytest.mark.parametrize("direction", [1, -1])
def test_planes_are_approached_from_one_side_on_every_stand(direction: int) -> None:
    slide, writer = Slide(focus_direction=direction, play_um=0.7), MemoryWriter()
    run(slide, writer, AcquireConfig(2.0, 0.5, centre="here", skip_empty=False), find=None, positions=PLACES[:1])
    stack = [command for command in slide.focus.commands if abs(command) <= 2.2]
    assert np.all(np.sign(np.diff(stack[:9])) == direction)
    z_um = [writer.kept[0].planes[plane].z_um for plane in range(9)]
    assert z_um == sorted(z_um)


def test_one_plane_is_in_memory_at_a_time() -> None:
    steps = acquire(Slide(), SMALL, PLACES[:1], MemoryWriter(), find=sweeping, dof_um=1.0)
    phases = [(step.phase, step.plane) for step in steps]
    assert [plane for phase, plane in phases if phase == "plane"] == list(range(1, 10))
    assert phases[-1][0] == "field"


def test_stopping_drops_the_stack_that_was_begun_and_goes_home() -> None:
    slide, writer, kept = Slide(), MemoryWriter(), list[AcquireRecord]()
    steps = acquire(slide, SMALL, PLACES, writer, find=sweeping, dof_um=1.0, keep=kept.append)
    for step in steps:
        if step.number == 1 and step.plane == 4:
            break
    steps.close()
    assert (slide.x_um, slide.y_um, slide.focus.z_um) == (0.0, 0.0, 0.0)
    assert (len(writer.kept), len(writer.dropped)) == (1, 1)
    assert kept[0].outcome == "cancelled"
    assert len(kept[0].written) == 1


def test_a_writer_that_fails_ends_the_run_at_home() -> None:
    slide, writer = Slide(), MemoryWriter()

    def full(plane: int) -> None:
        if len(writer.kept) == 1 and plane == 3:
            raise InputError("No space left.")

    writer.before_plane = full
    with pytest.raises(InputError, match="No space left"):
        run(slide, writer)
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)
    assert len(writer.dropped) == 1


def test_a_single_bad_frame_costs_one_more_try() -> None:
    slide, writer, failed = Slide(), MemoryWriter(), list[int]()

    def fail_once_within_the_stack(_: int) -> None:
        if writer.planes_taken == 4 and not failed:
            failed.append(1)
            raise FrameError("No frame.")

    slide.before_snap = fail_once_within_the_stack
    record = run(slide, writer)
    assert record.outcome == "done"
    assert len(writer.dropped) == 1


def test_a_camera_that_goes_on_failing_ends_the_run() -> None:
    slide = Slide()
    slide.before_snap = _failing
    record = run(slide, MemoryWriter(), positions=PLACES * 3)
    assert record.outcome == "failed"
    assert [each.state for each in record.fields] == ["failed"] * 3
    assert record.reasons[0].startswith("3 fields in succession failed, the last one so: The camera failed 2 times")
    assert slide.x_um == 0.0


def test_a_drive_that_fails_ends_the_run_and_is_brought_home() -> None:
    slide = Slide()

    def fail_once(index: int) -> None:
        if index == 40:
            raise HardwareError("The drive is stuck.")

    slide.focus.before_move = fail_once
    record = run(slide, MemoryWriter())
    assert record.outcome == "failed"
    assert "The drive is stuck." in record.reasons[0]
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)


def test_a_person_at_the_drive_is_left_alone() -> None:
    slide = Slide()

    def by_hand(index: int) -> None:
        if index == 40:
            raise ForeignMove("Somebody moved it.")

    slide.focus.before_move = by_hand
    record = run(slide, MemoryWriter())
    assert record.outcome == "failed"
    assert slide.x_um != 0.0
    assert len(slide.focus.commands) == 41


def test_places_beyond_the_limits_are_told_and_passed_over() -> None:
    slide = Slide()
    slide.refused_beyond = 250.0
    record = run(slide, MemoryWriter())
    assert [each.state for each in record.fields] == ["written", "written", "out_of_reach"]
    assert "outside the limits of the XY stage" in record.fields[2].reason


def test_planes_beyond_the_limits_of_the_drive_are_not_taken() -> None:
    record = run(Slide(limits_um=(-2.0, 3.0)), MemoryWriter(), find=_narrow)
    assert [each.state for each in record.fields] == ["out_of_reach"] * 3
    assert "reach beyond the limits of the focus drive (-2 to 3 µm)" in record.fields[0].reason


def test_what_is_settled_is_not_visited_again() -> None:
    slide = Slide()
    record = run(slide, MemoryWriter(), done=[0, 1])
    assert [each.number for each in record.fields] == [2]
    assert slide.stays_at == [300.0, 0.0]


def test_without_a_stage_only_here() -> None:
    bare = FakeMicroscope(peak_at(BEST_UM))
    config = AcquireConfig(2.0, 0.5, centre="here", skip_empty=False)
    here = [(math.nan, math.nan)]
    _, record = run_to_end(acquire(bare, config, here, MemoryWriter()))
    assert len(record.written) == 1
    with pytest.raises(InputError, match="cannot move its slide"):
        run_to_end(acquire(bare, config, PLACES, MemoryWriter()))


def test_time_that_is_used_up_ends_the_run_at_home() -> None:
    slide = Slide()
    record = run(slide, MemoryWriter(), AcquireConfig(2.0, 0.5, timeout_s=5.0, patch_px=16))
    assert record.outcome == "timed_out"
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step_um": 0.0}, "at least one positive step"),
        ({"range_um": 1.0, "step_um": 2.0}, "at least one positive step"),
        ({"centre": "there"}, "centred on find or here"),
        ({"least_content": 0}, "at least one patch"),
        ({"timeout_s": -1.0}, "timeout_s"),
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AcquireConfig(**settings)


def test_a_finder_is_needed_where_focus_is_to_be_found() -> None:
    with pytest.raises(InputError, match="need a sweep or a model"):
        run_to_end(acquire(Slide(), SMALL, PLACES, MemoryWriter()))


def _narrow(microscope: Any) -> Any:
    from napari_autofocus.routines.sweep import SweepConfig, sweep

    return sweep(microscope, SweepConfig(range_um=1.9, dof_um=0.5, furthest_um=1.9))


def _failing(_: int) -> None:
    raise FrameError("No frame.")


def test_patches_without_noise_are_told_in_words() -> None:
    flat = judge_curve(np.arange(9.0), np.zeros(9))
    assert ContentVerdict(16, 1, 1e9, None, flat).in_words() == (
        "1 of 16 patches change with focus; the strongest is free of noise."
    )
