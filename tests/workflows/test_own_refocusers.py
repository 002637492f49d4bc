"""Virtual refocusers of one's own stacks: from the folder to a package that recovers images, stopped and resumed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io import write_stack
from napari_autofocus.models.labelled.records import LabelledStack
from napari_autofocus.models.labelled.shots import ShotReach
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import VirtualPackage, open_virtual_package
from napari_autofocus.models.package.writing import write_virtual_package
from napari_autofocus.models.refocus.dataset import PairJudged, RefocusEvaluation, evaluate_refocuser
from napari_autofocus.models.refocuser import load_refocuser
from napari_autofocus.models.teaching import StageProgress
from napari_autofocus.models.tsva import TsvaNetwork
from napari_autofocus.workflows.own.places import gain_of, samples_of
from napari_autofocus.workflows.own.report import write_own_report
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.own_models import OwnRefocuser, OwnStep, train_own
from napari_autofocus.workflows.training.child import look, train
from napari_autofocus.workflows.training.request import TrainingRequest
from napari_autofocus.workflows.training.steps import DatasetSeen, Learning, RefocuserMade, line_of, record_of
from own_folders import FACTS, texture_stack, write_stacks
from tiny_models import tiny_file
from tiny_refocusers import recovered, tiny_network, tiny_refocuser_file, tiny_virtual_card

FEW = OwnSettings(samples=32)
OPTICS = ImageOptics(FACTS["objective"].with_pixel_size(0.325))


def run(*arguments: Any, **options: Any) -> tuple[list[OwnStep], OwnRefocuser]:
    return run_to_end(train_own(*arguments, **options))


def run_to_end(work: Any) -> tuple[list[Any], Any]:
    """What a generator tells, and what it returns."""
    told = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as finished:
            return told, finished.value


def grey_base(folder: Path) -> VirtualPackage:
    """A refocuser for grey images."""
    network = tiny_network(1)
    return write_virtual_package(folder / "grey.zip", tiny_virtual_card(network), network=network)


@dataclass(frozen=True)
class Begun:
    """A training that was closed after its first steps and taken up again."""

    folder: Path
    base: Path
    left_when_closed: list[str]
    steps: list[OwnStep]
    made: OwnRefocuser

    @property
    def settings(self) -> OwnSettings:
        return replace(FEW, base=str(self.base))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    root = tmp_path_factory.mktemp("own")
    folder, out, work, base = write_stacks(root / "stacks", 4), root / "out", root / "work", tiny_refocuser_file(root)
    out.mkdir()
    settings = replace(FEW, base=str(base))
    first = train_own(folder, out / "mine.zip", settings, work=work)
    for step in first:
        if isinstance(step, StageProgress):
            break
    first.close()
    left = [path.name for path in out.iterdir()]
    return Begun(folder, base, left, *run(folder, out / "mine.zip", replace(settings, samples=48), work=work))


def test_a_closed_training_leaves_no_file(begun: Begun) -> None:
    assert begun.left_when_closed == []


def test_a_training_goes_on_where_it_was_closed(begun: Begun) -> None:
    learned = [step for step in begun.steps if isinstance(step, StageProgress)]
    assert {step.stage for step in learned} == {"refocus"}
    assert begun.made.package.card.training.patches_seen == 48
    assert learned[-1].progress.figures["gain_db"] == pytest.approx(
        -20 * np.log10(learned[-1].progress.figures["score"]), abs=1e-3
    )


def test_the_package_recovers_images_of_its_optics_alone(begun: Begun) -> None:
    refocuser = load_refocuser(begun.made.package.path)
    stack = texture_stack(4.0, seed=99)
    image = recovered(refocuser.refocus(stack.plane(2), stack.plane(6), optics=OPTICS))
    assert (image.model, image.image.shape, image.image.dtype) == ("mine", (192, 192, 3), np.uint8)
    with pytest.raises(InputError, match="refuses this frame"):
        recovered(refocuser.refocus(stack.plane(2), stack.plane(6), optics=None))


def test_what_is_measured_on_was_not_learned_from(begun: Begun) -> None:
    made = begun.made
    measured = {result.slide for result in made.held_out.results}
    assert measured == {str(stack.path) for stack in made.split.evaluation}
    assert not measured & {str(stack.path) for stack in made.split.training}
    assert made.split.to_json() == {"by": "slide", "training": 3, "calibration": 0, "evaluation": 1}


def test_the_package_tells_what_it_gains_and_what_its_base_did(begun: Begun) -> None:
    card = open_virtual_package(begun.made.package.path).card
    told = card.evaluation
    assert told["pairs"] == len(begun.made.held_out.results) > 0
    assert told["gain_db"] == pytest.approx(told["recovered_db"] - told["sharper_db"])
    assert told["base"]["model"] == "tiny-virtual"
    assert set(told["base"]["by_half_um"]) == set(told["by_half_um"]) >= {"1", "2"}
    assert card.training.details["base"] == "tiny-virtual"
    assert 0.3 <= card.half_um[0] < card.half_um[1] <= 3.3
    json.dumps(begun.made.to_json(), allow_nan=False)


def test_the_weights_are_no_longer_those_of_the_base(begun: Begun) -> None:
    before = open_virtual_package(begun.base)
    assert begun.made.package.members["refocus.safetensors"] != before.members["refocus.safetensors"]
    assert begun.made.package.card.network == before.card.network


def test_a_report_is_written_beside_it(begun: Begun, tmp_path: Path) -> None:
    picture = write_own_report(begun.made, tmp_path / "report")
    assert picture.stat().st_size > 10_000
    kept = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert len(kept["pairs_measured"]) == kept["pairs"]


def test_evaluating_the_model_on_the_stacks_tells_the_same_figures(begun: Begun) -> None:
    work = evaluate_refocuser(load_refocuser(begun.made.package.path), begun.folder)
    pairs = 0
    while True:
        try:
            pairs += isinstance(next(work), PairJudged)
        except StopIteration as finished:
            found: RefocusEvaluation = finished.value
            break
    told = found.to_json()
    assert told["fields"] == told["pairs"] == pairs
    held = str(begun.made.split.evaluation[0].path)
    again = [result.gain_db for result in found.results if result.slide == held]
    assert again == pytest.approx([result.gain_db for result in begun.made.held_out.results], abs=0.05)


def test_another_training_in_the_same_folder_is_refused(begun: Begun, tmp_path: Path) -> None:
    work = tmp_path / "work"
    begin = train_own(begun.folder, tmp_path / "a.zip", begun.settings, work=work)
    for step in begin:
        if isinstance(step, StageProgress):
            break
    begin.close()
    with pytest.raises(InputError, match="holds another training"):
        run(begun.folder, tmp_path / "a.zip", replace(begun.settings, seed=5), work=work)


def test_grey_stacks_teach_a_refocuser_for_colour_that_then_is_for_grey_images(begun: Begun, tmp_path: Path) -> None:
    folder = write_stacks(tmp_path / "grey", 2, colour=False)
    _, made = run(folder, tmp_path / "mine.zip", begun.settings)
    assert made.package.card.optics.colour == "mono"
    stack = texture_stack(4.0, seed=9, colour=False)
    image = recovered(load_refocuser(made.package.path).refocus(stack.plane(2), stack.plane(6), optics=OPTICS))
    assert image.image.shape == (192, 192)


def test_a_new_network_is_taught_without_a_base(tmp_path: Path) -> None:
    folder = write_stacks(tmp_path / "stacks", 2)
    _, made = run(folder, tmp_path / "mine.zip", replace(FEW, samples=8, kind="virtual"))
    assert made.held_out.base is None
    assert made.package.card.network == network_card(TsvaNetwork())
    assert made.package.card.half_um[1] == pytest.approx(3.0, abs=0.5)
    assert not any("gains less" in note for note in made.notes)


def test_a_process_beside_a_window_tells_what_is_there_and_what_was_gained(begun: Begun, tmp_path: Path) -> None:
    request = TrainingRequest(begun.folder, tmp_path / "mine.zip", 0.001, base=str(begun.base), kind="virtual")
    _, seen = run_to_end(look(request))
    assert isinstance(seen, DatasetSeen)
    assert seen.refusal == ""
    assert "20x/0.75 at 0.325 µm a pixel, colour; shots ±" in seen.summary
    steps, made = run_to_end(train(request))
    learned = [step for step in steps if isinstance(step, Learning)]
    assert {step.stage for step in learned} == {"refocus"}
    assert learned[-1].pairs
    assert isinstance(made, RefocuserMade)
    assert (made.name, made.base, made.stacks) == ("mine", "tiny-virtual", 1)
    assert made.gain_db == pytest.approx(np.mean([gain for _, gain in made.pairs]), abs=1e-2)
    assert all(gain.base_db is not None for gain in made.gains)
    assert Path(made.report).is_file()
    assert record_of(line_of(made)) == made


# what is refused


def refused(folder: Path, tmp_path: Path, settings: OwnSettings, match: str) -> None:
    with pytest.raises(InputError, match=match):
        run(folder, tmp_path / "refused.zip", settings)
    assert not (tmp_path / "refused.zip").exists()


def test_one_stack_is_too_few(begun: Begun, tmp_path: Path) -> None:
    refused(write_stacks(tmp_path / "one", 1), tmp_path, begun.settings, "from 2 stacks at least.*has 1")


def test_planes_that_are_no_shots_are_refused(begun: Begun, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for number in range(2):
        far = replace(texture_stack(4.0, seed=number), z_um=8.0 * np.arange(9, dtype=np.float32))
        write_stack(tmp_path / "far" / f"s{number}.ome.tif", far)
    refused(tmp_path / "far", tmp_path, begun.settings, "take planes closer together")


def test_what_was_asked_for_must_fit(begun: Begun, tmp_path: Path) -> None:
    refused(begun.folder, tmp_path, replace(begun.settings, folds=2), "not cross-validated")
    refused(begun.folder, tmp_path, replace(begun.settings, range_um=0.2), "ask for more")
    refused(begun.folder, tmp_path, replace(begun.settings, kind="one-shot"), "is of kind virtual")
    grey = grey_base(tmp_path)
    refused(begun.folder, tmp_path, replace(FEW, base=str(grey.path)), "tiny-virtual was made for grey images")
    with pytest.raises(InputError, match="one-shot and virtual models can be taught"):
        OwnSettings(kind="two-shot")


def test_a_base_that_tells_defocus_stays_one(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path, replace(FEW, base=str(tiny_file(tmp_path)), kind="virtual"), "is of kind one-shot")


# places


def stack_of(planes: np.ndarray, best_z_um: float = 4.0) -> LabelledStack:
    stack = replace(texture_stack(4.0), data=planes)
    return LabelledStack(Path("s"), stack, best_z_um, "table", slide="s")


REACH = ShotReach((0.3, 3.3), 1.0, 1.0)


def test_places_hold_what_the_planes_show() -> None:
    stack = stack_of(texture_stack(4.0).data)
    samples = samples_of(stack, REACH, 96, 3, np.random.default_rng(0))
    assert len(samples) == 3
    for sample in samples:
        assert sample.noisy
        assert sample.shots.shape == (6, 2, 96, 96, 3)
        blurred = sample.shots[np.argmax(sample.half_um), 0]
        assert np.float64(sample.truth).std() > np.float64(blurred).std()


def test_dim_stacks_are_brightened_before_they_are_learned_from() -> None:
    full = texture_stack(4.0).data
    dim = (full.astype(np.uint16) * 16) // 8  # 9 bits of 16
    assert gain_of(full[4]) == 1.0
    assert gain_of(dim[4]) > 10
    truth = samples_of(stack_of(dim), REACH, 96, 1, np.random.default_rng(0))[0].truth
    assert 0.3 < truth.max() / 65535 <= 1.0
