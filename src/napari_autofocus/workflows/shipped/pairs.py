"""Making the models of two shots that ship: like ``models.py``, which runs this, with stage one taken over."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.evaluation import KnownPair
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.library import find_model
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import CardOptics, ModelCard, ModelPackage, open_package
from napari_autofocus.models.packaging import KnownFrames, package
from napari_autofocus.models.pair.task import ShownShots
from napari_autofocus.models.pair.teaching import importance_for, teach_pairs
from napari_autofocus.models.simulated.fields import FIELDS_OF_ONE_OPTICS
from napari_autofocus.models.simulated.pairs import PairOptics, SimulatedPairs, simulate_pair_fields, simulate_pairs
from napari_autofocus.models.teaching import FrameSeen, StageProgress, Taught, TeachingPlan, networks_of
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.shipped.data import ShardWritten, check_fields, shard_of, write_shards

FIELDS_A_SHARD = 48
PICKING = Picking(patches_per_plane=9, overviews_per_field=0)


@dataclass(frozen=True)
class PairRecipe:
    """How a model of two shots is made.

    Parameters
    ----------
    name, description : str
        As users see them.
    plan : TeachingPlan
        Networks and training; its importance network is the base's, whose weights serve any patch size.
    run : str
        Name of the training's checkpoint.
    shown : ShownShots
        How pairs are varied when they are shown.
    pairs : SimulatedPairs
        Slides to learn from.
    folder : str
        Folder of the data and the checkpoints; recipes that learn from the same data share it.
    shards : int
        Number of shards of 48 fields; field n has seed n.
    range_um : float
        Defocus of the second shot within ± this is answered, µm.
    base : str
        Model of one shot whose importance network is taken.
    unseen : tuple of str
        Stains that are measured on but not trained on.
    calibration_seed, evaluation_seed, unseen_seed : int
        First seeds of the slides to calibrate with and to measure on; far from those trained on.
    checked_fields, unseen_fields, draws : int
        Fields to measure on, of stains trained on and unseen, and pairs of each.
    calibration_fields : tuple of (optics, int)
        Fields to calibrate with, by the optics they are seen through.
    checked_shape : tuple of int
        Height and width of the frames to calibrate with and to measure on, px.
    """

    name: str
    description: str
    plan: TeachingPlan
    run: str
    shown: ShownShots = field(default_factory=ShownShots)
    pairs: SimulatedPairs = field(default_factory=SimulatedPairs)
    folder: str = "two-shot-20x"
    shards: int = 14
    range_um: float = 10.0
    base: str = "brightfield-20x"
    unseen: tuple[str, ...] = ("ihc",)
    calibration_seed: int = 600_000
    evaluation_seed: int = 700_000
    unseen_seed: int = 720_000
    checked_fields: int = 48
    unseen_fields: int = 20
    draws: int = 3
    calibration_fields: tuple[tuple[PairOptics, int], ...] = (("nominal", 40), ("even", 10), ("mirrored", 10))
    checked_shape: tuple[int, int] = (768, 768)

    def calibration_seeds(self) -> Iterator[tuple[PairOptics, range]]:
        """Seeds of the slides to calibrate with, of each optics in a run of their own."""
        for number, (kind, fields) in enumerate(self.calibration_fields):
            first = self.calibration_seed + number * FIELDS_OF_ONE_OPTICS
            yield kind, range(first, first + fields)


_TRAINING = TrainingSettings(
    samples=300_000, batch=32, learning_rate=1.5e-3, validate_every=6_400, hold=0.4, averaging=0.997
)
_NETWORK = DefocusSettings(backbone="mobilenet_v2", normalisation="channel", reach_um=11.5)
_ABOUT = (
    "Two frames of a stained slide (H&E, cytology or blood) under a 20x/0.75 objective, the second 2 µm nearer, to the"
    " signed defocus of the second within ±10 µm, through optics of either aberration or none."
)
PAIR_RECIPES = {
    recipe.name: recipe
    for recipe in (
        PairRecipe(
            name="two-shot-20x",
            description=f"{_ABOUT} Taught on simulated slides only: check it on your own microscope.",
            plan=TeachingPlan(defocus=_NETWORK, defocus_training=_TRAINING),
            run="run-full",
        ),
        PairRecipe(
            name="two-shot-small-20x",
            description=f"{_ABOUT} Five times smaller and quicker than two-shot-20x, and somewhat less accurate.",
            plan=TeachingPlan(
                importance=ImportanceSettings(patch_px=112, stride_px=56, reduction=7),
                defocus=replace(_NETWORK, backbone="mobilenet_v2_narrow", width=0.4),
                defocus_training=replace(_TRAINING, samples=100_000, learning_rate=2e-3),
            ),
            run="run-small",
            shown=ShownShots(crop_px=112),
        ),
    )
}


def make_pair_model(
    recipe: PairRecipe, work: Path, target: Path, *, device: str = "cpu", processes: int = 2
) -> Generator[ShardWritten | StageProgress | FrameSeen, None, ModelPackage]:
    """Make a model of two shots from its recipe; whatever an earlier run finished is used.

    Parameters
    ----------
    recipe : PairRecipe
        What to make.
    work : Path
        Folder of the training data and the checkpoints, some 5 GB.
    target : Path
        The package to write.
    device : str
        That training runs on, as torch names it.
    processes : int
        That simulate at the same time.

    Yields
    ------
    ShardWritten, StageProgress or FrameSeen
        Closing the generator stops; nothing finished is lost.
    """
    data = work / "data"
    for folder in (data, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    check_fields(recipe.name, recipe.pairs, work / "fields.json")
    yield from write_shards(partial(_write_shard, recipe.pairs), data, recipe.shards, processes)
    taught = yield from _teach(recipe, work, device)
    return (
        yield from package(
            target,
            _card(recipe, taught),
            taught,
            KnownFrames(
                calibration=_calibration_pairs(recipe),
                evaluation=_pairs(recipe, recipe.pairs, recipe.evaluation_seed, recipe.checked_fields),
                unseen=_pairs(
                    recipe, replace(recipe.pairs, stains=recipe.unseen), recipe.unseen_seed, recipe.unseen_fields
                ),
            ),
        )
    )


def _teach(recipe: PairRecipe, work: Path, device: str) -> Generator[StageProgress, None, Taught]:
    plan = replace(recipe.plan, defocus_training=replace(recipe.plan.defocus_training, device=device))
    looking = networks_of(open_package(find_model(recipe.base)))[1]
    return (
        yield from teach_pairs(
            plan,
            Dataset(work / "data"),
            work,
            run=recipe.run,
            dof_um=_objective(recipe).dof_um,
            importance=importance_for(looking, plan.importance),
            shown=recipe.shown,
        )
    )


def _write_shard(pairs: SimulatedPairs, data: Path, number: int) -> None:
    seeds = range(number * FIELDS_A_SHARD, (number + 1) * FIELDS_A_SHARD)
    write_shard(shard_of(data, number), simulate_pair_fields(pairs, seeds), PICKING, np.random.default_rng([0, number]))


def _pairs(recipe: PairRecipe, pairs: SimulatedPairs, first: int, fields: int) -> Iterator[KnownPair]:
    return simulate_pairs(
        pairs, range(first, first + fields), recipe.draws, recipe.range_um, shape=recipe.checked_shape
    )


def _calibration_pairs(recipe: PairRecipe) -> Iterator[KnownPair]:
    return chain.from_iterable(
        simulate_pairs(recipe.pairs, seeds, recipe.draws, recipe.range_um, shape=recipe.checked_shape, kind=kind)
        for kind, seeds in recipe.calibration_seeds()
    )


def _card(recipe: PairRecipe, taught: Taught) -> ModelCard:
    objective, looking = _objective(recipe), recipe.plan.importance
    return ModelCard(
        name=recipe.name,
        description=recipe.description,
        kind="two-shot",
        dz_um=recipe.pairs.dz_um,
        optics=CardOptics.of(objective),
        stains=recipe.pairs.stains,
        patch_px=looking.patch_px,
        stride_px=looking.stride_px,
        reduction=looking.reduction,
        selection=SelectionSettings(),
        decision=DecisionSettings(dof_um=objective.dof_um, range_um=recipe.range_um),
        defocus_network=network_card(taught.defocus.network),
        importance_network=network_card(taught.importance.network),
        training=taught.record(
            {"simulated_fields": recipe.shards * FIELDS_A_SHARD, "importance_network_of": recipe.base}
        ),
    )


def _objective(recipe: PairRecipe) -> Objective:
    return Objective.parse(recipe.pairs.objective)
