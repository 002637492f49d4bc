"""Models of one's own stacks, from the folder to a package that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io import write_stack
from napari_autofocus.models.predictor import load_model
from napari_autofocus.models.teaching import FrameSeen, StageProgress
from napari_autofocus.workflows.own_models import FoldStep, OwnModel, OwnStep, train_own
from napari_autofocus.workflows.own_plan import OwnSettings
from own_folders import FACTS, texture_stack, write_stacks

ONE_STEP = OwnSettings(samples=64)


@dataclass(frozen=True)
class Begun:
    """A training that was closed after its first stage and taken up again."""

    folder: Path
    work: Path
    left_when_closed: list[str]
    steps: list[OwnStep]
    model: OwnModel


def run(*arguments: Any, **options: Any) -> tuple[list[OwnStep], OwnModel]:
    work, steps = train_own(*arguments, **options), []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    root = tmp_path_factory.mktemp("own")
    folder, out, work = write_stacks(root / "stacks", 6), root / "out", root / "work"
    out.mkdir()
    first = train_own(folder, out / "mine.zip", ONE_STEP, work=work)
    for step in first:
        if isinstance(step, StageProgress):
            break
    first.close()
    left = [path.name for path in out.iterdir()]
    steps, model = run(folder, out / "mine.zip", ONE_STEP, work=work)
    return Begun(folder, work, left, steps, model)


def test_a_closed_training_leaves_no_file(begun: Begun) -> None:
    assert begun.left_when_closed == []


def test_a_training_goes_on_where_it_was_closed(begun: Begun) -> None:
    stages = {step.stage for step in begun.steps if isinstance(step, StageProgress)}
    assert stages == {"defocus"}  # the first stage was finished before


def test_the_package_answers_for_its_optics_alone(begun: Begun) -> None:
    model = load_model(begun.model.package.path)
    frame = texture_stack(4.0, seed=99).plane(4)
    estimate = model.estimate(frame, optics=ImageOptics(FACTS["objective"].with_pixel_size(0.325)))
    assert estimate.model == "mine"
    with pytest.raises(InputError, match="refuses this frame"):
        model.estimate(frame, optics=ImageOptics(FACTS["objective"].with_pixel_size(0.65)))


def test_what_is_measured_on_was_not_learned_from(begun: Begun) -> None:
    made = begun.model
    learned = {str(stack.path) for stack in made.split.training + made.split.calibration}
    judged = {result.source for result in made.held_out.evaluation.results}
    assert judged == {str(stack.path) for stack in made.split.evaluation}
    assert not judged & learned
    seen = [step for step in begun.steps if isinstance(step, FrameSeen)]
    assert (seen[-1].done, seen[-1].total) == (len(made.held_out.evaluation.results),) * 2


def test_the_card_says_what_the_model_was_made_of(begun: Begun) -> None:
    card = begun.model.package.card
    assert (card.name, card.optics.magnification, card.optics.pixel_size_um, card.dof_um) == ("mine", 20, 0.325, 1)
    assert card.range_um == pytest.approx(3.9, abs=0.11)  # planes reach from about -3.9 to 4.1 µm
    assert card.training.details["split"] == {"by": "slide", "training": 3, "calibration": 2, "evaluation": 1}
    assert card.evaluation["fields"] == len(begun.model.held_out.evaluation.results)
    assert str(begun.folder) not in json.dumps(card.to_dict())


def test_the_notes_say_what_the_figures_are_worth(begun: Begun) -> None:
    notes = " ".join(begun.model.notes)
    assert "Learned from 3 stacks; measured on 8 frames of 1 stacks" in notes
    assert "Nobody says which slide a stack is of" in notes
    assert "Fewer than 50 frames" in notes
    assert "Labelled by Brenner, because nobody else did: 6 of 6 stacks." in notes


def test_a_work_folder_of_another_training_is_refused(begun: Begun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds another training \(other seed, stacks\)"):
        run(begun.folder, tmp_path / "m.zip", replace(ONE_STEP, seed=1), work=begun.work)
    with pytest.raises(InputError, match="is not empty and holds no training of ours"):
        run(begun.folder, tmp_path / "m.zip", ONE_STEP, work=begun.folder)


def test_a_corrected_label_makes_another_training(begun: Begun, tmp_path: Path) -> None:
    table = begun.folder / "labels.csv"
    table.write_text("path,best_z_um\ns0.ome.tif,3.0\n")
    try:
        with pytest.raises(InputError, match=r"\(other stacks\)"):
            run(begun.folder, tmp_path / "m.zip", ONE_STEP, work=begun.work)
    finally:
        table.unlink()


def test_a_base_keeps_its_first_stage_and_lends_its_second(begun: Begun, tmp_path: Path) -> None:
    base = begun.model.package
    settings = replace(ONE_STEP, base=str(base.path), name="finer", seed=2)
    steps, made = run(begun.folder, tmp_path / "m.zip", settings)
    assert {step.stage for step in steps if isinstance(step, StageProgress)} == {"defocus"}
    assert made.package.members["importance.safetensors"] == base.members["importance.safetensors"]
    assert made.package.members["defocus.safetensors"] != base.members["defocus.safetensors"]
    assert made.package.card.name == "finer"
    assert made.package.card.training.details["base"] == "mine"
    assert any("states its uncertainty as mine does" in note for note in made.notes)
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]


def test_a_base_for_other_images_or_a_smaller_range_is_refused(begun: Begun, tmp_path: Path) -> None:
    base = replace(ONE_STEP, base=str(begun.model.package.path))
    grey = write_stacks(tmp_path / "grey", 3, colour=False)
    with pytest.raises(InputError, match="The stacks are grey, and mine was made for colour images"):
        run(grey, tmp_path / "m.zip", base)
    with pytest.raises(InputError, match=r"From this base a model answers within ±3\.\d µm, and ±8 µm is asked for"):
        run(begun.folder, tmp_path / "m.zip", replace(base, range_um=8.0))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("model.onnx", "A model is a zip file"),
        ("nowhere/model.zip", "cannot be written"),
        ("folder.zip", "is a folder"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_at_once(tmp_path: Path, target: str, sentence: str) -> None:
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(InputError, match=sentence):
        next(train_own(tmp_path / "unread", tmp_path / target))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"minutes": 0.0}, "The time, in minutes, must be a positive number; found 0"),
        ({"range_um": -1.0}, "The range must be a positive number"),
        ({"pixel_size_um": 0.0}, "The pixel size must be a positive number"),
        ({"seed": -1}, "The seed is a whole number"),
        ({"name": "my model"}, "A model's name has letters"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        OwnSettings(**wrong)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="torch cannot use the device 'abacus'"):
        next(train_own(tmp_path, tmp_path / "m.zip", OwnSettings(device="abacus")))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Nothing beside it may be left by a refusal."""
    yield write_stacks(tmp_path / "stacks", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["stacks"]


def refused(folder: Path, sentence: str, settings: OwnSettings = ONE_STEP) -> None:
    with pytest.raises(InputError, match=sentence):
        run(folder, folder.parent / "m.zip", settings)


def test_two_stacks_are_too_few(folder: Path) -> None:
    (folder / "s2.ome.tif").unlink()
    refused(folder, r"at least 3 stacks, .* has 2 that can be used \(0 were left out\)")


def test_no_stack_with_a_known_focus_is_refused_with_the_first_reason(folder: Path) -> None:
    rows = "".join(f"s{number}.ome.tif,\n" for number in range(3))
    (folder / "labels.csv").write_text(f"path,best_z_um\n{rows}")
    refused(folder, "no stack whose focus is known; 3 were left out, the first because: .*s0.ome.tif is said to be")


def test_empty_fields_are_refused(folder: Path) -> None:
    for number in range(3):
        noise = np.random.default_rng(number).normal(200, 2, (9, 192, 192, 3)).astype(np.uint8)
        write_stack(folder / f"s{number}.ome.tif", replace(texture_stack(), data=noise))
    rows = "".join(f"s{number}.ome.tif,4\n" for number in range(3))
    (folder / "labels.csv").write_text(f"path,best_z_um\n{rows}")
    refused(folder, "None of the 3 stacks .* has a patch whose content shows focus")


def test_unknown_optics_are_refused(folder: Path) -> None:
    write_stack(folder / "s1.ome.tif", texture_stack(objective=None))
    refused(folder, r"s1.ome.tif does not state its objective and pixel size.* give --objective")


def test_different_optics_are_refused_with_the_list(folder: Path) -> None:
    write_stack(folder / "s1.ome.tif", texture_stack(pixel_size_um=0.65))
    write_stack(folder / "s2.ome.tif", texture_stack(colour=False))
    refused(
        folder,
        r"20x/0.75 at 0.325 µm a pixel, colour: s0.ome.tif; 20x/0.75 at 0.65 µm a pixel, colour: s1.ome.tif;"
        r" 20x/0.75 at 0.325 µm a pixel, grey: s2.ome.tif",
    )


def test_a_range_within_the_depth_of_field_is_refused(folder: Path) -> None:
    refused(folder, "is less than the depth of field of 1 µm", replace(ONE_STEP, range_um=0.5))


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[OwnStep], OwnModel]:
    root = tmp_path_factory.mktemp("crossed")
    return run(write_stacks(root / "stacks", 4), root / "mine.zip", replace(ONE_STEP, folds=2))


