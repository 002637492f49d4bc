"""Slides of trials: as named or mixed, the same for the same seed, with content where it is promised."""

from __future__ import annotations

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.trial_slides import MIXED_DENSITIES, TrialSlides


def slides(stain: str = "he", density: str = "dense", seed: int = 1) -> TrialSlides:
    return TrialSlides(stain, density, Objective.parse("20x/0.75"), seed, (64, 64), 25.0)


def test_one_slide_serves_all_trials() -> None:
    (only,) = slides().slides(7)
    assert (only.stain, only.density, only.trials) == ("he", "dense", 7)
    assert only.scene.shape == (64, 64)


def test_mixed_slides_are_drawn_for_each_trial_and_again_by_the_seed() -> None:
    drawn = [[(s.stain, s.density, s.trials) for s in slides("mixed", "mixed", seed).slides(20)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {stain for stain, _, _ in drawn[0]} == {"he", "ihc", "cytology", "blood"}
    assert {density for _, density, _ in drawn[0]} == set(MIXED_DENSITIES)
    assert {trials for _, _, trials in drawn[0]} == {1}


def test_what_is_named_stays_where_the_other_is_mixed() -> None:
    assert {slide.stain for slide in slides("blood", "mixed").slides(5)} == {"blood"}


def test_a_field_without_content_serves_on_an_empty_slide_only() -> None:
    places = [(1000.0 * n, 500.0 * n) for n in range(8)]
    (empty,), (few,), (dense,) = (list(slides("he", name).slides(1)) for name in ("empty", "extremely-sparse", "dense"))
    assert all(empty.serves(place) for place in places)
    assert not all(few.serves(place) for place in places)
    assert sum(dense.serves(place) for place in places) > sum(few.serves(place) for place in places)


def test_an_unknown_stain_is_refused() -> None:
    with pytest.raises(InputError, match="ink"):
        list(slides("ink").slides(1))
