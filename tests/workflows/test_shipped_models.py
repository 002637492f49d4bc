"""The recipes of the models that ship: consistent, and from slides to a package in one go that can be resumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.package import open_package
from napari_autofocus.models.simulated.fields import FIELDS_OF_ONE_OPTICS, SimulatedFields, simulate_frames
from napari_autofocus.models.teaching import FrameSeen, StageProgress, TeachingPlan
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.optics import PRESETS
from napari_autofocus.workflows.shipped import data as shipped_data
from napari_autofocus.workflows.shipped import models as shipped_models
from napari_autofocus.workflows.shipped.models import FIELDS_A_SHARD, RECIPES, Recipe, ShardWritten, make_model

BRIEF = TrainingSettings(samples=8, batch=4, validate_every=8)
SMALL = SimulatedFields(
    shape=(256, 256), planes=5, even_share=0.0, off_nominal_share=0.0, density_shares=(1.0, 0.0, 0.0, 0.0)
)
MINIATURE = Recipe(
    name="miniature-20x",
    description="Knows next to nothing.",
    fields=SMALL,
    shards=2,
    range_um=10.0,
    plan=TeachingPlan(importance_training=BRIEF, defocus_training=BRIEF),
    checked_fields=1,
    even_optics=1,
    even_fields=1,
    draws=55,
)


class Threads(ThreadPoolExecutor):
    """Threads in place of fresh processes, in which nothing is patched."""

    def __init__(self, processes: int, mp_context: Any) -> None:
        super().__init__(1)


def _small_frames(*args: Any, **kind: Any) -> Iterator[KnownFrame]:
    return simulate_frames(*args, **kind, shape=(256, 256))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of nine fields (slides 13 and 17 are held back), and frames of 256 px."""
    monkeypatch.setattr(shipped_models, "FIELDS_A_SHARD", 9)
    monkeypatch.setattr(shipped_data, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(shipped_models, "simulate_frames", _small_frames)


@pytest.mark.usefixtures("small")
def test_a_recipe_ends_in_a_package_that_opens_and_an_interrupted_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, target = tmp_path / "work", tmp_path / "miniature-20x.zip"
    interrupted = make_model(MINIATURE, work, target)
    seen = [next(interrupted)]
    while not isinstance(seen[-1], StageProgress):
        seen.append(next(interrupted))
    interrupted.close()
    assert [step.done for step in seen if isinstance(step, ShardWritten)] == [0, 1, 2]
    assert not target.exists()

    monkeypatch.setattr(shipped_models, "simulate_fields", None)  # nothing is simulated again
    steps = list(make_model(MINIATURE, work, target))
    assert steps[0] == ShardWritten(2, 2)
    assert {step.stage for step in steps if isinstance(step, StageProgress)} == {"defocus"}  # stage one was finished
    looked = [step.purpose for step in steps if isinstance(step, FrameSeen)]
    assert looked == ["calibrating"] * 110 + ["evaluating"] * 55  # half of the first through even optics

    card = open_package(target).card
    assert card.name == "miniature-20x"
    assert card.range_um == 10.0
    assert card.evaluation["fields"] == 55
    assert card.training.patches_seen == 8
    assert card.training.details["simulated_fields"] == 18
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["miniature-20x.zip"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_no_slide_serves_two_purposes(recipe: Recipe) -> None:
    trained = set(range(recipe.shards * FIELDS_A_SHARD))
    calibrated, measured = (
        set(range(first, first + recipe.checked_fields)) for first in (recipe.calibration_seed, recipe.evaluation_seed)
    )
    even = {
        recipe.even_seed + run * FIELDS_OF_ONE_OPTICS + field
        for run in range(recipe.even_optics)
        for field in range(recipe.even_fields)
    }
    purposes = [trained, calibrated, even, measured]
    assert len(set.union(*purposes)) == sum(len(seeds) for seeds in purposes)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_even_optics_to_calibrate_with_are_none_of_those_trained_on(recipe: Recipe) -> None:
    trained = {seed // FIELDS_OF_ONE_OPTICS for seed in range(recipe.shards * FIELDS_A_SHARD)}
    runs = {recipe.even_seed // FIELDS_OF_ONE_OPTICS + run for run in range(recipe.even_optics)}
    assert not trained & runs
    assert recipe.even_seed % FIELDS_OF_ONE_OPTICS + recipe.even_fields <= FIELDS_OF_ONE_OPTICS


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_recipe_fits_together(recipe: Recipe) -> None:
    looking, judging, fields = recipe.plan.importance, recipe.plan.defocus, recipe.fields
    assert (looking.patch_px, looking.stride_px) == (fields.patch_px, fields.stride_px)
    assert recipe.range_um < fields.range_um <= judging.reach_um
    assert fields.objective in PRESETS
    assert sum(fields.density_shares) == pytest.approx(1)
    assert len(fields.density_shares) == len(fields.densities)
    assert recipe.checked_fields * recipe.draws >= 300


def test_recipes_are_found_by_their_own_names() -> None:
    assert all(recipe.name == name for name, recipe in RECIPES.items())
    assert "brightfield-20x" in RECIPES


def test_every_field_of_the_training_data_has_a_seed_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def simulated(_: SimulatedFields, own: range) -> list[Any]:
        seeds.extend(own)
        return []

    monkeypatch.setattr(shipped_models, "simulate_fields", simulated)
    for number in range(3):
        shipped_models._write_shard(SMALL, tmp_path, number)
    assert seeds == list(range(3 * FIELDS_A_SHARD))


def test_training_runs_on_the_device_that_is_named() -> None:
    plan = shipped_models._on(MINIATURE.plan, "mps")
    assert {plan.importance_training.device, plan.defocus_training.device} == {"mps"}
    assert replace(plan.defocus_training, device="cpu") == MINIATURE.plan.defocus_training


def test_a_name_without_a_recipe_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shipped_models.main(["darkfield-5x", "--work", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert re.search(r"no recipe for darkfield-5x; choose among .*brightfield-20x", capsys.readouterr().err)


def test_training_data_of_another_recipe_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    next(make_model(MINIATURE, tmp_path, tmp_path / "miniature-20x.zip"))
    other = replace(MINIATURE, fields=replace(SMALL, even_share=0.5))
    with pytest.raises(InputError, match="training data of another recipe than miniature-20x is now; delete it"):
        next(make_model(other, tmp_path, tmp_path / "miniature-20x.zip"))


def test_progress_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def steps(*_: Any, **__: Any) -> Iterator[Any]:
        yield ShardWritten(1, 24)
        yield FrameSeen("calibrating", 7)

    monkeypatch.setattr(shipped_models, "make_model", steps)
    assert shipped_models.main(["brightfield-20x", "--work", str(tmp_path), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert "brightfield-20x: simulated 1 of 24 shards" in told
    assert "brightfield-20x: calibrating: 7 frames" in told


def test_the_default_networks_are_those_of_the_shipped_grid() -> None:
    assert ImportanceSettings() == RECIPES["brightfield-20x"].plan.importance
