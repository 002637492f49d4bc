"""The recipes of the models of two shots that ship: consistent, and from slides to a package that opens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.evaluation import KnownPair
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.pair.task import ShownShots
from napari_autofocus.models.pair_predictor import load_pair_model
from napari_autofocus.models.simulated.fields import FIELDS_OF_ONE_OPTICS
from napari_autofocus.models.simulated.pairs import SimulatedPairs, simulate_pairs
from napari_autofocus.models.teaching import FrameSeen, StageProgress, TeachingPlan
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.workflows.shipped import data as shipped_data
from napari_autofocus.workflows.shipped import models as shipped_models
from napari_autofocus.workflows.shipped import pairs as shipped_pairs
from napari_autofocus.workflows.shipped.data import ShardWritten
from napari_autofocus.workflows.shipped.pairs import FIELDS_A_SHARD, PAIR_RECIPES, PairRecipe, make_pair_model

MINIATURE = PairRecipe(
    name="miniature-pair-20x",
    description="Knows next to nothing.",
    plan=TeachingPlan(
        importance=ImportanceSettings(patch_px=112, stride_px=56, reduction=7),
        defocus=DefocusSettings(backbone="mobilenet_v2", width=0.25, normalisation="channel", reach_um=11.5),
        # Enough for one bin to stand out: graph and network could not agree about a tie.
        defocus_training=TrainingSettings(samples=64, batch=4, learning_rate=0.02, warmup=0.0, validate_every=32),
    ),
    run="run-miniature",
    shown=ShownShots(crop_px=112),
    pairs=SimulatedPairs(
        shape=(192, 192), pairs=2, optics_shares=(1.0, 0.0, 0.0, 0.0), densities=("dense",), density_shares=(1.0,)
    ),
    shards=2,
    checked_fields=1,
    unseen_fields=1,
    draws=27,
    calibration_fields=(("nominal", 1), ("even", 1)),
)


class Threads(ThreadPoolExecutor):
    """Threads in place of fresh processes, in which nothing is patched."""

    def __init__(self, processes: int, mp_context: Any) -> None:
        super().__init__(1)


def _small_pairs(*args: Any, **kind: Any) -> Iterator[KnownPair]:
    return simulate_pairs(*args, **{**kind, "shape": (192, 192)})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of nine fields (slides 13 and 17 are held back), and frames of 192 px."""
    monkeypatch.setattr(shipped_pairs, "FIELDS_A_SHARD", 9)
    monkeypatch.setattr(shipped_data, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(shipped_pairs, "simulate_pairs", _small_pairs)


@pytest.mark.usefixtures("small")
def test_a_recipe_ends_in_a_package_of_two_shots_and_an_interrupted_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, target = tmp_path / "work", tmp_path / "miniature-pair-20x.zip"
    interrupted = make_pair_model(MINIATURE, work, target)
    while not isinstance(next(interrupted), StageProgress):
        pass
    interrupted.close()
    assert (work / "run-miniature.safetensors").exists()

    monkeypatch.setattr(shipped_pairs, "simulate_pair_fields", None)  # nothing is simulated again
    steps = list(make_pair_model(MINIATURE, work, target))
    assert steps[0] == ShardWritten(2, 2)
    assert {step.stage for step in steps if isinstance(step, StageProgress)} == {"defocus"}
    looked = [step.purpose for step in steps if isinstance(step, FrameSeen)]
    assert looked == ["calibrating"] * 54 + ["evaluating"] * 54

    model = load_pair_model(target)
    assert (model.card.kind, model.card.dz_um, model.card.patch_px) == ("two-shot", 2.0, 112)
    assert model.card.evaluation["fields"] == 27
    assert list(model.card.evaluation["unseen"]["by_stain"]) == ["ihc"]  # type: ignore[index,arg-type,call-overload]
    assert model.card.training.details["importance_network_of"] == "brightfield-20x"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [target.name]


@pytest.mark.parametrize("recipe", PAIR_RECIPES.values(), ids=list(PAIR_RECIPES))
def test_no_slide_serves_two_purposes(recipe: PairRecipe) -> None:
    purposes = [
        set(range(recipe.shards * FIELDS_A_SHARD)),
        set(range(recipe.evaluation_seed, recipe.evaluation_seed + recipe.checked_fields)),
        set(range(recipe.unseen_seed, recipe.unseen_seed + recipe.unseen_fields)),
        *(set(seeds) for _, seeds in recipe.calibration_seeds()),
    ]
    assert len(set.union(*purposes)) == sum(len(seeds) for seeds in purposes)


@pytest.mark.parametrize("recipe", PAIR_RECIPES.values(), ids=list(PAIR_RECIPES))
def test_a_recipe_fits_together(recipe: PairRecipe) -> None:
    looking, judging, pairs = recipe.plan.importance, recipe.plan.defocus, recipe.pairs
    assert looking.patch_px == (recipe.shown.crop_px or pairs.patch_px)
    assert judging.normalisation == "channel"
    assert recipe.range_um < pairs.range_um <= judging.reach_um
    assert not set(recipe.unseen) & set(pairs.stains)
    assert recipe.draws * sum(fields for _, fields in recipe.calibration_fields) >= 150
    assert all(fields <= FIELDS_OF_ONE_OPTICS for _, fields in recipe.calibration_fields)


def test_recipes_of_one_folder_learn_from_the_same_data_into_checkpoints_of_their_own() -> None:
    full, small = PAIR_RECIPES["two-shot-20x"], PAIR_RECIPES["two-shot-small-20x"]
    assert (full.pairs, full.folder, full.shards) == (small.pairs, small.folder, small.shards)
    assert full.run != small.run
    assert all(recipe.name == name for name, recipe in PAIR_RECIPES.items())


def test_models_of_two_shots_are_made_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path, Path]] = []

    def make(recipe: PairRecipe, work: Path, target: Path, **_: Any) -> Iterator[Any]:
        asked.append((recipe.name, work, target))
        yield ShardWritten(1, 14)

    monkeypatch.setattr(shipped_models, "make_pair_model", make)
    names = ["two-shot-20x", "two-shot-small-20x"]
    assert shipped_models.main([*names, "--work", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert asked == [(name, tmp_path / "two-shot-20x", tmp_path / f"{name}.zip") for name in names]


def test_the_seed_alone_decides_how_a_training_begins() -> None:
    plan = PAIR_RECIPES["two-shot-20x"].plan.defocus_training
    assert (plan.seed, plan.batch, plan.hold, plan.averaging) == (0, 32, 0.4, 0.997)
    assert (
        replace(plan, samples=100_000, learning_rate=2e-3) == PAIR_RECIPES["two-shot-small-20x"].plan.defocus_training
    )
