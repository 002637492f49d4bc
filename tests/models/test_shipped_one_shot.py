"""Every model of one shot that ships: suggested for its own microscope, and able to focus it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.library import SHIPPED, InstalledModel
from napari_autofocus.models.package import open_package
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.suggestion import Sight, suggest_model
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.workflows.shipped.models import RECIPES
from napari_autofocus.workflows.trial_slides import TrialSlides
from napari_autofocus.workflows.trials import run_trials

LARGEST_BYTES = 10_000_000
SHIPPING = [name for name in RECIPES if (SHIPPED / f"{name}.zip").is_file()]

each_model = pytest.mark.parametrize("name", SHIPPING)


def installed(name: str) -> InstalledModel:
    path = SHIPPED / f"{name}.zip"
    return InstalledModel(name, path, "shipped", path.stat().st_size, open_package(path).card)


def test_the_first_of_them_is_there() -> None:
    assert "brightfield-20x" in SHIPPING


@each_model
def test_a_shipped_model_is_what_its_recipe_says_and_small(name: str) -> None:
    recipe, model = RECIPES[name], installed(name)
    assert model.card is not None
    assert model.card.name == name
    assert model.card.stains == recipe.fields.stains
    assert model.card.optics.colour == recipe.fields.colour
    assert model.card.range_um == recipe.range_um  # type: ignore[union-attr]
    assert model.size_bytes < LARGEST_BYTES


@pytest.mark.skipif(not SHIPPING, reason="no model ships yet")
def test_each_is_suggested_for_its_own_microscope() -> None:
    models = [installed(name) for name in SHIPPING]
    for model in models:
        assert model.card is not None
        optics = model.card.optics
        for stain in model.card.stains:
            found = suggest_model(models, Sight(optics.objective, optics.colour, stain))
            assert [each.name for each in found.fitting] == [model.name]


@each_model
@pytest.mark.parametrize("direction", [1, -1])
def test_it_focuses_the_microscope_that_it_was_made_for(name: str, direction: int) -> None:
    """Three runs; on a field that it cannot focus it may give up, but not make it worse."""
    model = ModelPredictor(open_package(SHIPPED / f"{name}.zip"))
    card = model.card
    lens = Objective.parse(card.optics.objective.name, pixel_size_um=card.optics.pixel_size_um)
    config = RefocusConfig(optics=ImageOptics(lens))
    slides = TrialSlides(card.stains[0], "dense", lens, 31, (384, 448), 25.0, camera=card.optics.colour)
    slide = next(slides.slides(3))
    with simulated_rig(slide.scene, focus_direction=direction, exposure_ms=25.0, clock=VirtualClock()) as rig:
        steps = run_trials(
            rig,
            lambda microscope: refocus(microscope, model, config),
            trials=3,
            focus_direction=direction,
            rng=np.random.default_rng(5),
            within_um=0.8 * card.range_um,
            serves=slide.serves,
        )
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                trials = ended.value
                break
    for trial in trials:
        assert abs(trial.end_um) <= abs(trial.start_um) + 0.3 * card.dof_um
    assert sum(abs(trial.end_um) <= card.dof_um / 2 for trial in trials) >= 2
