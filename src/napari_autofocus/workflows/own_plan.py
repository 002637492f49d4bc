"""What is settled before a model of one's own is taught: how, of what optics and range, and where the work is kept.

Everything that can be refused is refused here, before anything takes long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.evaluation import Known
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.labelled.pairs import count_pairs, known_pairs, planes_apart
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    ReadingSettings,
    count_frames,
    known_frames,
)
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import CardOptics, ModelCard, ModelPackage, open_any_package, open_package
from napari_autofocus.models.teaching import TeachingPlan, networks_of
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.own.split import Split, fold_stacks, split_stacks
from napari_autofocus.workflows.own.stacks import LEAST_STACKS, common_optics, covered_range_um, is_usable
from napari_autofocus.workflows.tuning_found import Found, tuned

__all__ = ["OwnPlan", "OwnSettings", "base_of", "distance_of", "prepare", "reading_of"]

LEARNING_RATE = 1e-3
BATCH = {"base": 32, "new": 64}
"""Patches a step: with a base, many small steps reach farther in minutes than few large ones."""
LOOKING_SHARE = {"base": 0.1, "new": 0.2}
"""Share of the time that goes into stage one."""
FEWEST_TO_LOOK = 12
"""With fewer stacks to learn from, a base's stage one is kept as it is: whole frames are what it learns from."""


@dataclass(frozen=True, eq=False)
class OwnPlan:
    """All that is settled before anything is learned.

    Parameters
    ----------
    source : Path
        Where the stacks lie.
    dataset : LabelledDataset
        All of them.
    settings : OwnSettings
        What was asked for.
    base : ModelPackage or None
        The model to begin with.
    split : Split
        Which stacks teach.
    optics : CardOptics
        Of all stacks.
    dof_um, range_um : float
        Depth of field and range (to either side of focus) of the new model, µm.
    plan : TeachingPlan
        Networks, and how they are taught.
    featureless : int
        Number of stacks left out because no patch of theirs shows focus.
    unpaired : int
        Number of stacks left out because no two of their planes lie as far apart as two shots are.
    """

    source: Path
    dataset: LabelledDataset
    settings: OwnSettings
    base: ModelPackage | None
    split: Split
    optics: CardOptics
    dof_um: float
    range_um: float
    plan: TeachingPlan
    featureless: int
    unpaired: int = 0

    @property
    def keeps_importance(self) -> bool:
        """Whether stage one stays as it is in the base."""
        return _keeps_importance(self.base, self.split)

    @property
    def dz_um(self) -> float | None:
        """Of a model of two shots: defocus of the second minus the first's, µm; None of others."""
        return distance_of(self.base, self.dof_um)

    def frames(self, stacks: tuple[LabelledStack, ...]) -> tuple[LabelledDataset, int]:
        """Stacks as a data set of their own, and how many frames (or pairs of them) it gives."""
        part = LabelledDataset(stacks, ())
        if self.dz_um is not None:
            return part, count_pairs(part, self.range_um, self.dz_um)
        return part, count_frames(part, self.range_um)

    def known_frames(self, stacks: LabelledDataset) -> Iterator[Known]:
        """Every plane of such stacks that lies within the range, as a frame of known defocus, or as the second shot."""
        said: dict[str, Any] = {"lens": self.settings.lens, "pixel_size_um": self.settings.pixel_size_um}
        if self.dz_um is not None:
            yield from known_pairs(stacks, self.range_um, self.dz_um, **said)
        else:
            yield from known_frames(stacks, self.range_um, **said)


def _keeps_importance(base: ModelPackage | None, split: Split) -> bool:
    """What is worth reading shows in one shot: a model of two leaves that as it is."""
    return base is not None and (base.card.kind == "two-shot" or len(split.training) < FEWEST_TO_LOOK)


def base_of(settings: OwnSettings) -> ModelPackage | None:
    """The model to begin with, of one shot or of two.

    Raises
    ------
    InputError
        If there is none of that name, or it tells no defocus.
    """
    if settings.base is None:
        return None
    path = find_model(settings.base)
    package = open_any_package(path)
    if not isinstance(package.card, ModelCard):
        return open_package(path)  # which tells what the model does instead
    return cast("ModelPackage", package)


def distance_of(base: ModelPackage | None, dof_um: float) -> float | None:
    """Distance of the two shots of a model to be: as many depths of field as the base's, µm; None for one shot."""
    if base is None or base.card.dz_um is None:
        return None
    return base.card.dz_um * dof_um / base.card.dof_um


def reading_of(settings: OwnSettings, base: ModelPackage | None) -> ReadingSettings:
    """How the stacks are opened: measured patch by patch, on the grid of the model to be."""
    looking = base.card if base is not None else ImportanceSettings()
    return replace(settings.reading, patches=True, patch_px=looking.patch_px, stride_px=looking.stride_px)


def prepare(source: Path, found: LabelledDataset, settings: OwnSettings, base: ModelPackage | None) -> OwnPlan:
    """Settle everything, or refuse what cannot become a model.

    Parameters
    ----------
    source : Path
        Where the stacks lie, for messages.
    found : LabelledDataset
        The stacks, read with their patches.
    settings : OwnSettings
        What was asked for.
    base : ModelPackage or None
        The model to begin with.

    Raises
    ------
    InputError
        In one sentence, if there are too few stacks, they differ in their optics, or the base does not fit them.
    """
    usable = _usable(source, found)
    objective, colour = common_optics(usable, lens=settings.lens, pixel_size_um=settings.pixel_size_um)
    optics = CardOptics.of(objective, colour)
    if base is not None and base.card.optics.colour != colour:
        raise InputError(
            f"The stacks are {_COLOURS[colour]}, and {base.card.name} was made for {_COLOURS[base.card.optics.colour]}"
            " images; choose another base, or train without one."
        )
    range_um = _range(usable, settings, base, objective.dof_um)
    featureless, whole = len(found.stacks) - len(usable), len(usable)
    usable = _paired(source, usable, range_um, distance_of(base, objective.dof_um))
    if settings.folds:
        split = fold_stacks(usable, settings.folds, settings.seed)
    else:
        split = split_stacks(usable, range_um, settings.seed)
    keeps = _keeps_importance(base, split)
    plan = _plan(settings, optics, objective.dof_um, range_um, base, keeps)
    left = featureless, whole - len(usable)
    return OwnPlan(source, found, settings, base, split, optics, objective.dof_um, range_um, plan, *left)


