"""Two shots a tile on a fake microscope with a slide: what is shot, what is left out, and where it all ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from acquired import sweeping
from fake_microscope import FakeMicroscope, peak_at, run_to_end

from napari_autofocus.errors import FrameError, InputError, MoveRefused
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.routines.virtual_scan import TakenTile, VirtualScanConfig, VirtualScanRecord, virtual_scan

BEST_UM = 1.3
TILES = [(100.0, 0.0), (200.0, 0.0), (200.0, 50.0), (100.0, 50.0)]
CONFIG = VirtualScanConfig(dz_um=2.0)


class Slide(FakeMicroscope):
    """A slide of which some places are glass; frames are structure whose contrast is a focus curve."""

    def __init__(self, glass: tuple[float, ...] = (), **drive: Any) -> None:
        super().__init__(peak_at(BEST_UM, height=40.0, floor=8.0), **drive)
        self.y_um = 0.0
        self.glass = glass
        self.refused_beyond = 1000.0
        texture = np.random.default_rng(3).normal(size=(16, 16))
        self._texture = np.kron(texture, np.ones((6, 6)))

    def xy_um(self) -> tuple[float, float]:
        return self.x_um, self.y_um

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        if abs(x_um) > self.refused_beyond:
            raise MoveRefused(f"{x_um:g} lies outside the limits of the XY stage.")
        self.x_um, self.y_um = x_um, y_um
        self.clock.sleep(0.1)
        return x_um, y_um

    def snap(self) -> Frame:
        frame = super().snap()
        contrast = 0.0 if self.x_um in self.glass else float(frame.image[0, 0])
        noise = self._rng.normal(size=self._texture.shape)
        image = np.clip(128 + contrast * self._texture + noise, 0, 255).astype(np.uint8)
        return Frame(image, frame.z_um, self.x_um, self.y_um, frame.exposure_ms, frame.started_s, 0.5)


def scan(
    slide: Slide, config: VirtualScanConfig = CONFIG, **more: Any
) -> tuple[list[TakenTile], VirtualScanRecord, list[Any]]:
    kept: list[TakenTile] = []
    more = {"tiles": TILES, "find": sweeping, "write": kept.append, **more}
    steps, record = run_to_end(virtual_scan(slide, config, more.pop("write"), **more))
    return kept, record, steps


def test_every_tile_is_shot_below_and_above_the_first_tiles_focus() -> None:
    slide = Slide()
    kept, record, _ = scan(slide)
    assert (record.outcome, [each.state for each in record.tiles]) == ("done", ["written"] * 4)
    assert [tile.number for tile in kept] == [0, 1, 2, 3]
    (focus_um,) = record.focus_um
    assert focus_um == pytest.approx(BEST_UM, abs=0.3)
    for tile, place in zip(kept, TILES, strict=True):
        assert (tile.lower.z_um, tile.upper.z_um) == pytest.approx((focus_um - 1, focus_um + 1))
        assert (tile.lower.x_um, tile.upper.y_um) == place
    assert (slide.x_um, slide.y_um, slide.focus.z_um) == (0.0, 0.0, 0.0)


def test_a_tile_begins_where_the_last_one_ended() -> None:
    slide = Slide()
    kept, record, _ = scan(slide)
    assert kept[0].lower.started_s < kept[0].upper.started_s < kept[1].upper.started_s < kept[1].lower.started_s
    expected = [record.focus_um[0] + side for side in (-1, 1, -1, 1, -1)]  # then home
    assert slide.focus.commands[-6:] == pytest.approx([*expected, 0.0], abs=1e-3)


def test_glass_is_shot_once_and_never_focused_on() -> None:
    kept, record, steps = scan(Slide(glass=(100.0,)))
    assert [each.state for each in record.tiles] == ["empty", "written", "written", "empty"]
    assert [tile.is_empty for tile in kept] == [True, False, False, True]
    assert record.outcome == "done"
    assert {step.number for step in steps if step.phase == "find"} == {0, 1}


def test_an_empty_slide_is_told() -> None:
    kept, record, _ = scan(Slide(glass=(100.0, 200.0)))
    assert len(kept) == 4
    assert (record.outcome, record.focus_um) == ("done_in_part", ())
    assert "None of 4 tiles shows anything" in record.reasons[0]


def test_with_glass_kept_each_tile_has_two_shots() -> None:
    config = VirtualScanConfig(dz_um=2.0, skip_empty=False)
    kept, _, _ = scan(Slide(glass=(200.0,)), config)
    assert not any(tile.is_empty for tile in kept)


def test_focus_is_found_again_after_so_many_tiles() -> None:
    _, record, _ = scan(Slide(), VirtualScanConfig(dz_um=2.0, find_every=2))
    assert len(record.focus_um) == 2


def test_tiles_that_are_done_are_not_visited() -> None:
    kept, record, _ = scan(Slide(), done={0, 2, 3})
    assert [tile.number for tile in kept] == [1]
    assert record.outcome == "done"


def test_a_place_out_of_reach_is_left_out_and_told() -> None:
    slide = Slide()
    slide.refused_beyond = 150.0
    kept, record, _ = scan(slide)
    assert [tile.number for tile in kept] == [0, 3]
    assert [each.state for each in record.tiles] == ["written", "out_of_reach", "out_of_reach", "written"]
    assert (record.outcome, record.reasons[0]) == ("done_in_part", "2 of 4 tiles could not be taken.")


def test_shots_beyond_the_limits_of_the_drive_are_refused_at_home() -> None:
    slide = Slide(limits_um=(-5.0, 2.0))
    kept, record, _ = scan(slide)
    assert (kept, record.outcome) == ([], "failed")
    assert "beyond its limits -5 to 2 µm" in record.reasons[0]
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)


def test_stopping_keeps_what_was_written_and_goes_home() -> None:
    slide, kept, told = Slide(), list[TakenTile](), list[VirtualScanRecord]()
    steps = virtual_scan(slide, CONFIG, kept.append, tiles=TILES, find=sweeping, keep=told.append)
    for step in steps:
        if step.phase == "shot" and step.number == 2:
            break
    steps.close()
    assert len(kept) == 2
    assert (slide.x_um, slide.y_um, slide.focus.z_um) == (0.0, 0.0, 0.0)
    assert told[0].outcome == "cancelled"


def test_a_writer_that_fails_ends_the_run_at_home() -> None:
    slide = Slide()

    def full(tile: TakenTile) -> None:
        raise InputError("No space left.")

    with pytest.raises(InputError, match="No space left"):
        scan(slide, write=full)
    assert (slide.x_um, slide.focus.z_um) == (0.0, 0.0)


def test_a_bad_frame_costs_one_more_try_and_a_bad_camera_the_run() -> None:
    slide, failed = Slide(), list[int]()

    def fail_once(_: int) -> None:
        if slide.x_um == 200.0 and not failed:
            failed.append(1)
            raise FrameError("No frame.")

    slide.before_snap = fail_once
    assert scan(slide)[1].outcome == "done"

    slide = Slide()
    seen: list[float] = []

    def fail_from_the_second_tile(_: int) -> None:
        seen.append(slide.x_um)
        if 200.0 in seen:
            raise FrameError("No frame.")

    slide.before_snap = fail_from_the_second_tile
    kept, record, _ = scan(slide)
    assert (len(kept), record.outcome) == (1, "failed")
    assert "3 tiles in succession failed" in record.reasons[0]


def test_a_person_at_the_drive_ends_it_there() -> None:
    slide = Slide()

    def somebody_moves(_: int) -> None:
        if slide.x_um == 200.0:
            slide.focus.z_um = 30.0

    slide.before_snap = somebody_moves
    _, record, _ = scan(slide)
    assert record.outcome == "failed"
    assert slide.focus.z_um == 30.0
    assert slide.x_um == 200.0


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"dz_um": 0.0}, {"dz_um": math.nan}, {"find_every": 0}, {"timeout_s": -1.0}):
        with pytest.raises(InputError):
            VirtualScanConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="finite stage positions"):
        scan(Slide(), tiles=[])


def test_a_drive_that_a_search_has_left_elsewhere_is_told() -> None:
    """Stopped on its way home, say; it may have been a person as well, so that nothing is moved."""
    slide, told, kept = Slide(), list[VirtualScanRecord](), list[TakenTile]()

    def halted(microscope: Microscope) -> Any:
        microscope.focus.move_to(3.0)
        yield next(sweeping(microscope))
        raise AssertionError("nobody asks for more")

    steps = virtual_scan(slide, CONFIG, kept.append, tiles=TILES, find=halted, keep=told.append)
    while slide.focus.z_um != 3.0:
        next(steps)
    steps.close()

    assert slide.focus.z_um == 3.0
    assert told[0].outcome == "cancelled"
    assert "The drive started at 0.00 µm and was last seen at 3.00 µm." in told[0].reasons
