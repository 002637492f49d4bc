"""From a simulated microscope to one store: tiles where they belong, stops survived, the recovered slide beside."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zarr

from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.routines.virtual_scan import VirtualScanConfig
from napari_autofocus.slide.stitching import serpentine
from napari_autofocus.workflows import virtual_scan
from napari_autofocus.workflows.virtual import scan_tiles as virtual_scan_tiles
from napari_autofocus.workflows.virtual_scan import ScannedSlide, ScanPlan, scan_slide
from napari_autofocus.workflows.virtual_slide import SlideSettings
from rigs import RigMaker
from virtual_slides import LENS, SharperRefocuser, finished

SHAPE = (96, 128)
PIXEL_UM = LENS.pixel_size_um
BEST_UM = 1.5


class SlideScene:
    """A slide of structure around the origin, glass from x = 60 µm on, in focus at one z."""

    pixel_size_um = PIXEL_UM
    shape = SHAPE

    def __init__(self, noise: float = 0.0, glass_from_um: float = np.inf) -> None:
        rng = np.random.default_rng(4)
        values = cv2.GaussianBlur(rng.normal(size=(700, 900, 3)).astype(np.float32), (0, 0), 2)
        self.whole = np.clip(128 + 200 * values, 0, 255)
        glass = int(np.clip(450 + glass_from_um / PIXEL_UM, 0, 900))
        self.whole[:, glass:] = 240
        self._noise = noise

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return BEST_UM

    def snap(
        self, x_um: float, y_um: float, axial_um: float, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> Any:
        y, x = round(350 + y_um / PIXEL_UM) - SHAPE[0] // 2, round(450 + x_um / PIXEL_UM) - SHAPE[1] // 2
        sigma = 0.3 + 0.4 * min(abs(axial_um - BEST_UM), 10.0)
        wide = self.whole[y - 20 : y + SHAPE[0] + 20, x - 20 : x + SHAPE[1] + 20]
        light = cv2.GaussianBlur(wide, (0, 0), sigma)[20:-20, 20:-20]
        return np.clip(np.rint(light + self._noise * rng.normal(size=light.shape)), 0, 255).astype(np.uint8)


def plan_of(columns: int = 3, rows: int = 2, **changes: Any) -> ScanPlan:
    field_um = SHAPE[0] * PIXEL_UM, SHAPE[1] * PIXEL_UM
    tiles = serpentine((0.0, 0.0), columns, rows, field_um, 0.25)
    return ScanPlan(
        tuple(tiles), **{"config": VirtualScanConfig(dz_um=2.0), "objective": LENS, "find_range_um": 5.0, **changes}
    )


def read(path: Path) -> Any:
    return open_slide(path).read(slice(None), slice(None))


def expected(scene: SlideScene, shape: tuple[int, ...], axial_um: float) -> Any:
    """The area as one large camera would have seen it."""
    y, x = 350 - shape[0] // 2, 450 - shape[1] // 2
    blurred = cv2.GaussianBlur(scene.whole, (0, 0), 0.3 + 0.4 * abs(axial_um - BEST_UM))
    return blurred[y : y + shape[0], x : x + shape[1]]


def test_two_stitched_slides_and_the_recovered_one(make_rig: RigMaker, tmp_path: Path) -> None:
    scene = SlideScene()
    rig = make_rig(scene)
    refocuser = SharperRefocuser()
    settings = SlideSettings(tile_px=128)
    slide = finished(scan_slide(rig.microscope, plan_of(), tmp_path / "s.zarr", refocuser=refocuser, settings=settings))
    assert slide.path == tmp_path / "s.zarr"
    assert (slide.neighbours, slide.placed, slide.warnings) == (7, 7, ())
    assert slide.largest_correction_px <= 1.5
    assert slide.skipped == ()
    focus_um = slide.record.focus_um[0] if slide.record else 0.0
    for shot, side in (("a", -1), ("b", 1)):
        image = read(slide.path / shot)
        assert image.shape == (*slide.shape, 3)
        difference = np.abs(image - expected(scene, image.shape, focus_um + side))
        assert np.median(difference) < 2
    assert slide.recovered is not None
    np.testing.assert_array_equal(read(slide.path / "recovered"), read(slide.path / "a"))
    facts = own_facts(slide.path / "a")
    assert (facts["dz_um"], facts["shot"], facts["objective"]["na"]) == (2.0, "a", 0.75)
    assert zarr.open_group(str(slide.path / "OME"), mode="r").attrs["ome"]["series"] == ["a", "b", "recovered"]
    assert {each.name for each in slide.path.iterdir()} == {"zarr.json", "OME", "a", "b", "recovered"}
    assert [each.name for each in tmp_path.iterdir()] == ["s.zarr"]
    with pytest.raises(InputError, match=r"holds 3 images \(a, b, recovered\); name one"):
        open_slide(slide.path)
    assert (rig.microscope.xy_um(), round(rig.microscope.focus.position_um(), 2)) == ((0.0, 0.0), 0.0)


def test_glass_is_shot_once_and_stands_in_both(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene(glass_from_um=-10.0, noise=1.0))
    slide = finished(scan_slide(rig.microscope, plan_of(), tmp_path / "s.zarr"))
    assert [each.state for each in slide.tiles] == ["written", "written", "empty", "empty", "written", "written"]
    assert slide.record is not None
    assert slide.record.outcome == "done"
    right = np.s_[:, -60:]
    np.testing.assert_array_equal(read(tmp_path / "s.zarr" / "a")[right], read(tmp_path / "s.zarr" / "b")[right])
    assert len(slide.skipped) == 2


def stop_after(steps: Generator[Any, None, Any], tiles: int) -> None:
    for step in steps:
        tiles -= getattr(step, "result", None) is not None
        if tiles == 0:
            break
    steps.close()


def test_a_stopped_scan_goes_on_where_it_was_begun(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    stop_after(scan_slide(rig.microscope, plan_of(), tmp_path / "s.zarr"), 4)
    assert not (tmp_path / "s.zarr").exists()
    rig.microscope.move_xy_to(30.0, 20.0)
    elsewhere = replace(plan_of(), tiles=tuple((x + 30, y + 20) for x, y in plan_of().tiles))
    slide = finished(scan_slide(rig.microscope, elsewhere, tmp_path / "s.zarr"))
    assert slide.record is not None
    assert [each.number for each in slide.record.tiles] == [4, 5]
    assert len(slide.tiles) == 6
    assert slide.tiles[4].x_um == pytest.approx(plan_of().tiles[4][0], abs=0.01)


def test_a_slide_is_not_taken_twice_and_a_model_may_come_later(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    finished(scan_slide(rig.microscope, plan_of(2, 1), tmp_path / "s.zarr"))
    again = finished(
        scan_slide(
            rig.microscope,
            plan_of(2, 1),
            tmp_path / "s.zarr",
            refocuser=SharperRefocuser(),
            settings=SlideSettings(tile_px=128),
        )
    )
    assert (again.record, len(again.tiles)) == (None, 2)
    assert again.recovered is not None
    with pytest.raises(InputError, match=r"is another slide \(2 tiles there, 6 others here\)"):
        finished(scan_slide(rig.microscope, plan_of(), tmp_path / "s.zarr"))


@pytest.mark.parametrize("moment", ["flush_folder", "clear_tiles"])
def test_a_scan_that_is_killed_while_it_gives_its_slide_a_name_has_lost_nothing(
    make_rig: RigMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Just before the slide bears its name, and just after."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    rig = make_rig(SlideScene())
    module = virtual_scan if moment == "flush_folder" else virtual_scan_tiles
    with monkeypatch.context() as patched:
        patched.setattr(module, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            finished(scan_slide(rig.microscope, plan_of(2, 1), tmp_path / "s.zarr"))
    again = finished(scan_slide(rig.microscope, plan_of(2, 1), tmp_path / "s.zarr"))

    assert (again.record, len(again.tiles)) == (None, 2)
    assert read(tmp_path / "s.zarr" / "a").any()
    assert read(tmp_path / "s.zarr" / "b").any()
    assert not (tmp_path / "s.zarr" / "tiles").exists()


def test_another_plan_does_not_go_on_with_a_scan(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    stop_after(scan_slide(rig.microscope, plan_of(), tmp_path / "s.zarr"), 1)
    other = plan_of(config=VirtualScanConfig(dz_um=3.0))
    with pytest.raises(InputError, match=r"begun by another plan \(dz_um 2\.0 there, 3\.0 here\)"):
        finished(scan_slide(rig.microscope, other, tmp_path / "s.zarr"))


def test_a_scan_that_fails_says_so_and_keeps_its_tiles(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    steps = scan_slide(rig.microscope, plan_of(config=VirtualScanConfig(dz_um=2.0, timeout_s=0.8)), tmp_path / "s.zarr")
    slide: ScannedSlide = finished(steps)
    assert slide.path is None
    assert slide.record is not None
    assert slide.record.outcome == "timed_out"
    assert (tmp_path / ".s.zarr.journal").exists()


def test_a_model_for_other_shots_is_refused_before_anything_moves(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    plan = plan_of(config=VirtualScanConfig(dz_um=12.0))
    with pytest.raises(InputError, match="taught on 1 to 6 µm"):
        finished(scan_slide(rig.microscope, plan, tmp_path / "s.zarr", refocuser=SharperRefocuser()))
    assert list(tmp_path.iterdir()) == []


def test_a_mirrored_camera_is_noticed(make_rig: RigMaker, tmp_path: Path) -> None:
    rig = make_rig(SlideScene())
    slide = finished(scan_slide(rig.microscope, plan_of(mirrored=(True, True)), tmp_path / "s.zarr"))
    assert "may be mirrored" in slide.warnings[0]
