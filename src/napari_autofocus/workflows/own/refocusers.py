"""A virtual refocuser of one's own: labelled z-stacks in, a package out, measured on stacks that were held out.

What is settled and refused beforehand stands in ``refocus_plan.py``, what is stored of the stacks in
``places.py``; teaching itself, in ``models/refocus/teaching.py``.
"""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset_evaluation import EvaluationSettings
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    Measurer,
    PlaneRead,
    StackSkipped,
    read_dataset,
)
from napari_autofocus.models.learning.distributed import PartDone, is_main, main_first, process_count
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import TrainingRecord, VirtualCard, VirtualPackage
from napari_autofocus.models.package.writing import with_virtual_card, write_virtual_package
from napari_autofocus.models.refocus.dataset import PairJudged, RefocusEvaluation, judge_shots
from napari_autofocus.models.refocus.teaching import teach_refocus, torch_version
from napari_autofocus.models.refocuser import VirtualRefocuser
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import StageProgress, check_device
from napari_autofocus.models.training import Trained
from napari_autofocus.models.tsva import TsvaNetwork
from napari_autofocus.steps import relay
from napari_autofocus.workflows.own.files import check_target, claim, name_of
from napari_autofocus.workflows.own.places import store_places
from napari_autofocus.workflows.own.refocus_plan import (
    RefocusPlan,
    prepare_refocus,
    refocus_base,
    refocus_reading,
)
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.own.split import Split
from napari_autofocus.workflows.own.stacks import StackStored

OwnRefocusStep = PlaneRead | LabelledStack | StackSkipped | StackStored | StageProgress | PairJudged
MOST_WATCHED = 48
"""Places that training is watched on."""


