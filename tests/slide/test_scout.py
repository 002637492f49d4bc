"""Sample told from glass in coarse overviews."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.slide.scout import Overview, tissue_mask

PIXEL_UM = 4.0
SHAPE = (300, 400)


def _disc(shape: tuple[int, int] = SHAPE, centre: tuple[int, int] = (150, 180), radius: int = 80) -> np.ndarray:
    y, x = np.indices(shape)
    return np.hypot(y - centre[0], x - centre[1]) < radius


def _vignetting(shape: tuple[int, int], depth: float = 0.3) -> np.ndarray:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return 1 - depth * (x * x + y * y) / 2


def bright_field(sample: np.ndarray, *, stain: float = 1.0, texture: float = 0.15, seed: int = 0) -> np.ndarray:
    """Pink tissue on slightly yellow glass under a lamp that is brighter in the middle."""
    rng = np.random.default_rng(seed)
    grain = 1 + texture * cv2.GaussianBlur(rng.normal(size=sample.shape), (0, 0), 1.5) * 4
    density = sample * np.clip(grain, 0, None) * stain
    transmitted = np.exp(-density[..., None] * np.array([0.15, 0.6, 0.3]))
    lamp = _vignetting(sample.shape)[..., None] * np.array([235, 228, 205])
    return np.clip(lamp * transmitted + rng.normal(0, 1.2, transmitted.shape), 0, 255).astype(np.uint8)


def fluorescence(sample: np.ndarray, seed: int = 0) -> np.ndarray:
    """Bright tissue on a dark ground, 16 bit, with uneven excitation."""
    rng = np.random.default_rng(seed)
    grain = np.clip(1 + cv2.GaussianBlur(rng.normal(size=sample.shape), (0, 0), 2) * 3, 0.2, None)
    return (300 + 3000 * sample * grain * _vignetting(sample.shape) + rng.normal(0, 12, sample.shape)).astype(np.uint16)


def _overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("stain", [0.4, 1.0, 2.0])
def test_tissue_is_told_from_glass_under_an_uneven_lamp(stain: float) -> None:
    truth = _disc()
    assert _overlap(tissue_mask(bright_field(truth, stain=stain), PIXEL_UM), truth) > 0.85


def test_smooth_tissue_without_structure_is_told_by_its_stain() -> None:
    truth = _disc()
    assert _overlap(tissue_mask(bright_field(truth, texture=0.0), PIXEL_UM), truth) > 0.85


def test_grey_cameras_see_it_too() -> None:
    truth = _disc()
    grey = cv2.cvtColor(bright_field(truth), cv2.COLOR_RGB2GRAY)
    assert _overlap(tissue_mask(grey, PIXEL_UM), truth) > 0.85


def test_bright_tissue_on_a_dark_ground() -> None:
    truth = _disc()
    assert _overlap(tissue_mask(fluorescence(truth), PIXEL_UM), truth) > 0.85


def test_glass_alone_holds_no_sample() -> None:
    nothing = np.zeros(SHAPE, bool)
    assert tissue_mask(bright_field(nothing), PIXEL_UM).mean() < 0.01
    assert tissue_mask(fluorescence(nothing), PIXEL_UM).mean() < 0.02


def test_a_dark_frame_of_a_few_counts_holds_no_sample() -> None:
    y, x = np.indices(SHAPE)
    steps = (np.hypot(y % 60 - 30, x % 60 - 30) < 22).astype(np.uint8) * 3
    assert not tissue_mask(np.stack([steps] * 3, axis=-1), PIXEL_UM).any()


def test_floats_from_zero_to_one_will_do() -> None:
    image = bright_field(_disc())
    assert _overlap(tissue_mask(image / np.float32(255), PIXEL_UM), tissue_mask(image, PIXEL_UM)) > 0.98


def test_tissue_alone_is_all_sample() -> None:
    everything = np.ones(SHAPE, bool)
    assert tissue_mask(bright_field(everything), PIXEL_UM).mean() > 0.97
    assert tissue_mask(fluorescence(everything), PIXEL_UM).mean() > 0.97


def test_tissue_that_covers_most_of_the_slide() -> None:
    truth = ~_disc(radius=60)
    assert _overlap(tissue_mask(bright_field(truth), PIXEL_UM), truth) > 0.9


def test_single_cells_count_and_dust_does_not() -> None:
    cells = _disc(radius=5) | _disc(centre=(60, 300), radius=4)
    dust = np.zeros(SHAPE, bool)
    dust[250, 50] = True
    found = tissue_mask(bright_field(cells | dust, texture=0.0, stain=1.5), PIXEL_UM)
    assert found[150, 180]
    assert found[60, 300]
    assert found.mean() < 0.05


def test_what_was_not_imaged_is_no_sample() -> None:
    truth = _disc()
    image, seen = bright_field(truth), np.ones(SHAPE, bool)
    seen[:, :120] = False
    image[~seen] = 0
    found = tissue_mask(image, PIXEL_UM, seen=seen)
    assert not found[~seen].any()
    assert _overlap(found, truth & seen) > 0.8
    assert not tissue_mask(image, PIXEL_UM, seen=np.zeros(SHAPE, bool)).any()


def test_the_scale_of_the_counts_does_not_matter() -> None:
    image = bright_field(_disc())
    wide = image.astype(np.uint16) * 200
    assert _overlap(tissue_mask(wide, PIXEL_UM), tissue_mask(image, PIXEL_UM)) > 0.98


def test_a_large_overview_is_marked_in_full_size() -> None:
    truth = _disc((1800, 2400), (900, 1000), 500)
    found = tissue_mask(bright_field(truth), 1.0)
    assert found.shape == truth.shape
    assert _overlap(found, truth) > 0.85


@pytest.mark.parametrize("pixel_um", [0.0, -1.0, math.nan, math.inf])
def test_a_pixel_has_a_size(pixel_um: float) -> None:
    with pytest.raises(InputError, match="positive number"):
        tissue_mask(np.zeros((10, 10), np.uint8), pixel_um)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InputError):
        tissue_mask(np.zeros((2, 3, 4, 5)), 1.0)


def _overview(**more: object) -> Overview:
    mask = np.zeros((10, 20), bool)
    mask[:, 10:] = True
    return Overview(mask.astype(np.uint8), 2.0, (100.0, 50.0), mask, **more)  # type: ignore[arg-type]


def test_the_share_of_sample_around_places() -> None:
    shares = _overview().shares_near([(102.0, 58.0), (136.0, 58.0), (119.0, 58.0), (500.0, 58.0)], 4.0)
    assert shares[:3] == pytest.approx([0.0, 1.0, 0.5])
    assert math.isnan(shares[3])


def test_places_on_glass_are_left_out_and_unknown_ones_kept() -> None:
    kept, glass = _overview().on_sample([(102.0, 58.0), (136.0, 58.0), (500.0, 58.0)], 4.0)
    assert kept == [(136.0, 58.0), (500.0, 58.0)]
    assert glass == [(102.0, 58.0)]


def test_gaps_of_the_overview_do_not_count_as_glass() -> None:
    seen = np.ones((10, 20), bool)
    seen[:, 12:16] = False
    assert _overview(seen=seen).shares_near([(127.0, 58.0)], 6.0) == pytest.approx([1.0])


def test_an_overview_nobody_looked_at_says_so() -> None:
    with pytest.raises(InputError, match="does not say where the sample is"):
        Overview(np.zeros((4, 4)), 1.0, (0.0, 0.0)).shares_near([(0.0, 0.0)], 1.0)
