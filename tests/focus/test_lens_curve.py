"""The curve of a tunable lens: what it says inside, what it refuses, and which measurements make none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LensCurve, LensFacts, LensPoint
from napari_autofocus.focus.lens_fit import fit_lens_curve
from napari_autofocus.focus.monotone import monotone_fit

FACTS = LensFacts("Lens", "Current-mA", "mA", objective="20x/0.75", date="2026-11-22")
VALUES = np.arange(-120.0, 121.0, 10.0)


def kinked(values: np.ndarray) -> np.ndarray:
    """The simulated lens: 0.08 µm/mA below zero, 0.112 above."""
    return np.interp(values, (-250, 0, 250), (-20, 0, 28))


def points(values: np.ndarray, shifts_um: np.ndarray, uncertainty_um: float | None = None) -> list[LensPoint]:
    return [LensPoint(float(v), float(s), uncertainty_um) for v, s in zip(values, shifts_um, strict=True)]


def measured(sign: int = 1, noise_um: float = 0.0, seed: int = 0) -> LensCurve:
    noise = noise_um * np.random.default_rng(seed).normal(size=VALUES.size)
    return fit_lens_curve(points(VALUES, sign * kinked(VALUES) + noise, 0.05), FACTS)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_curve_and_its_inverse_agree_with_a_kinked_lens(sign: int) -> None:
    curve = measured(sign)
    inside = np.linspace(-120, 120, 97)
    assert [curve.shift_um(v) for v in inside] == pytest.approx(list(sign * kinked(inside)), abs=0.05)
    assert [curve.value_at(curve.shift_um(v)) for v in inside] == pytest.approx(list(inside), abs=1e-6)
    assert curve.slope_sign == sign
    assert curve.rms_um < 0.01
    assert curve.range_um == pytest.approx((-9.6, 13.44) if sign > 0 else (-13.44, 9.6), abs=0.02)


def test_noise_is_smoothed_and_told_as_residuals() -> None:
    curve = measured(noise_um=0.1)
    inside = np.linspace(-120, 120, 97)
    errors = [curve.shift_um(v) - float(kinked(np.array(v))) for v in inside]
    assert np.sqrt(np.mean(np.square(errors))) < 0.1
    assert curve.rms_um == pytest.approx(0.1, abs=0.05)
    assert len(curve.residuals_um) == VALUES.size


@pytest.mark.parametrize("value", [-120.01, 120.01, math.nan, math.inf])
def test_a_value_that_was_not_measured_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"measured from -120 to 120 mA.*calibrate farther"):
        measured().shift_um(value)


@pytest.mark.parametrize("shift_um", [-9.7, 13.6, math.nan])
def test_a_shift_beyond_the_curve_is_refused(shift_um: float) -> None:
    with pytest.raises(InputError, match=r"lies beyond the curve of Lens Current-mA \(-9\.\d+ to 13\.\d+ µm\)"):
        measured().value_at(shift_um)


def test_beyond_the_curve_the_lens_is_shown_farther_off_still() -> None:
    curve = measured()
    assert curve.extended_um(-150) == pytest.approx(-12.0, abs=0.05)
    assert curve.extended_um(150) == pytest.approx(16.8, abs=0.05)
    assert curve.extended_um(50) == curve.shift_um(50)


def test_a_curve_that_turns_back_is_refused_with_the_place() -> None:
    shifts = kinked(VALUES)
    shifts[VALUES > 60] = shifts[VALUES > 60][::-1] - 3
    with pytest.raises(InputError, match=r"turns back by \d+\.\d\d µm between 70 and 120 mA of Lens Current-mA"):
        fit_lens_curve(points(VALUES, shifts), FACTS)


def test_a_single_wrong_point_is_named() -> None:
    shifts = kinked(VALUES)
    shifts[5] += 4.0
    with pytest.raises(InputError, match=r"between -70 and -60 mA"):
        fit_lens_curve(points(VALUES, shifts), FACTS)


def test_a_property_that_does_not_focus_is_refused() -> None:
    flat = 0.1 * np.random.default_rng(0).normal(size=VALUES.size)
    with pytest.raises(InputError, match="shifts the focus by no more than"):
        fit_lens_curve(points(VALUES, flat, 0.1), FACTS)


def test_nan_and_too_few_points_are_refused() -> None:
    with pytest.raises(InputError, match="no number"):
        fit_lens_curve([*points(VALUES, kinked(VALUES)), LensPoint(5.0, math.nan)], FACTS)
    with pytest.raises(InputError, match="needs 4 different values at least; found 3"):
        fit_lens_curve(points(VALUES[[0, 1, 1, 2]], kinked(VALUES[[0, 1, 1, 2]])), FACTS)


def test_a_curve_goes_to_a_file_and_back(tmp_path: Path) -> None:
    curve = measured(noise_um=0.05)
    curve.save(tmp_path / "lens.json")
    again = LensCurve.load(tmp_path / "lens.json")
    assert (again.facts, again.points, again.fitted_um) == (curve.facts, curve.points, curve.fitted_um)
    assert again.value_at(3.0) == curve.value_at(3.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("device"),
        lambda told: told.update(version=2),
        lambda told: told.update(settle_s=-1),
        lambda told: told["fitted_um"].reverse() or told["fitted_um"].pop(),
        lambda told: told["points"][3].update(value=500.0),
    ],
)
def test_a_spoiled_file_is_one_sentence(spoil: object, tmp_path: Path) -> None:
    told = json.loads(measured().to_json())
    spoil(told)  # type: ignore[operator]
    (tmp_path / "lens.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="not the curve of a tunable lens"):
        LensCurve.load(tmp_path / "lens.json")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read from"):
        LensCurve.load(tmp_path / "none.json")


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.floats(0.01, 5.0), min_size=4, max_size=20),
    widths=st.lists(st.floats(0.1, 20.0), min_size=20, max_size=20),
    noise=st.floats(0, 1.0),
    seed=st.integers(0, 999),
)
def test_the_fit_rises_whatever_the_points(steps: list[float], widths: list[float], noise: float, seed: int) -> None:
    y = np.cumsum(steps) + noise * np.random.default_rng(seed).normal(size=len(steps))
    x = np.cumsum(widths[: len(steps)])
    assert (np.diff(monotone_fit(x, y)) > 0).all()
