from __future__ import annotations

import datetime

import pytest

from made_estimates import MadeCard, empty_estimate, made_estimate
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.models.package import ModelCard
from napari_autofocus.widgets.estimate.readings import card_details, card_sentence, measured_um, reading_of

SHAPE = (128, 160)


@pytest.mark.parametrize(
    ("defocus_um", "headline", "tone"),
    [
        (3.42, "+3.4 ± 0.1 µm: too close", "plain"),
        (-2.31, "−2.3 ± 0.1 µm: too far apart", "plain"),
        (-0.4, "−0.4 ± 0.1 µm: in focus", "good"),
    ],
)
def test_a_trusted_estimate_is_a_number_and_a_side(defocus_um: float, headline: str, tone: str) -> None:
    reading = reading_of(made_estimate(SHAPE, defocus_um), MadeCard())
    assert (reading.headline, reading.tone) == (headline, tone)


def test_the_detail_counts_patches_and_never_claims_certainty() -> None:
    estimate = made_estimate(SHAPE, direction_probability=1.0)
    read, every = len(estimate.chosen_patches), len(estimate.patches)
    assert reading_of(estimate, MadeCard()).detail == f"flat · {read} of {every} patches · direction 99.9 %"


@pytest.mark.parametrize(
    ("estimate", "headline"),
    [
        (empty_estimate(SHAPE), "No content"),
        (FocusEstimate("unsure", defocus_um=-1.5, uncertainty_um=0.8), "Unsure: perhaps −1.5 ± 0.8 µm"),
        (FocusEstimate("unsure"), "Unsure"),
        (FocusEstimate("out_of_range", defocus_um=12.0), "Beyond ±10 µm: too close"),
        (FocusEstimate("out_of_range", defocus_um=-12.0), "Beyond ±10 µm: too far apart"),
        (FocusEstimate("uneven", defocus_um=1.0, scan_um=(-1.2, 3.4)), "Uneven: −1.2 to +3.4 µm"),
    ],
)
def test_every_refusal_has_its_words_and_says_what_to_do(estimate: FocusEstimate, headline: str) -> None:
    reading = reading_of(estimate, MadeCard())
    assert reading.headline == headline
    assert reading.tone == "warning"
    assert reading.advice


def test_in_focus_no_direction_is_claimed() -> None:
    assert "direction" not in reading_of(made_estimate(SHAPE, 0.1, direction_probability=0.6), MadeCard()).detail


def test_a_tilt_is_told() -> None:
    estimate = made_estimate(SHAPE, tilt_um_per_mm=(12.0, -3.0))
    tilted = reading_of(FocusEstimate("tilted", defocus_um=1.0, tilt_um_per_mm=estimate.tilt_um_per_mm), MadeCard())
    assert "+12 µm/mm along x, −3 along y" in tilted.advice


@pytest.mark.parametrize(
    ("uncertainty_um", "text"), [(0.12, "+1.2 ± 0.1 µm"), (0.04, "+1.23 ± 0.04 µm"), (0.0001, "+1.23 ± 0.01 µm")]
)
def test_uncertainty_is_never_printed_as_zero(uncertainty_um: float, text: str) -> None:
    assert measured_um(1.23, uncertainty_um) == text


def test_a_model_is_told_in_a_line(card: ModelCard) -> None:
    assert card_sentence(card) == "20x/0.75 · ±10 µm · error 0.09 µm · 98.7 % within DOF/2"


def test_a_model_without_figures_says_so(card: ModelCard) -> None:
    assert "accuracy not measured" in card_sentence(card.model_copy(update={"evaluation": {}}))


def test_the_details_name_what_tells_models_apart(card: ModelCard) -> None:
    details = card_details(card, "abcdef0123456789ffff", 8_068_139)
    for word in ("20x/0.75 in air", "he, ihc", "on 720 fields", "2026-11-07", "seed 3", "8.1 MB", "abcdef0123456789"):
        assert word in details


@pytest.fixture(scope="module")
def card() -> ModelCard:
    from napari_autofocus.models.library import installed_models

    shipped = next(model.card for model in installed_models() if model.name == "brightfield-20x")
    assert shipped is not None
    figures = {"mae_um": 0.0903, "within_half_dof": 0.98734, "fields": 720, "direction_success": 1.0}
    training = shipped.training.model_copy(update={"finished": datetime.date(2026, 11, 7), "seed": 3})
    return shipped.model_copy(update={"evaluation": figures, "training": training})
