"""Whether to trust a recovered image: each way of wrong use has its reason."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.focus.registration import Shift, moved
from napari_autofocus.models.refocus.verdict import MOST_DOUBT, MOST_SHARE, Findings, judge, may_be_taken_out
from napari_autofocus.models.seeing.frame import ModelFrame
from tiny_refocusers import recovered, shots_of, texture, tiny_refocuser

TRUTH = texture()
SHOTS = shots_of(TRUTH)
WELL = Shift(0.0, 0.0, 0.99)


def judged(
    *,
    shots: tuple[np.ndarray, np.ndarray] = SHOTS,
    image: np.ndarray = TRUTH,
    sigma: float = 0.005,
    shift: Shift = WELL,
    stains: tuple[str, ...] = ("he",),
) -> tuple[str, str, Findings]:
    frames = ModelFrame.of(shots[0]), ModelFrame.of(shots[1])
    uncertainty = np.full(image.shape[:2], sigma, np.float32)
    verdict, reasons, findings = judge(frames, image, uncertainty, shift, stains)
    return verdict, " ".join(reasons), findings


def test_a_sure_model_on_registered_shots_is_believed() -> None:
    verdict, reasons, findings = judged()
    assert (verdict, reasons) == ("recovered", "")
    assert 0 < findings.doubt < MOST_DOUBT
    assert findings.content == 1


@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_an_unsure_model_is_doubted(sigma: float) -> None:
    verdict, reasons, findings = judged(sigma=sigma)
    assert verdict == "doubtful"
    assert "invented" in reasons
    assert findings.doubt > MOST_DOUBT or findings.doubt_share > MOST_SHARE


def test_shots_of_two_places_are_doubted() -> None:
    assert "little in common" in judged(shift=Shift(3.0, 1.0, 0.2))[1]


def test_a_shift_too_large_is_doubted() -> None:
    assert "px aside" in judged(shift=Shift(40.0, 0.0, 0.9))[1]


def test_one_shot_given_twice_is_doubted() -> None:
    assert "the same image" in judged(shots=(SHOTS[0], SHOTS[0]))[1]


def test_glass_holds_nothing_to_recover() -> None:
    glass = np.full_like(TRUTH, 0.9)
    verdict, reasons, findings = judged(image=glass, shots=(glass, glass), shift=Shift(0.0, 0.0, 0.0))
    assert verdict == "doubtful"
    assert "nothing to recover" in reasons
    assert findings.content == 0


def test_bright_on_dark_is_doubted_by_a_model_of_bright_field() -> None:
    spots = np.asarray(np.maximum(0.6 - TRUTH, 0), np.float32)
    shots = shots_of(spots)
    assert "bright on dark" in judged(shots=shots, image=spots)[1]
    assert "bright on dark" not in judged(shots=shots, image=spots, stains=("fluorescence",))[1]
    assert "bright on dark" not in judged(shots=shots, image=spots, stains=("he", "fluorescence"))[1]


def test_a_black_ground_half_filled_with_light_is_doubted_too() -> None:
    """Dense fluorescence: as much above its mean as below, so that skewness tells nothing."""
    rows = np.indices(TRUTH.shape[:2]).sum(axis=0) // 24 % 2
    filled = np.asarray(np.broadcast_to(rows[..., None] * 0.6 + 0.02, TRUTH.shape), np.float32)
    _, reasons, findings = judged(shots=shots_of(filled), image=filled)
    assert abs(findings.skewness) < 0.5
    assert "bright on dark" in reasons


def test_findings_are_plain_values() -> None:
    found = judged()[2].to_json()
    assert {type(value) for value in found.values()} <= {float, bool}


@pytest.mark.parametrize(
    ("shift", "taken_out"),
    [
        (Shift(0.05, 0.0, 0.9), False),
        (Shift(2.0, -3.0, 0.9), True),
        (Shift(2.0, -3.0, 0.3), False),
        (Shift(90.0, 0.0, 0.9), False),
    ],
)
def test_only_shifts_that_are_ones_are_taken_out(shift: Shift, taken_out: bool) -> None:
    assert may_be_taken_out(shift, (1024, 1224)) is taken_out


def test_what_cannot_be_registered_is_left_where_it_is() -> None:
    first, second = texture(seed=1), texture(seed=2)
    found = recovered(tiny_refocuser().refocus(first, moved(second, 5, 5), insist=True))
    assert found.verdict == "doubtful"
    assert not found.shift_taken_out