_COLOURS = {"rgb": "colour", "mono": "grey"}


def _usable(source: Path, found: LabelledDataset) -> list[LabelledStack]:
    if not found.stacks:
        raise InputError(
            f"{source} holds no stack whose focus is known; {len(found.skipped)} were left out, the first because:"
            f" {found.skipped[0].reason}"
        )
    usable = [stack for stack in found.stacks if is_usable(stack)]
    if not usable:
        raise InputError(
            f"None of the {len(found.stacks)} stacks of {source} has a patch whose content shows focus; take stacks of"
            " fields with more of the sample."
        )
    if len(usable) < LEAST_STACKS:
        left_out = len(found.skipped) + len(found.stacks) - len(usable)
        raise InputError(
            f"A model takes at least {LEAST_STACKS} stacks, to learn from, to calibrate with and to measure on;"
            f" {source} has {len(usable)} that can be used ({left_out} were left out): add some."
        )
    return usable


def _paired(source: Path, usable: list[LabelledStack], range_um: float, dz_um: float | None) -> list[LabelledStack]:
    """Of stacks for a model of two shots, those with planes that far apart."""
    if dz_um is None:
        return usable
    paired = [stack for stack in usable if planes_apart(stack, range_um, dz_um)]
    if len(paired) < LEAST_STACKS:
        raise InputError(
            f"A model of two shots learns from planes {dz_um:g} µm apart; only {len(paired)} of the {len(usable)}"
            f" stacks of {source} have any, and {LEAST_STACKS} are needed: take stacks whose step divides {dz_um:g} µm."
        )
    return paired


def _range(usable: list[LabelledStack], settings: OwnSettings, base: ModelPackage | None, dof_um: float) -> float:
    most_um = base.card.range_um * dof_um / base.card.dof_um if base is not None else float("inf")
    if settings.range_um is not None and settings.range_um > most_um:
        raise InputError(
            f"From this base a model answers within ±{most_um:.4g} µm, and ±{settings.range_um:g} µm is asked for; ask"
            " for less, or train without a base."
        )
    range_um = settings.range_um or min(covered_range_um(usable), most_um)
    if range_um < dof_um:
        raise InputError(
            f"A range of ±{range_um:g} µm around focus, which is what the planes cover or what was asked for, is less"
            f" than the depth of field of {dof_um:.3g} µm; take planes farther out on both sides."
        )
    return range_um


def _plan(
    settings: OwnSettings,
    optics: CardOptics,
    dof_um: float,
    range_um: float,
    base: ModelPackage | None,
    keeps_importance: bool,
) -> TeachingPlan:
    kind = "new" if base is None else "base"
    share = 0.0 if keeps_importance else LOOKING_SHARE[kind]
    each = TrainingSettings(
        samples=settings.samples,
        batch=BATCH[kind],
        learning_rate=LEARNING_RATE,
        validate_every=100 * BATCH[kind],
        seed=settings.seed,
        device=settings.device,
    )
    looking_training = replace(each, minutes=(share or 1) * settings.minutes)
    judging_training = replace(each, minutes=(1 - share) * settings.minutes)
    if base is not None:
        judging, looking = networks_of(base)
        stretched = _stretched(judging.settings, dof_um / base.card.dof_um)
        plan = TeachingPlan(looking.settings, stretched, looking_training, judging_training)
    else:
        plan = TeachingPlan(
            ImportanceSettings(channels=optics.channels),
            _new_network(dof_um, range_um, optics.channels),
            looking_training,
            judging_training,
        )
    return plan if settings.found is None else _as_found(plan, settings.found, base)


def _as_found(plan: TeachingPlan, found: Found, base: ModelPackage | None) -> TeachingPlan:
    """The same, its second stage taught as tuning found."""
    if base is not None and base.card.kind == "two-shot":
        raise InputError(f"Tuned settings are for models of one shot; begin with one, not with {base.card.name}.")
    if base is not None and found.width != plan.defocus.width:
        raise InputError(
            f"The settings were found with a network of width {found.width:g}, and {base.card.name} has"
            f" {plan.defocus.width:g}; tune with --base {base.card.name}, or train without a base."
        )
    return tuned(plan, found)


def _stretched(settings: DefocusSettings, factor: float) -> DefocusSettings:
    """The base's lengths, counted in the new depths of field: see ``rescaled`` in ``models/networks.py``."""
    lengths = {name: getattr(settings, name) * factor for name in ("reach_um", "bin_um", "window_um")}
    return replace(settings, **lengths)


def _new_network(dof_um: float, range_um: float, channels: int) -> DefocusSettings:
    """Bins of a quarter of the depth of field, as the shipped models', but not more than some 200 a side."""
    reach_um = 1.25 * range_um
    bin_um = max(dof_um / 4, reach_um / 200)
    window_um = min(max(1.5 * dof_um, bin_um), 0.9 * reach_um)
    return DefocusSettings(channels=channels, reach_um=reach_um, bin_um=min(bin_um, window_um), window_um=window_um)
