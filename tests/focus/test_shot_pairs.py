"""How two shots are judged before they are believed, and what becomes of a patch that is moved."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.focus.shot_pairs import moved_prediction, pair_likeness

WHOLE = [(slice(0, 128), slice(0, 128))]


def _content(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 120 + 40 * np.kron(rng.uniform(-1, 1, (16, 16)), np.ones((8, 8)))


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (128, 128))


def test_shots_of_one_field_that_differ_are_not_doubted() -> None:
    shot = _content()
    found = pair_likeness(shot + _noise(1), shot + 0.002 * (shot - 120) ** 2 + _noise(2), WHOLE)
    assert found is not None
    assert found.likeness > 0.9
    assert found.doubt(2.0) == ""


def test_noise_and_flicker_are_no_move() -> None:
    shot = _content()
    found = pair_likeness(shot + _noise(1), 1.02 * shot + _noise(2), WHOLE)
    assert found is not None
    assert "by noise alone" in found.doubt(2.0)
    same = pair_likeness(shot, shot, WHOLE)
    assert same is not None
    assert (same.trace, same.likeness) == (0.0, pytest.approx(1.0))


def test_two_fields_are_told_apart() -> None:
    found = pair_likeness(_content(0), _content(1), WHOLE)
    assert found is not None
    assert "do not show the same place" in found.doubt(2.0)


def test_nothing_to_compare_says_nothing() -> None:
    assert pair_likeness(_content(), _content(), []) is None


@pytest.mark.parametrize(("at_um", "positive"), [(1.0, 1.0), (1.0, 0.5), (-3.0, 0.0), (0.02, 0.6)])
def test_a_moved_patch_keeps_its_doubt(at_um: float, positive: float) -> None:
    patch = PatchPrediction(0, 0, 32, 0.9, True, at_um, 0.1, positive)
    moved = moved_prediction(patch, -2.0)
    assert moved.defocus_um == pytest.approx(at_um - 2.0)
    assert moved.uncertainty_um == 0.1
    doubt = min(positive, 1 - positive) if abs(at_um) > 0.5 else 0.0
    assert moved.positive_probability == pytest.approx(doubt, abs=0.05)


def test_a_patch_that_was_not_read_stays_as_it_is() -> None:
    patch = PatchPrediction(0, 0, 32, 0.9)
    assert moved_prediction(patch, -2.0) is patch
    read = PatchPrediction(0, 0, 32, 0.9, True, 1.0, 0.1, 0.7)
    assert moved_prediction(read, 0.0) is read
