"""A disturbance changes what it names and nothing else; it can be told again from its name, strength and seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.disturbed.frames import (
    KINDS,
    Disturbance,
    disturbed,
    disturbed_frames,
    disturbed_image,
)
from napari_autofocus.models.evaluation import KnownFrame, KnownPair
from napari_autofocus.optics import PRESETS

LENS = PRESETS["20x/0.75"]
OPTICS = ImageOptics(LENS)
STRENGTHS = {
    "pixel-percent": 10,
    "rotation-deg": 30,
    "mirror": 1,
    "motion-um": 2,
    "dust-shadows": 8,
    "dust-specks": 30,
    "colour": 0,
    "red": 0.8,
    "blue": 1.2,
    "light": 0.02,
    "exposure": 1.4,
    "noise": 0.05,
    "jpeg": 40,
}


def picture(colours: int = 3, dtype: type = np.uint8) -> npt.NDArray[Any]:
    """Soft blobs of several colours on a bright ground."""
    y, x = np.mgrid[:96, :128].astype(np.float32)
    planes = [0.8 - 0.5 * np.exp(-((x - 40 - 20 * c) ** 2 + (y - 48) ** 2) / 200) for c in range(colours)]
    light = np.stack(planes, axis=-1) if colours == 3 else planes[0]
    scale = 1.0 if np.dtype(dtype).kind == "f" else float(np.iinfo(dtype).max)
    return np.asarray((light * scale).astype(dtype))


def frame(image: npt.NDArray[Any] | None = None) -> KnownFrame:
    return KnownFrame(picture() if image is None else image, -3.25, "stack.tif", "slide", "he", "sparse", OPTICS)


def after(name: str, strength: float, image: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    found = disturbed(frame(image), [Disturbance(name, strength)], seed=5)
    assert isinstance(found, KnownFrame)
    return found.image


@pytest.mark.parametrize("name", KINDS)
def test_every_disturbance_keeps_type_and_truth_and_changes_the_picture(name: str) -> None:
    found = disturbed(frame(), [Disturbance(name, STRENGTHS[name])], seed=5)
    assert isinstance(found, KnownFrame)
    assert found.image.dtype == np.uint8
    assert found.image.ndim == 3
    assert found.image.shape != (96, 128, 3) or not np.array_equal(found.image, picture())
    assert replace(found, image=frame().image).true_um == -3.25
    assert (found.source, found.stain, found.optics) == ("stack.tif", "he", OPTICS)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.none is not None])
def test_strength_of_none_returns_the_same_picture(name: str) -> None:
    assert np.array_equal(after(name, KINDS[name].none or 0.0), picture())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.needs_colour])
def test_grey_frames_of_any_depth_stay_what_they_are(name: str, dtype: type) -> None:
    found = after(name, STRENGTHS[name], picture(1, dtype))
    assert found.dtype == dtype
    assert found.ndim == 2
    full = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    assert 0 <= float(found.min()) <= float(found.max()) <= full


@pytest.mark.parametrize("name", ["noise", "motion-um", "dust-specks"])
def test_what_is_drawn_comes_from_the_seed(name: str) -> None:
    made = [disturbed(frame(), [Disturbance(name, STRENGTHS[name])], seed=seed).image for seed in (1, 1, 2)]  # type: ignore[union-attr]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_frames_of_a_stream_are_drawn_apart() -> None:
    first, second = disturbed_frames([frame(), frame()], [Disturbance("noise", 0.05)])
    assert isinstance(first, KnownFrame)
    assert isinstance(second, KnownFrame)
    assert not np.array_equal(first.image, second.image)


def test_nothing_wanted_gives_the_frame_itself() -> None:
    known = frame()
    assert disturbed(known, []) is known


def test_two_shots_share_their_dust_but_not_their_noise() -> None:
    grey = np.full((64, 64), 128, np.uint8)
    pair = KnownPair(grey, grey, 3.0, 1.0, "stack.tif", "slide", optics=OPTICS)
    dusty = disturbed(pair, [Disturbance("dust-specks", 20)])
    noisy = disturbed(pair, [Disturbance("noise", 0.05)])
    assert isinstance(dusty, KnownPair)
    assert isinstance(noisy, KnownPair)
    assert np.array_equal(dusty.first, dusty.second)
    assert not np.array_equal(dusty.first, grey)
    noise = np.stack([noisy.first.ravel(), noisy.second.ravel()]).astype(float)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_disturbances_befall_a_frame_in_the_order_of_its_way_to_the_file() -> None:
    """Dust is on the sensor before the file is written, whatever the user says first."""
    wanted = [Disturbance("jpeg", 30), Disturbance("dust-specks", 30)]
    assert np.array_equal(disturbed(frame(), wanted).image, disturbed(frame(), wanted[::-1]).image)  # type: ignore[union-attr]


def test_motion_is_a_way_in_the_sample() -> None:
    """A bright point becomes a line of the light it had, as long as the way over the pixel size."""
    dark = np.zeros((65, 65), np.float32)
    dark[32, 32] = 1
    line = after("motion-um", 4, dark)
    assert float(line.sum()) == pytest.approx(1, abs=1e-3)
    y, x = np.nonzero(line > 0.01)
    assert np.hypot(np.ptp(y), np.ptp(x)) == pytest.approx(4 / LENS.pixel_size_um, abs=2.5)


def test_less_light_is_as_bright_with_more_noise() -> None:
    """Shot noise of a sixteenth of the photons: √(mean · 15 / full well)."""
    grey = np.full((200, 200), 0.5, np.float32)
    found = after("light", 1 / 16, grey)
    assert float(found.mean()) == pytest.approx(0.5, abs=1e-3)
    assert float(found.std()) == pytest.approx(np.sqrt(0.5 * 15 / 80_000), rel=0.05)


def test_longer_exposure_clips_at_full_scale() -> None:
    assert float((after("exposure", 1.4) == 255).mean()) > 0.3


def test_quarter_turns_move_pixels_only() -> None:
    assert np.array_equal(after("rotation-deg", 90), np.rot90(picture()))
    assert np.array_equal(after("rotation-deg", -180), np.rot90(picture(), 2))


def test_larger_pixels_show_the_same_field_in_fewer() -> None:
    found = after("pixel-percent", 25)
    assert found.shape == (77, 102, 3)
    assert found.mean(axis=(0, 1)) == pytest.approx(picture().mean(axis=(0, 1)), abs=0.5)


def test_deep_image_survives_a_file_of_eight_bit_though_it_is_dim() -> None:
    dim = (picture(1, np.uint16) // 500).astype(np.uint16)
    found = after("jpeg", 90, dim)
    assert found.astype(float) == pytest.approx(dim.astype(float), abs=0.04 * dim.max())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jpeg", "NAME=STRENGTH"),
        ("jpeg=good", "NAME=STRENGTH"),
        ("fog=1", "There is no disturbance 'fog'"),
        ("jpeg=0", "takes a whole number from 1 to 100; found 0"),
        ("jpeg=74.5", "found 74.5"),
        ("motion-um=nan", "found nan"),
        ("jpeg=inf", "found inf"),
        ("light=0", "from 0.0001 to 1"),
    ],
)
def test_wrong_wishes_are_refused_in_a_sentence(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        Disturbance.parse(text)


def test_a_disturbance_is_told_as_it_is_written() -> None:
    assert str(Disturbance.parse("motion-um=0.5")) == "motion-um=0.5"


def test_motion_takes_a_known_pixel_size() -> None:
    with pytest.raises(InputError, match="known pixel size"):
        disturbed(replace(frame(), optics=None), [Disturbance("motion-um", 1)])


def test_grey_frames_have_no_white_balance() -> None:
    with pytest.raises(InputError, match="this one is grey"):
        disturbed_image(picture(1), [Disturbance("red", 1.2)], pixel_um=None)
