"""Making the virtual refocusers that ship: simulated slides in, a measured package out, from a recipe and its seed.

Takes hours of two CPU cores or minutes of a GPU, and goes on where it was stopped:
``python -m napari_autofocus.workflows.shipped.refocusers tsva-20x --work build/models``. The two networks that it is
compared with are taught alike by ``--compare``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_autofocus import __version__
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import CardOptics, TrainingRecord, VirtualCard, VirtualPackage
from napari_autofocus.models.package.writing import write_virtual_package
from napari_autofocus.models.refocus.evaluation import ShotsResult, evaluate_refocus, refocus_figures
from napari_autofocus.models.refocus.samples import write_refocus_shard
from napari_autofocus.models.refocus.teaching import recovering, teach_refocus, torch_version
from napari_autofocus.models.simulated.places import SimulatedPlaces, simulate_places, simulate_shots
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings
from napari_autofocus.models.tsva import METHODS, Method, TsvaSettings
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.shipped.command import exit_code, reader, target_of
from napari_autofocus.workflows.shipped.data import ShardWritten, check_fields, shard_of, write_shards

FIELDS_A_SHARD = 16


@dataclass(frozen=True)
class RefocusRecipe:
    """How a virtual refocuser is made.

    Parameters
    ----------
    name, description : str
        As users see them.
    places : SimulatedPlaces
        Slides to learn from.
    shards : int
        Number of shards of 16 fields; field n has seed n.
    network : TsvaSettings
        What is taught.
    training : TrainingSettings
        How; its seed also draws the first weights.
    evaluation_seed, checked_fields : int
        First seed of the slides to measure on, and their number; far from those trained on.
    checked_half_um : tuple of float
        Half distances of the shots to measure on, µm.
    """

    name: str
    description: str
    places: SimulatedPlaces
    shards: int
    network: TsvaSettings
    training: TrainingSettings
    evaluation_seed: int = 800_000
    checked_fields: int = 40
    checked_half_um: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 3.0)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        RefocusRecipe(
            name="tsva-20x",
            description=(
                "Two frames of a stained slide (H&E, cytology or blood) under a 20x/0.75 objective, 1 to 6 µm apart and"
                " either side of focus, to the image in focus. Nothing moves. Taught on simulated slides only: check it"
                " on your own microscope before you trust it."
            ),
            places=SimulatedPlaces(),
            shards=24,
            network=TsvaSettings(),
            training=TrainingSettings(
                samples=64_000,
                batch=16,
                learning_rate=2e-3,
                weight_decay=1e-3,
                hold=0.35,
                averaging=0.995,
                validate_every=3_200,
            ),
        ),
    )
}


RefocusProgress = ShardWritten | TrainingProgress | ShotsResult
"""Where the making of a refocuser stands: data are written, a network is taught, a pair was measured on."""


@dataclass(frozen=True, eq=False)
class Making:
    """A recipe with the folder that its data and checkpoints lie in."""

    recipe: RefocusRecipe
    work: Path
    device: str = "cpu"
    processes: int = 2

    @property
    def data(self) -> Path:
        """Folder of the training data."""
        return self.work / "data"

    def checkpoint(self, method: Method) -> Path:
        """Checkpoint of the network of a method."""
        return self.work / f"run-{method}.safetensors"

    def simulate(self) -> Generator[ShardWritten, None, None]:
        """Write the training data that are not there yet."""
        self.data.mkdir(parents=True, exist_ok=True)
        check_fields(self.recipe.name, self.recipe.places, self.work / "places.json")
        write = partial(_write_shard, self.recipe.places)
        yield from write_shards(write, self.data, self.recipe.shards, self.processes)

    def teach(self, method: Method) -> Generator[TrainingProgress, None, Trained]:
        """Teach the network of a method; goes on from its checkpoint."""
        network = replace(self.recipe.network, method=method)
        settings = replace(self.recipe.training, device=self.device)
        return (yield from teach_refocus(network, settings, self.data, self.checkpoint(method)))

    def measure(self, trained: Trained) -> Generator[ShotsResult, None, dict[str, Any]]:
        """Figures on slides that were not learned from."""
        recipe = self.recipe
        seeds = range(recipe.evaluation_seed, recipe.evaluation_seed + recipe.checked_fields)
        shots = simulate_shots(recipe.places, seeds, recipe.checked_half_um)
        return refocus_figures((yield from evaluate_refocus(recovering(trained.network), shots)))


def make_refocuser(making: Making, target: Path) -> Generator[RefocusProgress, None, VirtualPackage]:
    """Make a refocuser from its recipe; whatever an earlier run finished is used.

    Parameters
    ----------
    making : Making
        What to make, and where.
    target : Path
        The package to write.

    Yields
    ------
    RefocusProgress
        Closing the generator stops; nothing finished is lost.
    """
    yield from making.simulate()
    trained = yield from making.teach(making.recipe.network.method)
    figures = yield from making.measure(trained)
    target.parent.mkdir(parents=True, exist_ok=True)
    card = _card(making.recipe, trained, figures)
    return write_virtual_package(target, card, network=trained.network, history={"refocus": trained.history})


def _card(recipe: RefocusRecipe, trained: Trained, figures: dict[str, Any]) -> VirtualCard:
    places, objective = recipe.places, Objective.parse(recipe.places.objective)
    return VirtualCard(
        name=recipe.name,
        description=recipe.description,
        optics=CardOptics.of(objective),
        stains=places.stains,
        dof_um=objective.dof_um,
        half_um=places.half_um,
        error_um=places.error_um,
        stride_px=recipe.network.stride_px,
        network=network_card(trained.network),
        evaluation=figures,
        training=TrainingRecord(
            seed=recipe.training.seed,
            minutes=trained.seconds / 60,
            finished=datetime.datetime.now(tz=datetime.UTC).date(),
            code_version=__version__,
            patches_seen=trained.samples,
            details={
                "simulated_fields": recipe.shards * FIELDS_A_SHARD,
                "places": json.loads(json.dumps(asdict(places))),
                "training": json.loads(json.dumps(asdict(recipe.training))),
                "retreats": trained.retreats,
                "torch": torch_version(),
            },
        ),
    )


def _write_shard(places: SimulatedPlaces, data: Path, number: int) -> None:
    seeds = range(number * FIELDS_A_SHARD, (number + 1) * FIELDS_A_SHARD)
    write_refocus_shard(shard_of(data, number), simulate_places(places, seeds))


_KNOWN = ("samples", "seconds", "loss", "learning_rate")


def _words(step: RefocusProgress) -> str:
    """What to print of a step; empty for most steps of a training."""
    if isinstance(step, ShardWritten):
        return f"simulated {step.done} of {step.total} shards"
    if isinstance(step, ShotsResult):
        gain = step.recovered_db - step.sharper_db
        return f"measured ±{step.half_um:g} µm on {step.stain}: {gain:+.2f} dB"
    if not step.validated:
        return ""
    figures = " ".join(f"{name} {value:.4g}" for name, value in step.figures.items() if name not in _KNOWN)
    return f"{step.samples} of {step.total}, loss {step.loss:.3f}, {step.seconds_left / 60:.0f} min left; {figures}"


def main(arguments: list[str] | None = None) -> int:
    """Make refocusers by name; progress goes to standard error."""
    parser = reader("Make the virtual refocusers that ship.", RECIPES)
    parser.add_argument("--compare", action="store_true", help="teach the networks it is compared with as well")
    return exit_code(_make, parser.parse_args(arguments))


def _make(wanted: argparse.Namespace) -> None:
    for name in wanted.names:
        target = target_of(name, wanted, RECIPES)
        making = Making(RECIPES[name], wanted.work / name, wanted.device, wanted.processes)
        _tell(name, make_refocuser(making, target))
        for method in METHODS if wanted.compare else ():
            if method != RECIPES[name].network.method:
                _tell(f"{name} {method}", making.teach(method))


def _tell(name: str, steps: Generator[RefocusProgress, None, Any]) -> None:
    for step in steps:
        if words := _words(step):
            print(f"{name}: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
