"""Two frames a known way apart settle on which side of focus they lie, or say that they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.focus.two_looks import settle

DOF_UM, RANGE_UM, APART_UM = 1.0, 10.0, -2.0


def torn(value_um: float, sigma_um: float = 0.3, positive: float = 0.5) -> FocusEstimate:
    """An estimate that knows its distance from focus and not the side."""
    return FocusEstimate("unsure", value_um, sigma_um, None, max(positive, 1 - positive))


def of_patches(values: list[float], sigma_um: float = 0.3) -> FocusEstimate:
    patches = tuple(PatchPrediction(0, 128 * i, 128, 0.9, True, v, sigma_um, 0.5) for i, v in enumerate(values))
    return FocusEstimate("unsure", float(np.median(values)), 3.0, None, 0.5, patches=patches)


def settled(first: FocusEstimate, second: FocusEstimate, change_um: float = APART_UM) -> FocusEstimate | None:
    return settle(first, second, change_um, dof_um=DOF_UM, range_um=RANGE_UM)


@given(
    st.floats(-8, 9).filter(lambda x: abs(x) > 0.6 and abs(x + APART_UM) > 0.6),
    st.sampled_from([-1, 1]),
    st.sampled_from([-1, 1]),
)
def test_side_comes_from_the_change_whatever_the_frames_say(true_um: float, says: int, says_later: int) -> None:
    """Also where both name the wrong side."""
    found = settled(torn(says * true_um), torn(says_later * (true_um + APART_UM)))
    assert found is not None
    assert found.trusted
    assert found.defocus_um == pytest.approx(true_um + APART_UM, abs=1e-6)
    assert found.direction_probability >= 0.95


def test_frames_that_straddle_focus_are_told_apart_from_frames_on_one_side() -> None:
    """At +0.5 and -1.5 µm the distances are those of -0.5 and +1.5 µm, and of nothing that a move of -2 µm explains."""
    found = settled(torn(0.5), torn(1.5))
    assert found is not None
    assert found.defocus_um == pytest.approx(-1.5)


def test_patches_torn_between_the_sides_agree_on_their_distance() -> None:
    found = settled(of_patches([5.0, -5.1, 4.9, -5.0]), of_patches([-3.0, 3.1, -2.9]))
    assert found is not None
    assert found.defocus_um == pytest.approx(3.0, abs=0.1)
    assert found.uncertainty_um == pytest.approx(0.21, abs=0.02)


def test_both_frames_count_by_their_uncertainty() -> None:
    found = settled(torn(6.0, 0.9), torn(4.6, 0.3))
    assert found is not None
    assert found.defocus_um == pytest.approx(4.6 * 0.9 + 4.0 * 0.1)
    assert found.interval90_um is not None
    assert found.interval90_um[0] < found.defocus_um < found.interval90_um[1]


@pytest.mark.parametrize(
    ("first", "second", "change_um"),
    [
        (torn(4.0), torn(4.0), -0.5),  # too near each other
        (torn(4.0), torn(4.1), -2.0),  # neither nearer nor farther
        (torn(4.0, 2.5), torn(2.0, 2.5), -2.0),  # too vague
        (torn(8.0, 0.8), torn(4.8, 0.8), -2.0),  # nearer by too much
        (torn(4.0), FocusEstimate("no_content"), -2.0),
        (torn(4.0), torn(float("nan")), -2.0),
        (torn(4.0), torn(2.0), float("nan")),
    ],
)
def test_what_does_not_settle_it(first: FocusEstimate, second: FocusEstimate, change_um: float) -> None:
    assert settled(first, second, change_um) is None


def test_beyond_the_range_is_said() -> None:
    found = settled(torn(-9.5), torn(-11.5))
    assert found is not None
    assert (found.verdict, found.defocus_um) == ("out_of_range", pytest.approx(-11.5))


def test_sentence_names_both_distances_and_the_way() -> None:
    found = settled(torn(6.0), torn(4.0))
    assert found is not None
    (reason,) = found.reasons
    assert "2.00 µm apart" in reason
    assert "6.00 and 4.00 µm" in reason
    assert "+4.00 µm" in reason
