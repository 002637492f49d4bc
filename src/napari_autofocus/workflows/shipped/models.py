"""Making the models that ship: simulated slides in, a calibrated and measured package out, from a recipe and its seed.

Takes hours of two CPU cores or minutes of a GPU, and goes on where it was stopped:
``python -m napari_autofocus.workflows.shipped.models brightfield-20x --work build/models``.
Models of two shots are in ``pairs.py``, virtual refocusers in ``refocusers.py``.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.deciding.settings import Pooling
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.library import find_model
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import CardOptics, ModelCard, ModelPackage, open_package
from napari_autofocus.models.packaging import KnownFrames, package, recalibrate
from napari_autofocus.models.simulated.checks import focal_series
from napari_autofocus.models.simulated.fields import (
    FIELDS_OF_ONE_OPTICS,
    SimulatedFields,
    simulate_fields,
    simulate_frames,
)
from napari_autofocus.models.teaching import FrameSeen, StageProgress, Taught, TeachingPlan, teach
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.shipped.command import exit_code, reader, target_of
from napari_autofocus.workflows.shipped.data import ShardWritten, check_fields, shard_of, write_shards
from napari_autofocus.workflows.shipped.pairs import PAIR_RECIPES, make_pair_model

FIELDS_A_SHARD = 48


__all__ = ["RECIPES", "Recipe", "ShardWritten", "main", "make_model"]


@dataclass(frozen=True)
class Recipe:
    """How a model that ships is made.

    Parameters
    ----------
    name, description : str
        As users see them.
    fields : SimulatedFields
        Slides to learn from.
    shards : int
        Number of shards of 48 fields; field n has seed n.
    range_um : float
        Defocus within ± this is answered, µm.
    plan : TeachingPlan
        Networks and training.
    base : str or None
        Begin with the networks of this model; it has to be made first.
    calibration_seed, even_seed, evaluation_seed : int
        First seeds of the slides to calibrate with (through the preset's optics, and through even ones) and to measure
        on; far from those trained on.
    checked_fields, draws : int
        Fields to calibrate with and to measure on, and frames of each.
    even_optics, even_fields : int
        Even optics to calibrate with, and fields seen through each.
    response_seed, response_fields : int
        First seed of the slides to fit the response curve with, and their number; none for a model without a curve.
    """

    name: str
    description: str
    fields: SimulatedFields
    shards: int
    range_um: float
    plan: TeachingPlan
    base: str | None = None
    calibration_seed: int = 600_000
    even_seed: int = 650_016
    evaluation_seed: int = 700_000
    checked_fields: int = 120
    draws: int = 6
    even_optics: int = 5
    even_fields: int = 8
    response_seed: int = 610_000
    response_fields: int = 0


_SIMULATED_ONLY = (
    "Taught on simulated slides only: check it on your own microscope before you trust it, and calibrate it there."
)
DISTURBANCES = Disturbances(jpeg=0.3, motion=0.3, noise=0.2, dim=0.2, gain_jitter=0.15)
"""What models for stained slides are shown, so that files, a moving stage and a lamp's colour do not mislead them."""
POOLING: Pooling = "weighted_huber"
"""Of the ways of pooling, the one with the least error where content is rare (benchmarks/single_shot_choices.py)."""
_GREY = TeachingPlan(
    importance=ImportanceSettings(channels=1, contrast="relative"),
    defocus=DefocusSettings(channels=1, normalisation="faint"),
    importance_training=TrainingSettings(samples=24_000, validate_every=6_400),
    defocus_training=TrainingSettings(samples=650_000, validate_every=12_800, hold=0.4),
    disturbances=Disturbances(motion=0.3, noise=0.2, strongest_noise=0.005),
    balance=0.5,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="brightfield-20x",
            description=(
                "One frame of a stained slide (H&E, IHC, cytology or blood) under a 20x/0.75 objective to its signed"
                f" defocus within ±10 µm. {_SIMULATED_ONLY}"
            ),
            fields=SimulatedFields(),
            shards=27,
            range_um=10.0,
            plan=TeachingPlan(
                importance_training=TrainingSettings(samples=48_000, validate_every=6_400),
                defocus_training=TrainingSettings(samples=900_000),
                disturbances=DISTURBANCES,
                balance=0.5,
            ),
            response_fields=48,
        ),
        Recipe(
            name="brightfield-10x",
            description=(
                "One frame of a stained slide (H&E, IHC, cytology or blood) under a 10x/0.3 objective to its signed"
                f" defocus within ±36 µm. {_SIMULATED_ONLY}"
            ),
            fields=SimulatedFields(objective="10x/0.3", range_um=42.0),
            shards=16,
            range_um=36.0,
            plan=TeachingPlan(
                defocus=DefocusSettings(reach_um=45.0, bin_um=0.9, window_um=5.4),
                importance_training=TrainingSettings(samples=12_800, validate_every=3_200),
                defocus_training=TrainingSettings(samples=140_000, validate_every=12_800, hold=0.4),
                disturbances=DISTURBANCES,
                balance=0.5,
            ),
            base="brightfield-20x",
            checked_fields=80,
        ),
        Recipe(
            name="fluorescence-20x",
            description=(
                "One frame of fluorescent nuclei or beads, by a monochrome camera behind a 20x/0.75 objective, to its"
                f" signed defocus within ±10 µm. {_SIMULATED_ONLY}"
            ),
            fields=SimulatedFields(stains=("fluorescence", "beads"), colour="mono", dimmest=0.02),
            shards=20,
            range_um=10.0,
            plan=_GREY,
            base="brightfield-20x",
            checked_fields=80,
        ),
        Recipe(
            name="unstained-20x",
            description=(
                "One frame of unstained living cells, which show by phase alone, by a monochrome camera behind a"
                f" 20x/0.75 objective, to its signed defocus within ±10 µm. {_SIMULATED_ONLY}"
            ),
            fields=SimulatedFields(stains=("unstained",), colour="mono", dimmest=0.3, even_share=0.0),
            shards=10,
            range_um=10.0,
            plan=replace(_GREY, defocus_training=replace(_GREY.defocus_training, samples=100_000)),
            base="brightfield-20x",
            even_optics=0,
            checked_fields=80,
        ),
    )
}


