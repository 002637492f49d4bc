"""Settings of a simulation: what they mean, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.workflows.simulation_settings import SimulationSettings, choose_topography


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fields": 0}, "At least one field"),
        ({"step_um": 0.0}, "positive step"),
        ({"step_um": 20.0}, "positive step"),
        ({"range_um": float("inf")}, "finite"),
        ({"range_um": float("nan")}, "finite"),
        ({"focus_direction": 0}, "focus direction"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SimulationSettings(**wrong)


@given(range_um=st.floats(0.5, 50), steps=st.integers(1, 60), number=st.integers(0, 5), offsets=st.booleans())
def test_planes_rise_evenly_and_reach_both_ends(range_um: float, steps: int, number: int, offsets: bool) -> None:
    settings = SimulationSettings(range_um=range_um, step_um=range_um / steps, start_offsets=offsets)
    z_um = settings.z_um(number)
    assert len(z_um) == settings.planes == 2 * steps + 1
    np.testing.assert_allclose(np.diff(z_um), settings.step_um, atol=2e-6)
    shift_um = (number % 3 - 1) * settings.step_um / 3 if offsets else 0.0
    assert z_um[steps] == pytest.approx(shift_um, abs=1e-6)


def test_41_planes_of_half_a_micrometre_reach_10_um_to_both_sides() -> None:
    z_um = SimulationSettings(range_um=10, step_um=0.5).z_um(0)
    assert (len(z_um), z_um[0], z_um[-1]) == (41, -10.0, 10.0)


def test_scene_is_as_described() -> None:
    scene = SimulationSettings(stain="ihc", density="sparse", seed=5, shape=(64, 96), even=True).scene()
    assert (scene.specimen.stain, scene.specimen.density, scene.specimen.seed) == ("ihc", "sparse", 5)
    assert (scene.shape, scene.optics.even, scene.objective.name) == ((64, 96), True, "20x/0.75")


def test_topographies_by_name() -> None:
    assert choose_topography(None) == Topography()
    assert choose_topography(None, even=True) == Topography.flat()
    tilted = choose_topography("folded", (2.0, -1.0))
    assert (tilted.tilt_x_um_per_mm, tilted.tilt_y_um_per_mm, tilted.fold_um) == (2.0, -1.0, 6.0)
    with pytest.raises(InputError, match="flat, slight, tilted"):
        choose_topography("mountainous")
    with pytest.raises(InputError, match="one depth"):
        choose_topography("tilted", even=True)


def test_no_two_fields_or_kinds_of_slide_share_their_chances() -> None:
    settings = [SimulationSettings(), SimulationSettings(stain="ihc"), SimulationSettings(density="sparse")]
    draws = [s.rng(0).random() for s in [*settings, SimulationSettings(seed=1)]] + [settings[0].rng(1).random()]
    assert len(set(draws)) == 5
    assert SimulationSettings(even=True).rng(0).random() == draws[0]
