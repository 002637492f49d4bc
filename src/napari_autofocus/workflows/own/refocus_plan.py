"""What is settled before a virtual refocuser of one's own is taught; everything that can be refused is refused here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.models.labelled.shots import ShotReach, defocus_of, measured_trios, no_pairs, trios
from napari_autofocus.models.labelled_stacks import LabelledDataset, LabelledStack, ReadingSettings
from napari_autofocus.models.library import find_model
from napari_autofocus.models.networks import load_refocus_network
from napari_autofocus.models.package import (
    CardOptics,
    VirtualPackage,
    kind_of_package,
    open_virtual_package,
)
from napari_autofocus.models.package.card import Colour
from napari_autofocus.models.package.members import REFOCUS_WEIGHTS, sha256_of
from napari_autofocus.models.refocus.dataset import reach_of
from napari_autofocus.models.refocus.task import ShownPairs
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings, for_grey
from napari_autofocus.workflows.own.files import listed
from napari_autofocus.workflows.own.places import side_of
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.own.split import Split, split_stacks
from napari_autofocus.workflows.own.stacks import common_optics

LEAST_STACKS = 2
"""One to learn from, one to measure on."""
BATCH = 8
LEARNING_RATE = {"base": 5e-4, "new": 2e-3}
AVERAGING = {"base": 0.98, "new": 0.99}
HALF_DOF, ERROR_DOF = (0.3, 3.3), 1.0
"""Without a base: half distances of the shots, and by how much their middle misses focus, in depths of field."""
LEAST_SIDE_PX = 64
_CROP_PX = 128
_PATCH_PX = 64
"""Where each part of a field is in focus is measured on patches of this size."""


@dataclass(frozen=True, eq=False)
class RefocusPlan:
    """All that is settled before anything is learned.

    Parameters
    ----------
    source : Path
        Where the stacks lie.
    dataset : LabelledDataset
        All of them.
    settings : OwnSettings
        What was asked for.
    base : VirtualPackage or None
        The refocuser to begin with.
    split : Split
        Which stacks teach; none is held out to calibrate with.
    optics : CardOptics
        Of all stacks.
    reach : ShotReach
        Which pairs of planes are learned from, and are measured on.
    side_px : int
        Of the places that are learned from.
    training : TrainingSettings
        How it is taught.
    unpaired : int
        Number of stacks left out because no two of their planes are such shots.
    """

    source: Path
    dataset: LabelledDataset
    settings: OwnSettings
    base: VirtualPackage | None
    split: Split
    optics: CardOptics
    reach: ShotReach
    side_px: int
    training: TrainingSettings
    unpaired: int

    @property
    def shown(self) -> ShownPairs:
        """How places are varied when they are shown."""
        return ShownPairs(crop_px=min(_CROP_PX, self.side_px))

    def network(self) -> TsvaNetwork | TsvaSettings:
        """What is taught: the base's network, for grey images where those are grey; without a base, a new one."""
        if self.base is None:
            return TsvaSettings(channels=self.optics.channels)
        network = load_refocus_network(self.base)
        return network if network.settings.channels == self.optics.channels else for_grey(network)

    def facts(self) -> dict[str, Any]:
        """What the training was begun with."""
        return {
            "kind": "virtual",
            "base": sha256_of(self.base.members[REFOCUS_WEIGHTS]) if self.base is not None else None,
            "optics": self.optics.model_dump(mode="json"),
            "range": list(self.reach.half_um),
            "seed": self.settings.seed,
            "stacks": {"learned from": listed(self.split.training), "watched": listed(self.split.watched)},
        }


def is_virtual(settings: OwnSettings) -> bool:
    """Whether a virtual refocuser is asked for: by its base, or by its kind.

    Raises
    ------
    InputError
        If the base is of another kind than what is asked for, or there is none of that name.
    """
    if settings.base is None:
        return settings.kind == "virtual"
    kind = kind_of_package(find_model(settings.base))
    if settings.kind is not None and kind != settings.kind:
        raise InputError(
            f"The model {settings.base} is of kind {kind}, and one of kind {settings.kind} is to be taught; choose"
            " another base, or leave the kind out."
        )
    return kind == "virtual"


def refocus_base(settings: OwnSettings) -> VirtualPackage | None:
    """The refocuser to begin with. Raises InputError where it cannot be read."""
    return None if settings.base is None else open_virtual_package(find_model(settings.base))


def refocus_reading(settings: OwnSettings) -> ReadingSettings:
    """How the stacks are opened: measured patch by patch, since a field may lie aslant."""
    return replace(settings.reading, patches=True, patch_px=_PATCH_PX, stride_px=_PATCH_PX)


