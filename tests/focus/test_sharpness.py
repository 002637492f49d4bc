"""Every focus measure against a plain transcription of its published formula, and against what must hold for all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_autofocus.errors import InputError
from napari_autofocus.focus.measures.spectral import BAND, PSF_SUPPORT_PX
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import MEASURES, sharpness

Image = npt.NDArray[Any]
ALL = sorted(MEASURES)
LOCAL = sorted(set(MEASURES) - {"entropy", "dct-shannon", "fft-band-power", "edges"})

# Plain transcriptions: g[y][x] in double precision, loops as the papers print them.


def _mean(terms: list[float]) -> float:
    return sum(terms) / len(terms)


def _inner(g: Image) -> list[tuple[int, int]]:
    return [(y, x) for y in range(1, g.shape[0] - 1) for x in range(1, g.shape[1] - 1)]


def _sobel(g: Image, y: int, x: int) -> tuple[float, float]:
    sx = g[y - 1, x + 1] + 2 * g[y, x + 1] + g[y + 1, x + 1] - g[y - 1, x - 1] - 2 * g[y, x - 1] - g[y + 1, x - 1]
    sy = g[y + 1, x - 1] + 2 * g[y + 1, x] + g[y + 1, x + 1] - g[y - 1, x - 1] - 2 * g[y - 1, x] - g[y - 1, x + 1]
    return sx, sy


def _laplacian(g: Image, y: int, x: int) -> float:
    return g[y - 1, x] + g[y + 1, x] + g[y, x - 1] + g[y, x + 1] - 4 * g[y, x]


def _brenner_down(g: Image) -> list[float]:
    height, width = g.shape
    return [(g[i, j] - g[i + 2, j]) ** 2 for i in range(height - 2) for j in range(width)]


def _brenner_right(g: Image) -> list[float]:
    height, width = g.shape
    return [(g[i, j] - g[i, j + 2]) ** 2 for i in range(height) for j in range(width - 2)]


def _laplacian_variance(g: Image) -> float:
    values = [_laplacian(g, y, x) for y, x in _inner(g)]
    return _mean([(value - _mean(values)) ** 2 for value in values])


def _laplacian_energy(g: Image) -> float:
    kernel = ((-1, -4, -1), (-4, 20, -4), (-1, -4, -1))
    reach = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return _mean([sum(kernel[dy + 1][dx + 1] * g[y + dy, x + dx] for dy, dx in reach) ** 2 for y, x in _inner(g)])


def _modified_laplacian(g: Image) -> float:
    return _mean(
        [
            abs(2 * g[y, x] - g[y, x - 1] - g[y, x + 1]) + abs(2 * g[y, x] - g[y - 1, x] - g[y + 1, x])
            for y, x in _inner(g)
        ]
    )


def _redondo(g: Image) -> float:
    return _mean([(g[y, x - 1] + g[y, x + 1] + g[y - 1, x] + g[y + 1, x] - 4 * g[y, x - 1]) ** 2 for y, x in _inner(g)])


def _vollath_f4(g: Image) -> float:
    """Both sums over x = 1 … N − 2, as the docstring explains."""
    height, width = g.shape
    places = [(y, x) for y in range(height) for x in range(width - 2)]
    return _mean([g[y, x] * g[y, x + 1] for y, x in places]) - _mean([g[y, x] * g[y, x + 2] for y, x in places])


def _vollath_f5(g: Image) -> float:
    height, width = g.shape
    return _mean([g[y, x] * g[y, x + 1] for y in range(height) for x in range(width - 1)]) - _mean(list(g.flat)) ** 2


def _variance(g: Image) -> float:
    return _mean([(value - _mean(list(g.flat))) ** 2 for value in g.flat])


def _entropy(g: Image) -> float:
    """Integer grey levels that span less than 256: one bin each."""
    levels = [round(value) for value in g.flat]
    shares = [levels.count(level) / len(levels) for level in set(levels)]
    return -sum(share * math.log2(share) for share in shares)


def _dct_shannon(g: Image) -> float:
    height, width = g.shape

    def cosine(length: int, k: int, i: int) -> float:
        return math.sqrt((1 if k == 0 else 2) / length) * math.cos(math.pi * k * (2 * i + 1) / (2 * length))

    def coefficient(v: int, u: int) -> float:
        return sum(g[y, x] * cosine(height, v, y) * cosine(width, u, x) for y in range(height) for x in range(width))

    spectrum = {(v, u): coefficient(v, u) for v in range(height) for u in range(width)}
    norm = math.sqrt(sum(value**2 for value in spectrum.values()))
    ry, rx = height // PSF_SUPPORT_PX, width // PSF_SUPPORT_PX
    inside = [abs(value) / norm for (v, u), value in spectrum.items() if v / ry + u / rx < 1 - 1e-12]
    return -2 / (rx * ry) * sum(share * math.log2(share) for share in inside if share > 0)


def _fft_band_power(g: Image) -> float:
    height, width = g.shape
    window = {
        (y, x): math.sin(math.pi * (y + 0.5) / height) ** 2 * math.sin(math.pi * (x + 0.5) / width) ** 2
        for y in range(height)
        for x in range(width)
    }
    mean = sum(g[place] * weight for place, weight in window.items()) / sum(window.values())
    unit = _mean([weight**2 for weight in window.values()])
    total = 0.0
    for v in range(height):
        for u in range(width):
            fy, fx = min(v, height - v) / height, min(u, width - u) / width
            if BAND[0] <= math.hypot(fy, fx) <= BAND[1]:
                turns = {(y, x): complex(0, -2 * math.pi * (v * y / height + u * x / width)) for y, x in window}
                value = sum((g[p] - mean) * window[p] * np.exp(turn) for p, turn in turns.items())
                total += abs(value) ** 2 / unit
    return total / (height * width) ** 2


FORMULAS: dict[str, Callable[[Image], float]] = {
    "brenner-vertical": lambda g: _mean(_brenner_down(g)),
    "brenner-horizontal": lambda g: _mean(_brenner_right(g)),
    "brenner": lambda g: _mean(_brenner_down(g) + _brenner_right(g)),
    "boddeke": lambda g: _mean(
        [(g[y, x + 1] - g[y, x - 1]) ** 2 for y in range(g.shape[0]) for x in range(1, g.shape[1] - 1)]
    ),
    "laplacian-variance": _laplacian_variance,
    "laplacian-energy": _laplacian_energy,
    "modified-laplacian": _modified_laplacian,
    "tenengrad": lambda g: _mean([sum(part**2 for part in _sobel(g, y, x)) for y, x in _inner(g)]),
    "sobel-norm": lambda g: _mean([math.hypot(*_sobel(g, y, x)) for y, x in _inner(g)]),
    "redondo": _redondo,
    "vollath-f4": _vollath_f4,
    "vollath-f5": _vollath_f5,
    "standard-deviation": lambda g: math.sqrt(_variance(g)),
    "normalised-variance": lambda g: _variance(g) / _mean(list(g.flat)),
    "entropy": _entropy,
    "dct-shannon": _dct_shannon,
    "fft-band-power": _fft_band_power,
}


@pytest.fixture
def noise() -> Image:
    return np.random.default_rng(3).integers(20, 250, (12, 17), dtype=np.uint8)


@pytest.fixture
def texture() -> Image:
    """Smooth random structure about grey 120, u8, 96 x 128 px."""
    field = cv2.GaussianBlur(np.random.default_rng(5).normal(0, 1, (96, 128)), (0, 0), 1.5)
    return np.clip(120 + 60 * field / field.std(), 5, 250).astype(np.uint8)


@pytest.mark.parametrize("measure", sorted(FORMULAS))
def test_measure_equals_its_published_formula(measure: str, noise: Image) -> None:
    assert sharpness(noise, measure) == pytest.approx(FORMULAS[measure](noise.astype(float)), rel=1e-6)


def test_every_measure_is_tested_against_a_formula_but_canny() -> None:
    assert set(MEASURES) - set(FORMULAS) == {"edges"}


def test_published_brenner_sum_is_the_mean_times_the_number_of_terms(noise: Image) -> None:
    published = sum(_brenner_down(noise.astype(float)))
    assert sharpness(noise, "brenner-vertical") * 10 * 17 == published


def test_edges_counts_the_pixels_along_a_step() -> None:
    step = np.full((40, 60), 100, np.uint8)
    step[:, 30:] = 180
    assert sharpness(step, "edges") == pytest.approx(1 / 60)


def test_edges_ignores_steps_below_its_limit() -> None:
    step = np.full((40, 60), 100, np.uint8)
    step[:, 30:] = 108
    assert sharpness(step, "edges") == 0


@pytest.mark.parametrize("measure", ALL)
def test_measure_describes_itself(measure: str) -> None:
    described = MEASURES[measure]
    assert described.name == measure
    assert described.polarity == "maximum"
    assert described.unit in {"counts²", "counts", "bit", "1"}
    assert any(character.isdigit() for character in described.citation)


# Two grey levels blur into many, so entropy is tested on continuous grey values below.
@pytest.mark.parametrize("measure", sorted(set(ALL) - {"entropy"}))
@pytest.mark.parametrize("blur_type", ["u8", "float"])
def test_measure_peaks_at_focus(measure: str, blur_type: str) -> None:
    rng = np.random.default_rng(11)
    scene = np.where(cv2.GaussianBlur(rng.normal(0, 1, (160, 160)), (0, 0), 3) > 0.02, 200.0, 80.0)
    sigmas = np.abs(np.arange(-5, 6)) * 0.8 + 0.7
    planes = [cv2.GaussianBlur(scene, (0, 0), sigma) for sigma in sigmas]
    if blur_type == "u8":
        planes = [np.rint(plane + rng.normal(0, 1, plane.shape)).astype(np.uint8) for plane in planes]
    assert int(np.argmax([sharpness(plane, measure) for plane in planes])) == 5


def test_entropy_peaks_at_focus_where_grey_values_are_continuous() -> None:
    scene = cv2.GaussianBlur(np.random.default_rng(12).normal(120, 40, (160, 160)), (0, 0), 0.7)
    planes = [cv2.GaussianBlur(scene, (0, 0), 0.3 + 0.8 * abs(d)) for d in range(-5, 6)]
    u8 = [np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes]
    assert int(np.argmax([sharpness(plane, "entropy") for plane in u8])) == 5


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_constant_image_has_no_sharpness(measure: str, dtype: type) -> None:
    assert sharpness(np.full((24, 30), 201, dtype), measure) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("measure", ALL)
def test_types_agree(measure: str, texture: Image) -> None:
    values = [sharpness(texture.astype(kind), measure) for kind in (np.uint8, np.uint16, np.float32, np.float64)]
    assert values == pytest.approx([values[0]] * 4, rel=1e-6)


@pytest.mark.parametrize("kind", [">u2", np.int16, np.int32, np.float16])
def test_other_number_types_are_converted(kind: npt.DTypeLike, texture: Image) -> None:
    assert sharpness(texture.astype(kind)) == pytest.approx(sharpness(texture), rel=1e-6)


@pytest.mark.parametrize("measure", ALL)
def test_gain_scales_by_the_stated_exponent(measure: str, texture: Image) -> None:
    ratio = sharpness(texture.astype(np.uint16) * 3, measure) / sharpness(texture, measure)
    assert ratio == pytest.approx(3 ** MEASURES[measure].gain, rel=1e-6)


@pytest.mark.parametrize("measure", sorted(set(LOCAL) - {"normalised-variance", "vollath-f4", "vollath-f5"}))
def test_offset_does_not_matter(measure: str, texture: Image) -> None:
    brighter = texture.astype(np.uint16) + 5000
    assert sharpness(brighter, measure) == pytest.approx(sharpness(texture, measure), rel=1e-5)


@pytest.mark.parametrize("measure", ALL)
def test_shift_of_the_content_does_not_matter(measure: str, texture: Image) -> None:
    field = np.full((160, 200), texture[0, 0], np.uint8)
    values = []
    for y, x in ((20, 30), (27, 41)):
        shifted = field.copy()
        shifted[y : y + 96, x : x + 128] = texture
        values.append(sharpness(shifted, measure))
    # The spectral window weighs the middle of a field more than its border.
    loose = {"fft-band-power": 0.1, "dct-shannon": 0.05}
    assert values[0] == pytest.approx(values[1], rel=loose.get(measure, 1e-6))


@pytest.mark.parametrize("measure", sorted(set(ALL) - {"redondo", "vollath-f4", "edges"}))
def test_mirror_image_is_as_sharp(measure: str, texture: Image) -> None:
    mirrored = np.ascontiguousarray(texture[::-1, ::-1])
    assert sharpness(mirrored, measure) == pytest.approx(sharpness(texture, measure), rel=1e-6)


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(("size", "stride"), [(32, None), (31, 20), (25, 40)])
@pytest.mark.parametrize("saturation", [None, 235])
def test_grid_equals_one_call_a_patch(
    measure: str, size: int, stride: int | None, saturation: float | None, texture: Image
) -> None:
    grid = PatchGrid(texture.shape, size, stride)
    expected = [sharpness(texture[grid.slices(i)], measure, saturation=saturation) for i in range(len(grid))]
    found = sharpness(texture, measure, grid=grid, saturation=saturation)
    assert found.shape == grid.shape
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("measure", ALL)
def test_rectangular_mask_equals_region_of_interest(measure: str, texture: Image) -> None:
    mask = np.zeros(texture.shape, np.bool_)
    mask[10:60, 33:90] = True
    assert sharpness(texture, measure, mask=mask) == sharpness(texture, measure, roi=(10, 33, 50, 57))
    assert sharpness(texture, measure, mask=mask) == sharpness(texture[10:60, 33:90], measure)


@pytest.mark.parametrize("measure", LOCAL)
def test_masked_pixels_do_not_matter(measure: str, texture: Image) -> None:
    mask = np.random.default_rng(8).random(texture.shape) > 0.05
    spoiled = np.where(mask, texture, 255)
    assert sharpness(spoiled, measure, mask=mask) == pytest.approx(sharpness(texture, measure, mask=mask), rel=1e-9)


@pytest.mark.parametrize("measure", ALL)
def test_leaving_a_saturated_spot_out_gives_what_the_rest_gives(measure: str, texture: Image) -> None:
    spoiled = texture.copy()
    spoiled[40:52, 60:72] = 255
    clean, found = sharpness(texture, measure), sharpness(spoiled, measure, saturation=255)
    assert found == pytest.approx(clean, rel=0.06)


def test_difference_with_one_saturated_pixel_is_left_out() -> None:
    row = np.array([[10, 20, 255, 40, 16, 43]], np.uint8)  # pairs two apart: (20, 40) and (40, 43) stay
    assert sharpness(row, "brenner-horizontal", saturation=255) == pytest.approx((20**2 + 3**2) / 2)


def test_middle_pixel_of_a_brenner_pair_may_be_saturated() -> None:
    assert sharpness(np.array([[10, 255, 14]], np.uint8), "brenner-horizontal", saturation=255) == 16


def test_colour_image_is_saturated_where_any_channel_is() -> None:
    image = np.full((6, 8, 3), 100, np.uint8)
    image[2, 3] = (255, 0, 0)
    assert sharpness(image) > 0
    assert sharpness(image, saturation=255) == 0
    assert sharpness(image, colour="green", saturation=255) > 0


def test_patch_without_a_valid_pixel_has_no_value(texture: Image) -> None:
    mask = np.ones(texture.shape, np.bool_)
    mask[:32, :32] = False
    for measure in ALL:
        values = sharpness(texture, measure, grid=PatchGrid(texture.shape, 32), mask=mask)
        assert np.isnan(values[0, 0])
        assert np.isfinite(values).sum() == 11


def test_luminance_weighs_green_most(texture: Image) -> None:
    colour = np.stack([texture, np.roll(texture, 5, 0), np.roll(texture, 9, 1)], axis=-1)
    grey = colour.astype(float) @ (0.299, 0.587, 0.114)
    assert sharpness(colour) == pytest.approx(sharpness(np.rint(grey)), rel=1e-3)
    assert sharpness(colour.astype(np.float32)) == pytest.approx(sharpness(grey), rel=1e-5)
    assert sharpness(colour.astype(np.float64)) == pytest.approx(sharpness(grey), rel=1e-12)


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
@pytest.mark.parametrize("measure", ALL)
def test_channel_is_measured_alone(colour: Any, channel: int, measure: str) -> None:
    image = np.random.default_rng(1).integers(0, 200, (20, 24, 4), dtype=np.uint8)
    assert sharpness(image, measure, colour=colour) == sharpness(image[..., channel].copy(), measure)


@settings(max_examples=40, deadline=None)
@given(
    image=hnp.arrays(np.uint16, st.tuples(st.integers(3, 20), st.integers(3, 20))),
    down=st.booleans(),
)
def test_brenner_of_integers_is_exact(image: Image, down: bool) -> None:
    wide = image.astype(object) if down else image.T.astype(object)
    exact = int(((wide[2:] - wide[:-2]) ** 2).sum()) / (wide.shape[0] - 2) / wide.shape[1]
    assert sharpness(image, "brenner-vertical" if down else "brenner-horizontal") == pytest.approx(exact, rel=1e-15)


@pytest.mark.parametrize("measure", ["laplacian-energy", "laplacian-variance", "modified-laplacian", "tenengrad",
                                     "redondo", "sobel-norm", "vollath-f4", "vollath-f5", "standard-deviation",
                                     "normalised-variance", "entropy"])  # fmt: skip
def test_eight_bits_of_the_largest_contrast_measure_what_floats_do(measure: str) -> None:
    rng = np.random.default_rng(5)
    image = (rng.integers(0, 2, (700, 900)) * 255).astype(np.uint8)
    mask = rng.random(image.shape) < 0.9

    for chosen in (None, mask):
        expected = sharpness(image.astype(np.float64), measure, mask=chosen)
        assert sharpness(image, measure, mask=chosen) == pytest.approx(expected, rel=1e-6)


def test_brenner_does_not_overflow_on_large_extreme_images() -> None:
    image = np.zeros((1024, 1024), np.uint16)
    image[::4] = image[1::4] = 65535
    assert sharpness(image, "brenner-vertical") == 65535**2
    assert sharpness(image, "brenner-vertical", grid=PatchGrid(image.shape, 512)) == pytest.approx(65535**2, rel=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    image=hnp.arrays(np.uint8, st.tuples(st.integers(9, 24), st.integers(9, 24))),
    size=st.integers(3, 9),
    stride=st.integers(1, 12),
    measure=st.sampled_from(ALL),
)
def test_any_grid_equals_one_call_a_patch(image: Image, size: int, stride: int, measure: str) -> None:
    grid = PatchGrid(image.shape, size, stride)
    expected = [sharpness(image[grid.slices(i)], measure) for i in range(len(grid))]
    found = sharpness(image, measure, grid=grid).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "arguments", "message"),
    [
        (np.zeros((4, 4, 2)), {}, r"shape \(4, 4, 2\)"),
        (np.zeros((0, 4)), {}, r"shape \(0, 4\)"),
        (np.zeros((2, 4, 4, 3)), {}, "give one image"),
        (np.zeros((9, 9), complex), {}, "type complex128"),
        (np.full((9, 9), np.nan), {}, "81 pixels that are NaN"),
        (np.full((9, 9), np.inf, np.float32), {}, "NaN or infinite"),
        (np.zeros((2, 2)), {}, "at least 3 x 1 px; found 2 x 2"),
        (np.zeros((9, 9)), {"measure": "sharp"}, "Unknown focus measure 'sharp'; use one of brenner"),
        (np.zeros((9, 9)), {"colour": "cyan"}, "Unknown colour 'cyan'"),
        (np.zeros((9, 9)), {"roi": (0, 4, 9, 6)}, "does not lie inside an image of 9 x 9"),
        (np.zeros((9, 9)), {"roi": (-1, 0, 4, 4)}, "does not lie inside"),
        (np.zeros((9, 9)), {"mask": np.ones((9, 8), bool)}, r"shape \(9, 9\); found bool, \(9, 8\)"),
        (np.zeros((9, 9)), {"mask": np.ones((9, 9))}, "must be boolean"),
        (np.zeros((9, 9)), {"mask": np.zeros((9, 9), bool)}, "mask is empty"),
        (np.full((9, 9), 255), {"saturation": 255}, "No pixel is left"),
        (np.zeros((9, 9)), {"grid": PatchGrid((9, 10), 4)}, "field of"),
        (np.zeros((9, 9)), {"grid": PatchGrid((9, 9), 2)}, "at least 3 x 1 px; found 2 x 2"),
        (np.zeros((9, 9)), {"grid": PatchGrid((9, 9), 4), "roi": (0, 0, 4, 4)}, "give one of them"),
        (np.eye(9) - 0.5, {"measure": "normalised-variance"}, "positive mean"),
        (np.eye(9) - 0.5, {"measure": "edges"}, "positive mean"),
    ],
)
def test_unusable_input_is_refused(image: Image, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sharpness(image, **arguments)
