from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_autofocus.optics import Objective
from napari_autofocus.simulation import layers
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.imaging import ImageFormation
from napari_autofocus.simulation.psf import LUMINANCE_WEIGHTS, Optics

DRY20 = Objective.parse("20x/0.75")
DRY10 = Objective.parse("10x/0.3")
MARGIN = 44
SIDE = 256


def tissue(colour: tuple[float, float, float], seed: int = 0) -> np.ndarray:
    """Absorbance (Y, X, 3) of discs like nuclei on texture of all scales."""
    rng = np.random.default_rng(seed)
    size = SIDE + 2 * MARGIN
    y, x = np.mgrid[:size, :size]
    amount = sum(s * 0.1 * gaussian_filter(rng.standard_normal((size, size)), s) for s in (1.0, 2.0, 4.0, 8.0))
    for cy, cx, radius in zip(*rng.uniform(0, size, (2, 150)), rng.uniform(4, 10, 150), strict=True):
        amount = np.maximum(amount, np.clip(radius - np.hypot(y - cy, x - cx), 0, 1))
    return (np.clip(0.2 + amount, 0, None)[..., None] * np.array(colour)).astype(np.float32)


def field_of(absorbance: np.ndarray, height_um: float | np.ndarray = 0.0, objective: Objective = DRY20) -> FieldContent:
    sheet = ContentSheet(height_um, absorbance.sum(axis=2) > 0.3, absorbance=absorbance)
    return FieldContent((sheet,), "absorption", objective.pixel_size_um, MARGIN)


@pytest.fixture(scope="module")
def grey() -> FieldContent:
    return field_of(tissue((0.8, 0.8, 0.8)))


@pytest.fixture(scope="module")
def pink() -> FieldContent:
    return field_of(tissue((0.5, 1.0, 0.6)))


@pytest.fixture(scope="module")
def formation() -> ImageFormation:
    return ImageFormation(Optics(DRY20))


def luminance(image: np.ndarray) -> np.ndarray:
    return image @ np.array(LUMINANCE_WEIGHTS, np.float32)


def brenner_peak_um(formation: ImageFormation, content: FieldContent) -> float:
    positions = formation.optics.axial_scale_um * np.linspace(-0.6, 0.6, 13)
    images = [luminance(formation.render(content, z)) for z in positions]
    values = np.array([np.sum((i[:, 2:] - i[:, :-2]) ** 2) + np.sum((i[2:] - i[:-2]) ** 2) for i in images])
    fine = np.linspace(positions[0], positions[-1], 2001)
    return float(fine[np.argmax(np.polyval(np.polyfit(positions, values, 6), fine))])