def prepare_refocus(
    source: Path, found: LabelledDataset, settings: OwnSettings, base: VirtualPackage | None
) -> RefocusPlan:
    """Settle everything, or refuse what cannot become a refocuser.

    Parameters
    ----------
    source : Path
        Where the stacks lie, for messages.
    found : LabelledDataset
        The stacks, read with their patches.
    settings : OwnSettings
        What was asked for.
    base : VirtualPackage or None
        The refocuser to begin with.

    Raises
    ------
    InputError
        In one sentence, if there are too few stacks, they differ in their optics, or the base does not fit them.
    """
    if settings.folds:
        raise InputError(
            "Virtual refocusing is not cross-validated; leave that out: it is measured on held-out stacks."
        )
    _check_count(source, found, found.stacks)
    objective, colour = common_optics(found.stacks, lens=settings.lens, pixel_size_um=settings.pixel_size_um)
    optics = CardOptics.of(objective, colour)
    _check_colour(base, colour)
    wished = _reach(settings, base, objective.dof_um)
    paired = [stack for stack in found.stacks if measured_trios(stack, wished)]
    if len(paired) < LEAST_STACKS:
        first = next(stack for stack in found.stacks if stack not in paired)
        raise InputError(
            f"Virtual refocusing is learned from {LEAST_STACKS} stacks at least; of {len(found.stacks)} in {source},"
            f" {len(paired)} can be used, the first of the others not because {no_pairs(first, wished)}"
        )
    side_px = side_of(paired)
    if side_px < LEAST_SIDE_PX:
        raise InputError(
            f"The smallest field of {source} is less than {LEAST_SIDE_PX} px a side; leave it out, or take larger ones."
        )
    split = split_stacks(paired, wished.half_um[1], settings.seed, calibrated=False)
    reach = _found_reach(wished, split.training)
    left_out = len(found.stacks) - len(paired)
    return RefocusPlan(
        source, found, settings, base, split, optics, reach, side_px, _training(settings, base), left_out
    )


def _check_count(source: Path, found: LabelledDataset, usable: tuple[LabelledStack, ...]) -> None:
    if len(usable) < LEAST_STACKS:
        why = f", the first because: {found.skipped[0].reason}" if found.skipped else ""
        raise InputError(
            f"Virtual refocusing is learned from {LEAST_STACKS} stacks at least, one of them to measure on; {source}"
            f" has {len(usable)} whose focus is known ({len(found.skipped)} were left out{why}): add some."
        )


def _check_colour(base: VirtualPackage | None, colour: Colour) -> None:
    if base is not None and colour == "rgb" and base.card.optics.colour == "mono":
        raise InputError(
            f"The stacks are colour, and {base.card.name} was made for grey images; choose another base, or train"
            " without one."
        )


def _reach(settings: OwnSettings, base: VirtualPackage | None, dof_um: float) -> ShotReach:
    """As far as the base reaches, counted in depths of field, and no farther than is asked for."""
    if base is not None:
        made = reach_of(base.card)
        factor = dof_um / made.dof_um
        low, high, error = made.half_um[0] * factor, made.half_um[1] * factor, made.error_um * factor
    else:
        (low, high), error = (HALF_DOF[0] * dof_um, HALF_DOF[1] * dof_um), ERROR_DOF * dof_um
    if settings.range_um is not None:
        if settings.range_um <= low:
            raise InputError(
                f"Shots at least {low:.3g} µm to either side of focus are learned from, and ±{settings.range_um:g} µm"
                " is asked for; ask for more."
            )
        high = min(high, settings.range_um)
    return ShotReach((low, high), error, dof_um)


def _found_reach(wished: ShotReach, training: tuple[LabelledStack, ...]) -> ShotReach:
    """The half distances that the stacks really have: a model states no more than it has seen."""
    halves = [trio.half_um for stack in training for trio in trios(stack, wished)]
    low, high = min(halves), max(halves)
    if high - low < 0.02 * high:
        low, high = 0.9 * low, 1.1 * high
    return replace(wished, half_um=(low, high))


def _training(settings: OwnSettings, base: VirtualPackage | None) -> TrainingSettings:
    kind = "new" if base is None else "base"
    return TrainingSettings(
        samples=settings.samples,
        batch=BATCH,
        learning_rate=LEARNING_RATE[kind],
        weight_decay=1e-3,
        averaging=AVERAGING[kind],
        validate_every=40 * BATCH,
        minutes=settings.minutes,
        seed=settings.seed,
        device=settings.device,
    )


def planes_apart_words(plan: RefocusPlan) -> str:
    """How far apart neighbouring planes are, and what is learned from, for a summary."""
    low, high = plan.reach.half_um
    step = np.median([np.median(np.abs(np.diff(np.sort(defocus_of(stack))))) for stack in plan.split.training])
    return f"shots ±{low:.2g} to ±{high:.2g} µm from planes {step:.2g} µm apart"
