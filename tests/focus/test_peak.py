"""Where a focus curve peaks: the fast search finds what the slow and careful one finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import least_squares

from napari_autofocus.focus import peak


@pytest.mark.parametrize("seed", range(8))
def test_fast_search_finds_the_peak_that_differences_within_bounds_find(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    z_um = np.sort(rng.uniform(-10, 10, int(rng.integers(6, 40))))
    middle, widths = rng.uniform(-4, 4), rng.uniform(0.8, 4, 2)
    curve = 300 / (1 + ((z_um - middle) / np.where(z_um < middle, *widths)) ** 2) ** 1.5 + rng.normal(50, 3, z_um.size)

    found = peak.fit_peak(z_um, curve, 3.0)
    _search_within_bounds_by_differences(monkeypatch)
    expected = peak.fit_peak(z_um, curve, 3.0)

    assert found.z_um == pytest.approx(expected.z_um, abs=1e-4)
    assert found.uncertainty_um == pytest.approx(expected.uncertainty_um, rel=1e-3)
    assert found.width_um == pytest.approx(expected.width_um, rel=1e-3)


def _search_within_bounds_by_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search without bounds fail, and the one within them find its slopes itself."""

    def by_differences(*arguments: Any, jac: Any, **settings: Any) -> Any:
        return least_squares(*arguments, **settings)

    monkeypatch.setattr(peak, "leastsq", lambda _, start, **__: (start, None, {}, "given up", 5))
    monkeypatch.setattr(peak, "least_squares", by_differences)


@pytest.mark.parametrize("rises", [(0.0, 1.0, 3.0, 10.0), (0.0, 2.0, 6.0, 20.0)])
def test_top_beyond_the_samples_is_looked_for_within_the_bounds(
    rises: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(peak, "least_squares", lambda *a, **k: asked.append(k["bounds"]) or least_squares(*a, **k))
    found = peak.fit_peak(np.arange(float(len(rises))), np.array(rises), 0.1)
    assert len(asked) == 1
    assert found.z_um <= len(rises) - 1 + 1e-6
    assert np.isfinite(found.uncertainty_um)


@given(values=hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)))
def test_baseline_is_the_tenth_percentile(values: npt.NDArray[np.float64]) -> None:
    assert peak.baseline(values) == pytest.approx(float(np.quantile(values, 0.1)), rel=1e-12, abs=1e-9)
