from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.psf import Optics, layers_of, pupil_path_um, radial_psf, radial_weights, sampling_of

DRY20 = Objective.parse("20x/0.75")
DRY10 = Objective.parse("10x/0.3")
OIL = Objective.parse("60x/1.4 oil")


def energy_share(profile: np.ndarray, step_um: float, radius_um: float) -> float:
    energy = profile * radial_weights(profile.size, step_um)
    return float(energy[: int(radius_um / step_um) + 1].sum() / energy.sum())


def half_energy_radius(optics: Optics, axial_um: float) -> float:
    radius, step = sampling_of(optics, 0.54, axial_um)
    profile = radial_psf(optics, 0.54, axial_um, radius, step)
    cumulative = np.cumsum(profile * radial_weights(profile.size, step))
    return float(np.interp(0.5, cumulative / cumulative[-1], step * np.arange(profile.size)))


@pytest.mark.parametrize("objective", [DRY20, DRY10], ids=["20x/0.75", "10x/0.3"])
@pytest.mark.parametrize("vectorial", [True, False], ids=["vectorial", "scalar"])
@pytest.mark.parametrize("wavelength_um", [0.62, 0.54, 0.46])
def test_first_dark_ring_has_the_airy_radius(objective: Objective, vectorial: bool, wavelength_um: float) -> None:
    optics = Optics(objective, even=True, vectorial=vectorial)
    expected = objective.airy_radius_um(wavelength_um)
    step = expected / 200

    profile = radial_psf(optics, wavelength_um, 0.0, 1.5 * expected, step)

    assert np.argmin(profile) * step == pytest.approx(expected, rel=0.05)


def test_point_image_widens_with_defocus() -> None:
    optics = Optics(DRY20, even=True)
    radii = [half_energy_radius(optics, z) for z in (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)]

    assert np.all(np.diff(radii) > 0)
    # Far from focus, geometry: a uniform pupil's median ray lands near tan(asin(NA / sqrt(2))) of the distance.
    assert radii[-1] == pytest.approx(12 * np.tan(np.arcsin(0.75 / np.sqrt(2))), rel=0.1)


@pytest.mark.parametrize(("objective", "range_um"), [(DRY20, 12.0), (DRY10, 40.0)], ids=["20x/0.75", "10x/0.3"])
def test_support_holds_the_energy_over_the_range(objective: Objective, range_um: float) -> None:
    optics = Optics(objective)
    energies = []
    for axial_um in np.linspace(-range_um, range_um, 9):
        radius, step = sampling_of(optics, 0.54, axial_um)
        profile = radial_psf(optics, 0.54, axial_um, radius, step)
        energies.append(np.sum(profile * radial_weights(profile.size, step)))

    assert np.ptp(energies) / np.mean(energies) < 0.01


@pytest.mark.parametrize("objective", [DRY20, OIL], ids=["dry: cover glass", "oil: index"])
def test_rings_lie_on_the_far_side_for_a_too_thick_cover_glass(objective: Objective) -> None:
    optics = Optics(objective, spherical_waves=0.6)
    scale = optics.axial_scale_um
    step = 0.1 * 0.54 / objective.na
    profiles = [radial_psf(optics, 0.54, z, 20 * scale, step) for z in np.linspace(-2, 2, 41) * scale]
    best = np.argmax([np.sum(p**2 * radial_weights(p.size, step)) for p in profiles])
    best_um = np.linspace(-2, 2, 41)[best] * scale

    core = 1.2 * 0.54 / objective.na
    far = energy_share(radial_psf(optics, 0.54, best_um - 3 * scale, 20 * scale, step), step, core)
    close = energy_share(radial_psf(optics, 0.54, best_um + 3 * scale, 20 * scale, step), step, core)

    assert close > 1.2 * far


def test_opposite_aberration_mirrors_the_point_image() -> None:
    thick, thin = Optics(DRY20, spherical_waves=0.3), Optics(DRY20, spherical_waves=-0.3)

    np.testing.assert_allclose(
        radial_psf(thick, 0.54, 2.0, 4.0, 0.1), radial_psf(thin, 0.54, -2.0, 4.0, 0.1), rtol=0.02, atol=1e-5
    )


def test_even_optics_are_even() -> None:
    optics = Optics(DRY20, even=True)

    np.testing.assert_allclose(
        radial_psf(optics, 0.54, 2.0, 4.0, 0.1), radial_psf(optics, 0.54, -2.0, 4.0, 0.1), rtol=1e-6
    )
    assert optics.colour_offsets_um == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("objective", [DRY20, DRY10, OIL], ids=lambda o: o.name)
def test_aberration_amounts_to_the_waves_asked_for(objective: Objective) -> None:
    optics = Optics(objective, spherical_waves=0.5)
    t = (np.arange(4000) + 0.5) / 4000
    path = pupil_path_um(optics, np.sqrt(t), 0.0)
    zernike = 6 * t**2 - 6 * t + 1

    waves = 6 * np.sum(path * zernike) / np.sum(zernike**2) / 0.54

    assert waves == pytest.approx(0.5, rel=0.02)


def test_default_aberration_is_a_few_micrometres_of_cover_glass() -> None:
    layers = layers_of(Optics(DRY20))

    assert 2 < layers["tg"] - layers["tg0"] < 10


@pytest.mark.parametrize(
    "settings",
    [
        {"spherical_waves": float("nan")},
        {"spherical_waves": 3.0},
        {"condenser_ratio": 0.0},
        {"wavelengths_um": (0.62, 0.54)},
        {"wavelengths_um": (620.0, 540.0, 460.0)},
        {"chromatic_shift_um": (0.0, float("inf"), 0.0)},
    ],
    ids=str,
)
def test_impossible_optics_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match="found"):
        Optics(DRY20, **settings)  # type: ignore[arg-type]


def inner_share(profile: np.ndarray, step: float) -> float:
    """Energy within half the half-energy radius: 1/8 for an even disc, less for a ring, more for a core."""
    energy = profile * radial_weights(profile.size, step)
    share = np.cumsum(energy) / energy.sum()
    radii = step * np.arange(profile.size)
    return float(np.interp(np.interp(0.5, share, radii) / 2, radii, share))


def test_asymmetry_is_of_the_kind_of_a_real_microscope(real_data: Path) -> None:
    """A measured, aberrated point image has a disc or ring on one side of focus, core and halo on the other."""
    path = real_data / "psf_widefield" / "PSF_RFI_8bit.tif"
    if not path.exists():
        pytest.skip(f"no measured point image at {path}")
    real = tifffile.imread(path).astype(float)
    best = np.argmax((real**2).sum((1, 2)) / real.sum((1, 2)) ** 2)
    y, x = np.unravel_index(real[best].argmax(), real[best].shape)
    radius = np.hypot(*np.ogrid[-y : 32 - y, -x : 32 - x])
    optics = Optics(OIL, spherical_waves=1.0)
    depth, step, best_um = optics.axial_scale_um, 0.1 * 0.54 / 1.4, -0.29

    def measured(planes: int) -> float:
        image = real[best + planes]
        return inner_share(np.array([image[(radius >= r - 0.5) & (radius < r + 0.5)].mean() for r in range(14)]), 1.0)

    def simulated(depths: float) -> float:
        colours = [radial_psf(optics, w, best_um + depths * depth, 14 * depth, step) for w in (0.5, 0.52, 0.54, 0.56)]
        return inner_share(np.mean(colours, axis=0), step)

    assert measured(-15) < 0.16
    assert measured(+15) > 0.2
    assert simulated(-3) < 0.16
    assert simulated(+3) > 0.2
