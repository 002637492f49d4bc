"""Patches painted into one picture."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from made_estimates import made_patches
from napari_autofocus.widgets.overlay.patch_picture import LONGEST_SIDE_PX, Mark, is_bright, marks_of, number, paint

SHAPE = (200, 300)


@pytest.mark.parametrize(
    ("defocus_um", "words"),
    [(3.42, "+3.4"), (-3.42, "−3.4"), (0.04, "0.0"), (-0.04, "0.0"), (-0.06, "−0.1"), (None, "")],
)
def test_numbers_are_signed_with_a_true_minus_and_zero_has_no_sign(defocus_um: float | None, words: str) -> None:
    assert number(defocus_um) == words


def test_what_was_left_out_follows_what_was_read() -> None:
    read = tuple(patch for patch in made_patches(SHAPE, -2.0) if patch.chosen)
    marks = marks_of(read, ((16, 32, 32),))
    assert len(marks) == len(read) + 1
    assert marks[0] == Mark(read[0].y, read[0].x, 32, "−2.0")
    assert marks[-1] == Mark(16, 32, 32, "×", left_out=True)


@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize("bright", [True, False])
def test_a_patch_has_an_outline_and_words_inside_its_upper_left_quarter(qtbot: QtBot, bright: bool) -> None:
    plain = paint(SHAPE, [Mark(40, 60, 100)], bright=bright)
    painted = np.argwhere(plain[..., 3])
    assert painted.min(axis=0).tolist() == [40, 60]
    assert painted.max(axis=0).tolist() == [139, 159]
    assert not plain[50:130, 70:150].any()
    words = np.argwhere((paint(SHAPE, [Mark(40, 60, 100, "+3.4")], bright=bright) != plain).any(axis=-1))
    assert len(words) > 50
    assert (words >= [42, 62]).all()
    assert (words <= [92, 112]).all()


@pytest.mark.usefixtures("qtbot")
def test_large_images_are_painted_smaller() -> None:
    pixels = paint((2048, 3000), [Mark(0, 0, 300), Mark(2048 - 300, 3000 - 300, 300)], bright=True)
    assert max(pixels.shape) <= LONGEST_SIDE_PX
    assert pixels.shape[:2] == (410, 600)
    assert pixels[0, 30, 3] > 0
    assert pixels[-30, 540, 3] > 0


@pytest.mark.parametrize(
    ("value", "kind", "bright"),
    [(220, np.uint8, True), (10, np.uint8, False), (60000, np.uint16, True), (0.1, float, False)],
)
def test_bright_images_are_known_by_their_type(value: float, kind: type, bright: bool) -> None:
    assert is_bright(np.full((64, 64), value, kind)) == bright
