from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.camera import Camera

QUIET = Camera(vignetting=0.0, dust=0, read_noise_e=0.0, full_well_e=1e7)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def plain(level: float = 1.0, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    return np.full((*shape, 3), level, np.float32)


def test_empty_bright_field_is_well_exposed(rng: np.random.Generator) -> None:
    image = QUIET.expose(plain(), rng=rng)

    assert image.dtype == np.uint8
    assert image.shape == (120, 160, 3)
    assert image.mean() == pytest.approx(0.85 * 255, abs=1)


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_bit_depth_sets_type_and_full_scale(bit_depth: int, dtype: type, rng: np.random.Generator) -> None:
    camera = Camera(bit_depth=bit_depth, vignetting=0.0, dust=0)

    assert camera.expose(plain(), rng=rng).dtype == dtype
    assert camera.expose(plain(), rng=rng).mean() == pytest.approx(0.85 * (2**bit_depth - 1), rel=0.01)
    assert camera.expose(plain(3.0), rng=rng).min() == 2**bit_depth - 1


def test_exposure_scales_the_signal(rng: np.random.Generator) -> None:
    full, half = (QUIET.expose(plain(), exposure_ms=ms, rng=rng).mean() for ms in (10.0, 5.0))

    assert half == pytest.approx(full / 2, abs=1)


def test_full_well_saturates_even_at_low_gain(rng: np.random.Generator) -> None:
    camera = Camera(vignetting=0.0, dust=0, gain=0.5)

    assert camera.expose(plain(5.0), rng=rng).max() == pytest.approx(0.5 * 255, abs=1)


@pytest.mark.parametrize("level", [0.05, 0.3, 0.9])
def test_noise_is_shot_and_read_noise(level: float, rng: np.random.Generator) -> None:
    camera = Camera(bit_depth=16, vignetting=0.0, dust=0, full_well_e=10000, read_noise_e=8.0)

    image = camera.expose(plain(level, (300, 300)), rng=rng).astype(float)

    electrons = 0.85 * level * 10000
    expected = np.sqrt(electrons + 64) / 10000 * 65535
    assert image.std() == pytest.approx(expected, rel=0.02)
    assert image.mean() == pytest.approx(electrons / 10000 * 65535, rel=0.005)


def test_noise_is_independent_between_pixels_colours_and_frames(rng: np.random.Generator) -> None:
    camera = Camera(bit_depth=16, vignetting=0.0, dust=0)
    first, second = (camera.expose(plain(shape=(256, 256)), rng=rng).astype(float) for _ in range(2))
    first -= first.mean()
    second -= second.mean()

    power = np.mean(first**2)
    assert abs(np.mean(first * second)) < 0.02 * power
    assert abs(np.mean(first[..., 0] * first[..., 1])) < 0.02 * power
    assert abs(np.mean(first[1:] * first[:-1])) < 0.02 * power
    assert abs(np.mean(first[:16] * first[16:32])) < 0.05 * power


def test_same_seed_gives_the_same_frame() -> None:
    camera = Camera()
    frames = [camera.expose(plain(0.5), rng=np.random.default_rng(5)) for _ in range(2)]

    np.testing.assert_array_equal(*frames)


def test_mono_records_luminance(rng: np.random.Generator) -> None:
    light = plain() * np.array([1.0, 0.5, 0.25], np.float32)
    camera = Camera(colour="mono", vignetting=0.0, dust=0, read_noise_e=0.0, full_well_e=1e7)

    image = camera.expose(light, rng=rng)

    assert image.shape == (120, 160)
    assert image.mean() == pytest.approx(0.85 * 255 * (0.299 + 0.587 * 0.5 + 0.114 * 0.25), abs=1)


def test_vignetting_darkens_the_corners_as_asked() -> None:
    shading = Camera(vignetting=0.2, dust=0).shading((101, 151))

    assert shading[50, 75] == pytest.approx(1.0)
    assert shading[0, 0] == pytest.approx(0.8, abs=1e-6)


def test_dust_stays_put_and_adds_no_sharpness() -> None:
    clean, dusty = (Camera(vignetting=0.0, dust=n, dust_seed=4).shading((512, 512)) for n in (0, 5))

    np.testing.assert_array_equal(dusty, Camera(vignetting=0.0, dust=5, dust_seed=4).shading((512, 512)))
    assert 0.8 < dusty.min() < 0.99 * clean.min()
    # A Brenner step of 2 px sees less of a shadow than of the noise of a full well.
    assert np.abs(dusty[:, 2:] - dusty[:, :-2]).max() < 1 / np.sqrt(Camera().full_well_e) * 2


@pytest.mark.parametrize(("angle_deg", "axis"), [(0.0, 1), (90.0, 0)])
def test_motion_blurs_along_its_direction(angle_deg: float, axis: int, rng: np.random.Generator) -> None:
    light = np.zeros((61, 61, 3), np.float32)
    light[30, 30] = 1.0
    camera = Camera(
        bit_depth=16,
        vignetting=0,
        dust=0,
        read_noise_e=0,
        full_well_e=1e7,
        motion_blur_px=9,
        motion_angle_deg=angle_deg,
    )

    image = camera.expose(light, rng=rng).astype(float)[..., 0]
    profile = image.sum(axis=1 - axis)
    spread = np.sqrt(np.sum(profile * (np.arange(61) - 30) ** 2) / profile.sum())

    assert spread == pytest.approx(9 / np.sqrt(12), rel=0.1)
    assert image.sum() == pytest.approx(0.85 * 65535, rel=0.02)
    assert np.argmax(image.sum(axis=axis)) == 30


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": "bayer"},
        {"bit_depth": 7},
        {"bit_depth": 24},
        {"bit_depth": 9.5},
        {"full_well_e": 0},
        {"read_noise_e": -1},
        {"gain": float("nan")},
        {"vignetting": 1.0},
        {"dust": -1},
        {"motion_blur_px": float("inf")},
    ],
    ids=str,
)
def test_impossible_cameras_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match="found"):
        Camera(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("exposure_ms", [0.0, -1.0, float("nan")])
def test_impossible_exposures_are_refused(exposure_ms: float, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="exposure"):
        QUIET.expose(plain(), exposure_ms=exposure_ms, rng=rng)


def test_images_smaller_than_the_bands_work(rng: np.random.Generator) -> None:
    assert QUIET.expose(plain(shape=(5, 7)), rng=rng).shape == (5, 7, 3)
