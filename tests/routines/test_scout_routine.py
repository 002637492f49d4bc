"""Overviews of a fake slide: what is shown where, what is marked as sample, and where slide and drive end."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from fake_microscope import FakeMicroscope, flat, run_to_end

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError, MoveRefused
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.scout import ScoutConfig, ScoutRecord, ScoutStep, scout, tiles_over
from napari_autofocus.slide.area import Area

FIELD_PX, PIXEL_UM = (60, 80), 1.0
SIDE_UM = 600
AREA = Area.rectangle(0, 0, SIDE_UM, SIDE_UM)
CONFIG = ScoutConfig(pixel_um=4.0)


def _world() -> np.ndarray:
    """Two pieces of pink tissue on glass, 1 µm a pixel; x with the column, y with the row."""
    y, x = np.indices((900, 900)) - 150
    tissue = (np.hypot(x - 180, y - 150) < 110) | ((abs(x - 420) < 90) & (abs(y - 440) < 70))
    grain = 1 + 0.5 * cv2.GaussianBlur(np.random.default_rng(2).normal(size=x.shape), (0, 0), 2) * 4
    density = tissue * np.clip(grain, 0.2, None)
    return 220 * np.exp(-density[..., None] * np.array([0.2, 0.6, 0.3]))


WORLD = _world()


class Slide(FakeMicroscope):
    """A slide under a lamp that darkens towards the corners of the field."""

    def __init__(self, mirrored: tuple[bool, bool] = (False, False), **drive: Any) -> None:
        super().__init__(flat(), **drive)
        self.x_um, self.y_um = 33.0, 44.0
        self.limits_um = 700.0
        self.pixel_um: float | None = PIXEL_UM
        self.visited: list[tuple[float, float]] = []
        self.before_xy: Any = lambda count: None
        self._turn = slice(None, None, -1 if mirrored[1] else 1), slice(None, None, -1 if mirrored[0] else 1)
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in FIELD_PX), indexing="ij")
        self._lamp = (1 - 0.2 * (x * x + y * y) / 2)[..., None]

    def xy_um(self) -> tuple[float, float]:
        return self.x_um, self.y_um

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        self.before_xy(len(self.visited))
        if not 0 <= x_um <= self.limits_um:
            raise MoveRefused(f"{x_um:g} lies outside the limits of the XY stage.")
        self.x_um, self.y_um = x_um, y_um
        self.visited.append((x_um, y_um))
        self.clock.sleep(0.1)
        return x_um, y_um

    def snap(self) -> Frame:
        frame = super().snap()
        top, left = (round(at + 150 - size / 2) for at, size in zip((self.y_um, self.x_um), FIELD_PX, strict=True))
        seen = WORLD[top : top + FIELD_PX[0], left : left + FIELD_PX[1]] * self._lamp
        image = np.clip(seen + self._rng.normal(0, 1, seen.shape), 0, 255).astype(np.uint8)[self._turn]
        return replace(frame, image=image, y_um=self.y_um, pixel_size_um=self.pixel_um)


def _truth(record: ScoutRecord) -> np.ndarray:
    """Where the tissue is, on the overview's pixels."""
    assert record.overview is not None
    rows, columns = record.overview.image.shape[:2]
    x = record.overview.origin_um[0] + np.arange(columns) * record.overview.pixel_um
    y = record.overview.origin_um[1] + np.arange(rows) * record.overview.pixel_um
    return WORLD[..., 1][np.ix_(np.rint(y + 150).astype(int), np.rint(x + 150).astype(int))] < 210


def _scouted(slide: Slide, config: ScoutConfig = CONFIG, area: Area = AREA) -> tuple[list[ScoutStep], ScoutRecord]:
    return run_to_end(scout(slide, config, area))


@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True)])
def test_sample_is_marked_where_it_lies(mirrored: tuple[bool, bool]) -> None:
    _, record = _scouted(Slide(mirrored), replace(CONFIG, mirrored=mirrored))
    assert record.outcome == "done"
    assert record.overview is not None
    assert record.overview.mask is not None
    truth = _truth(record)
    found = record.overview.mask
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    kept, glass = record.overview.on_sample([(180.0, 150.0), (420.0, 440.0), (80.0, 500.0)], 20.0)
    assert kept == [(180.0, 150.0), (420.0, 440.0)]
    assert glass == [(80.0, 500.0)]


def test_slide_drive_and_camera_are_where_they_were() -> None:
    slide = Slide(z_um=7.0)
    _, record = _scouted(slide)
    assert slide.xy_um() == (33.0, 44.0)
    assert slide.focus.commands == []
    assert slide.restored == 1
    assert record.frames == record.tiles + 1
    assert record.seconds > 0


def test_tiles_are_visited_back_and_forth_and_only_over_the_area() -> None:
    slide = Slide()
    triangle = Area(((0, 0), (600, 0), (0, 600)))
    steps, record = _scouted(slide, area=triangle)
    tiles = slide.visited[:-1]
    assert record.tiles == len(tiles) < 90
    assert [step.phase for step in steps] == ["tile"] * len(tiles) + ["done"]
    assert max(math.dist(*pair) for pair in pairwise(tiles)) < 130
    assert record.overview is not None
    assert record.overview.seen is not None
    assert not record.overview.seen.all()


