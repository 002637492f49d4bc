"""``napari-autofocus train``: its JSON, sentences, report and exit codes; the training itself is in workflows."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.models import extras
from napari_autofocus.models.dataset_evaluation import DatasetEvaluation
from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.models.labelled_stacks import LabelledDataset, StackSkipped
from napari_autofocus.models.package import open_package
from napari_autofocus.models.teaching import FrameSeen
from napari_autofocus.workflows import own_models
from napari_autofocus.workflows.own.split import Split
from napari_autofocus.workflows.own_models import OwnModel
from napari_autofocus.workflows.own_plan import OwnSettings
from own_folders import write_stacks
from tiny_models import tiny_file


class Trainer:
    """Stands in for the training: remembers what it was asked, and gives a model that was off by 1 µm."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.asked: tuple[Path, Path, OwnSettings, Path | None] | None = None
        self.interrupted = False
        self.skipped: tuple[StackSkipped, ...] = ()

    def __call__(
        self, dataset: Path, target: Path, settings: OwnSettings, *, work: Path | None = None, measure: object = None
    ) -> Generator[FrameSeen, None, OwnModel]:
        self.asked = dataset, target, settings, work
        yield FrameSeen("evaluating", 1, total=2)
        if self.interrupted:
            raise KeyboardInterrupt
        results = [FieldResult("a", "s", None, None, true, true + 1.0, 0.5, (true, true + 2)) for true in (-2.0, 3.0)]
        found = LabelledDataset((), self.skipped)
        held_out = DatasetEvaluation(Evaluation("mine", tuple(results), 1.0, 10.0), found, self.skipped)
        return OwnModel(
            open_package(self.model), held_out, found, Split((), (), (), "stack", "One slide."), ("A note.",)
        )


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    trainer = Trainer(tiny_file(tmp_path))
    monkeypatch.setattr(own_models, "train_own", trainer)
    return trainer


def train(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_json_holds_the_contract(trainer: Trainer, tmp_path: Path) -> None:
    result = train(tmp_path, "--out", "m.zip", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["model"] == str(trainer.model)
    assert (told["evaluation"]["fields"], told["evaluation"]["mae_um"]) == (2, 1.0)
    assert told["split"] == {"by": "stack", "training": 0, "calibration": 0, "evaluation": 0}
    assert told["notes"] == ["A note."]
    assert result.stderr == "A note.\n"


def test_sentences_tell_the_figures(trainer: Trainer, tmp_path: Path) -> None:
    lines = train(tmp_path, "--out", "m.zip").stdout.splitlines()
    assert "20x/0.75 at 0.325 µm a pixel" in lines[0]
    assert lines[1] == (
        "Mean error 1.00 µm; 0 % of the answers within half a depth of field, 100 % with the right direction,"
        " 100 % inside their 90 % interval, 0 % of the frames refused."
    )


def test_options_reach_the_training(trainer: Trainer, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "--base": "brightfield-20x", "--minutes": 3, "--objective": "20x/0.5", "--pixel-um": 0.5, "--name": "mine",
        "--range-um": 6, "--seed": 4, "--device": "cuda", "--work": "w", "--step-um": 0.5, "--focus-direction": -1,
    }  # fmt: skip
    result = train(tmp_path, "--out", "m.zip", *(part for pair in options.items() for part in pair))
    assert result.exit_code == 0, result.stderr
    assert trainer.asked is not None
    dataset, target, settings, work = trainer.asked
    assert (dataset, target, work) == (tmp_path, Path("m.zip"), Path("w"))
    assert (settings.base, settings.minutes, settings.name, settings.range_um) == ("brightfield-20x", 3, "mine", 6)
    assert settings.lens is not None
    assert (settings.lens.na, settings.pixel_size_um, settings.seed, settings.device) == (0.5, 0.5, 4, "cuda")
    assert (settings.reading.step_um, settings.reading.focus_direction) == (0.5, -1)


def test_report_leaves_figures_and_a_picture(trainer: Trainer, tmp_path: Path) -> None:
    assert train(tmp_path, "--out", "m.zip", "--report", tmp_path / "report").exit_code == 0
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["fields"] == 2
    assert (tmp_path / "report" / "evaluation.png").stat().st_size > 10_000


def test_interrupted_it_says_what_is_kept(trainer: Trainer, tmp_path: Path) -> None:
    trainer.interrupted = True
    kept = train(tmp_path, "--out", "m.zip", "--work", "w")
    assert kept.exit_code == 130
    assert "What was learned is kept in w; the same command goes on from there. m.zip was not written." in kept.stderr
    assert "Nothing is kept" in train(tmp_path, "--out", "m.zip").stderr


def test_an_unreadable_stack_among_good_ones_gives_exit_code_three(trainer: Trainer, tmp_path: Path) -> None:
    trainer.skipped = (StackSkipped("b.tif", "b.tif cannot be read.", "unreadable"),)
    result = train(tmp_path, "--out", "m.zip", "--json")
    assert result.exit_code == 3
    assert "Error: b.tif cannot be read." in result.stderr


def test_missing_libraries_are_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnx" else object())
    result = train(tmp_path, "--out", "m.zip")
    assert result.exit_code == 2
    assert "Training takes onnx, which is not installed here; pip install 'napari-autofocus[train]'." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{folder}", "--out", "m.onnx"], "A model is a zip file; name one, such as m.zip"),
        (["nowhere", "--out", "{folder}/m.zip"], "nowhere does not exist"),
        (["{folder}", "--out", "{folder}/m.zip", "--base", "gone"], "There is no model 'gone'"),
        (["{folder}", "--out", "{folder}/m.zip", "--objective", "20"], "Cannot read '20' as an objective"),
        (["{folder}", "--out", "{folder}/m.zip", "--report", "{folder}/s0.ome.tif"], "is a file, not a folder"),
        (["{folder}", "--out", "{folder}/m.zip"], "at least 3 stacks"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    folder = write_stacks(tmp_path / "stacks", 1)
    result = train(*(each.format(folder=folder) for each in arguments))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
