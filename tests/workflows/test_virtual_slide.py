"""A slide recovered tile by tile equals the whole, in any layout of files, and goes on after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zarr

from napari_autofocus.errors import InputError, OpticsRefused
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.virtual_slide import SlideSettings, VirtualSlide, refocus_slide
from virtual_slides import LENS, MeanRefocuser, SharperRefocuser, finished, texture, write_slide

STILL = SlideSettings(register=False, tile_px=128)


def pair(folder: Path, one: Any, other: Any, **how: Any) -> tuple[Path, Path]:
    return write_slide(folder / "a.zarr", one, **how), write_slide(folder / "b.zarr", other, **how)


def recover(folder: Path, refocuser: Any, settings: SlideSettings = STILL, **how: Any) -> tuple[VirtualSlide, Any]:
    result = finished(
        refocus_slide(folder / "a.zarr", folder / "b.zarr", folder / "out.zarr", refocuser, settings, **how)
    )
    slide = open_slide(result.path)
    return result, slide.read(slice(None), slice(None))


def whole(one: Any, other: Any, refocuser: MeanRefocuser) -> Any:
    """The same without tiles."""
    full = np.iinfo(one.dtype).max if one.dtype.kind == "u" else 1
    shots = [np.atleast_3d(each).astype(np.float32) / full for each in (one, other)]
    answer = refocuser.refocus_tile(np.concatenate([np.moveaxis(each, -1, 0) for each in shots]))
    return np.moveaxis(answer[:-1], 0, -1).reshape(one.shape) * full


@pytest.mark.parametrize(
    ("shape", "dtype", "how"),
    [
        ((300, 410, 3), "uint8", {}),
        ((300, 410, 3), "uint8", {"version": 2, "chunks": (64, 410)}),
        ((257, 129), "uint16", {"chunks": (50, 50), "shards": (100, 100)}),
        ((200, 300), "float32", {"axes": "tczyx"}),
        ((40, 30, 3), "uint8", {}),
    ],
)
def test_tiles_give_what_the_whole_gives(tmp_path: Path, shape: Any, dtype: str, how: Any) -> None:
    one, other = texture(shape, 1, dtype), texture(shape, 2, dtype)
    pair(tmp_path, one, other, **how)
    refocuser = MeanRefocuser(colour="rgb" if len(shape) == 3 else "mono")
    result, found = recover(tmp_path, refocuser)
    assert (found.dtype, found.shape, result.glass) == (one.dtype, shape, 0)
    assert result.tiles == -(-shape[0] // 128) * -(-shape[1] // 128)
    full = np.iinfo(one.dtype).max if dtype.startswith("u") else 1
    assert np.abs(found - whole(one, other, refocuser)).max() / full < (0.6 / full if full > 1 else 1e-6)


def test_a_grey_slide_goes_through_a_model_for_colour(tmp_path: Path) -> None:
    one, other = texture((200, 200), 1), texture((200, 200), 2)
    pair(tmp_path, one, other)
    result, found = recover(tmp_path, MeanRefocuser(), SlideSettings(None, True, False, 128))
    assert "grey" in result.warnings[0] or "mono" in result.warnings[0]
    assert np.abs(found - whole(one, other, MeanRefocuser(colour="mono"))).max() <= 0.6


def test_the_pyramid_halves_until_short_and_says_where_pixels_lie(tmp_path: Path) -> None:
    one = texture((1100, 1250), 1)
    pair(tmp_path, one, one)
    recover(tmp_path, SharperRefocuser(colour="mono"), SlideSettings(register=False, tile_px=512))
    group = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    assert [group[name].shape for name in "01"] == [(1100, 1250), (550, 625)]
    assert "2" not in group
    expected = cv2.resize(one, (625, 550), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(group["1"][:], expected)
    coarse = group.attrs["ome"]["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    pixel = LENS.pixel_size_um
    assert coarse[0]["scale"] == [2 * pixel] * 2
    assert coarse[1]["translation"] == [pixel / 2] * 2


def test_the_uncertainty_lies_over_the_image_that_it_belongs_to(tmp_path: Path) -> None:
    """Each of its pixels stands for 4 x 4 px and lies in their middle, 1.5 px from the first."""
    one = texture((300, 410), 1)
    pair(tmp_path, one, one)
    recover(tmp_path, SharperRefocuser(colour="mono"))
    group = zarr.open_group(str(tmp_path / "out.zarr" / "uncertainty"), mode="r")
    steps = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    pixel = LENS.pixel_size_um
    assert steps[0]["scale"] == [4 * pixel] * 2
    assert steps[1]["translation"] == pytest.approx([1.5 * pixel] * 2)


def test_odd_sides_keep_their_last_row(tmp_path: Path) -> None:
    one = texture((1031, 1027), 1)
    pair(tmp_path, one, one)
    recover(tmp_path, SharperRefocuser(colour="mono"), SlideSettings(register=False, tile_px=512))
    group = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    assert group["1"].shape == (516, 514)
    assert group["1"][515, 513] == one[-1, -1]


def test_the_virtual_origin_and_the_uncertainty_are_told(tmp_path: Path) -> None:
    one, other = texture((300, 410, 3), 1), texture((300, 410, 3), 2)
    pair(tmp_path, one, other)
    recover(tmp_path, MeanRefocuser())
    facts = own_facts(tmp_path / "out.zarr")
    virtual = facts["virtual"]
    assert (virtual["model"], virtual["fingerprint"]) == ("mean-20x", "f" * 64)
    assert virtual["inputs"] == [str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr")]
    slide = open_slide(tmp_path / "out.zarr")
    assert slide.objective == LENS
    assert slide.pixel_size_um == pytest.approx(LENS.pixel_size_um)
    doubt = open_slide(tmp_path / "out.zarr" / "uncertainty")
    assert doubt.shape == (75, 103)
    assert np.abs(doubt.read(slice(None), slice(None)) / 65535 - 0.125).max() < 1e-4
    assert not list(tmp_path.glob(".*"))


def test_glass_is_copied_and_the_network_not_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    one = (230 + 2 * rng.normal(size=(256, 384, 3))).astype(np.uint8)
    other = (230 + 2 * rng.normal(size=(256, 384, 3))).astype(np.uint8)
    one[:90, :90] = texture((90, 90, 3))
    pair(tmp_path, one, other)
    refocuser = MeanRefocuser()
    result, found = recover(tmp_path, refocuser)
    assert (result.tiles, result.glass, refocuser.asked) == (6, 5, 1)
    tile = np.s_[128:256, 128:256]
    assert np.array_equal(found[tile], one[tile]) or np.array_equal(found[tile], other[tile])


def test_a_shift_is_taken_out_also_where_no_tile_can_tell_it(tmp_path: Path) -> None:
    base = texture((420, 560), 4, "float32")
    base[:, 300:] = 0.5  # nothing to see, nothing to tell
    shifted = np.roll(base, (3, -5), (0, 1))
    pair(tmp_path, base, shifted)

    class Second(SharperRefocuser):
        def refocus_tile(self, shots: Any) -> Any:
            return super().refocus_tile(np.ascontiguousarray(shots[::-1]))

    result, found = recover(tmp_path, Second(colour="mono"), SlideSettings(tile_px=128))
    assert result.shift_px == pytest.approx((3, -5), abs=0.1)
    assert 0 < result.shifts_found < result.tiles
    inner = np.s_[10:-10, 10:280]
    assert np.abs(found[inner] - base[inner]).max() < 0.02


def test_a_stopped_run_goes_on_with_the_tiles_that_are_left(tmp_path: Path) -> None:
    one, other = texture((300, 410, 3), 1), texture((300, 410, 3), 2)
    paths = pair(tmp_path, one, other)
    first = MeanRefocuser()
    steps = refocus_slide(*paths, tmp_path / "out.zarr", first, STILL)
    for step in steps:
        if (step.phase, step.done) == ("recover", 5):
            break
    steps.close()
    assert not (tmp_path / "out.zarr").exists()
    journal = tmp_path / ".out.zarr.journal"
    journal.write_text(journal.read_text() + '{"phase": "recover", "ti')  # cut short by a kill
    second = MeanRefocuser()
    result, found = recover(tmp_path, second)
    assert (first.asked, second.asked, result.resumed) == (5, 7, 5)
    assert np.abs(found - whole(one, other, second)).max() <= 0.6


def test_the_same_call_does_nothing_twice_and_another_does_not_overwrite(tmp_path: Path) -> None:
    one, other = texture((200, 200, 3), 1), texture((200, 200, 3), 2)
    pair(tmp_path, one, other)
    made, _ = recover(tmp_path, MeanRefocuser())
    again = MeanRefocuser()
    result, _ = recover(tmp_path, again)
    assert (again.asked, result.tiles, result.resumed) == (0, made.tiles, made.tiles)
    with pytest.raises(InputError, match="exists and is not overwritten"):
        recover(tmp_path, again, SlideSettings(register=False, tile_px=64))


def test_an_unfinished_slide_by_another_plan_is_not_mixed_with(tmp_path: Path) -> None:
    paths = pair(tmp_path, texture((200, 200, 3), 1), texture((200, 200, 3), 2))
    steps = refocus_slide(*paths, tmp_path / "out.zarr", MeanRefocuser(), STILL)
    next(steps)
    steps.close()
    write_slide(tmp_path / "b.zarr", texture((200, 200, 3), 3))
    with pytest.raises(InputError, match=r"begun otherwise \(second slide"):
        recover(tmp_path, MeanRefocuser())


def test_slides_that_do_not_fit_are_refused_in_a_sentence(tmp_path: Path) -> None:
    one = texture((200, 200, 3), 1)
    pair(tmp_path, one, one[:190])
    with pytest.raises(InputError, match=r"of one shape; found \(3, 200, 200\)"):
        recover(tmp_path, MeanRefocuser())
    pair(tmp_path, one, one.astype(np.uint16))
    with pytest.raises(InputError, match="of one type; found uint8"):
        recover(tmp_path, MeanRefocuser())
    with pytest.raises(InputError, match="Both slides are"):
        finished(refocus_slide(*[tmp_path / "a.zarr"] * 2, tmp_path / "out.zarr", MeanRefocuser(), STILL))
    write_slide(tmp_path / "c.zarr", np.stack([texture((200, 200))] * 2), axes="zyx")
    with pytest.raises(InputError, match="a slide is one plane"):
        open_slide(tmp_path / "c.zarr")
    with pytest.raises(InputError, match="no OME-Zarr slide"):
        open_slide(tmp_path / "none.zarr")


def test_unknown_optics_are_refused_without_insisting(tmp_path: Path) -> None:
    one = texture((130, 130, 3), 1)
    pair(tmp_path, one, texture((130, 130, 3), 2), optics=False)
    with pytest.raises(OpticsRefused):
        recover(tmp_path, MeanRefocuser())
    result, _ = recover(tmp_path, MeanRefocuser(), SlideSettings(None, True, False, 128))
    assert "optics of the frame are unknown" in result.warnings[0]


def test_shots_too_far_apart_are_told(tmp_path: Path) -> None:
    one = texture((130, 130, 3), 1)
    pair(tmp_path, one, texture((130, 130, 3), 2), own={"dz_um": 9.0})
    assert "9 µm apart" in recover(tmp_path, MeanRefocuser())[0].warnings[0]


def test_workers_elsewhere_need_the_name_of_the_model(tmp_path: Path) -> None:
    pair(tmp_path, texture((200, 200, 3), 1), texture((200, 200, 3), 2))
    with pytest.raises(InputError, match="name it"):
        recover(tmp_path, MeanRefocuser(), workers=Workers(count=2))


def test_a_damaged_tile_is_named(tmp_path: Path) -> None:
    pair(tmp_path, texture((300, 300), 1), texture((300, 300), 2), chunks=(25, 25))
    (tmp_path / "a.zarr" / "s0" / "c" / "5" / "5").write_bytes(b"no chunk")
    with pytest.raises(InputError, match=r"Tile 1, 1 of the slide: .*a\.zarr"):
        recover(tmp_path, MeanRefocuser(colour="mono"))
    assert json.loads((tmp_path / ".out.zarr.journal").read_text().splitlines()[0])["plan"]["tile"] == 128
