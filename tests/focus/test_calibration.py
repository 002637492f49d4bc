"""Calibrations fitted on fields made with known coefficients: the coefficients, and intervals that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from judged_fields import FIELD, PIXEL_UM, SETTINGS, judged, patches_of, places

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.calibration import CalibrationSamples, fit_calibration
from napari_autofocus.focus.deciding.settings import Calibration
from napari_autofocus.focus.deciding.uncertainty import (
    FieldFeatures,
    direction_probability,
    field_features,
    field_sigma_um,
)

ONE_A_FIELD = ("error_um", "patch_sigma_um", "scatter_um", "count", "evidence", "right")
TRUE = Calibration(0.06, 1.4, 0.25, 0.9, 1.645, 0.7, -0.5)


def synthetic(seed: int, fields: int = 5000, heavy: bool = False) -> CalibrationSamples:
    """Fields whose errors follow the formula: normal, or with tails as heavy as a Student t of three."""
    rng = np.random.default_rng(seed)
    patch_sigma = rng.lognormal(np.log(0.3), 0.6, fields)
    scatter = rng.lognormal(np.log(0.3), 0.6, fields)
    count = rng.integers(1, 33, fields).astype(np.float64)
    evidence = rng.normal(2.5, 2.0, fields)
    shape = rng.standard_t(3, fields) if heavy else rng.normal(size=fields)
    sure = 1 / (1 + np.exp(-(TRUE.direction_scale * evidence + TRUE.direction_offset)))
    return CalibrationSamples(
        error_um=shape * field_sigma_um(patch_sigma, scatter, count, TRUE),
        patch_sigma_um=patch_sigma,
        scatter_um=scatter,
        count=count,
        evidence=evidence,
        right=(rng.random(fields) < sure).astype(np.float64),
    )


def coverage(samples: CalibrationSamples, calibration: Calibration) -> float:
    sigma = field_sigma_um(samples.patch_sigma_um, samples.scatter_um, samples.count, calibration)
    return float(np.mean(np.abs(samples.error_um) <= calibration.interval90 * sigma))


def test_fit_recovers_the_coefficients() -> None:
    found = fit_calibration(synthetic(0, 20_000))
    assert found.floor_um == pytest.approx(TRUE.floor_um, abs=0.02)
    assert found.patch_scale == pytest.approx(TRUE.patch_scale, rel=0.08)
    assert found.shared == pytest.approx(TRUE.shared, abs=0.06)
    assert found.scatter_scale == pytest.approx(TRUE.scatter_scale, rel=0.15)
    assert found.interval90 == pytest.approx(TRUE.interval90, rel=0.03)
    assert found.direction_scale == pytest.approx(TRUE.direction_scale, rel=0.1)
    assert found.direction_offset == pytest.approx(TRUE.direction_offset, abs=0.15)


@pytest.mark.parametrize("heavy", [False, True])
def test_interval_holds_on_fields_it_was_not_fitted_on(heavy: bool) -> None:
    calibration = fit_calibration(synthetic(1, heavy=heavy))
    assert coverage(synthetic(2, heavy=heavy), calibration) == pytest.approx(0.9, abs=0.02)


def test_interval_holds_for_few_patches_and_for_many() -> None:
    """One factor for all would do on average; the formula has to be right for each."""
    calibration, unseen = fit_calibration(synthetic(3)), synthetic(4, 20_000)
    for few in (unseen.count <= 2, unseen.count >= 25):
        part = replace(unseen, **{name: getattr(unseen, name)[few] for name in ONE_A_FIELD})
        assert coverage(part, calibration) == pytest.approx(0.9, abs=0.03)


def test_direction_probability_is_as_often_right_as_it_says() -> None:
    calibration, unseen = fit_calibration(synthetic(5)), synthetic(6, 20_000)
    told = direction_probability(unseen.evidence, calibration)
    for low, high in ((0.55, 0.75), (0.75, 0.9), (0.9, 1.0)):
        among = (told >= low) & (told < high)
        assert np.mean(unseen.right[among]) == pytest.approx(told[among].mean(), abs=0.03)


def test_blunders_widen_the_interval_little_and_sigma_not_at_all() -> None:
    clean = synthetic(7)
    error = clean.error_um.copy()
    error[:50] = 8.0
    found = fit_calibration(replace(clean, error_um=error))
    assert found.patch_scale == pytest.approx(fit_calibration(clean).patch_scale, rel=0.1)


def test_no_wrong_sign_does_not_make_a_certainty_of_little_evidence() -> None:
    samples = replace(synthetic(8, 400), right=np.ones(400), evidence=np.full(400, 5.0))
    calibration = fit_calibration(samples)
    assert float(direction_probability(0.0, calibration)) == 0.5
    assert float(direction_probability(0.3, calibration)) < 0.8
    assert float(direction_probability(5.0, calibration)) > 0.99


def test_fields_whose_sign_says_nothing_are_left_out_of_the_direction() -> None:
    features = [FieldFeatures(0.1 * i - 3, 0.2, 0.1, 8, 3.0, sided=i % 2 == 0) for i in range(60)]
    samples = CalibrationSamples.of(features, [0.1 * i - 3.0 for i in range(60)])
    np.testing.assert_array_equal(np.isnan(samples.right), [i % 2 == 1 or i == 30 for i in range(60)])
    assert np.isfinite(fit_calibration(samples).direction_scale)


def patch_fields(seed: int, fields: int) -> list[tuple[list, float]]:
    """Fields of patches whose errors are partly shared, and whose network understates them by a third."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(fields):
        truth, count, stated = rng.uniform(-9, 9), int(rng.integers(2, 24)), rng.lognormal(np.log(0.15), 0.3)
        actual = 1.5 * stated
        noise = actual * (np.sqrt(0.3) * rng.normal() + np.sqrt(0.7) * rng.normal(size=count))
        made.append((patches_of(truth + noise, sigma_um=stated, corners=places(count, int(rng.integers(99)))), truth))
    return made


