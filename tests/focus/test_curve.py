"""Focus curves: located peaks and the verdicts that say why the others are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.curve import Polarity, curve_noise, judge_curve
from napari_autofocus.focus.peak import fit_peak
from napari_autofocus.focus.phase import phase_evidence

Z = np.arange(-10, 10.01, 0.5)


def bell(z: np.ndarray, centre: float = 0.0, width: float = 1.2, height: float = 100.0) -> np.ndarray:
    return 10 + height / (1 + ((z - centre) / width) ** 2) ** 1.5


@settings(max_examples=40, deadline=None)
@given(centre=st.floats(-6, 6), width=st.floats(0.8, 3), gain=st.floats(1e-3, 1e6))
def test_peak_is_found_between_planes_at_any_gain(centre: float, width: float, gain: float) -> None:
    curve = judge_curve(Z, gain * bell(Z, centre, width))

    assert curve.verdict == "peak"
    assert curve.trusted
    assert curve.best_z_um == pytest.approx(centre, abs=0.03)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), centre=st.floats(-5, 5))
def test_error_stays_within_four_standard_uncertainties(seed: int, centre: float) -> None:
    rng = np.random.default_rng(seed)
    values = bell(Z, centre) + rng.normal(0, 3, Z.size)

    curve = judge_curve(Z, values, noise=3.0)

    assert curve.trusted
    assert curve.best_z_um is not None
    assert curve.uncertainty_um is not None
    assert abs(curve.best_z_um - centre) < 4 * curve.uncertainty_um


def test_lopsided_peak_is_found_at_its_top() -> None:
    z = np.arange(-10, 10.01, 0.5) + 0.2
    values = np.where(z < 0, bell(z, 0, 0.9), bell(z, 0, 2.0))

    assert judge_curve(z, values).best_z_um == pytest.approx(0, abs=0.15)


def test_order_of_samples_does_not_matter_and_repeated_samples_are_averaged() -> None:
    order = np.random.default_rng(0).permutation(Z.size)
    z, values = np.concatenate([Z, Z[:3]])[::-1], np.concatenate([bell(Z, 1.3), bell(Z[:3], 1.3)])[::-1]

    sorted_curve, shuffled = judge_curve(Z, bell(Z, 1.3)), judge_curve(Z[order], bell(Z, 1.3)[order])

    assert shuffled.best_z_um == sorted_curve.best_z_um
    assert judge_curve(z, values).best_z_um == pytest.approx(sorted_curve.best_z_um)


def test_noise_alone_has_no_peak() -> None:
    rng = np.random.default_rng(1)
    verdicts = [judge_curve(Z, 100 + rng.normal(0, 1, Z.size)) for _ in range(300)]

    assert sum(v.trusted for v in verdicts) == 0


@pytest.mark.parametrize("centre", [-12.0, -9.8, 9.8, 12.0])
def test_peak_at_or_beyond_the_end_is_not_trusted(centre: float) -> None:
    curve = judge_curve(Z, bell(Z, centre))

    assert curve.verdict == "peak_at_edge"
    assert not curve.trusted
    assert ("lower" if centre < 0 else "upper") in curve.reasons[0]


def test_two_depths_are_several_peaks() -> None:
    curve = judge_curve(Z, bell(Z, -3) + bell(Z, 3, height=80))

    assert curve.verdict == "several_peaks"
    assert not curve.trusted


def test_single_disturbed_plane_is_a_spike() -> None:
    values = np.full(Z.size, 100.0) + np.random.default_rng(2).normal(0, 0.5, Z.size)
    values[17] = 180

    curve = judge_curve(Z, values, dof_um=1.0)

    assert curve.verdict == "spike"
    assert not curve.trusted


def test_peak_between_wide_steps_is_undersampled() -> None:
    z = np.arange(-50.0, 51, 10)

    curve = judge_curve(z, bell(z, 1.0, width=1.5), noise=0.1, dof_um=1.0)

    assert curve.verdict == "undersampled"
    assert curve.best_z_um == 0.0
    assert curve.uncertainty_um == pytest.approx(5, abs=5)


def test_two_planes_are_undersampled() -> None:
    assert judge_curve([0.0, 1.0], [1.0, 2.0]).verdict == "undersampled"


def test_minimum_between_two_rises_is_found_when_asked_for() -> None:
    values = 10 + 50 * np.abs(np.tanh((Z - 1.2) / 2)) - 2 * np.abs(Z - 1.2)

    curve = judge_curve(Z, values, polarity="min")

    assert curve.verdict == "phase_minimum"
    assert curve.best_z_um == pytest.approx(1.2, abs=0.15)


def test_falling_curve_has_no_minimum_between_rises() -> None:
    assert judge_curve(Z, 100 - Z, polarity="min").verdict == "no_peak"


def test_curve_noise_ignores_the_peak() -> None:
    rng = np.random.default_rng(3)
    noise = [curve_noise(Z, bell(Z) + rng.normal(0, 2, Z.size)) for _ in range(100)]

    assert np.median(noise) == pytest.approx(2, rel=0.35)


def test_width_is_the_full_width_at_half_height() -> None:
    z = np.arange(-10, 10, 0.1)
    values = bell(z, 0, 1.5)
    above = z[values - 10 > 50]

    assert fit_peak(z, values, 0.0).width_um == pytest.approx(above[-1] - above[0], abs=0.2)


@pytest.mark.parametrize(("z", "s"), [([0, 1, np.nan], [1, 2, 3]), ([0, 1, 2], [1, np.inf, 3]), ([0, 1], [1, 2, 3])])
def test_unusable_samples_are_refused(z: list[float], s: list[float]) -> None:
    with pytest.raises(InputError):
        judge_curve(z, s)


def test_negative_noise_is_refused() -> None:
    with pytest.raises(InputError, match="noise"):
        judge_curve(Z, bell(Z), noise=-1)


@pytest.mark.parametrize("polarity", ["max", "min"])
def test_a_curve_without_noise_is_told_in_words(polarity: Polarity) -> None:
    """Straight on both sides of its peak: no sample lies off the line between its neighbours."""
    triangle = np.maximum(0, 1 - np.abs(Z - 5) / 3)

    curve = judge_curve(Z, triangle if polarity == "max" else 1 - triangle, noise=0.0, polarity=polarity)

    assert curve.verdict == ("peak" if polarity == "max" else "phase_minimum")
    assert "free of noise and" in curve.reasons[0]
    assert "times" not in curve.reasons[0]


def test_a_flat_curve_without_noise_says_that_there_is_nothing_to_focus_on() -> None:
    curve = judge_curve(Z, np.zeros_like(Z))

    assert curve.verdict == "no_peak"
    assert curve.reasons == ("Sharpness is the same at every z: there is nothing to focus on.",)


def test_a_contrast_minimum_without_noise_is_told_in_words() -> None:
    """Contrast that is proportional to the distance from focus, as in a simulation without a camera."""
    pattern = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    z_um = np.arange(-8.0, 9.0)
    planes = [np.float32(z) * pattern for z in z_um]

    evidence = phase_evidence(z_um, planes, 8.0 - np.abs(z_um))

    assert evidence is not None
    (reason,) = evidence.on(z_um, np.abs(z_um)).reasons
    assert "flanks, free of noise);" in reason
