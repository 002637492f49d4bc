"""A model's response curve: kept in its card, applied to every patch, fitted anew, and dropped with its weights."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.response import ResponseCurve
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.library import SHIPPED
from napari_autofocus.models.package import ModelCard, ModelPackage, open_package
from napari_autofocus.models.package.plain_yaml import read_yaml, write_yaml
from napari_autofocus.models.package.writing import with_card
from napari_autofocus.models.packaging import KnownFrames, recalibrate
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.simulated.checks import focal_series
from napari_autofocus.workflows.own.card import decision_of
from napari_autofocus.workflows.own_plan import OwnPlan
from napari_autofocus.workflows.shipped import models as shipped_models
from tiny_models import OPTICS, flat_frame, tiny_card, tiny_file

CURVE = ResponseCurve((-2.0, 0.0, 2.0), (-2.0, 0.5, 2.0))
CURVED = DecisionSettings(dof_um=1.0, range_um=10.0, response=CURVE)


def red_of(reading_um: float) -> float:
    """The red that the tiny network reads as this."""
    return reading_um / 20 + 0.5


def curved(folder: Path) -> ModelPackage:
    """The tiny package with a curve; its graphs are not exported again."""
    plain = open_package(tiny_file(folder))
    return with_card(plain, folder / "curved.zip", plain.card.model_copy(update={"decision": CURVED}))


def known(true_um: float, reading_um: float, number: int) -> KnownFrame:
    image = flat_frame(red_of(reading_um))
    return KnownFrame(image, true_um, f"frame-{number}", f"slide-{number}", "he", "dense", OPTICS)


def end_of(running: Generator[Any, None, ModelPackage]) -> ModelPackage:
    while True:
        try:
            next(running)
        except StopIteration as stopped:
            return cast("ModelPackage", stopped.value)


def test_a_card_keeps_its_curve_and_older_cards_have_none() -> None:
    card = tiny_card(decision=CURVED)
    assert ModelCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card
    assert ModelCard.from_dict(read_yaml(write_yaml(card.to_dict()), "it")).decision.response == CURVE
    older = tiny_card().to_dict()
    del older["decision"]["response"]
    assert ModelCard.from_dict(older).decision.response is None


def test_a_card_with_a_curve_that_turns_back_is_refused() -> None:
    wrong = tiny_card(decision=CURVED).to_dict()
    wrong["decision"]["response"]["defocus_um"] = [-2.0, 3.0, 2.0]
    with pytest.raises(InputError, match="must be finite and ascend"):
        ModelCard.from_dict(wrong)


@pytest.mark.parametrize(("reading_um", "defocus_um"), [(0.0, 0.5), (1.0, 1.25), (-1.0, -0.75), (6.0, 6.0)])
def test_the_field_and_its_patches_are_taken_through_the_curve(
    tmp_path: Path, reading_um: float, defocus_um: float
) -> None:
    predictor = ModelPredictor(curved(tmp_path))
    estimate = predictor.estimate(flat_frame(red_of(reading_um)), optics=OPTICS)
    assert estimate.defocus_um == pytest.approx(defocus_um, abs=0.06)
    assert [patch.defocus_um for patch in estimate.chosen_patches] == pytest.approx([defocus_um] * 8, abs=0.06)
    assert estimate.chosen_patches[0].uncertainty_um == pytest.approx(0.1, abs=0.01)


def test_the_readme_tells_other_software_of_the_curve(tmp_path: Path) -> None:
    with_curve, without = curved(tmp_path), open_package(tiny_file(tmp_path, "plain"))
    assert b"stands in `rdf.yaml` as `response`" in with_curve.members["README.md"]
    assert b"as `response`" not in without.members["README.md"]


def test_a_model_is_calibrated_anew_with_its_weights_as_they_are(tmp_path: Path) -> None:
    """A network that reads half of what is near focus; afterwards the package answers right."""
    made = open_package(tiny_file(tmp_path))
    rng = np.random.default_rng(2)

    def frames(count: int) -> list[KnownFrame]:
        truths = rng.uniform(-2, 2, count)
        drawn = truths - 0.5 * truths * np.exp(-((truths / 0.5) ** 2)) + rng.normal(0, 0.02, count)
        return [known(float(true), float(read), n) for n, (true, read) in enumerate(zip(truths, drawn, strict=True))]

    sets = KnownFrames(calibration=frames(60), evaluation=frames(60), response=frames(450))
    found = end_of(recalibrate(made, tmp_path / "new.zip", sets, {"response_fields": 450}))
    assert {name for name in made.members if found.members[name] != made.members[name]} == {"README.md", "rdf.yaml"}
    assert found.card.training.details["recalibrated"] == {"response_fields": 450}
    assert found.card.evaluation["mae_um"] < 0.06
    answer = ModelPredictor(found).estimate(flat_frame(red_of(0.4 - 0.2 * np.exp(-0.64))), optics=OPTICS)
    assert answer.defocus_um == pytest.approx(0.4, abs=0.06)


def test_frames_for_no_curve_leave_the_model_without_one(tmp_path: Path) -> None:
    made = curved(tmp_path)
    sixty = [known(n / 20, n / 20 + 0.03 * (-1) ** n, n) for n in range(60)]
    found = end_of(recalibrate(made, tmp_path / "new.zip", KnownFrames(sixty, sixty), {}))
    assert found.card.decision.response is None


def test_a_model_of_ones_own_does_not_inherit_the_curve_of_other_weights(tmp_path: Path) -> None:
    base = curved(tmp_path)
    own = cast("OwnPlan", SimpleNamespace(base=base, dof_um=1.0, range_um=8.0))
    assert decision_of(own) == replace(CURVED, range_um=8.0, response=None)


def test_a_series_goes_through_focus_with_densities_and_stains_in_turn() -> None:
    card = tiny_card(stains=("he", "blood"))
    found = [
        frame for number in range(4) for frame in focal_series(card, number, 900 + number, [-0.5, 3.0], shape=(96, 96))
    ]
    assert [frame.true_um for frame in found] == [-0.5, 3.0] * 4
    assert [frame.density for frame in found[::2]] == ["dense", "sparse", "extremely-sparse", "dense"]
    assert [frame.stain for frame in found[::2]] == ["he", "he", "he", "blood"]
    assert len({frame.slide for frame in found}) == 4


def test_the_command_calibrates_models_of_one_shot_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "brightfield-20x.zip"
    target.write_bytes((tiny_file(tmp_path)).read_bytes())
    sixty = [known(n / 20, n / 20 + 0.03 * (-1) ** n, n) for n in range(60)]
    monkeypatch.setattr(shipped_models, "_known_frames", lambda *_: KnownFrames(sixty, sixty))
    told = ["brightfield-20x", "--recalibrate", "--out", str(tmp_path)]
    assert shipped_models.main(told) == 0
    assert "brightfield-20x: calibrating: 60 frames" in capsys.readouterr().err
    said = cast("dict[str, Any]", open_package(target).card.training.details["recalibrated"])
    assert said["response_seed"] == 610_000
    assert shipped_models.main(["two-shot-20x", *told[1:]]) == 2
    assert "two-shot-20x takes two shots" in capsys.readouterr().err


def test_the_first_model_ships_with_a_curve_that_stretches_what_is_near_focus() -> None:
    response = open_package(SHIPPED / "brightfield-20x.zip").card.decision.response
    assert response is not None
    assert float(response.defocus(0.2)) > 0.4  # the network reads half a micrometre as that
    assert response.defocus([-5.0, 5.0]) == pytest.approx([-5.0, 5.0])
