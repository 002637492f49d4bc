from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_autofocus.optics import Objective
from napari_autofocus.simulation.phase import pupil_overlap
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.transfer import (
    FREQUENCIES,
    AxialTable,
    FrequencyGrid,
    common_zero_um,
    incoherent_transfer,
    largest_frequency,
)

DRY20 = Objective.parse("20x/0.75")
CORNER = largest_frequency(DRY20.pixel_size_um)


@pytest.mark.parametrize("axial_um", [-6.0, -1.0, 0.0, 1.0, 3.0])
def test_transfer_from_point_image_equals_overlap_of_pupils(axial_um: float) -> None:
    """Two ways to the same function: psfmodels' point image, and our pupil's autocorrelation."""
    scalar = Optics(DRY20, vectorial=False)
    frequencies = np.linspace(0, CORNER, FREQUENCIES)[::64]

    from_point = incoherent_transfer(scalar, 0.54, CORNER).at(axial_um)[::64]
    overlap = pupil_overlap(replace(scalar, condenser_ratio=1.0), 0.54, frequencies * 0.54 / DRY20.na, axial_um)

    np.testing.assert_allclose(from_point, overlap.real, atol=0.015)


def test_transfer_starts_at_one_and_ends_at_the_cutoff() -> None:
    table = incoherent_transfer(Optics(Objective.parse("10x/0.3")), 0.62, 1.5)
    frequencies = np.linspace(0, 1.5, FREQUENCIES)

    for axial_um in (-20.0, 0.0, 20.0):
        curve = table.at(axial_um)
        assert curve[0] == pytest.approx(1.0, abs=1e-6)
        assert np.all(curve[frequencies >= 2 * 0.3 / 0.62] == 0)


def test_interpolation_between_axial_steps_is_finer_than_a_grey_level() -> None:
    optics = Optics(DRY20)
    table = incoherent_transfer(optics, 0.46, CORNER)
    step = table.step_um
    exact = AxialTable(table.compute, step / 2, 1e6)

    for node in (0, 4, 20, 60):
        np.testing.assert_allclose(table.at((node + 0.5) * step), exact.at((node + 0.5) * step), atol=5e-4)


def test_axial_table_reproduces_cubics_and_stays_put_beyond_its_range() -> None:
    table = AxialTable(lambda z: np.array([z**3 - z, 2 * z]), 0.5, 3.0)

    np.testing.assert_allclose(table.at(1.23), [1.23**3 - 1.23, 2.46], atol=1e-5)
    np.testing.assert_allclose(table.at(50.0), table.at(3.0))


def test_spreading_over_the_grid_follows_radial_frequency() -> None:
    grid = FrequencyGrid((60, 90), 0.325)
    curve = np.linspace(0, grid.largest_frequency, FREQUENCIES).astype(np.float32)

    expected = np.hypot(np.fft.fftfreq(60, 0.325)[:, None], np.fft.rfftfreq(90, 0.325))

    np.testing.assert_allclose(grid.spread(curve), expected, atol=1e-4)


def test_common_zero_of_even_optics_is_the_focal_plane() -> None:
    assert common_zero_um(Optics(DRY20, even=True), DRY20.pixel_size_um) == pytest.approx(0.0, abs=2e-3)
    assert abs(common_zero_um(Optics(DRY20), DRY20.pixel_size_um)) > 0.1
