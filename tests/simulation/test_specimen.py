"""Slides: the same from every side, of unlimited extent, and as dense as they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.content import FieldContent
from napari_autofocus.simulation.specimen import DENSITIES, STAINS, Specimen
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.simulation.view import View

CONTRASTS = {
    "he": "absorption",
    "ihc": "absorption",
    "cytology": "absorption",
    "blood": "absorption",
    "unstained": "phase",
    "fluorescence": "fluorescence",
    "beads": "fluorescence",
}
ATTRIBUTES = {"absorption": "absorbance", "phase": "optical_path_um", "fluorescence": "emission"}
FLAT = Topography.flat()
# Positions far out on the slide are rounded in double precision, textures in single.
TOLERANCE = 1e-4


def light(field: FieldContent) -> npt.NDArray[np.float32]:
    """What the field does to light, all sheets together."""
    sheets = [getattr(sheet, ATTRIBUTES[field.contrast]) for sheet in field.sheets]
    return np.sum(sheets, axis=0)


def assert_same(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> None:
    assert np.abs(one - other).max() < TOLERANCE


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("stain", STAINS)
def test_field_is_what_the_contract_says(stain: str, density: str) -> None:
    field = Specimen(stain, density, seed=3).field(120.0, -45.0, (96, 128), 0.65, margin_px=8)
    (sheet,) = field.sheets
    assert (field.contrast, field.shape, field.margin_px, field.pixel_size_um) == (CONTRASTS[stain], (96, 128), 8, 0.65)
    assert (sheet.content.shape, sheet.content.dtype) == ((112, 144), np.bool_)
    assert sheet.height_um.shape == (112, 144)
    assert sheet.height_um.dtype == np.float32
    given_light = {name: getattr(sheet, name) for name in ATTRIBUTES.values()}
    image = given_light.pop(ATTRIBUTES[field.contrast])
    assert all(value is None for value in given_light.values())
    assert image.shape == ((112, 144) if stain == "unstained" else (112, 144, 3))
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0


@pytest.mark.parametrize("stain", STAINS)
def test_same_seed_gives_the_same_slide_and_another_seed_another(stain: str) -> None:
    def draw(seed: int) -> npt.NDArray[np.float32]:
        return light(Specimen(stain, "dense", seed, FLAT).field(10.0, 20.0, (120, 120), 0.5))

    assert np.array_equal(draw(4), draw(4))
    assert np.abs(draw(4) - draw(5)).mean() > 0.01 * draw(4).std()


@pytest.mark.parametrize("density", ["dense", "sparse", "extremely-sparse"])
@pytest.mark.parametrize("stain", STAINS)
def test_neighbouring_fields_agree_where_they_overlap(stain: str, density: str) -> None:
    specimen, pixel = Specimen(stain, density, 1), 0.47
    field = specimen.field(1000.0, -500.0, (150, 170), pixel)
    moved = specimen.field(1000.0 + 60 * pixel, -500.0 + 40 * pixel, (150, 170), pixel)
    assert_same(light(field)[40:, 60:], light(moved)[:-40, :-60])
    assert_same(field.sheets[0].height_um[40:, 60:], moved.sheets[0].height_um[:-40, :-60])
    differ = field.sheets[0].content[40:, 60:] != moved.sheets[0].content[:-40, :-60]
    assert differ.mean() < 1e-4


@pytest.mark.parametrize("stain", STAINS)
def test_margin_shows_what_the_neighbours_show(stain: str) -> None:
    specimen = Specimen(stain, "dense", 2, Topography.thick())
    plain = specimen.field(-300.0, 700.0, (80, 90), 0.5)
    wide = specimen.field(-300.0, 700.0, (80, 90), 0.5, margin_px=24)
    assert_same(light(plain), wide.inner(light(wide)))
    right = specimen.field(-300.0 + 90 * 0.5, 700.0, (80, 90), 0.5)
    assert_same(light(right)[:, :24], light(wide)[24:-24, -24:])


@settings(max_examples=12, deadline=None)
@given(
    stain=st.sampled_from(STAINS),
    x_um=st.floats(-2e5, 2e5),
    y_um=st.floats(-2e5, 2e5),
    columns=st.integers(1, 50),
    rows=st.integers(1, 50),
)
def test_overlap_agrees_anywhere_on_the_slide(stain: str, x_um: float, y_um: float, columns: int, rows: int) -> None:
    specimen = Specimen(stain, "dense", 6, FLAT)
    field = specimen.field(x_um, y_um, (64, 64), 0.65)
    moved = specimen.field(x_um + columns * 0.65, y_um + rows * 0.65, (64, 64), 0.65)
    assert_same(light(field)[rows:, columns:], light(moved)[:-rows, :-columns])


@pytest.mark.parametrize("stain", STAINS)
def test_two_objectives_see_the_same_slide(stain: str) -> None:
    specimen = Specimen(stain, "dense", 7, FLAT)
    fine = light(specimen.field(55.0, 44.0, (640, 640), 0.2))
    coarse = light(specimen.field(55.0, 44.0, (160, 160), 0.8))
    binned = fine.reshape(160, 4, 160, 4, -1).mean(axis=(1, 3)).reshape(coarse.shape)
    correlation = np.corrcoef(binned.ravel(), coarse.ravel())[0, 1]
    assert correlation > 0.99
    assert binned.mean() == pytest.approx(coarse.mean(), rel=0.03)
    assert binned.std() == pytest.approx(coarse.std(), rel=0.03)


SHARES = {"dense": (0.40, 1.0), "sparse": (0.05, 0.40), "extremely-sparse": (1e-5, 0.05)}


@pytest.mark.parametrize("density", SHARES)
@pytest.mark.parametrize("stain", STAINS)
def test_share_of_area_is_that_of_the_density(stain: str, density: str) -> None:
    low, high = SHARES[density]
    for seed, (x_um, y_um) in enumerate([(0.0, 0.0), (5321.0, -2210.0), (-777.0, 9051.0)]):
        field = Specimen(stain, density, seed).field(x_um, y_um, (256, 306), 1.3)
        assert low < field.sheets[0].content.mean() < high


@pytest.mark.parametrize("stain", STAINS)
def test_extremely_sparse_field_holds_one_to_ten_objects(stain: str) -> None:
    rng = np.random.default_rng(11)
    for seed, (x_um, y_um) in enumerate(rng.uniform(-1e4, 1e4, (6, 2))):
        field = Specimen(stain, "extremely-sparse", seed).field(x_um, y_um, (512, 612), 0.65)
        _, count = label(field.sheets[0].content, np.ones((3, 3)))
        assert 1 <= count <= 10


@pytest.mark.parametrize("stain", STAINS)
def test_empty_is_empty(stain: str) -> None:
    field = Specimen(stain, "empty", 1, Topography.thick()).field(0.0, 0.0, (64, 64), 0.5)
    assert not any(sheet.content.any() for sheet in field.sheets)
    assert np.ptp(light(field)[..., 0]) == 0


def test_empty_absorbs_and_delays_nothing() -> None:
    for stain in ("he", "ihc", "cytology", "blood", "unstained"):
        assert not light(Specimen(stain, "empty").field(0.0, 0.0, (32, 32), 0.5)).any()


@pytest.mark.parametrize("stain", ["he", "ihc", "cytology", "blood", "fluorescence"])
def test_stain_has_detail_finer_than_two_micrometres(stain: str) -> None:
    field = Specimen(stain, "dense", 1, FLAT).field(0.0, 0.0, (300, 300), 0.325)
    image, content = light(field).sum(axis=2), field.sheets[0].content
    step = np.abs(image[:, 6:] - image[:, :-6])[content[:, 3:-3]]
    assert np.mean(step > 0.1 * np.percentile(image, 99)) > 0.1


def test_phase_objects_delay_by_a_fraction_of_a_wave() -> None:
    field = Specimen("unstained", "dense", 1).field(0.0, 0.0, (300, 300), 0.325)
    (sheet,) = field.sheets
    assert 0.05 < np.median(sheet.optical_path_um[sheet.content]) < 0.15
    assert 0.12 < sheet.optical_path_um.max() <= 0.25


def test_thickness_spreads_objects_over_sheets_at_their_heights() -> None:
    topography = Topography(0.0, 0.0, thickness_um=6.0, layers=3)
    field = Specimen("fluorescence", "dense", 1, topography).field(0.0, 0.0, (300, 300), 0.65)
    assert [sheet.height_um for sheet in field.sheets] == [0.0, 3.0, 6.0]
    shares = [sheet.content.mean() for sheet in field.sheets]
    assert min(shares) > 0.1
    assert max(shares) < 0.4


def test_thin_and_thick_slide_carry_the_same_objects() -> None:
    thin = Specimen("beads", "sparse", 1, FLAT).field(0.0, 0.0, (200, 200), 0.4)
    thick = Specimen("beads", "sparse", 1, Topography.thick()).field(0.0, 0.0, (200, 200), 0.4)
    assert_same(light(thin), light(thick))


def test_fold_adds_a_sheet_at_its_height_where_it_lies() -> None:
    topography = Topography(0.0, 0.0, fold_um=7.0, fold_spacing_um=300.0, fold_width_um=100.0)
    base, fold = Specimen("he", "dense", 1, topography).field(0.0, 0.0, (320, 320), 1.3).sheets
    assert (base.height_um, fold.height_um) == (0.0, 7.0)
    assert 0.15 < fold.content.mean() < 0.5
    assert fold.absorbance[~fold.content].mean() < 0.05 < fold.absorbance[fold.content].mean()


def test_unknown_stain_and_density_are_told_the_spellings() -> None:
    with pytest.raises(InputError, match="he, ihc, cytology, blood, unstained, fluorescence, beads"):
        Specimen("giemsa")
    with pytest.raises(InputError, match="dense, sparse, extremely-sparse, empty"):
        Specimen("he", "medium")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((float("nan"), 0.0, (10, 10), 0.5), "finite position"),
        ((0.0, 0.0, (0, 10), 0.5), "at least one row"),
        ((0.0, 0.0, (10, 10), 0.0), "positive number"),
        ((0.0, 0.0, (10, 10), 0.5, -1), "margin"),
    ],
)
def test_impossible_fields_are_refused(arguments: tuple, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Specimen().field(*arguments)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="-3"):
        Specimen(seed=-3)


def bare_share(specimen: Specimen, side: int = 250) -> float:
    """Share of 5 x 5 mm around the middle of the slide on which no bead stands."""
    return float((~specimen._covered(View(0.0, 0.0, (side, side), 5000 / side)).astype(bool)).mean())


def test_a_slide_is_bare_over_the_share_that_was_asked_for() -> None:
    shares = [bare_share(Specimen(seed=seed, bare=0.3)) for seed in range(8)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.06)


def test_bare_places_hold_nothing_and_the_rest_is_the_same_slide() -> None:
    whole, partly = Specimen("he", "dense", seed=2), Specimen("he", "dense", seed=2, bare=0.4)
    places = [(x_um, 0.0) for x_um in range(-3000, 3000, 400)]
    fields = [partly.field(*place, (48, 64), 0.65) for place in places]
    holding = [field.sheets[0].content.any() for field in fields]
    assert 0 < sum(holding) < len(places)
    assert all(light(field).max() == 0 for field, holds in zip(fields, holding, strict=True) if not holds)
    covered = next(place for place in places if partly._covered(View(*place, (48, 64), 0.65)).min() == 1)
    assert_same(light(partly.field(*covered, (48, 64), 0.65)), light(whole.field(*covered, (48, 64), 0.65)))


@pytest.mark.parametrize("bare", [-0.1, 1.1, float("nan")])
def test_an_impossible_bare_share_is_refused(bare: float) -> None:
    with pytest.raises(InputError, match="bare"):
        Specimen(bare=bare)