def test_calibrated_decisions_hold_what_their_intervals_promise() -> None:
    place = {"field_shape": FIELD, "pixel_size_um": PIXEL_UM}
    known = patch_fields(0, 800)
    features = [field_features(patches, SETTINGS, **place) for patches, _ in known]
    samples = CalibrationSamples.of([each for each in features if each], [truth for _, truth in known])
    calibrated = replace(SETTINGS, calibration=fit_calibration(samples))
    unseen = patch_fields(1, 1500)
    intervals = [(judged(patches, calibrated).interval90_um or (0, 0), truth) for patches, truth in unseen]
    held = np.mean([low <= truth <= high for (low, high), truth in intervals])
    assert held == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error_um": np.zeros(10)}, "at least 50 fields of known defocus; found 10"),
        ({"scatter_um": np.zeros(10)}, "scatter_um must be 60 finite numbers"),
        ({"evidence": np.full(60, np.nan)}, "evidence must be 60 finite numbers"),
    ],
)
def test_samples_that_cannot_be_fitted_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(synthetic(9, 60), **change)


def test_as_many_true_values_as_fields() -> None:
    with pytest.raises(InputError, match="1 fields need as many true values; found 2"):
        CalibrationSamples.of([FieldFeatures(1, 0.2, 0.1, 4, 3)], [1.0, 2.0])


def test_field_without_patches_that_count_has_no_features() -> None:
    assert field_features([], SETTINGS, field_shape=FIELD, pixel_size_um=PIXEL_UM) is None


def test_fields_through_even_optics_teach_not_to_believe_their_evidence() -> None:
    """Where every sign was right, only the even optics can say how much evidence is too little."""
    rng = np.random.default_rng(11)
    right = replace(synthetic(10, 400), right=np.ones(400), evidence=rng.normal(7.0, 0.5, 400))
    mirrored = np.abs(rng.normal(2.0, 0.5, 200))
    told = fit_calibration(replace(right, mirrored=mirrored))
    assert (direction_probability(mirrored, fit_calibration(right)) > 0.95).mean() > 0.2
    assert (direction_probability(mirrored, told) > 0.95).mean() < 0.05
    assert (direction_probability(right.evidence, told) > 0.95).mean() > 0.95


def test_even_optics_leave_sigma_and_interval_alone() -> None:
    samples = synthetic(12, 500)
    alone, beside = fit_calibration(samples), fit_calibration(replace(samples, mirrored=np.full(300, 2.0)))
    assert (beside.floor_um, beside.patch_scale, beside.interval90) == (
        alone.floor_um,
        alone.patch_scale,
        alone.interval90,
    )


def test_evidence_of_even_optics_must_be_numbers() -> None:
    with pytest.raises(InputError, match="even optics must be finite"):
        replace(synthetic(0, 60), mirrored=np.array([np.nan]))
