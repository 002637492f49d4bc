"""Counting cells on images whose number of cells is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.color import hed2rgb

from napari_autofocus.errors import InputError
from napari_autofocus.focus.counting import count_cells, kind_of

PIXEL_UM = 0.325


def discs(radius_px: int = 12, *, touching: bool = False) -> np.ndarray:
    """Twelve discs on a grid, shape (Y, X), 1 inside; ``touching``: in pairs that overlap a little."""
    image = np.zeros((200, 260), np.float32)
    for number in range(12):
        row, column = divmod(number, 4)
        aside = (-1 if column % 2 else 1) * (32 - radius_px + 2) if touching else 0
        cv2.circle(image, (34 + 64 * column + aside, 36 + 64 * row), radius_px, 1.0, -1)
    return cv2.GaussianBlur(image, (0, 0), 1.0)


def stained(cells: np.ndarray) -> np.ndarray:
    """Haematoxylin in the cells on a ground of eosin, RGB u8."""
    hed = np.stack([0.15 * cells, 0.05 * np.ones_like(cells), np.zeros_like(cells)], axis=2)
    return np.rint(255 * np.clip(hed2rgb(hed), 0, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    "image",
    [stained(discs()), np.rint(255 * (0.9 - 0.6 * discs())).astype(np.uint8), (60000 * discs()).astype(np.uint16)],
    ids=["haematoxylin", "dark on bright", "fluorescence"],
)
def test_every_cell_counts_once(image: np.ndarray) -> None:
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 0.01 * image.max(), image.shape), 0, image.max())
    found = count_cells(noisy.astype(image.dtype), pixel_size_um=PIXEL_UM)
    assert found.count == 12
    assert found.labels.max() == 12


def test_touching_cells_are_parted() -> None:
    assert count_cells(stained(discs(touching=True)), pixel_size_um=PIXEL_UM).count == 12


def test_specks_and_large_areas_do_not_count() -> None:
    assert count_cells(stained(discs(2)), pixel_size_um=PIXEL_UM).count == 0
    assert count_cells(stained(discs()), pixel_size_um=3.0).count == 0


def test_an_empty_image_holds_none() -> None:
    glass = np.random.default_rng(0).normal(0.9, 0.003, (120, 120, 3)).clip(0, 1).astype(np.float32)
    assert count_cells(glass, pixel_size_um=PIXEL_UM).count == 0
    assert count_cells(np.full((50, 50), 7, np.uint8), pixel_size_um=PIXEL_UM).count == 0


def test_the_same_image_gives_the_same_count_and_labels() -> None:
    first, again = (count_cells(stained(discs(touching=True)), pixel_size_um=PIXEL_UM) for _ in range(2))
    assert np.array_equal(first.labels, again.labels)


def test_bright_field_and_fluorescence_are_told_apart() -> None:
    assert kind_of(stained(discs())) == "nuclei"
    assert kind_of((60000 * discs()).astype(np.uint16)) == "fluorescence"


@pytest.mark.parametrize("pixel", [0.0, -1.0, float("nan")])
def test_impossible_pixel_sizes_are_refused(pixel: float) -> None:
    with pytest.raises(InputError, match="pixel size"):
        count_cells(stained(discs()), pixel_size_um=pixel)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="nuclei"):
        count_cells(stained(discs()), pixel_size_um=PIXEL_UM, kind="mice")  # type: ignore[arg-type]
