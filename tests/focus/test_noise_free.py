"""Brenner gradients in two halves: exact sums, independent noise, and a product that noise cannot raise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.noise_free import noise_of_brenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import sharpness


def transcribed(image: npt.NDArray[Any], grid: PatchGrid, index: int) -> tuple[list[float], list[int], float]:
    """Sums of both halves, their numbers of terms and the mean product of one patch, pixel by pixel."""
    s = image.astype(float)
    y0, x0 = list(grid)[index]
    y1, x1 = y0 + grid.size, x0 + grid.size
    sums, terms, products = [0.0, 0.0], [0, 0], []
    for i in range(y0, y1):
        for j in range(x0, x1):
            for down, right in ((2, 0), (0, 2)):
                if i + down < y1 and j + right < x1:
                    d = s[i + down, j + right] - s[i, j]
                    sums[(i + j) % 2] += d**2
                    terms[(i + j) % 2] += 1
                    beside_y, beside_x = i + right // 2, j + down // 2
                    if beside_y + down < y1 and beside_x + right < x1:
                        products.append(d * (s[beside_y + down, beside_x + right] - s[beside_y, beside_x]))
    return sums, terms, float(np.mean(products))


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(9, 20), st.integers(9, 20)),
    size=st.integers(3, 9),
    stride=st.none() | st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_split_equals_its_transcription(shape: tuple[int, int], size: int, stride: int | None, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    grid = PatchGrid(shape, size, stride)
    split = split_brenner(image, grid)
    for index in range(len(grid)):
        sums, terms, cross = transcribed(image, grid, index)
        place = np.unravel_index(index, grid.shape)
        assert list(split.sums[:, *place]) == sums
        assert list(split.terms[:, *place]) == terms
        assert split.cross[place] == pytest.approx(cross, rel=1e-6, abs=1e-6)


def test_both_halves_together_are_the_brenner_gradient() -> None:
    image = np.random.default_rng(0).integers(0, 4096, (70, 90), dtype=np.uint16)
    grid = PatchGrid(image.shape, 16)
    np.testing.assert_allclose(split_brenner(image, grid).brenner, sharpness(image, grid=grid), rtol=1e-6)


def test_white_noise_is_alike_but_independent_in_both_halves_and_averages_out_of_the_product() -> None:
    noise = np.random.default_rng(7).normal(100, 3, (1024, 1024)).astype(np.float32)
    split = split_brenner(noise, PatchGrid(noise.shape, 32))
    first, second = split.halves.reshape(2, -1)
    assert first.mean() == pytest.approx(2 * 3**2, rel=0.01)
    assert second.mean() == pytest.approx(2 * 3**2, rel=0.01)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1  # 1024 patches: standard error 0.03
    assert abs(split.cross.mean()) < 0.06
    assert split.cross.std() < 0.6


def test_structure_stays_in_the_product() -> None:
    rng = np.random.default_rng(2)
    structure = cv2.GaussianBlur(rng.normal(0, 1, (256, 256)), (0, 0), 2.0) * 60
    grid = PatchGrid(structure.shape, 256)
    clean = split_brenner(structure, grid)
    noisy = split_brenner(structure + rng.normal(0, 5, structure.shape), grid)
    assert clean.cross[0, 0] == pytest.approx(clean.brenner[0, 0], rel=0.1)
    assert noisy.brenner[0, 0] > clean.brenner[0, 0] + 45
    assert noisy.cross[0, 0] == pytest.approx(clean.cross[0, 0], abs=2.5)


def test_luminance_is_not_rounded() -> None:
    colour = np.random.default_rng(4).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    grid = PatchGrid((40, 40), 20)
    exact = sharpness(colour.astype(np.float64), grid=grid)
    np.testing.assert_allclose(split_brenner(colour, grid).brenner, exact, rtol=1e-6)


def test_noise_of_brenner_predicts_the_scatter_of_white_noise() -> None:
    noise = np.random.default_rng(9).normal(100, 3, (1024, 1024)).astype(np.float32)
    split = split_brenner(noise, PatchGrid(noise.shape, 32))
    assert noise_of_brenner(split).mean() == pytest.approx(split.brenner.std(), rel=0.3)


def test_patch_too_small_for_a_difference_is_refused() -> None:
    with pytest.raises(InputError, match="at least 3 px; found 2 px"):
        split_brenner(np.zeros((8, 8), np.uint8), PatchGrid((8, 8), 2))


def test_grid_of_another_field_is_refused() -> None:
    with pytest.raises(InputError, match=r"field of \(8, 9\) px, not of \(8, 8\) px"):
        split_brenner(np.zeros((8, 8), np.uint8), PatchGrid((8, 9), 4))
