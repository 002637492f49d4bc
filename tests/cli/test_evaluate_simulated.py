"""``napari-autofocus evaluate --simulated`` and ``--disturb``: the contract, the report, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from made_estimates import made_estimate
from napari_autofocus.cli import app
from napari_autofocus.models import pair_predictor
from napari_autofocus.models.evaluation import Known
from napari_autofocus.models.simulated import evaluation as simulated_evaluation
from napari_autofocus.models.simulated.checks import CheckSettings, check_field
from tiny_models import tiny_card, tiny_file


class AlwaysTwo:
    """Says +2 µm, and remembers what it was asked with."""

    name, fingerprint = "always-two", "f" * 64

    def __init__(self, **card: Any) -> None:
        self.card = tiny_card(**card)
        self.asked: list[dict[str, Any]] = []
        self.frames: list[np.ndarray] = []

    def estimate(self, image: np.ndarray, **said: Any) -> Any:
        self.asked.append(said)
        self.frames.append(image)
        return made_estimate((image.shape[0], image.shape[1]), 2.0)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> AlwaysTwo:
    """A model by any name, asked about small frames."""

    def small(card: Any, settings: CheckSettings, density: str, number: int) -> Iterator[Known]:
        return check_field(card, replace(settings, shape=(64, 80)), density, number)

    always = AlwaysTwo()
    monkeypatch.setattr(pair_predictor, "load_focus_model", lambda name: always)
    monkeypatch.setattr(simulated_evaluation, "check_field", small)
    return always


def evaluate(*arguments: object, model: object = "always-two") -> Result:
    return CliRunner().invoke(app, ["evaluate", str(model), *map(str, arguments)])


FEW = ("--simulated", "--fields", 1, "--draws", 2)


def test_json_holds_the_contract(model: AlwaysTwo) -> None:
    result = evaluate(*FEW, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["fields"] == len(model.asked) == 6
    for key in ("mae_um", "mae_dof", "within_half_dof", "direction_success", "interval90_coverage"):
        assert isinstance(told[key], float), key
    assert set(told["by_density"]) == {"dense", "sparse", "extremely-sparse"}
    assert told["simulated"]["objective"] == "20x/0.75"
    assert "Nothing of this was measured on a real microscope" in result.stderr


def test_the_table_goes_from_dense_to_sparse(model: AlwaysTwo) -> None:
    lines = evaluate(*FEW).stdout.splitlines()
    named = [line.split("  ")[0] for line in lines]
    assert named == ["frames of", "all frames", "dense", "sparse", "extremely-sparse", "he"]


def test_out_leaves_the_figures_as_json_and_a_picture(model: AlwaysTwo, tmp_path: Path) -> None:
    result = evaluate(*FEW, "--density", "dense", "--out", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    kept = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert [frame["estimate_um"] for frame in kept["frames"]] == [2.0, 2.0]
    with Image.open(tmp_path / "report" / "evaluation.png") as picture:
        assert picture.width > 1000


def test_disturbances_reach_the_model_and_the_json(model: AlwaysTwo) -> None:
    few = (*FEW, "--density", "dense", "--json")
    evaluate(*few)
    told = json.loads(evaluate(*few, "--disturb", "jpeg=30", "--disturb", "motion-um=1").stdout)
    assert told["disturbances"] == {"jpeg": 30.0, "motion-um": 1.0}
    assert not np.array_equal(model.frames[0], model.frames[2])


def test_seed_stain_and_optics_are_passed_on(model: AlwaysTwo) -> None:
    few = (*FEW, "--density", "dense", "--stain", "blood", "--seed", 4, "--json")
    told = json.loads(evaluate(*few, "--objective", "20x/0.5", "--insist").stdout)
    assert told["simulated"] | {"seed": 4, "stains": ["blood"], "objective": "20x/0.5"} == told["simulated"]
    assert model.asked[0]["insist"] is True
    assert model.asked[0]["optics"].objective.na == 0.5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Nothing to evaluate on: name a folder of z-stacks, or add --simulated."),
        (("somewhere", "--simulated"), "either on somewhere or on simulated slides (--simulated), not on both"),
        (("somewhere", "--fields", 3), "--fields speaks of simulated slides; add --simulated, or leave it out."),
        (("somewhere", "--stain", "he"), "--stain speaks of simulated slides"),
        (("--simulated", "--step-um", 1), "--step-um says how to read files, and --simulated reads none"),
        (("--simulated", "--pixel-um", 0.3), "name that too, with --objective"),
        (("--simulated", "--fields", 0), "The number of fields lies between 1 and 100,000; found 0."),
        (("--simulated", "--density", "full"), "'full' cannot be simulated; choose among dense, sparse"),
        (("--simulated", "--disturb", "jpeg"), "written NAME=STRENGTH"),
        (("--simulated", "--disturb", "rain=3"), "There is no disturbance 'rain'"),
        (("--simulated", "--disturb", "jpeg=75", "--disturb", "jpeg=30"), "jpeg stands there 2 times; give it once"),
    ],
)
def test_bad_input_is_one_sentence(model: AlwaysTwo, arguments: tuple[object, ...], sentence: str) -> None:
    result = evaluate(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not model.asked


def test_a_model_file_is_checked_through_its_own_optics(tmp_path: Path) -> None:
    """Through the real predictor, which refuses none of the frames for their optics."""
    path = tiny_file(tmp_path)
    result = evaluate(*FEW, "--density", "dense", "--draws", 1, "--json", model=path)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["warnings"] == []


def test_other_optics_are_refused_without_insisting(tmp_path: Path) -> None:
    few = (*FEW, "--density", "dense", "--draws", 1, "--objective", "20x/0.5", "--json")
    path = tiny_file(tmp_path)
    assert evaluate(*few, model=path).exit_code == 2
    insisted = evaluate(*few, "--insist", model=path)
    assert insisted.exit_code == 0, insisted.stderr
    assert json.loads(insisted.stdout)["warnings"]


def test_a_virtual_refocuser_needs_stacks() -> None:
    result = evaluate("--simulated", model="tsva-20x")
    assert result.exit_code == 2
    assert "tsva-20x recovers images, and --simulated is for models that tell defocus" in result.stderr
