"""Heights of the slide against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.simulation.view import View


def test_flat_is_zero_everywhere() -> None:
    assert Topography.flat().height_um(View(1e4, -1e4, (8, 8), 0.5), 1) == 0.0


@settings(max_examples=30, deadline=None)
@given(tilt_x=st.floats(-20, 20), tilt_y=st.floats(-20, 20), x_um=st.floats(-1e4, 1e4), y_um=st.floats(-1e4, 1e4))
def test_tilt_is_exact(tilt_x: float, tilt_y: float, x_um: float, y_um: float) -> None:
    view = View(x_um, y_um, (21, 31), 2.0)
    height = np.broadcast_to(Topography(tilt_x, tilt_y).height_um(view, 0), view.shape)
    assert height[10, 15] == pytest.approx((tilt_x * x_um + tilt_y * y_um) / 1000, abs=1e-4)
    assert height[10, -1] - height[10, 0] == pytest.approx(tilt_x * 0.060, abs=1e-4)
    assert height[-1, 15] - height[0, 15] == pytest.approx(tilt_y * 0.040, abs=1e-4)


def test_default_tilt_is_one_micrometre_per_millimetre() -> None:
    default = Topography()
    assert np.hypot(default.tilt_x_um_per_mm, default.tilt_y_um_per_mm) == pytest.approx(1.0)
    assert default.layer_heights_um == (0.0,)


def test_waves_stay_within_their_height_and_slope() -> None:
    view = View(0.0, 0.0, (400, 400), 5.0)
    height = Topography(0.0, 0.0, wave_um=2.0, wave_length_um=500.0).height_um(view, 4)
    assert 1.0 < np.abs(height).max() <= 2.0
    assert np.abs(np.diff(height, axis=1)).max() / 5.0 <= 2.0 * 2 * np.pi / 500.0


def test_waves_of_another_seed_differ() -> None:
    view, wavy = View(0.0, 0.0, (50, 50), 20.0), Topography.wavy()
    assert np.abs(wavy.height_um(view, 1) - wavy.height_um(view, 2)).max() > 0.5


@pytest.mark.parametrize("topography", [Topography.tilted(), Topography.wavy()])
def test_heights_agree_where_views_overlap(topography: Topography) -> None:
    here = topography.height_um(View(300.0, 40.0, (60, 60), 0.5), 3)
    there = topography.height_um(View(310.0, 45.0, (60, 60), 0.5), 3)
    assert np.allclose(here[10:, 20:], there[:-10, :-20], atol=1e-5)


def test_folds_cover_their_share_of_the_slide() -> None:
    topography = Topography(fold_um=5.0, fold_spacing_um=400.0, fold_width_um=80.0)
    coverage = topography.fold_coverage(View(0.0, 0.0, (1000, 1000), 8.0), 2)
    assert coverage.mean() == pytest.approx(0.2, abs=0.03)
    assert (coverage.min(), coverage.max()) == (0.0, 1.0)


def test_fold_out_of_view_is_none() -> None:
    folded = Topography(fold_um=5.0, fold_spacing_um=5000.0, fold_width_um=50.0)
    views = [View(x_um, 0.0, (20, 20), 1.0) for x_um in np.arange(0.0, 20000.0, 500.0)]
    seen = [folded.fold_coverage(view, 0) is not None for view in views]
    assert 0 < sum(seen) < len(views) / 2


def test_thick_layers_are_evenly_spaced_from_the_base() -> None:
    assert Topography(thickness_um=9.0, layers=4).layer_heights_um == (0.0, 3.0, 6.0, 9.0)
    assert Topography.thick().layer_heights_um == (0.0, 3.0, 6.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tilt_x_um_per_mm": float("nan")},
        {"wave_um": -1.0},
        {"wave_length_um": 0.0},
        {"layers": 0},
        {"fold_width_um": 900.0, "fold_spacing_um": 900.0},
    ],
)
def test_impossible_topography_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        Topography(**wrong)
