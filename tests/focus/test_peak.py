"""Where a focus curve peaks: slopes by formula give what slopes by differences give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from napari_autofocus.focus import peak


@pytest.mark.parametrize("seed", range(8))
def test_slopes_by_formula_find_the_peak_that_differences_find(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    z_um = np.sort(rng.uniform(-10, 10, int(rng.integers(6, 40))))
    middle, widths = rng.uniform(-4, 4), rng.uniform(0.8, 4, 2)
    curve = 300 / (1 + ((z_um - middle) / np.where(z_um < middle, *widths)) ** 2) ** 1.5 + rng.normal(50, 3, z_um.size)

    def by_differences(*arguments: Any, jac: Any, **settings: Any) -> Any:
        return least_squares(*arguments, **settings)

    found = peak.fit_peak(z_um, curve, 3.0)
    monkeypatch.setattr(peak, "least_squares", by_differences)
    expected = peak.fit_peak(z_um, curve, 3.0)

    assert found.z_um == pytest.approx(expected.z_um, abs=1e-5)
    assert found.uncertainty_um == pytest.approx(expected.uncertainty_um, rel=1e-4)
    assert found.width_um == pytest.approx(expected.width_um, rel=1e-4)