def test_every_stack_is_judged_once_by_a_model_that_had_not_seen_it(crossed: tuple[list[OwnStep], OwnModel]) -> None:
    _, made = crossed
    assert made.cross_validation is not None
    judged = {result.source for result in made.cross_validation.evaluation.results}
    assert judged == {str(stack.path) for stack in made.dataset.stacks}
    assert made.split.training == made.dataset.stacks
    assert sorted(path.name for fold in made.split.folds for path in (stack.path for stack in fold)) == sorted(
        stack.path.name for stack in made.dataset.stacks
    )


def test_folds_report_which_they_are_before_the_model_itself_is_taught(
    crossed: tuple[list[OwnStep], OwnModel],
) -> None:
    steps, _ = crossed
    folds = [step.fold for step in steps if isinstance(step, FoldStep)]
    assert folds == sorted(folds)
    assert set(folds) == {1, 2}
    assert isinstance(steps[-1], StageProgress)


def test_the_package_states_what_cross_validation_expects(crossed: tuple[list[OwnStep], OwnModel]) -> None:
    _, made = crossed
    assert made.cross_validation is not None
    stated, estimate = made.package.card.evaluation["cross_validation"], made.cross_validation.estimate
    assert stated["mae_um"] == pytest.approx(estimate.mae_um)
    assert stated["low_um"] < stated["mae_um"] < stated["high_um"]
    assert not estimate.works  # after a single step nothing can have been learned
    assert "held out in turn" in made.notes[0]