def test_the_lamp_leaves_no_seams() -> None:
    _, record = _scouted(Slide())
    assert record.overview is not None
    glass = cv2.erode((~_truth(record)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert record.overview.image[glass].std(axis=0).max() < 4.0


def test_leaving_out_tiles_takes_fewer_frames_and_says_what_was_not_seen() -> None:
    _, record = _scouted(Slide(), replace(CONFIG, every=2))
    _, whole = _scouted(Slide())
    assert record.tiles <= whole.tiles / 3
    assert record.overview is not None
    assert record.overview.seen is not None
    assert 0.2 < record.overview.seen.mean() < 0.4


def test_the_overview_grows_in_bounded_memory() -> None:
    _, record = _scouted(Slide(), replace(CONFIG, pixel_um=0.5, most_pixels=20_000))
    assert record.overview is not None
    assert record.overview.image.shape[0] * record.overview.image.shape[1] <= 21_000
    steps, _ = _scouted(Slide())
    assert len({id(step.overview.image) for step in steps if step.overview is not None}) == 1


def test_tiles_beyond_the_stage_are_missed_and_counted() -> None:
    slide = Slide()
    slide.limits_um = 400.0
    steps, record = _scouted(slide)
    assert record.outcome == "done_in_part"
    assert record.missed == sum(step.phase == "missed" for step in steps) > 0
    assert "tiles could not be taken" in record.reasons[0]
    assert slide.xy_um() == (33.0, 44.0)


def test_a_camera_that_fails_once_is_asked_again() -> None:
    slide = Slide()

    def fails_once(frame: int) -> None:
        if frame == 5 and not fails_once.done:  # type: ignore[attr-defined]
            fails_once.done = True  # type: ignore[attr-defined]
            raise FrameError("No frame came.")

    fails_once.done = False  # type: ignore[attr-defined]
    slide.before_snap = fails_once
    assert _scouted(slide)[1].outcome == "done"


def test_a_camera_that_keeps_failing_ends_it() -> None:
    slide = Slide()

    def dies(frame: int) -> None:
        if frame >= 10:
            raise FrameError("No frame came.")

    slide.before_snap = dies
    _, record = _scouted(slide)
    assert record.outcome == "failed"
    assert "3 tiles in succession failed" in record.reasons[0]
    assert record.tiles == 9
    assert slide.xy_um() == (33.0, 44.0)


def test_a_stage_that_dies_is_an_outcome() -> None:
    slide = Slide()

    def dies(count: int) -> None:
        if count == 4:
            raise HardwareError("The XY stage does not answer.")

    slide.before_xy = dies
    _, record = _scouted(slide)
    assert record.outcome == "failed"
    assert any("could not be brought back" in reason for reason in record.reasons)
    assert record.overview is not None


def test_a_person_at_the_drive_ends_it_and_nothing_is_moved_after() -> None:
    slide = Slide()

    def takes_over(frame: int) -> None:
        if frame == 6:
            raise ForeignMove("Somebody moved the drive.", 3.0)

    slide.before_snap = takes_over
    _, record = _scouted(slide)
    assert record.outcome == "failed"
    assert slide.xy_um() != (33.0, 44.0)


def test_cancelling_brings_the_slide_back_and_keeps_what_was_seen() -> None:
    slide, kept = Slide(), []
    steps = scout(slide, CONFIG, AREA, keep=kept.append)
    for _ in range(7):
        next(steps)
    steps.close()
    assert slide.xy_um() == (33.0, 44.0)
    (record,) = kept
    assert record.outcome == "cancelled"
    assert record.tiles == 7
    assert record.overview is not None


def test_time_that_runs_out_is_an_outcome() -> None:
    _, record = _scouted(Slide(), replace(CONFIG, timeout_s=1.0))
    assert record.outcome == "timed_out"
    assert 0 < record.tiles < 20


def test_what_cannot_be_scouted_is_one_sentence_and_nothing_moves() -> None:
    slide = Slide()
    slide.pixel_um = None
    _, record = _scouted(slide)
    assert record.outcome == "refused"
    assert "size of its pixels" in record.reasons[0]
    slide = Slide()
    _, record = _scouted(slide, area=Area.rectangle(0, 0, 1e6, 1e6))
    assert record.outcome == "refused"
    assert "tiles, more than" in record.reasons[0]
    assert slide.visited == []
    with pytest.raises(InputError, match="cannot move its slide"):
        next(scout(FakeMicroscope(flat()), CONFIG, AREA))


@pytest.mark.parametrize(
    "wrong", [{"pixel_um": 0.0}, {"every": 0}, {"overlap": 1.0}, {"most_pixels": 1}, {"timeout_s": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ScoutConfig(**wrong)


def test_a_record_goes_to_json_without_its_image() -> None:
    _, record = _scouted(Slide())
    again = ScoutRecord.from_json(record.to_json())
    assert again.overview is None
    assert (again.outcome, again.reasons, again.tiles, again.frames) == ("done", (), record.tiles, record.frames)
    with pytest.raises(InputError, match="not the record of an overview"):
        ScoutRecord.from_json("{}")


def test_an_area_smaller_than_a_field_takes_one_tile() -> None:
    assert tiles_over(Area.around((5.0, 6.0), 1.0), (60.0, 80.0), CONFIG) == [(5.0, 6.0)]
