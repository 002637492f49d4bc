"""A model of one's own: labelled z-stacks in, a calibrated package out, measured on stacks that were held out.

What is settled and refused beforehand stands in ``own_plan.py``, where files go in ``own_files.py``, what is stored of
the stacks in ``own_stacks.py``; teaching itself, in ``models/teaching.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_autofocus.focus.calibration import FEWEST_FIELDS
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.focus.selection import SelectionSettings
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.dataset_evaluation import DatasetEvaluation
from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    PlaneRead,
    StackSkipped,
    read_dataset,
)
from napari_autofocus.models.library import find_model
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import ModelCard, ModelPackage, open_package
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import (
    FrameSeen,
    StageProgress,
    Taught,
    check_device,
    package,
    sides_exchanged,
    teach,
)
from napari_autofocus.workflows.cross_validation import CrossValidation, estimate_error
from napari_autofocus.workflows.own_files import check_target, claim, name_of
from napari_autofocus.workflows.own_folds import Answer, FoldProgress, answers_of_fold, calibrated, judged
from napari_autofocus.workflows.own_plan import (
    BEYOND,
    OwnPlan,
    OwnSettings,
    prepare,
    reading_of,
)
from napari_autofocus.workflows.own_split import Split
from napari_autofocus.workflows.own_stacks import StackStored, store_patches

PlainStep = PlaneRead | LabelledStack | StackSkipped | StackStored | StageProgress | FrameSeen


@dataclass(frozen=True)
class FoldStep:
    """Progress of cross-validation: fold ``fold`` of ``folds``, counted from 1, and what happens in it."""

    fold: int
    folds: int
    step: PlainStep


OwnStep = PlainStep | FoldStep


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A model of one's own, and what it was measured on.

    Parameters
    ----------
    package : ModelPackage
        As written.
    held_out : DatasetEvaluation
        Every answer on the stacks that were held out to measure on.
    dataset : LabelledDataset
        All stacks.
    split : Split
        Which of them taught.
    notes : tuple of str
        What a reader of the figures has to know, a sentence each.
    cross_validation : CrossValidation or None
        What every stack showed while it was held out, where that was asked for; ``held_out`` then holds the same.
    """

    package: ModelPackage
    held_out: DatasetEvaluation
    dataset: LabelledDataset
    split: Split
    notes: tuple[str, ...]
    cross_validation: CrossValidation | None = None

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus train --json`` prints."""
        return {
            "model": str(self.package.path),
            "name": self.package.card.name,
            "evaluation": self.held_out.to_json(),
            "split": self.split.to_json(),
            "notes": list(self.notes),
        }


def train_own(
    dataset: Path, target: Path, settings: OwnSettings | None = None, *, work: Path | None = None
) -> Generator[OwnStep, None, OwnModel]:
    """Make a model of a folder of z-stacks; those without labels are labelled by Brenner first.

    Parameters
    ----------
    dataset : Path
        The folder.
    target : Path
        Package to write, a zip.
    settings : OwnSettings, optional
        How.
    work : Path, optional
        Folder that keeps training data and checkpoints, so that the same call goes on where a closed one stopped;
        otherwise a temporary one.

    Yields
    ------
    OwnStep
        Progress. Closing the generator stops the work; the target is then as it was.

    Returns
    -------
    OwnModel

    Raises
    ------
    InputError
        In one sentence: no stack, too few, unknown or different optics, a base that does not fit, a target that cannot
        be written, or a work folder of another training.
    """
    settings = settings or OwnSettings()
    name = settings.name or name_of(target)
    check_target(target)
    check_device(settings.device)
    base = open_package(find_model(settings.base)) if settings.base is not None else None
    found = yield from read_dataset(dataset, reading_of(settings, base))
    own = prepare(dataset, found, settings, base)
    with ExitStack() as cleaning:
        if work is None:
            temporary = tempfile.TemporaryDirectory(prefix="napari-autofocus-", ignore_cleanup_errors=True)
            work = Path(cleaning.enter_context(temporary))
        claim(work, own)
        data = yield from _stored(own, work / "data")
        if own.base is not None:
            own = replace(own, plan=replace(own.plan, mirrored=sides_exchanged(own.plan, own.base, data)))
        crossed = yield from _crossed(own, name, data, work)
        taught = yield from _teach(own, data, work)
        if crossed is not None:
            return _package_crossed(own, target, name, taught, crossed)
        return (yield from _package(own, target, name, taught))


def _stored(own: OwnPlan, folder: Path) -> Generator[StackStored, None, Dataset]:
    stacks = (*own.split.training, *own.split.watched)
    reach_um = min(BEYOND * own.range_um, own.plan.defocus.reach_um)
    yield from store_patches(stacks, folder, range_um=reach_um, seed=own.settings.seed)
    return Dataset(folder)


def _teach(own: OwnPlan, data: Dataset, work: Path) -> Generator[StageProgress, None, Taught]:
    return (
        yield from teach(
            own.plan,
            data,
            work,
            dof_um=own.dof_um,
            base=own.base,
            keep_importance=own.keeps_importance,
            holding=Holding(most=768, slides=tuple(str(stack.path) for stack in own.split.watched)),
        )
    )


@dataclass(frozen=True, eq=False)
class _Crossed:
    """Cross-validation before the model is taught: the decision that follows from it, and what it showed."""

    decision: DecisionSettings
    calibrated: bool
    validation: CrossValidation


def _crossed(own: OwnPlan, name: str, data: Dataset, work: Path) -> Generator[FoldStep, None, _Crossed | None]:
    folds = len(own.split.folds)
    if not folds:
        return None
    answers: list[Answer] = []
    for number in range(folds):
        fold = answers_of_fold(own, number, partial(_card, own, name), data, work / f"fold-{number + 1}")
        answers += yield from _numbered(fold, number + 1, folds)
    decision = calibrated(answers, _decision(own), own.optics.pixel_size_um)
    evaluation = judged(answers, name, decision, own.optics.pixel_size_um)
    validation = CrossValidation(evaluation, estimate_error(evaluation), folds)
    return _Crossed(decision, decision != _decision(own), validation)


def _numbered(
    steps: Generator[FoldProgress, None, tuple[Answer, ...]], fold: int, folds: int
) -> Generator[FoldStep, None, tuple[Answer, ...]]:
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                answers: tuple[Answer, ...] = finished.value
                return answers
            yield FoldStep(fold, folds, step)


def _package_crossed(own: OwnPlan, target: Path, name: str, taught: Taught, crossed: _Crossed) -> OwnModel:
    """Every stack taught the model, so that what stands in its card is what others said of them, held out in turn."""
    validation = crossed.validation
    figures = validation.evaluation.to_json() | {"cross_validation": validation.to_json()}
    card = _card(own, name, taught).model_copy(update={"decision": crossed.decision, "evaluation": figures})
    written = write_package(
        target,
        card,
        defocus=taught.defocus.network,
        importance=taught.importance.network,
        history=taught.history(),
    )
    dataset, frames = own.frames(own.split.training)
    held_out = DatasetEvaluation(validation.evaluation, dataset, own.dataset.skipped)
    notes = (*_notes(own, frames, crossed.calibrated), *replace(held_out, dataset=own.dataset).notes())
    return OwnModel(written, held_out, own.dataset, own.split, notes, validation)


def _package(own: OwnPlan, target: Path, name: str, taught: Taught) -> Generator[FrameSeen, None, OwnModel]:
    card = _card(own, name, taught)
    (calibration, few), (evaluation, many) = own.frames(own.split.calibration), own.frames(own.split.evaluation)
    writing = package(
        target,
        card,
        taught,
        calibration_frames=own.known_frames(calibration) if few >= FEWEST_FIELDS else (),
        evaluation_frames=own.known_frames(evaluation),
        otherwise=card.decision.calibration,
    )
    results: list[FieldResult] = []
    while True:
        try:
            step = next(writing)
        except StopIteration as finished:
            written: ModelPackage = finished.value
            break
        if step.result is not None:
            results.append(step.result)
        yield replace(step, total=few if step.purpose == "calibrating" else many)
    measured = Evaluation(name, tuple(results), own.dof_um, own.range_um)
    held_out = DatasetEvaluation(measured, evaluation, own.dataset.skipped)
    fitted = written.card.decision.calibration != card.decision.calibration
    notes = [*_notes(own, many, fitted), *replace(held_out, dataset=own.dataset).notes()]
    return OwnModel(written, held_out, own.dataset, own.split, tuple(notes))


def _decision(own: OwnPlan) -> DecisionSettings:
    """How patches become a verdict, before the model is calibrated."""
    if own.base is None:
        return DecisionSettings(own.dof_um, own.range_um)
    inherited = own.base.card.decision
    calibration = replace(
        inherited.calibration, floor_um=inherited.calibration.floor_um * own.dof_um / inherited.dof_um
    )
    return replace(inherited, dof_um=own.dof_um, range_um=own.range_um, calibration=calibration)


def _card(own: OwnPlan, name: str, taught: Taught) -> ModelCard:
    base, looking, held = own.base, own.plan.importance, own.split.evaluation
    begun = f", beginning with {base.card.name}" if base is not None else ""
    measured = f"measured on {len(held)} that were held out" if held else "measured on each of them, held out in turn"
    return ModelCard(
        name=name,
        description=(
            f"One frame to its signed defocus within ±{own.range_um:g} µm. Taught on"
            f" {len(own.split.training)} z-stacks from one's own microscope{begun}, and {measured}. {own.split.note}"
        ),
        optics=own.optics,
        stains=tuple(sorted({stack.stain for stack in own.split.training if stack.stain})),
        patch_px=looking.patch_px,
        stride_px=looking.stride_px,
        reduction=looking.reduction,
        selection=base.card.selection if base is not None else SelectionSettings(),
        decision=_decision(own),
        defocus_network=network_card(taught.defocus.network),
        importance_network=network_card(taught.importance.network),
        training=taught.record({"base": base.card.name if base is not None else None, "split": own.split.to_json()}),
    )


def _notes(own: OwnPlan, frames: int, calibrated: bool) -> list[str]:
    split, learned = own.split, f"Learned from {len(own.split.training)} stacks; measured on {frames} frames of"
    of = f"{len(split.evaluation)} stacks that were held out." if split.evaluation else "them, each held out in turn."
    notes = [f"{learned} {of} {split.note}"]
    if not calibrated:
        how = "cautiously" if own.base is None else f"as {own.base.card.name} does"
        notes.append(
            f"Fewer than {FEWEST_FIELDS} frames with content were held out to calibrate with: the model states its"
            f" uncertainty {how}, and nobody has checked that; more stacks mend it."
        )
    if own.featureless:
        notes.append(f"Left out because no patch of theirs shows focus: {own.featureless} stacks.")
    return notes
