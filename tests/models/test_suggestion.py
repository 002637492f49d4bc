"""Which of several installed models is suggested for a microscope and its sample, and what is said where none fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.models.library import InstalledModel
from napari_autofocus.models.package import CardOptics, ModelCard
from napari_autofocus.models.suggestion import Sight, misfits, stain_seen, suggest_model
from napari_autofocus.optics import Objective
from tiny_models import tiny_card

TWENTY, TEN = Objective.parse("20x/0.75"), Objective.parse("10x/0.3")
STAINED = ("he", "ihc", "cytology", "blood")


def installed(
    name: str, lens: Objective, colour: Any, stains: tuple[str, ...], place: Any = "shipped"
) -> InstalledModel:
    card = tiny_card(name=name, optics=CardOptics.of(lens, colour), stains=stains)
    return InstalledModel(name, Path(f"{name}.zip"), place, 1, card)


MODELS = (
    installed("brightfield-10x", TEN, "rgb", STAINED),
    installed("brightfield-20x", TWENTY, "rgb", STAINED),
    installed("fluorescence-20x", TWENTY, "mono", ("fluorescence", "beads")),
    installed("unstained-20x", TWENTY, "mono", ("unstained",)),
)


def suggested(sight: Sight, models: tuple[InstalledModel, ...] = MODELS) -> str | None:
    found = suggest_model(models, sight).model
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("lens", "colour", "stain", "name"),
    [
        (TEN, "rgb", "he", "brightfield-10x"),
        (TWENTY, "rgb", "blood", "brightfield-20x"),
        (TWENTY, "mono", "beads", "fluorescence-20x"),
        (TWENTY, "mono", "unstained", "unstained-20x"),
        (TWENTY, "rgb", None, "brightfield-20x"),
        (TEN, None, None, "brightfield-10x"),
        (TWENTY, "mono", None, "fluorescence-20x"),
    ],
)
def test_the_model_for_objective_camera_and_sample(lens: Objective, colour: Any, stain: str | None, name: str) -> None:
    assert suggested(Sight(lens, colour, stain)) == name


@pytest.mark.parametrize(
    ("sight", "nearest", "words"),
    [
        (Sight(Objective.parse("40x/0.95"), "rgb", "he"), "brightfield-20x", ("made for 20x/0.75", "Calibrate one")),
        (Sight(TWENTY, "mono", "he"), "brightfield-20x", ("reads colour frames where these are grey", "colour camera")),
        (Sight(TWENTY, "rgb", "beads"), "fluorescence-20x", ("reads grey frames", "Take grey frames")),
        (Sight(TEN, "mono", "unstained"), "brightfield-10x", ("reads colour frames", "H&E, IHC, cytology and blood")),
    ],
)
def test_where_none_fits_the_nearest_is_named_with_why_not(sight: Sight, nearest: str, words: tuple[str, ...]) -> None:
    found = suggest_model(MODELS, sight)
    assert found.model is None
    assert found.nearest is not None
    assert found.nearest.name == nearest
    for part in (nearest, *words):
        assert part in found.sentence()


def test_a_guessed_sample_rules_no_model_out() -> None:
    own = installed("mine", TWENTY, "mono", ("he",), "user")
    assert suggested(Sight(TWENTY, "mono", "unstained"), (own,)) is None
    assert suggested(Sight(TWENTY, "mono", "unstained", is_guess=True), (own,)) == "mine"


def test_shipped_models_come_before_ones_own_and_broken_ones_are_passed_over() -> None:
    own = installed("a-model", TWENTY, "rgb", STAINED, "user")
    broken = InstalledModel("broken", Path("broken.zip"), "shipped", 1, None, "It is broken.")
    assert suggested(Sight(TWENTY, "rgb"), (own, broken, *MODELS)) == "brightfield-20x"
    assert suggested(Sight(TWENTY, "rgb"), (broken, own)) == "a-model"


def test_without_models_that_is_said() -> None:
    assert "No model of that kind" in suggest_model((), Sight(TWENTY)).sentence()
    assert misfits(None, Sight()) == ("it tells no defocus",)


def test_a_model_that_names_no_stains_serves_all() -> None:
    card = tiny_card(stains=())
    assert isinstance(card, ModelCard)
    assert misfits(card, Sight(stain="beads")) == ()


def frame(ground: float, cells: float, share: float) -> np.ndarray:
    """A 16-bit frame whose ground is even, and a share of it cells of another level."""
    rng = np.random.default_rng(0)
    image = rng.normal(ground, 0.02 * ground, (256, 256))
    image[: round(256 * share)] += cells - ground
    return np.clip(image, 0, 65535).astype(np.uint16)


@pytest.mark.parametrize(
    ("image", "bit_depth", "kind"),
    [
        (frame(500, 20_000, 0.2), None, "fluorescence"),
        (frame(500, 500, 0.0), 16, "fluorescence"),  # nothing there but the dark
        (frame(4000, 5500, 0.5), 16, "fluorescence"),  # haze far out of focus
        (frame(52_000, 54_000, 0.3), 16, "unstained"),
        (frame(3000, 3100, 0.3), 12, "unstained"),
        (frame(3000, 3100, 0.3), None, "unstained"),
        (np.zeros((64, 64, 3), np.uint8), None, None),
        (np.full((64, 64), 200, np.uint8), None, "unstained"),
        (np.full((64, 64), 12, np.uint8), None, "fluorescence"),
    ],
)
def test_a_grey_frame_tells_whether_its_sample_shines(
    image: np.ndarray, bit_depth: int | None, kind: str | None
) -> None:
    assert stain_seen(image, bit_depth) == kind
