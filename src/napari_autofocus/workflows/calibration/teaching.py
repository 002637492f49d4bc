"""What a calibration computes: a model of the stacks is taught, and the one before is asked about the same frames."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusPredictor
from napari_autofocus.models.evaluation import Evaluation, FieldDone, KnownFrame, evaluate
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    PlaneRead,
    ReadingSettings,
    known_frames,
)
from napari_autofocus.models.teaching import FrameSeen, StageProgress
from napari_autofocus.optics import Objective
from napari_autofocus.steps import relay
from napari_autofocus.workflows.calibration.record import MODEL, STACKS, TRAINING, SetAside, Taught, read_record
from napari_autofocus.workflows.calibration.steps import CalibrationStep
from napari_autofocus.workflows.calibration_plan import CalibrationPlan
from napari_autofocus.workflows.own.refocus_plan import is_virtual
from napari_autofocus.workflows.own.stacks import LEAST_IMPORTANCE, StackStored, is_usable
from napari_autofocus.workflows.own_models import FoldStep, OwnModel, OwnStep, train_own
from napari_autofocus.workflows.own_plan import OwnSettings

DENSE_SHARE, SPARSE_SHARE = 0.4, 0.05
"""Content of a field, as the share of its patches that show focus: dense above the first, sparse above the second."""


class Teaching(Protocol):
    """What teaches a model of a folder of stacks, here or in another process."""

    def __call__(self, folder: Path) -> Generator[CalibrationStep, None, Taught]:
        """Learn from the stacks of the calibration in a folder, write its model, and return what was measured.

        Closing the generator pauses it.
        """


def settings_of(plan: CalibrationPlan, name: str) -> OwnSettings:
    """How the model of a calibration is taught."""
    return OwnSettings(
        minutes=plan.minutes,
        base=plan.base,
        name=name,
        range_um=plan.model_range_um,
        lens=plan.objective,
        pixel_size_um=plan.objective.pixel_size_um,
        reading=ReadingSettings(focus_direction=plan.focus_direction or None),
        seed=plan.seed,
        device=plan.device,
        samples=plan.samples,
        folds=plan.folds,
    )


def teach_here(folder: Path) -> Generator[CalibrationStep, None, Taught]:
    """Teach in this process; see :class:`Teaching`."""
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder} holds no calibration to teach; begin one.")
    settings = settings_of(record.plan, record.name)
    if is_virtual(settings):
        raise InputError(
            f"A calibration teaches a model that tells defocus, and {settings.base} recovers images; choose another"
            " base."
        )
    steps = train_own(folder / STACKS, folder / MODEL, settings, work=folder / TRAINING)
    made = yield from relay(steps, teaching_step)
    assert isinstance(made, OwnModel)  # a base that recovers images was refused
    return taught_by(made)


def taught_by(own: OwnModel) -> Taught:
    """What a calibration keeps of a model that was made."""
    crossed, package = own.cross_validation, own.package
    held_out = own.held_out.evaluation if crossed is None else crossed.evaluation
    return Taught(
        name=package.card.name,
        fingerprint=package.fingerprint,
        stacks=len(own.dataset.stacks),
        held_out=held_out,
        estimate=None if crossed is None else crossed.estimate,
        notes=own.notes,
        set_aside=set_aside_of(own.dataset),
    )


def set_aside_of(dataset: LabelledDataset) -> tuple[SetAside, ...]:
    """Every stack that nothing was learned from, and why."""
    skipped = [SetAside(Path(each.path).name, each.reason) for each in dataset.skipped]
    blank = [stack for stack in dataset.stacks if not is_usable(stack)]
    return (*skipped, *(SetAside(each.path.name, "No patch of it shows where it is in focus.") for each in blank))


def teaching_step(step: OwnStep) -> CalibrationStep:
    """A step of teaching, in words."""
    if isinstance(step, FoldStep):
        inner = teaching_step(step.step)
        return replace(inner, words=f"Cross-validation {step.fold} of {step.folds}: {_lowered(inner.words)}", step=step)
    done, total, words = _progress(step)
    return CalibrationStep("teach", done, total, words, step=step)


def _progress(step: OwnStep) -> tuple[float, float, str]:
    if isinstance(step, PlaneRead):
        return (step.stack - 1) * step.planes + step.plane, step.stacks * step.planes, "Reading the stacks"
    if isinstance(step, StackStored):
        return step.done, step.total, "Storing patches"
    if isinstance(step, StageProgress):
        at = step.progress
        score = at.figures.get("score") if at.figures else None
        error = f", error {score:.2f} µm" if score is not None and step.stage == "defocus" else ""
        return at.seconds, at.seconds + at.seconds_left, f"Learning {step.stage}: loss {at.loss:.3f}{error}"
    if isinstance(step, FrameSeen):
        what = "Calibrating the uncertainty" if step.purpose == "calibrating" else "Measuring on frames held out"
        return step.done, step.total or 0, what
    return 0.0, 0.0, "Reading the stacks"


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


# The model before, on the same frames.


def compare(
    base: FocusPredictor, dataset: LabelledDataset, held_out: Evaluation, objective: Objective
) -> Generator[CalibrationStep, None, Evaluation]:
    """Ask the model to begin with about the frames that were held out, although its optics are others.

    Parameters
    ----------
    base : FocusPredictor
        The model to begin with.
    dataset : LabelledDataset
        The stacks.
    held_out : Evaluation
        What the calibrated model said.
    objective : Objective
        How the stacks were taken.

    Returns
    -------
    Evaluation
        Its answers, within the range of the calibrated model.
    """
    total = len(held_out.results)
    steps = evaluate(base, _same_frames(dataset, held_out, objective), insist=True)

    def counted(step: FieldDone) -> CalibrationStep:
        return CalibrationStep("compare", step.done, total, f"Asking {base.name}: frame {step.done} of {total}")

    found = yield from relay(steps, counted)
    return replace(found, dof_um=held_out.dof_um, range_um=held_out.range_um)


def _same_frames(dataset: LabelledDataset, held_out: Evaluation, objective: Objective) -> Iterator[KnownFrame]:
    wanted = {_key(result.source, result.true_um) for result in held_out.results}
    of_these = LabelledDataset(tuple(s for s in dataset.stacks if str(s.path) in {key[0] for key in wanted}), ())
    frames = known_frames(of_these, held_out.range_um, lens=objective, pixel_size_um=objective.pixel_size_um)
    return (frame for frame in frames if _key(frame.source, frame.true_um) in wanted)


def _key(source: str, true_um: float) -> tuple[str, float]:
    return source, round(true_um, 3)


# How much content a field holds.


def with_density(evaluation: Evaluation, dataset: LabelledDataset) -> Evaluation:
    """An evaluation whose frames say how much content their field holds, where nobody said it before."""
    density = {str(stack.path): stack.density or density_of(stack) for stack in dataset.stacks}
    results = (replace(each, density=each.density or density.get(each.source)) for each in evaluation.results)
    return replace(evaluation, results=tuple(results))


def density_of(stack: LabelledStack) -> str:
    """How much content a field holds, by its patches: ``dense``, ``sparse`` or ``extremely-sparse``."""
    known = [patch.best_z_um is not None and patch.importance >= LEAST_IMPORTANCE for patch in stack.patches]
    share = sum(known) / max(len(known), 1)
    if share > DENSE_SHARE:
        return "dense"
    return "sparse" if share > SPARSE_SHARE else "extremely-sparse"
