"""Each verdict by construction, and what may not change it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from judged_fields import FIELD, PIXEL_UM, SETTINGS, judged, patches_of, places, relief_patches

from napari_autofocus.focus.deciding.settings import Calibration, DecisionSettings
from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction

rng = np.random.default_rng


def noisy(value: float, sigma: float = 0.15, count: int = 16, seed: int = 0) -> np.ndarray:
    return value + rng(seed).normal(0, sigma, count)


def text(estimate: FocusEstimate) -> str:
    return " ".join(estimate.reasons)


# --- flat


@pytest.mark.parametrize("value", [-7.5, -1.2, 1.2, 7.5])
def test_patches_that_agree_are_flat(value: float) -> None:
    estimate = judged(patches_of(noisy(value)))
    assert (estimate.verdict, estimate.trusted) == ("flat", True)
    assert estimate.defocus_um == pytest.approx(value, abs=0.15)
    assert estimate.direction_probability > 0.95
    assert "less than the depth of field" in text(estimate)


def test_flat_field_says_which_way_to_move() -> None:
    assert "Bring sample and objective apart by 3.00 µm" in text(judged(patches_of([3.0] * 8)))
    assert "Bring sample and objective together by 3.00 µm" in text(judged(patches_of([-3.0] * 8)))


def test_scatter_that_the_patches_own_uncertainties_explain_is_flat() -> None:
    """Far from focus each patch scatters; that is no unevenness."""
    estimate = judged(patches_of(noisy(8.0, 0.8), sigma_um=0.8))
    assert estimate.spread_um is not None
    assert estimate.spread_um > 1.5
    assert estimate.verdict == "flat"
    assert "their own uncertainties explain" in text(estimate)


@pytest.mark.parametrize("count", [2, 6, 16, 32])
@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.0])
def test_chance_seldom_passes_for_unevenness(sigma: float, count: int) -> None:
    fields = [patches_of(noisy(8.0, sigma, count, seed), sigma_um=sigma) for seed in range(200)]
    assert np.mean([judged(patches).verdict == "flat" for patches in fields]) >= 0.97


def test_one_patch_is_flat_by_what_was_seen() -> None:
    estimate = judged(patches_of([4.0]))
    assert (estimate.verdict, estimate.defocus_um, estimate.spread_um) == ("flat", 4.0, 0.0)
    assert "Only 1 patch" in text(estimate)


def test_few_patches_are_less_certain_than_many() -> None:
    few, many = judged(patches_of(noisy(3.0, count=2))), judged(patches_of(noisy(3.0, count=32)))
    assert few.uncertainty_um is not None
    assert many.uncertainty_um is not None
    assert few.uncertainty_um > 1.3 * many.uncertainty_um


# --- near focus


@pytest.mark.parametrize("value", [-0.3, 0.0, 0.3])
def test_undecided_sign_near_focus_is_normal(value: float) -> None:
    estimate = judged(patches_of([value] * 12, positive=0.5))
    assert (estimate.verdict, estimate.direction_probability) == ("flat", 0.5)
    assert "no move is needed" in text(estimate)


def test_undecided_sign_near_focus_matters_where_the_doubt_reaches_far() -> None:
    """A network that cannot tell the side answers zero with a large uncertainty; many patches do not average it out."""
    estimate = judged(patches_of(noisy(0.0, 0.1, 32), sigma_um=2.0, positive=0.5))
    assert estimate.verdict == "unsure"
    assert "side of focus is undecided" in text(estimate)


def test_many_patches_do_not_average_out_the_doubt_they_share() -> None:
    independent = replace(SETTINGS, calibration=Calibration(shared=0.0))
    patches = patches_of(noisy(0.0, 0.05, 32), sigma_um=0.8, positive=0.5)
    assert judged(patches, independent).verdict == "unsure"


# --- unsure


@pytest.mark.parametrize("value", [-6.0, 0.8, 6.0])
def test_undecided_sign_out_of_focus_is_unsure(value: float) -> None:
    estimate = judged(patches_of(noisy(value), positive=0.5))
    assert (estimate.verdict, estimate.trusted) == ("unsure", False)
    assert estimate.direction_probability < 0.6
    assert "second shot" in text(estimate)


def test_probability_against_the_value_is_no_direction() -> None:
    estimate = judged(patches_of([4.0] * 10, positive=0.02))
    assert (estimate.verdict, estimate.direction_probability) == ("unsure", 0.5)


def test_one_patch_that_claims_certainty_does_not_outvote_the_doubt_of_all_others() -> None:
    assert judged(patches_of([4.0] * 10, positive=[1.0] + [0.5] * 9)).verdict == "unsure"


@pytest.mark.parametrize("seed", range(5))
def test_two_mirrored_modes_are_unsure_however_sure_the_patches_are(seed: int) -> None:
    """What even optics look like to a network that never met them."""
    sides = rng(seed).choice([-1.0, 1.0], 20, p=[0.4, 0.6])
    estimate = judged(patches_of(5.0 * sides + rng(seed).normal(0, 0.3, 20)))
    assert estimate.verdict == "unsure"
    assert "mirror each other" in text(estimate)


def test_depths_on_both_sides_that_are_no_mirror_images_are_uneven() -> None:
    """Nobody moves by the value between them, so that its uncertainty is no reason to refuse."""
    assert judged(patches_of([6.0] * 10 + [-2.0] * 10)).verdict == "uneven"


def test_uneven_patches_that_do_not_know_where_they_are_are_unsure() -> None:
    patches = patches_of([2.0] * 8 + [9.0] * 8, sigma_um=1.8, positive=0.999)
    estimate = judged(patches)
    assert estimate.verdict == "unsure"
    assert "uncertain by 1.80 µm" in text(estimate)


def test_depths_spread_evenly_through_focus_are_uneven() -> None:
    assert judged(patches_of(np.linspace(-4, 4, 24))).verdict == "uneven"


@pytest.mark.parametrize("count", [2, 3])
def test_few_patches_on_opposite_sides_are_unsure(count: int) -> None:
    assert judged(patches_of([4.0, -4.0, 4.1][:count])).verdict == "unsure"


@pytest.mark.parametrize("seed", range(5))
def test_even_optics_with_random_sides_and_no_conviction_are_unsure(seed: int) -> None:
    sides = rng(seed).choice([-1.0, 1.0], 24)
    patches = patches_of(6.0 * sides, sigma_um=4.0, positive=rng(seed).uniform(0.4, 0.6, 24))
    assert judged(patches).verdict == "unsure"


def test_value_too_uncertain_to_move_by_is_unsure() -> None:
    estimate = judged(patches_of(noisy(4.0, 0.5), sigma_um=4.0, positive=0.999))
    assert estimate.verdict == "unsure"
    assert "A move would be a guess" in text(estimate)


def test_uncertainty_may_grow_with_defocus() -> None:
    calibration = Calibration(floor_um=1.5)
    assert judged(patches_of([8.0] * 9), replace(SETTINGS, calibration=calibration)).verdict == "flat"
    assert judged(patches_of([4.0] * 9), replace(SETTINGS, calibration=calibration)).verdict == "unsure"


# --- no content, no number


def unread(importance: float, count: int = 63) -> list[PatchPrediction]:
    return [PatchPrediction(y, x, 128, importance) for y, x in places(count)]


def test_field_in_which_nothing_was_worth_reading_has_no_content() -> None:
    estimate = judged([*unread(0.02), PatchPrediction(0, 0, 128, 0.17)])
    assert (estimate.verdict, estimate.defocus_um, estimate.interval90_um) == ("no_content", None, None)
    assert "None of the 64 patches" in text(estimate)
    assert "0.17" in text(estimate)


def test_no_patch_at_all_is_no_content() -> None:
    assert judged([]).verdict == "no_content"


def test_patches_not_chosen_do_not_count() -> None:
    stray = replace(patches_of([-9.0])[0], chosen=False)
    assert judged([*patches_of([3.0] * 5), stray]).defocus_um == 3.0


BAD = [
    {"defocus_um": float("nan")},
    {"defocus_um": float("inf")},
    {"defocus_um": None},
    {"uncertainty_um": float("nan")},
    {"uncertainty_um": 0.0},
    {"uncertainty_um": -1.0},
    {"positive_probability": float("nan")},
    {"positive_probability": 1.2},
]


@pytest.mark.parametrize("fault", BAD)
def test_patch_without_a_sound_answer_is_left_out_and_counted(fault: dict[str, float | None]) -> None:
    sound = patches_of([3.0] * 5)
    broken = replace(patches_of([-9.0])[0], **fault)
    estimate = judged([broken, *sound])
    assert (estimate.verdict, estimate.defocus_um) == ("flat", 3.0)
    assert "1 of the patches read gave no finite answer" in text(estimate)


def test_network_that_answers_nothing_finite_is_unsure_not_empty() -> None:
    estimate = judged(patches_of([float("nan")] * 4, positive=0.5))
    assert (estimate.verdict, estimate.defocus_um) == ("unsure", None)


# --- out of range


@pytest.mark.parametrize(("value", "side"), [(11.5, "too close"), (-11.5, "too far apart")])
def test_value_beyond_the_range_names_the_side(value: float, side: str) -> None:
    estimate = judged(patches_of(noisy(value)))
    assert (estimate.verdict, estimate.trusted) == ("out_of_range", False)
    assert f"Sample and objective are {side}" in text(estimate)


def test_half_a_depth_of_field_beyond_the_range_still_counts() -> None:
    assert judged(patches_of([10.45] * 6)).verdict == "flat"
    assert judged(patches_of([10.55] * 6)).verdict == "out_of_range"


def test_beyond_the_range_on_an_undecided_side_is_unsure() -> None:
    assert judged(patches_of([12.0] * 6, positive=0.5)).verdict == "unsure"


# --- tilted, uneven


def test_plane_is_tilted_and_the_centre_counts() -> None:
    estimate = judged(relief_patches(lambda x, y: 4 + 20 * x - 8 * y))
    assert (estimate.verdict, estimate.trusted) == ("tilted", True)
    assert estimate.defocus_um == pytest.approx(4, abs=0.1)
    assert estimate.tilt_um_per_mm == pytest.approx((20, -8), abs=1.5)


@pytest.mark.parametrize("seed", range(10))
def test_tilt_is_found_among_noise_and_outliers(seed: int) -> None:
    patches = relief_patches(lambda x, y: 3 + 25 * x + 10 * y, 30, 0.2, seed)
    wild = rng(seed).choice(30, 6, replace=False)
    for index in wild:
        patches[index] = replace(patches[index], defocus_um=-(patches[index].defocus_um or 0) - 2)
    estimate = judged(patches)
    assert estimate.verdict == "tilted"
    assert estimate.defocus_um == pytest.approx(3, abs=0.3)
    assert estimate.tilt_um_per_mm == pytest.approx((25, 10), abs=4)
    assert "outliers" in text(estimate)


def test_tilt_through_focus_keeps_its_direction() -> None:
    """Patches on both sides of focus are no contradiction where a plane leads from one to the other."""
    estimate = judged(relief_patches(lambda x, y: 1 + 20 * x))
    assert (estimate.verdict, estimate.direction_probability > 0.95) == ("tilted", True)


def test_patches_near_focus_do_not_thin_out_the_evidence_of_the_others() -> None:
    patches = relief_patches(lambda x, y: 0.8 + 20 * x)
    told = {True: 0.96, False: 0.04}
    patches = [
        replace(p, positive_probability=told[p.defocus_um > 0] if abs(p.defocus_um) > 0.5 else 0.5)
        for p in patches
        if p.defocus_um is not None
    ]
    assert judged(patches).verdict == "tilted"


def test_tilt_whose_patches_know_no_side_is_unsure_even_if_its_centre_is_in_focus() -> None:
    patches = relief_patches(lambda x, y: 20 * x, noise_um=0.05)
    assert judged([replace(p, positive_probability=0.5) for p in patches]).verdict == "unsure"


def test_plane_that_a_third_of_the_patches_contradicts_is_none() -> None:
    patches = relief_patches(lambda x, y: 4 + 25 * x, 30)
    patches[:10] = [replace(p, defocus_um=(p.defocus_um or 0) + 5) for p in patches[:10]]
    estimate = judged(patches)
    assert estimate.verdict == "uneven"
    assert "10 of 30 patches would lie off it" in text(estimate)


def test_tilt_through_focus_at_the_centre_does_not_claim_a_sign() -> None:
    estimate = judged(relief_patches(lambda x, y: 0.02 + 20 * x))
    assert estimate.verdict == "tilted"
    assert estimate.direction_probability < 0.9


def test_tilt_is_not_told_without_a_pixel_size() -> None:
    estimate = judged(relief_patches(lambda x, y: 4 + 20 * x), pixel_size_um=None)
    assert (estimate.verdict, estimate.tilt_um_per_mm) == ("tilted", None)


def test_plane_is_not_extrapolated_to_a_centre_outside_its_patches() -> None:
    corners = [(y, x) for y, x in places(72) if x < 400]
    x_mm = np.array([x for _, x in corners]) * PIXEL_UM / 1000
    patches = patches_of(3 + 30 * x_mm, corners=corners)
    estimate = judged(patches)
    assert estimate.verdict == "tilted"
    assert estimate.defocus_um == pytest.approx(np.median(3 + 30 * x_mm), abs=0.05)
    assert "do not surround the field's centre" in text(estimate)


def test_patches_on_a_line_show_no_tilt_across_it() -> None:
    corners = [(448, x) for x in range(0, FIELD[1] - 128, 128)]
    estimate = judged(patches_of(np.linspace(2, 7, len(corners)), corners=corners))
    assert estimate.verdict == "uneven"
    assert "along a line" in text(estimate)


def test_too_few_patches_for_a_plane_are_uneven() -> None:
    estimate = judged(patches_of([2.0, 4.0, 6.0, 8.0]))
    assert (estimate.verdict, estimate.trusted) == ("uneven", False)
    assert "4 patches are too few" in text(estimate)


def test_bowl_is_uneven_and_says_what_to_scan() -> None:
    estimate = judged(relief_patches(lambda x, y: 2 + 150 * (x**2 + y**2)))
    assert estimate.verdict == "uneven"
    assert estimate.scan_um is not None
    assert estimate.scan_um[0] < 2.5
    assert estimate.scan_um[1] > 6
    assert "No single focus fits" in text(estimate)


def test_two_depths_on_the_same_side_are_uneven() -> None:
    estimate = judged(patches_of([2.0] * 10 + [7.0] * 10))
    assert estimate.verdict == "uneven"
    assert estimate.scan_um == (1.5, 7.5)


def test_wild_minority_does_not_pass_for_a_tilt() -> None:
    estimate = judged(patches_of([1.0] * 16 + [7.0] * 4))
    assert (estimate.verdict, estimate.defocus_um) == ("uneven", 1.0)


# --- pooling, interval, what the caller adds


@pytest.mark.parametrize(
    ("pooling", "value"),
    [("median", 2.0), ("mean", 2.3), ("weighted_mean", 2.0667), ("weighted_median", 2.0), ("weighted_huber", 2.024)],
)
def test_pooling_is_a_setting(pooling: str, value: float) -> None:
    patches = patches_of([2.0, 2.0, 2.9], sigma_um=[0.2, 0.2, 0.5])
    estimate = judged(patches, DecisionSettings(1.0, 10.0, pooling=pooling))  # type: ignore[arg-type]
    assert estimate.defocus_um == pytest.approx(value, abs=0.005)


def test_interval_is_the_calibrated_multiple_of_sigma() -> None:
    settings = replace(SETTINGS, calibration=Calibration(0.3, 0.0, 0.0, 0.0, interval90=2.0))
    estimate = judged(patches_of([3.0] * 4), settings)
    assert estimate.uncertainty_um == pytest.approx(0.3)
    assert estimate.interval90_um == pytest.approx((2.4, 3.6))


def test_estimate_carries_what_the_caller_adds() -> None:
    patches = [*patches_of([3.0] * 4), *unread(0.1)]
    estimate = judged(patches, model="m", warnings=["optics unknown"], seconds=0.02)
    assert (estimate.model, estimate.warnings, estimate.seconds) == ("m", ("optics unknown",), 0.02)
    assert (len(estimate.patches), len(estimate.chosen_patches)) == (67, 4)


def test_every_reason_is_a_sentence() -> None:
    fields = [noisy(3.0), noisy(0.0), noisy(11.5), [2.0] * 9 + [7.0] * 9, [5.0, -5.0] * 6, [float("nan")] * 2]
    for values in [*fields, np.array([])]:
        for reason in judged(patches_of(values)).reasons:
            assert reason[0].isupper() or reason[0].isdigit()
            assert reason.endswith(".")
            assert "nan" not in reason


# --- invariances

values = st.lists(st.floats(-12, 12), min_size=1, max_size=24)
sigmas = st.floats(0.05, 3)
poolings = st.sampled_from(["median", "mean", "weighted_median", "weighted_mean", "weighted_huber"])


def same(one: float | None, other: float | None) -> bool:
    return one == other or one == pytest.approx(other, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=150)
@example([0.0, 0.0, -1.0, -1.0, -0.5], 0.5, "weighted_huber", Random(0))  # half a depth of field, to the last digit
@given(values, sigmas, poolings, st.randoms(use_true_random=False))
def test_order_of_patches_does_not_matter(defocus: list[float], sigma: float, pooling: str, shuffler: object) -> None:
    patches = patches_of(defocus, sigma_um=sigma)
    shuffled = list(patches)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    setting = replace(SETTINGS, pooling=pooling)
    one, other = judged(patches, setting), judged(shuffled, setting)
    assume(abs(one.defocus_um or 0.0) > 1e-9)  # rounding may turn the sign of zero
    assert one.verdict == other.verdict
    assert same(one.defocus_um, other.defocus_um)
    assert same(one.uncertainty_um, other.uncertainty_um)
    assert same(one.direction_probability, other.direction_probability)


@settings(deadline=None, max_examples=150)
@given(values, sigmas, poolings)
def test_mirrored_signs_give_the_mirrored_answer(defocus: list[float], sigma: float, pooling: str) -> None:
    setting = replace(SETTINGS, pooling=pooling)
    patches = patches_of(defocus, sigma_um=sigma)
    mirrored = [
        replace(p, defocus_um=-(p.defocus_um or 0.0), positive_probability=1 - (p.positive_probability or 0.0))
        for p in patches
    ]
    one, other = judged(patches, setting), judged(mirrored, setting)
    assert one.verdict == other.verdict
    assert one.defocus_um is not None
    assume(abs(one.defocus_um) > 1e-9)  # zero has no sign to mirror
    assert same(-one.defocus_um, other.defocus_um)
    assert same(one.uncertainty_um, other.uncertainty_um)
    assert same(one.direction_probability, other.direction_probability)


@settings(deadline=None, max_examples=150)
@given(values, sigmas, st.floats(0, 1))
def test_every_answer_is_consistent(defocus: list[float], sigma: float, positive: float) -> None:
    estimate = judged(patches_of(defocus, sigma_um=sigma, positive=positive))
    assert estimate.defocus_um is not None
    assert estimate.interval90_um is not None
    assert min(defocus) - 1 <= estimate.defocus_um <= max(defocus) + 1
    assert estimate.interval90_um[0] < estimate.defocus_um < estimate.interval90_um[1]
    assert 0.5 <= estimate.direction_probability <= 1
    assert (estimate.scan_um is not None) == (estimate.verdict == "uneven")
    if estimate.trusted:
        assert abs(estimate.defocus_um) <= 10.5
        assert estimate.direction_probability >= 0.95 or abs(estimate.defocus_um) <= 0.5
