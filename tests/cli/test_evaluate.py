"""``napari-autofocus evaluate``: its JSON, table, report and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.models import pair_predictor as predictors
from napari_autofocus.optics import PRESETS

MakeStack = Callable[..., ZStack]
OPTICS = ("--objective", "20x/0.75", "--pixel-um", 0.325)


@dataclass(frozen=True)
class Card:
    dof_um: float = 1.0
    range_um: float = 4.0


class AlwaysOne:
    """Says +1 µm, whatever it sees."""

    name, card = "always-one", Card()

    def estimate(self, image: np.ndarray, *, optics: Any = None, insist: bool = False, region: Any = None) -> Any:
        if optics is None or optics.objective is None or optics.objective.na != 0.75:
            if not insist:
                raise InputError("The optics are not the model's.")
            return FocusEstimate("flat", 1.0, 0.1, (0.5, 1.5), 0.99, warnings=("Made for other optics.",))
        return FocusEstimate("flat", 1.0, 0.1, (0.5, 1.5), 0.99)


@pytest.fixture(autouse=True)
def _no_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> AlwaysOne:
        if name != "always-one":
            raise InputError(f"There is no model {name!r}.")
        return AlwaysOne()

    monkeypatch.setattr(predictors, "load_focus_model", load)


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    write_stack(inputs / "a.ome.tif", make_stack(6.3))
    write_stack(inputs / "b.ome.tif", make_stack(7.8, seed=1))
    (inputs / "labels.csv").write_text("path,best_z_um\na.ome.tif,6\nb.ome.tif,8\n")
    return inputs


def evaluate(*arguments: object, model: str = "always-one") -> Result:
    return CliRunner().invoke(app, ["evaluate", model, *map(str, arguments)])


def test_json_holds_the_contract(folder: Path) -> None:
    result = evaluate(folder, *OPTICS, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["fields"] == 18
    assert told["mae_um"] == pytest.approx(np.abs(1 - np.arange(-4, 5)).mean())
    assert told["mae_dof"] == told["mae_um"]
    assert told["direction_success"] == 0.5
    assert told["within_half_dof"] == told["interval90_coverage"] == pytest.approx(1 / 9)
    assert told["by_density"]["unknown"]["fields"] == 18


def test_the_table_shows_all_stacks_and_each_stain(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um,stain,density\na.ome.tif,6,ihc,sparse\nb.ome.tif,8,he,dense\n")
    lines = evaluate(folder, *OPTICS).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["frames of", "all stacks", "dense", "sparse", "he", "ihc"]
    assert "50.0 %" in lines[1]


def test_the_table_is_silent_on_stains_that_nobody_named(folder: Path) -> None:
    assert [line.split("  ")[0] for line in evaluate(folder, *OPTICS).stdout.splitlines()] == [
        "frames of",
        "all stacks",
    ]


def test_without_labels_it_says_that_brenner_labelled(folder: Path) -> None:
    (folder / "labels.csv").unlink()
    result = evaluate(folder, *OPTICS, "--json")
    assert json.loads(result.stdout)["labelled_by"] == {"Brenner": 2}
    assert "Labelled by Brenner, because nobody else did: 2 of 2 stacks." in result.stderr


def test_out_leaves_the_figures_as_json_and_a_picture(folder: Path, tmp_path: Path) -> None:
    result = evaluate(folder, *OPTICS, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["fields"] == 18
    with Image.open(tmp_path / "report" / "evaluation.png") as picture:
        assert picture.width > 1000


def test_unknown_optics_are_refused_with_one_sentence(folder: Path) -> None:
    result = evaluate(folder, "--json")
    assert result.exit_code == 2
    assert "give --objective (as in 20x/0.75) and --pixel-um, or --insist" in json.loads(result.stdout)["error"]


def test_other_optics_are_refused_and_insisting_carries_the_warning(folder: Path) -> None:
    other = ("--objective", "10x/0.3", "--pixel-um", 0.65)
    assert evaluate(folder, *other).exit_code == 2
    insisted = evaluate(folder, *other, "--insist", "--json")
    assert insisted.exit_code == 0
    assert json.loads(insisted.stdout)["warnings"] == ["Made for other optics."]
    assert "Made for other optics." in insisted.stderr


def test_a_bad_file_among_good_ones_gives_exit_code_three(folder: Path) -> None:
    path = folder / "b.ome.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = evaluate(folder, *OPTICS, "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["fields"], [each["kind"] for each in told["skipped"]]) == (9, ["unreadable"])
    assert "b.ome.tif" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["{folder}", "--objective", "20"], "Cannot read '20' as an objective"),
        (["{folder}", "--pixel-um", "0"], "The pixel size must be a positive number"),
        (["{folder}", "--focus-direction", "2"], "The focus direction is"),
        (["{folder}", "--out", "{folder}/a.ome.tif"], "is a file, not a folder"),
    ],
)
def test_bad_input_is_one_sentence(folder: Path, arguments: list[str], sentence: str) -> None:
    result = evaluate(*(each.format(folder=folder) for each in arguments))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_model_is_one_sentence(folder: Path) -> None:
    result = evaluate(folder, model="other")
    assert (result.exit_code, result.stderr) == (2, "Error: There is no model 'other'.\n")


def test_the_focus_direction_of_the_file_counts(folder: Path, make_stack: MakeStack) -> None:
    for name, best_z_um in (("a", 6.3), ("b", 7.8)):
        facing = replace(make_stack(best_z_um), objective=PRESETS["20x/0.75"], pixel_size_um=0.325, focus_direction=-1)
        write_stack(folder / f"{name}.ome.tif", facing)
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,14\nb.ome.tif,14\n")
    told = json.loads(evaluate(folder, "--json").stdout)
    assert told["direction_success"] == 1.0  # planes lie below best focus, and growing z takes them apart
