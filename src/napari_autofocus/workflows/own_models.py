"""A model of one's own: labelled z-stacks in, a calibrated package out, measured on stacks that were held out.

What is settled and refused beforehand stands in ``own_plan.py``, where files go in ``own/files.py``, what is stored of
the stacks in ``own/stacks.py``; teaching itself, in ``models/teaching.py``.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.dataset_evaluation import DatasetEvaluation
from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    Measurer,
    read_dataset,
)
from napari_autofocus.models.learning.distributed import PartDone, is_main, main_first
from napari_autofocus.models.package import ModelPackage
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.models.packaging import KnownFrames, package
from napari_autofocus.models.teaching import (
    FrameSeen,
    Taught,
    check_device,
    sides_exchanged,
)
from napari_autofocus.steps import relay
from napari_autofocus.workflows.own.card import card_of, notes_of
from napari_autofocus.workflows.own.cross_validation import CrossValidation
from napari_autofocus.workflows.own.files import check_target, claim, facts_of, name_of
from napari_autofocus.workflows.own.folds import Crossed, FoldStep, cross_validate
from napari_autofocus.workflows.own.refocus_plan import is_virtual
from napari_autofocus.workflows.own.refocusers import (
    OwnRefocuser,
    OwnRefocusStep,
    temporary_work,
    train_own_refocuser,
)
from napari_autofocus.workflows.own.split import BEYOND, Split
from napari_autofocus.workflows.own.stacks import StackStored, store_patches
from napari_autofocus.workflows.own.teaching import teach_own
from napari_autofocus.workflows.own_plan import (
    OwnPlan,
    OwnSettings,
    base_of,
    prepare,
    reading_of,
)

__all__ = ["FoldStep", "OwnMade", "OwnModel", "OwnRefocuser", "OwnStep", "train_own"]

OwnStep = OwnRefocusStep | FrameSeen | FoldStep


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


OwnMade = OwnModel | OwnRefocuser


def train_own(
    dataset: Path,
    target: Path,
    settings: OwnSettings | None = None,
    *,
    work: Path | None = None,
    measure: Measurer | None = None,
) -> Generator[OwnStep, None, OwnMade]:
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
    measure : Measurer, optional
        Measures the stacks, on several workers, say (``dataset_measurer``); by default they are measured here.

    Yields
    ------
    OwnStep
        Progress. Closing the generator stops the work; the target is then as it was.

    Returns
    -------
    OwnModel or OwnRefocuser
        By what was asked for.

    Raises
    ------
    PartDone
        In every process but the main one, when several train together and all is taught.
    InputError
        In one sentence: no stack, too few, unknown or different optics, a base that does not fit, a target that cannot
        be written, or a work folder of another training.
    """
    settings = settings or OwnSettings()
    if is_virtual(settings):
        if settings.found is not None:
            raise InputError("Tuned settings are for models of one shot; teach virtual refocusing without them.")
        return (yield from train_own_refocuser(dataset, target, settings, work=work, measure=measure))
    name = settings.name or name_of(target)
    with ExitStack() as cleaning:
        with main_first():
            check_target(target)
            check_device(settings.device)
            base = base_of(settings)
            if work is None:
                work = Path(cleaning.enter_context(temporary_work()))
            found = yield from read_dataset(dataset, reading_of(settings, base), measure=measure)
            own = prepare(dataset, found, settings, base)
            claim(work, facts_of(own))
            data = yield from _stored(own, work / "data")
        if own.base is not None and own.dz_um is None:  # two shots tell the sides of focus apart by themselves
            own = replace(own, plan=replace(own.plan, mirrored=sides_exchanged(own.plan, own.base, data)))
        crossed = (yield from cross_validate(own, name, data, work)) if own.split.folds else None
        taught = yield from teach_own(own, data, work, own.split.watched)
        if not is_main():
            raise PartDone("The main process packages and measures the model.")
        if crossed is not None:
            return _package_crossed(own, target, name, taught, crossed)
        return (yield from _package(own, target, name, taught))


def _stored(own: OwnPlan, folder: Path) -> Generator[StackStored, None, Dataset]:
    stacks = (*own.split.training, *own.split.watched)
    reach_um = min(BEYOND * own.range_um, own.plan.defocus.reach_um)
    yield from store_patches(stacks, folder, range_um=reach_um, seed=own.settings.seed, dz_um=own.dz_um)
    return Dataset(folder)


def _package_crossed(own: OwnPlan, target: Path, name: str, taught: Taught, crossed: Crossed) -> OwnModel:
    """Every stack taught the model, so that what stands in its card is what others said of them, held out in turn."""
    validation = crossed.validation
    figures = validation.evaluation.to_json() | {"cross_validation": validation.to_json()}
    card = card_of(own, name, taught).model_copy(update={"decision": crossed.decision, "evaluation": figures})
    written = write_package(
        target,
        card,
        defocus=taught.defocus.network,
        importance=taught.importance.network,
        history=taught.history(),
    )
    dataset, frames = own.frames(own.split.training)
    held_out = DatasetEvaluation(validation.evaluation, dataset, own.dataset.skipped)
    notes = (*notes_of(own, frames, crossed.calibrated), *replace(held_out, dataset=own.dataset).notes())
    return OwnModel(written, held_out, own.dataset, own.split, notes, validation)


def _package(own: OwnPlan, target: Path, name: str, taught: Taught) -> Generator[FrameSeen, None, OwnModel]:
    card = card_of(own, name, taught)
    (calibration, few), (evaluation, many) = own.frames(own.split.calibration), own.frames(own.split.evaluation)
    writing = package(
        target,
        card,
        taught,
        KnownFrames(
            calibration=own.known_frames(calibration) if few >= FEWEST_FIELDS else (),
            evaluation=own.known_frames(evaluation),
        ),
        otherwise=card.decision.calibration,
    )
    results: list[FieldResult] = []

    def counted(step: FrameSeen) -> FrameSeen:
        if step.result is not None:
            results.append(step.result)
        return replace(step, total=few if step.purpose == "calibrating" else many)

    written = yield from relay(writing, counted)
    measured = Evaluation(name, tuple(results), own.dof_um, own.range_um)
    held_out = DatasetEvaluation(measured, evaluation, own.dataset.skipped)
    fitted = written.card.decision.calibration != card.decision.calibration
    notes = [*notes_of(own, many, fitted), *replace(held_out, dataset=own.dataset).notes()]
    return OwnModel(written, held_out, own.dataset, own.split, tuple(notes))