NAMES = {*RECIPES, *PAIR_RECIPES}
"""Of all models that this module makes."""


def make_model(
    recipe: Recipe, work: Path, target: Path, *, device: str = "cpu", processes: int = 2
) -> Generator[ShardWritten | StageProgress | FrameSeen, None, ModelPackage]:
    """Make a model from its recipe; whatever an earlier run finished is used.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    work : Path
        Folder of the training data and the checkpoints, some 20 GB.
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
    check_fields(recipe.name, recipe.fields, work / "fields.json")
    yield from write_shards(partial(_write_shard, recipe.fields), data, recipe.shards, processes)
    base = open_package(find_model(recipe.base)) if recipe.base else None
    plan, dof_um = _on(recipe.plan, device), _objective(recipe).dof_um
    taught = yield from teach(plan, Dataset(data), work, dof_um=dof_um, base=base)
    card = _card(recipe, taught)
    return (yield from package(target, card, taught, _known_frames(recipe, card)))


def recalibrate_model(recipe: Recipe, target: Path) -> Generator[FrameSeen, None, ModelPackage]:
    """Calibrate and measure a model that is there already as its recipe says, and write it; nothing is taught.

    Parameters
    ----------
    recipe : Recipe
        How the model was made.
    target : Path
        The package, which is replaced.

    Yields
    ------
    FrameSeen
    """
    made = open_package(target)
    said: dict[str, JsonValue] = {
        "date": datetime.date.today().isoformat(),
        "code_version": __version__,
        "response_seed": recipe.response_seed,
        "response_fields": recipe.response_fields,
        "calibration_seed": recipe.calibration_seed,
        "evaluation_seed": recipe.evaluation_seed,
    }
    return (yield from recalibrate(made, target, _known_frames(recipe, made.card), said))


def _known_frames(recipe: Recipe, card: ModelCard) -> KnownFrames:
    return KnownFrames(
        calibration=chain(_frames(recipe, recipe.calibration_seed), _even_frames(recipe)),
        evaluation=_frames(recipe, recipe.evaluation_seed),
        response=_series(recipe, card) if recipe.response_fields else None,
    )


def _series(recipe: Recipe, card: ModelCard) -> Iterator[KnownFrame]:
    """Fields through focus, an eighth of a depth of field apart, to fit a response curve with."""
    planes = (np.arange(-2, 2.001, 0.125) * card.dof_um).tolist()
    for number in range(recipe.response_fields):
        yield from focal_series(card, number, recipe.response_seed + number, planes)


def _write_shard(fields: SimulatedFields, data: Path, number: int) -> None:
    seeds = range(number * FIELDS_A_SHARD, (number + 1) * FIELDS_A_SHARD)
    write_shard(shard_of(data, number), simulate_fields(fields, seeds), Picking(), np.random.default_rng([0, number]))


def _frames(recipe: Recipe, first_seed: int) -> Iterator[KnownFrame]:
    return simulate_frames(
        recipe.fields, range(first_seed, first_seed + recipe.checked_fields), recipe.draws, recipe.range_um
    )


def _even_frames(recipe: Recipe) -> Iterator[KnownFrame]:
    firsts = (recipe.even_seed + run * FIELDS_OF_ONE_OPTICS for run in range(recipe.even_optics))
    seeds = (seed for first in firsts for seed in range(first, first + recipe.even_fields))
    return simulate_frames(recipe.fields, seeds, recipe.draws, recipe.range_um, kind="even")


def _card(recipe: Recipe, taught: Taught) -> ModelCard:
    objective = _objective(recipe)
    looking = recipe.plan.importance
    return ModelCard(
        name=recipe.name,
        description=recipe.description,
        optics=CardOptics.of(objective, recipe.fields.colour),
        stains=recipe.fields.stains,
        patch_px=looking.patch_px,
        stride_px=looking.stride_px,
        reduction=looking.reduction,
        selection=SelectionSettings(),
        decision=DecisionSettings(dof_um=objective.dof_um, range_um=recipe.range_um, pooling=POOLING),
        defocus_network=network_card(taught.defocus.network),
        importance_network=network_card(taught.importance.network),
        training=taught.record({"simulated_fields": recipe.shards * FIELDS_A_SHARD}),
    )


def _objective(recipe: Recipe) -> Objective:
    return Objective.parse(recipe.fields.objective)


def _on(plan: TeachingPlan, device: str) -> TeachingPlan:
    return replace(
        plan,
        importance_training=replace(plan.importance_training, device=device),
        defocus_training=replace(plan.defocus_training, device=device),
    )


_KNOWN = ("samples", "seconds", "loss", "learning_rate")


def _words(step: ShardWritten | StageProgress | FrameSeen) -> str:
    if isinstance(step, ShardWritten):
        return f"simulated {step.done} of {step.total} shards"
    if isinstance(step, FrameSeen):
        return f"{step.purpose}: {step.done} frames"
    at = step.progress
    figures = " ".join(f"{name} {value:.4g}" for name, value in at.figures.items() if name not in _KNOWN)
    left = f"{at.seconds_left / 60:.0f} min left"
    return f"{step.stage}: {at.samples} of {at.total}, loss {at.loss:.3f}, {left}" + (f"; {figures}" if figures else "")


def main(arguments: list[str] | None = None) -> int:
    """Make models by name; progress goes to standard error."""
    told = reader("Make the models that ship.", NAMES)
    told.add_argument("--recalibrate", action="store_true", help="leave the networks as they are; models of one shot")
    return exit_code(_make, told.parse_args(arguments))


def one_shot(name: str) -> Recipe:
    """The recipe of a model of one shot. Raises InputError if it is of two."""
    if name not in RECIPES:
        raise InputError(f"{name} takes two shots, and only models of one shot can be calibrated anew; leave it out.")
    return RECIPES[name]


def _make(wanted: argparse.Namespace) -> None:
    for name in wanted.names:
        target = target_of(name, wanted, NAMES)
        how = {"device": wanted.device, "processes": wanted.processes}
        steps: Iterator[ShardWritten | StageProgress | FrameSeen]
        if wanted.recalibrate:
            steps = recalibrate_model(one_shot(name), target)
        elif name in PAIR_RECIPES:
            recipe = PAIR_RECIPES[name]
            steps = make_pair_model(recipe, wanted.work / recipe.folder, target, **how)
        else:
            steps = make_model(RECIPES[name], wanted.work / name, target, **how)
        for step in steps:
            print(f"{name}: {_words(step)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