@dataclass(frozen=True, eq=False)
class OwnRefocuser:
    """A virtual refocuser of one's own, and what it was measured on.

    Parameters
    ----------
    package : VirtualPackage
        As written.
    held_out : RefocusEvaluation
        Every pair of the stacks that were held out, beside what the base makes of it.
    dataset : LabelledDataset
        All stacks.
    split : Split
        Which of them taught.
    notes : tuple of str
        What a reader of the figures has to know, a sentence each.
    """

    package: VirtualPackage
    held_out: RefocusEvaluation
    dataset: LabelledDataset
    split: Split
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus train --json`` prints."""
        return {
            "model": str(self.package.path),
            "name": self.package.card.name,
            "evaluation": self.held_out.to_json(),
            "split": self.split.to_json(),
            "notes": list(self.notes),
        }


def train_own_refocuser(
    dataset: Path,
    target: Path,
    settings: OwnSettings,
    *,
    work: Path | None = None,
    measure: Measurer | None = None,
) -> Generator[OwnRefocusStep, None, OwnRefocuser]:
    """Make a virtual refocuser of a folder of z-stacks; those without labels are labelled by Brenner first.

    Parameters
    ----------
    dataset, target, settings, work, measure
        As for :func:`~napari_autofocus.workflows.own_models.train_own`, which calls this one.

    Raises
    ------
    PartDone
        In every process but the main one, when several train together and all is taught.
    InputError
        In one sentence: no stack, too few, unknown or different optics, a base that does not fit, a target that cannot
        be written, or a work folder of another training.
    """
    name = settings.name or name_of(target)
    with ExitStack() as cleaning:
        with main_first():
            check_target(target)
            check_device(settings.device)
            base = refocus_base(settings)
            if work is None:
                work = Path(cleaning.enter_context(temporary_work()))
            found = yield from read_dataset(dataset, refocus_reading(settings), measure=measure)
            own = prepare_refocus(dataset, found, settings, base)
            claim(work, own.facts())
            stacks = (*own.split.training, *own.split.watched)
            yield from store_places(stacks, work / "data", reach=own.reach, side_px=own.side_px, seed=settings.seed)
        taught = yield from _teach(own, work)
        if not is_main():
            raise PartDone("The main process packages and measures the model.")
        return (yield from _package(own, target, name, taught))


def temporary_work() -> tempfile.TemporaryDirectory[str]:
    """A work folder that goes when the training ends. Raises InputError where several processes would share it."""
    if process_count() > 1:
        raise InputError("Processes that train together share a work folder; name one with --work.")
    return tempfile.TemporaryDirectory(prefix="napari-autofocus-", ignore_cleanup_errors=True)


def _teach(own: RefocusPlan, work: Path) -> Generator[StageProgress, None, Trained]:
    holding = Holding(most=MOST_WATCHED, slides=tuple(str(stack.path) for stack in own.split.watched))
    teaching = teach_refocus(
        own.network(), own.training, work / "data", work / "refocus.safetensors", holding=holding, shown=own.shown
    )
    return relay(teaching, lambda step: StageProgress("refocus", step))


def _package(own: RefocusPlan, target: Path, name: str, taught: Trained) -> Generator[PairJudged, None, OwnRefocuser]:
    """Write a draft, measure it as whoever uses it would see it, and write it again with its figures.

    On one thread: a training gives way to other programs, and threads that share their cores wait for one another.
    """
    card, held = _card(own, name, taught), LabelledDataset(own.split.evaluation, ())
    said = EvaluationSettings(lens=own.settings.lens, pixel_size_um=own.settings.pixel_size_um, insist=True)
    draft = write_virtual_package(
        target.with_name(f".{target.name}.draft"), card, network=taught.network, history={"refocus": taught.history}
    )
    try:
        measured = yield from judge_shots(VirtualRefocuser(draft).on_one_thread(), held, said, reach=own.reach)
        if own.base is not None:
            before = yield from judge_shots(VirtualRefocuser(own.base).on_one_thread(), held, said, reach=own.reach)
            measured = replace(measured, base=replace(before, model=own.base.card.name))
    finally:
        draft.path.unlink(missing_ok=True)
    held_out = replace(measured, model=name, skipped=(*own.dataset.skipped, *measured.skipped))
    written = with_virtual_card(draft, target, card.model_copy(update={"evaluation": held_out.figures()}))
    return OwnRefocuser(written, held_out, own.dataset, own.split, tuple(_notes(own, held_out)))


def _card(own: RefocusPlan, name: str, taught: Trained) -> VirtualCard:
    base, (low, high) = own.base, own.reach.half_um
    network = taught.network
    assert isinstance(network, TsvaNetwork)
    begun = f", beginning with {base.card.name}" if base is not None else ""
    return VirtualCard(
        name=name,
        description=(
            f"Two frames {2 * low:.2g} to {2 * high:.2g} µm apart, either side of focus, to the image in focus. Taught"
            f" on {len(own.split.training)} z-stacks from one's own microscope{begun}, and measured on"
            f" {len(own.split.evaluation)} that were held out. {own.split.note}"
        ),
        optics=own.optics,
        stains=tuple(sorted({stack.stain for stack in own.split.training if stack.stain})),
        dof_um=own.reach.dof_um,
        half_um=(round(low, 4), round(high, 4)),
        error_um=own.reach.error_um,
        stride_px=network.settings.stride_px,
        overlap_px=base.card.overlap_px if base is not None else VirtualCard.model_fields["overlap_px"].default,
        network=network_card(network),
        training=TrainingRecord(
            seed=own.settings.seed,
            minutes=taught.seconds / 60,
            finished=datetime.datetime.now(tz=datetime.UTC).date(),
            code_version=__version__,
            patches_seen=taught.samples,
            details={
                "base": base.card.name if base is not None else None,
                "split": own.split.to_json(),
                "training": json.loads(json.dumps(asdict(own.training))),
                "retreats": taught.retreats,
                "torch": torch_version(),
            },
        ),
    )


def _notes(own: RefocusPlan, held_out: RefocusEvaluation) -> list[str]:
    split = own.split
    notes = [
        f"Learned from {len(split.training)} stacks; measured on {len(held_out.results)} pairs of planes of"
        f" {len(split.evaluation)} stacks that were held out. {split.note}"
    ]
    worse = held_out.base is not None and _mean_gain(held_out) < _mean_gain(held_out.base)
    if worse and held_out.base is not None:
        notes.append(
            f"It gains less on them than {held_out.base.model} does as it is: use that one, teach longer, or add"
            " stacks."
        )
    if own.unpaired:
        notes.append(f"Left out because no two of their planes are such shots: {own.unpaired} stacks.")
    return [*notes, *replace(held_out, dataset=own.dataset).notes()]


def _mean_gain(found: RefocusEvaluation) -> float:
    return sum(result.gain_db for result in found.results) / max(len(found.results), 1)
