from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.optics import Objective
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.imaging import ImageFormation
from napari_autofocus.simulation.phase import pupil_overlap
from napari_autofocus.simulation.psf import Optics

DRY20 = Objective.parse("20x/0.75")
CLEAN = Optics(DRY20, spherical_waves=0.0, chromatic_shift_um=(0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def cells() -> FieldContent:
    """Round transparent cells of 0.05 µm path, with granules."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:192, :192]
    path = np.zeros((192, 192))
    for cy, cx, radius in zip(*rng.uniform(20, 172, (2, 12)), rng.uniform(4, 12, 12), strict=True):
        path += 0.05 * np.clip(1 - ((y - cy) ** 2 + (x - cx) ** 2) / radius**2, 0, None)
    sheet = ContentSheet(0.0, path > 0, optical_path_um=path.astype(np.float32))
    return FieldContent((sheet,), "phase", DRY20.pixel_size_um, 32)


def contrast(image: np.ndarray) -> float:
    return float(np.std(image[..., 1]))


def test_contrast_inverts_across_focus(cells: FieldContent) -> None:
    formation = ImageFormation(CLEAN)

    for distance_um in (1.0, 3.0):
        far, close = formation.render(cells, -distance_um), formation.render(cells, distance_um)
        assert np.corrcoef((far - 1).ravel(), (close - 1).ravel())[0, 1] < -0.99


def test_contrast_inverts_with_default_aberrations_too(cells: FieldContent) -> None:
    formation = ImageFormation(Optics(DRY20))
    far, close = formation.render(cells, -1.5), formation.render(cells, 1.5)

    assert np.corrcoef((far - 1).ravel(), (close - 1).ravel())[0, 1] < -0.5


def test_contrast_is_least_at_focus(cells: FieldContent) -> None:
    formation = ImageFormation(CLEAN)
    positions = np.linspace(-1.5, 1.5, 13)
    contrasts = [contrast(formation.render(cells, z)) for z in positions]

    assert positions[np.argmin(contrasts)] == pytest.approx(0.0)
    assert min(contrasts) < 0.02 * max(contrasts)


def test_cells_are_bright_when_too_far_apart(cells: FieldContent) -> None:
    """The specimen acts as a lens: light gathers behind it, on the objective's side, where a far objective looks."""
    formation = ImageFormation(CLEAN)
    path = cells.inner(cells.sheets[0].optical_path_um)
    middle = path > 0.04

    assert formation.render(cells, -1.0)[middle].mean() > 1.0
    assert formation.render(cells, 1.0)[middle].mean() < 1.0


def test_background_keeps_its_light(cells: FieldContent) -> None:
    formation = ImageFormation(CLEAN)

    for z in (-3.0, 0.0, 3.0):
        assert formation.render(cells, z).mean() == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("axial_um", [0.5, 2.0, 5.0])
def test_phase_is_odd_and_absorption_even_without_aberration(axial_um: float) -> None:
    shifts = np.linspace(0, 1.6, 33)
    close, far = (pupil_overlap(CLEAN, 0.54, shifts, z) for z in (axial_um, -axial_um))

    np.testing.assert_allclose(close.imag, -far.imag, atol=1e-9)
    np.testing.assert_allclose(close.real, far.real, atol=1e-9)
    assert np.max(np.abs(close.imag)) > 0.05


def test_overlap_without_defocus_is_that_of_two_discs() -> None:
    sigma = CLEAN.condenser_ratio
    overlap = pupil_overlap(CLEAN, 0.54, np.array([0.0, 1 - sigma, 1.0, 1 + sigma]), 0.0)
    lens = sigma**2 * np.arccos(sigma / 2) + np.arccos(1 - sigma**2 / 2) - 0.5 * np.sqrt(sigma**2 * (4 - sigma**2))

    np.testing.assert_allclose(overlap.real, [1, 1, lens / (np.pi * sigma**2), 0], atol=2e-3)


def test_narrow_condenser_gives_the_coherent_limit() -> None:
    """Coherent, paraxial light: H_φ = 2 sin(πλ·d·f²) at a distance d = −axial (Streibl 1985; Teague's equation)."""
    optics = Optics(
        Objective.parse("10x/0.3"), spherical_waves=0.0, chromatic_shift_um=(0.0, 0.0, 0.0), condenser_ratio=0.05
    )
    shifts = np.linspace(0, 0.8, 17)
    frequency = shifts * 0.3 / 0.54

    overlap = pupil_overlap(optics, 0.54, shifts, -2.0)

    np.testing.assert_allclose(-2 * overlap.imag, 2 * np.sin(np.pi * 0.54 * 2.0 * frequency**2), atol=0.03)


def test_even_optics_show_no_phase(cells: FieldContent) -> None:
    formation = ImageFormation(Optics(DRY20, even=True))
    far, close = formation.render(cells, -2.0), formation.render(cells, 2.0)

    np.testing.assert_allclose(far, close, atol=1e-5)
    assert contrast(formation.render(cells, 0.0)) > contrast(close) > 0