def point(objective: Objective, side: int = 161) -> FieldContent:
    emission = np.zeros((side, side, 3), np.float32)
    emission[side // 2, side // 2] = 1
    sheet = ContentSheet(0.0, emission[..., 0] > 0, emission=emission)
    return FieldContent((sheet,), "fluorescence", objective.pixel_size_um, 0)


@pytest.mark.parametrize("objective", [DRY20, DRY10], ids=["20x/0.75", "10x/0.3"])
def test_luminance_brenner_of_a_grey_specimen_peaks_at_true_focus(grey: FieldContent, objective: Objective) -> None:
    content = replace(grey, pixel_size_um=objective.pixel_size_um)
    peak = brenner_peak_um(ImageFormation(Optics(objective)), content)

    assert abs(peak) < 0.05 * objective.dof_um


def test_point_image_is_most_compact_at_axial_zero(formation: ImageFormation) -> None:
    content = point(DRY20)
    positions = np.linspace(-0.3, 0.3, 13)
    energies = [np.sum(luminance(formation.render(content, z)) ** 2) for z in positions]

    assert abs(positions[np.argmax(energies)]) < 0.03


@pytest.mark.parametrize(("objective", "range_um"), [(DRY20, 12.0), (DRY10, 40.0)], ids=["20x/0.75", "10x/0.3"])
def test_light_of_a_point_is_kept_over_the_range(objective: Objective, range_um: float) -> None:
    formation, content = ImageFormation(Optics(objective)), point(objective)

    for z in np.linspace(-range_um, range_um, 5):
        image = formation.render(content, z)
        np.testing.assert_allclose(image.sum(axis=(0, 1)), 1.0, atol=0.01)
        y, x = np.mgrid[: content.shape[0], : content.shape[1]] - content.shape[0] // 2
        inside = np.hypot(y, x) * objective.pixel_size_um < formation.optics.blur_radius_um(z) * 1.2 + 8 * 0.54 / 0.3
        assert image[inside].sum() > 0.97 * 3


def test_both_sides_of_focus_differ_by_five_times_the_noise(pink: FieldContent, formation: ImageFormation) -> None:
    """Root mean square over pixels and colours, against the camera's own noise per pixel measured from two frames."""
    far, close, again = _frames(formation, pink)

    noise = np.std(far - again) / np.sqrt(2)
    difference = np.sqrt(max(np.mean((far - close) ** 2) - 2 * noise**2, 0))
    assert difference > 5 * noise


def test_even_optics_give_both_sides_the_same_image(pink: FieldContent) -> None:
    far, close, again = _frames(ImageFormation(Optics(DRY20, even=True)), pink)

    assert np.std(far - close) == pytest.approx(np.std(far - again), rel=0.01)


def _frames(formation: ImageFormation, content: FieldContent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Camera frames at −3 DOF, +3 DOF and again −3 DOF, float."""
    camera, rng = Camera(), np.random.default_rng(0)
    distance = 3 * formation.optics.objective.dof_um
    frames = [camera.expose(formation.render(content, z), rng=rng) for z in (-distance, distance, -distance)]
    far, close, again = (frame.astype(np.float64) for frame in frames)
    return far, close, again


def test_empty_bright_field_is_one_and_fluorescence_dark(formation: ImageFormation) -> None:
    empty = np.zeros((64, 64, 3), np.float32)
    blank = FieldContent((ContentSheet(0.0, empty[..., 0] > 0, absorbance=empty),), "absorption", 0.325, 8)
    dark = FieldContent((ContentSheet(0.0, empty[..., 0] > 0, emission=empty),), "fluorescence", 0.325, 8)

    np.testing.assert_allclose(formation.render(blank, 5.0), 1.0, atol=1e-6)
    np.testing.assert_allclose(formation.render(dark, 5.0), 0.0, atol=1e-6)
    assert formation.render(blank, 5.0).shape == (48, 48, 3)


def test_raised_sheet_is_the_same_image_at_a_lower_axial_position(formation: ImageFormation) -> None:
    absorbance = tissue((0.5, 1.0, 0.6))

    raised = formation.render(field_of(absorbance, 2.5), -2.0)

    np.testing.assert_allclose(raised, formation.render(field_of(absorbance), 0.5), atol=1e-5)


def test_tilted_field_is_sharp_where_its_height_says(formation: ImageFormation) -> None:
    absorbance = tissue((0.8, 0.8, 0.8))
    height = np.linspace(-4, 4, absorbance.shape[1], dtype=np.float32) * np.ones((absorbance.shape[0], 1), np.float32)
    content = field_of(absorbance, height)
    truth = formation.best_focus_map(content)
    flat, tilted = field_of(absorbance), formation.render(content, -2.0)

    columns = np.abs(truth[0] - -2.0) < 0.1
    assert columns.sum() >= 4
    np.testing.assert_allclose(tilted[:, columns], formation.render(flat, 0.0)[:, columns], atol=0.03)
    assert np.std(np.diff(tilted[:, :20], axis=0)) < 0.5 * np.std(np.diff(tilted[:, columns], axis=0))


@pytest.mark.parametrize("axial_um", [0.0, 1.0, 4.0])
def test_layers_err_by_less_than_the_noise(axial_um: float, monkeypatch: pytest.MonkeyPatch) -> None:
    absorbance = tissue((0.8, 0.8, 0.8))
    height = np.linspace(-1, 1, absorbance.shape[1], dtype=np.float32) * np.ones((absorbance.shape[0], 1), np.float32)
    content, optics = field_of(absorbance, height), Optics(DRY20)
    usual = ImageFormation(optics).render(content, axial_um)
    monkeypatch.setattr("napari_autofocus.simulation.imaging.LAYER_SPACING", 0.06)

    fine = ImageFormation(optics).render(content, axial_um)

    assert np.sqrt(np.mean((usual - fine) ** 2)) < 1e-3
    assert np.max(np.abs(usual - fine)) < 0.01


def test_sheets_multiply_as_transmissions(formation: ImageFormation) -> None:
    first, second = tissue((0.5, 1.0, 0.6), 1), tissue((0.5, 1.0, 0.6), 2)
    both = replace(field_of(first), sheets=(*field_of(first).sheets, *field_of(second, 3.0).sheets))

    expected = formation.render(field_of(first), -1.0) * formation.render(field_of(second, 3.0), -1.0)

    np.testing.assert_allclose(formation.render(both, -1.0), expected, atol=1e-5)


def test_truth_is_that_of_the_sheet_that_dominates(formation: ImageFormation) -> None:
    low, high = np.zeros((40, 40, 3), np.float32), np.zeros((40, 40, 3), np.float32)
    low[:, :20], high[:, 20:] = 1.0, 0.5
    sheets = (ContentSheet(1.0, low[..., 0] > 0, low), ContentSheet(-2.0, high[..., 0] > 0, high))
    truth = formation.best_focus_map(FieldContent(sheets, "absorption", 0.325, 4))

    assert truth.shape == (32, 32)
    assert np.all(truth[:, :16] == -1.0)
    assert np.all(truth[:, 16:] == 2.0)


def test_even_optics_put_everything_at_one_depth() -> None:
    absorbance = tissue((0.8, 0.8, 0.8))
    height = np.linspace(-3, 5, absorbance.shape[1], dtype=np.float32) * np.ones((absorbance.shape[0], 1), np.float32)
    content = field_of(absorbance, height)
    even = ImageFormation(Optics(DRY20, even=True))
    middle = float(even.best_focus_map(content)[0, 0])

    assert np.ptp(even.best_focus_map(content)) == 0
    assert middle == pytest.approx(-layers.even_height_um(content))
    np.testing.assert_allclose(even.render(content, middle + 2), even.render(content, middle - 2), atol=1e-5)


def test_far_beyond_focus_the_image_is_featureless_but_bright(pink: FieldContent, formation: ImageFormation) -> None:
    image = formation.render(pink, 500.0)

    assert np.isfinite(image).all()
    assert image.std(axis=(0, 1)).max() < 0.02
    assert image.mean() == pytest.approx(formation.render(pink, 0.0).mean(), abs=0.03)
