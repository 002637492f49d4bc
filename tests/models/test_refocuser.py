"""A package as a virtual refocuser: what holds for any weights, for shots of any size and type."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import napari_autofocus
from napari_autofocus.errors import InputError, OpticsRefused
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.registration import moved
from napari_autofocus.models.library import SHIPPED
from napari_autofocus.models.refocuser import TileDone, VirtualRefocuser, load_refocuser
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Optics, Scene, Specimen
from napari_autofocus.simulation.camera import WELL_EXPOSED
from tiny_models import tiny_file
from tiny_refocusers import LENS, as_u8, psnr, recovered, shots_of, texture, tiny_refocuser, tiny_refocuser_file

OPTICS = ImageOptics(LENS)
SHIPPED_MODEL = SHIPPED / "tsva-20x.zip"


@pytest.fixture(scope="module")
def tiny() -> VirtualRefocuser:
    return tiny_refocuser()


@pytest.fixture(scope="module", params=["seeded", "shipped"])
def refocuser(request: pytest.FixtureRequest, tiny: VirtualRefocuser) -> VirtualRefocuser:
    """Science is asked of the model that ships, too."""
    if request.param == "seeded":
        return tiny
    if not SHIPPED_MODEL.exists():
        pytest.skip("tsva-20x is not shipped yet")
    return load_refocuser("tsva-20x")


@pytest.fixture(scope="module")
def shots() -> tuple[np.ndarray, np.ndarray]:
    return shots_of(texture())


def test_it_is_handed_out_at_the_top_of_the_package(tmp_path: Path) -> None:
    opened = napari_autofocus.load_refocuser(tiny_refocuser_file(tmp_path))
    assert isinstance(opened, napari_autofocus.VirtualRefocuser)
    assert (opened.name, len(opened.fingerprint)) == ("tiny-virtual", 64)


def test_an_untaught_model_gives_back_the_sharper_shot(shots: tuple[np.ndarray, np.ndarray]) -> None:
    model = tiny_refocuser(changing=False)
    found = recovered(model.refocus(*shots, optics=OPTICS))
    assert found.sharper == 1
    assert psnr(found.image, shots[1]) > 100


def test_focused_shots_come_back_as_they_are() -> None:
    if not SHIPPED_MODEL.exists():
        pytest.skip("tsva-20x is not shipped yet")
    scene = Scene(Specimen("he", "dense", 900_001), Optics(LENS), shape=(256, 256))
    light = scene.render(0.0, 0.0, scene.best_focus_um(0.0, 0.0)) * np.float32(WELL_EXPOSED)
    truth = np.clip(light, 0, 1)
    found = recovered(load_refocuser("tsva-20x").refocus(truth, truth, optics=OPTICS))
    assert psnr(found.image, truth) >= 45


def test_swapping_the_shots_changes_nothing(refocuser: VirtualRefocuser, shots: tuple[np.ndarray, np.ndarray]) -> None:
    there = recovered(refocuser.refocus(*shots, optics=OPTICS))
    back = recovered(refocuser.refocus(*shots[::-1], optics=OPTICS))
    assert np.array_equal(there.image, back.image)
    assert (there.sharper, back.sharper) == (1, 0)


def test_a_shift_by_the_stride_shifts_the_answer(refocuser: VirtualRefocuser) -> None:
    shots = shots_of(texture(352, 352))
    pair = np.concatenate([np.moveaxis(shot, -1, 0) for shot in shots])
    stride = refocuser.card.stride_px
    whole = refocuser.refocus_tile(pair)[:3, stride:, stride:]
    shifted = refocuser.refocus_tile(np.ascontiguousarray(pair[:, stride:, stride:]))[:3]
    inner = slice(128, -128)
    assert psnr(shifted[:, inner, inner], whole[:, inner, inner]) >= 45


def test_flips_commute_with_the_shipped_model() -> None:
    if not SHIPPED_MODEL.exists():
        pytest.skip("tsva-20x is not shipped yet")
    model, shots = load_refocuser("tsva-20x"), shots_of(texture())
    plain = recovered(model.refocus(*shots, optics=OPTICS)).image
    for axis in (0, 1):
        turned = [np.ascontiguousarray(np.flip(shot, axis)) for shot in shots]
        assert psnr(np.flip(recovered(model.refocus(*turned, optics=OPTICS)).image, axis), plain) >= 45


def test_tiles_leave_no_seams(refocuser: VirtualRefocuser) -> None:
    """On a ramp and on content the image does not depend on how it was cut."""
    ramp = np.linspace(0.2, 0.9, 352, dtype=np.float32)[None, :, None] * np.ones((352, 1, 3), np.float32)
    for truth, inner in ((ramp, slice(None)), (texture(352, 352), slice(None))):
        shots = shots_of(truth)
        whole, tiled = (recovered(refocuser.refocus(*shots, optics=OPTICS, tile_px=tile)) for tile in (352, 224))
        assert psnr(whole.image[inner], tiled.image[inner]) > 60
        assert np.abs(whole.uncertainty - tiled.uncertainty).max() < 0.02


def test_types_agree(refocuser: VirtualRefocuser, shots: tuple[np.ndarray, np.ndarray]) -> None:
    bytes_ = [as_u8(shot) for shot in shots]
    words = [shot.astype(np.uint16) * 257 for shot in bytes_]
    light = [shot.astype(np.float32) / np.float32(255) for shot in bytes_]
    u8, u16, real = (recovered(refocuser.refocus(*pair, optics=OPTICS)).image for pair in (bytes_, words, light))
    assert (u8.dtype, u16.dtype, real.dtype) == (np.uint8, np.uint16, np.float32)
    assert np.abs(u8 / 255 - real).max() <= 0.5 / 255 + 1e-6
    assert np.abs(u16 / 65535 - real).max() <= 1e-5


def test_the_bit_depth_says_what_full_light_is(tiny: VirtualRefocuser, shots: tuple[np.ndarray, np.ndarray]) -> None:
    deep = [np.rint(shot * 4095).astype(np.uint16) for shot in shots]
    light = [shot.astype(np.float32) / np.float32(4095) for shot in deep]
    twelve = recovered(tiny.refocus(*deep, optics=OPTICS, bit_depth=12)).image
    assert np.abs(twelve / 4095 - recovered(tiny.refocus(*light, optics=OPTICS)).image).max() < 2e-4


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_image_stays_constant(refocuser: VirtualRefocuser, level: float) -> None:
    even = as_u8(np.full((70, 90, 3), level, np.float32))
    found = recovered(refocuser.refocus(even, even, optics=OPTICS))
    assert np.array_equal(found.image, even)
    assert found.verdict == "doubtful"


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (33, 150), (128, 16)])
def test_images_of_any_size_come_back_in_their_size(tiny: VirtualRefocuser, shape: tuple[int, int]) -> None:
    found = recovered(tiny.refocus(*shots_of(texture()[: shape[0], : shape[1]]), optics=OPTICS))
    assert found.image.shape == (*shape, 3)
    assert found.uncertainty.shape == shape


def test_a_grey_image_is_seen_as_three_equal_colours(
    tiny: VirtualRefocuser, shots: tuple[np.ndarray, np.ndarray]
) -> None:
    grey = [shot[..., 1] for shot in shots]
    colour = [np.repeat(shot[..., None], 3, axis=2) for shot in grey]
    found = recovered(tiny.refocus(*grey, optics=OPTICS, insist=True))
    assert np.allclose(found.image, recovered(tiny.refocus(*colour, optics=OPTICS)).image.mean(axis=2), atol=1e-6)
    assert any("grey" in warning for warning in found.warnings)


def test_a_model_for_grey_images_sees_each_colour_by_itself(shots: tuple[np.ndarray, np.ndarray]) -> None:
    model = tiny_refocuser(channels=1)
    found = recovered(model.refocus(*shots, optics=OPTICS, insist=True)).image
    green = recovered(model.refocus(*(shot[..., 1] for shot in shots), optics=OPTICS)).image
    assert np.allclose(found[..., 1], green, atol=1e-6)


def test_a_shift_is_taken_out_and_told(tiny: VirtualRefocuser) -> None:
    first, second = shots_of(texture(256, 256))
    aside = moved(second, 3.4, -2.6)
    inner = slice(24, -24), slice(24, -24)
    plain = recovered(tiny.refocus(first, second, optics=OPTICS))
    found = recovered(tiny.refocus(first, aside, optics=OPTICS))
    left_in = recovered(tiny.refocus(first, aside, optics=OPTICS, register=False))
    assert found.shift_px == pytest.approx((3.4, -2.6), abs=0.1)
    assert found.shift_taken_out
    assert not left_in.shift_taken_out
    assert psnr(found.image[inner], plain.image[inner]) > psnr(left_in.image[inner], plain.image[inner]) + 10


def test_progress_counts_tiles_and_closing_cancels(tiny: VirtualRefocuser) -> None:
    work = tiny.refocus(*shots_of(texture(300, 300)), optics=OPTICS, tile_px=160)
    steps = list(itertools.islice(work, 3))
    assert [step.done for step in steps] == [0, 1, 2]
    assert steps[0] == TileDone(0, steps[1].total)
    work.close()
    with pytest.raises(StopIteration):
        next(work)


def test_other_optics_are_refused_or_warned_of(tiny: VirtualRefocuser, shots: tuple[np.ndarray, np.ndarray]) -> None:
    other = ImageOptics(Objective.parse("10x/0.3", pixel_size_um=0.65))
    with pytest.raises(OpticsRefused, match="may then show what is not there"):
        recovered(tiny.refocus(*shots, optics=other))
    with pytest.raises(OpticsRefused, match="unknown"):
        recovered(tiny.refocus(*shots))
    assert recovered(tiny.refocus(*shots, optics=other, insist=True)).warnings


def broken(image: np.ndarray) -> np.ndarray:
    return np.where(np.arange(image.shape[1])[:, None] == 3, np.float32("nan"), image)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (texture(160, 190), "one size"),
        (texture()[..., 0], "same colours"),
        (as_u8(texture()), "one type"),
        (broken(texture()), "second shot cannot be used.*NaN"),
        (texture() * 3, "second shot cannot be used.*full"),
    ],
)
def test_shots_that_do_not_fit_are_refused_in_a_sentence(
    tiny: VirtualRefocuser, second: np.ndarray, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        recovered(tiny.refocus(texture(), second, optics=OPTICS))


def test_tiles_too_small_for_the_model_are_refused(tiny: VirtualRefocuser) -> None:
    with pytest.raises(InputError, match="px or more"):
        recovered(tiny.refocus(texture(), texture(), optics=OPTICS, tile_px=64))


def test_torch_onnxruntime_and_one_thread_agree(tmp_path: Path, shots: tuple[np.ndarray, np.ndarray]) -> None:
    path = tiny_refocuser_file(tmp_path)
    one, other = load_refocuser(path), load_refocuser(path, device="cpu")
    models = one, other, one.on_one_thread()
    images = [recovered(model.refocus(*shots, optics=OPTICS)).image for model in models]
    assert max(np.abs(image - images[0]).max() for image in images) < 1e-4
    assert other.on_one_thread() is other


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device 'nonsense'"):
        load_refocuser(tiny_refocuser_file(tmp_path), device="nonsense")


def test_a_model_that_tells_defocus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recovers the image in focus"):
        load_refocuser(tiny_file(tmp_path))
