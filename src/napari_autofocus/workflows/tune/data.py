"""What settings are looked for on: z-stacks of one's own, read as ``train`` reads them, or simulated slides."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.labelled_stacks import Measurer, read_dataset
from napari_autofocus.models.library import find_model
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import check_device, first_networks, sides_exchanged
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.own.files import claim, facts_of
from napari_autofocus.workflows.own.refocusers import OwnRefocusStep
from napari_autofocus.workflows.own.split import BEYOND
from napari_autofocus.workflows.own.stacks import StackStored, store_patches
from napari_autofocus.workflows.own_plan import OwnPlan, OwnSettings, base_of, prepare, reading_of
from napari_autofocus.workflows.shipped.models import RECIPES, Recipe
from napari_autofocus.workflows.tune.member import TuningJob
from napari_autofocus.workflows.tune.plan import TuningSettings

HELD_SHARE = 0.1
"""Of simulated slides: half of them choose, half measure."""


@dataclass(frozen=True)
class TuningData:
    """What a population is to learn, and what to know of the figures."""

    job: TuningJob
    notes: tuple[str, ...]


def holds_shards(source: Path) -> bool:
    """Whether a folder holds training data as they are stored, not z-stacks."""
    return any(path.is_dir() for path in source.glob("shard-*"))


def tuning_on_shards(source: Path, recipe: str | None, settings: TuningSettings, work: Path, device: str) -> TuningData:
    """Look for settings on simulated slides, as a model that ships is taught.

    Parameters
    ----------
    source : Path
        Folder of the shards.
    recipe : str or None
        Name of the model; that of the folder above the shards unless given.
    settings : TuningSettings
        How settings are looked for.
    work : Path
        Folder of the members.
    device : str
        That members learn on, as torch names it.

    Raises
    ------
    InputError
        If there is no such recipe, the shards do not fit it or are too few, or the work folder is another tuning's.
    """
    check_device(device)
    named = _recipe(source, recipe)
    data = Dataset(source)
    channels = int(data.patch(0).shape[-1]) if len(data) else 0
    if channels != named.plan.defocus.channels:
        raise InputError(
            f"The patches in {source} have {channels} channels, and {named.name} is made for"
            f" {named.plan.defocus.channels}; name the recipe that they were made for with --recipe."
        )
    choosing, measuring = _held(data, source)
    base = find_model(named.base) if named.base is not None else None
    plan = replace(named.plan, defocus_training=replace(named.plan.defocus_training, device=device))
    dof_um = Objective.parse(named.fields.objective).dof_um
    job = TuningJob(source.resolve(), work, plan, dof_um, settings, choosing, measuring, base)
    first_networks(plan)  # what cannot be built is refused before anything takes long
    claim(work, _facts(settings) | {"data": str(source.resolve()), "recipe": named.name, "patches": len(data)})
    return TuningData(job, ())


def tuning_on_stacks(
    source: Path, own: OwnSettings, settings: TuningSettings, work: Path, measure: Measurer | None = None
) -> Generator[OwnRefocusStep, None, TuningData]:
    """Look for settings on z-stacks of one's own.

    Parameters
    ----------
    source : Path
        The folder.
    own : OwnSettings
        How the stacks are read, and what the networks begin with.
    settings : TuningSettings
        How settings are looked for.
    work : Path
        Folder of the patches and the members.
    measure : Measurer, optional
        Measures the stacks, on several workers, say.

    Raises
    ------
    InputError
        In one sentence: no stack, too few, unknown or different optics, a base that does not fit, or a work folder of
        another tuning.
    """
    check_device(own.device)
    base = base_of(own)
    if base is not None and base.card.kind == "two-shot":
        raise InputError(f"{base.card.name} is a model of two shots; settings are looked for with one shot only.")
    found = yield from read_dataset(source, reading_of(own, base), measure=measure)
    prepared = prepare(source, found, own, base)
    claim(work, _facts(settings) | facts_of(prepared))
    data = yield from _stored(prepared, work / "data")
    plan = prepared.plan
    if base is not None:
        plan = replace(plan, mirrored=sides_exchanged(plan, base, data))
    choosing = tuple(str(stack.path) for stack in prepared.split.watched)
    path = find_model(own.base) if own.base is not None else None
    job = TuningJob((work / "data").resolve(), work, plan, prepared.dof_um, settings, choosing, base=path)
    return TuningData(job, _notes(prepared))


def _notes(own: OwnPlan) -> tuple[str, ...]:
    if own.split.calibration:
        return (own.split.note,)
    return (
        own.split.note,
        "There are so few stacks that those which chose the settings are the ones that train measures a model on: its"
        " figures will be somewhat optimistic.",
    )


def _stored(own: OwnPlan, folder: Path) -> Generator[StackStored, None, Dataset]:
    stacks = (*own.split.training, *own.split.watched)
    reach_um = min(BEYOND * own.range_um, own.plan.defocus.reach_um)
    yield from store_patches(stacks, folder, range_um=reach_um, seed=own.settings.seed)
    return Dataset(folder)


def _recipe(source: Path, name: str | None) -> Recipe:
    wanted = name or source.resolve().parent.name
    if wanted not in RECIPES:
        raise InputError(
            f"{source} holds patches of simulated slides, and {wanted!r} names no model that they were made for; name"
            f" one with --recipe: {', '.join(sorted(RECIPES))}."
        )
    return RECIPES[wanted]


def _held(data: Dataset, source: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Slides that choose, and slides that measure: by their names alone."""
    slides = sorted(set(data.slides[Holding(HELD_SHARE).held(data.slides)].tolist()))
    choosing = tuple(slide for slide in slides if crc32(f"measure {slide}".encode()) % 2)
    measuring = tuple(slide for slide in slides if slide not in choosing)
    if not choosing or not measuring:
        raise InputError(f"The patches in {source} are of too few slides to choose and to measure by; add slides.")
    return choosing, measuring


def _facts(settings: TuningSettings) -> dict[str, object]:
    """What a tuning was begun with, in plain values; the workers may change where samples are counted."""
    plain = settings.to_json()
    if settings.samples is not None:
        del plain["workers"]
    return {"tuning": json.loads(json.dumps(plain))}
