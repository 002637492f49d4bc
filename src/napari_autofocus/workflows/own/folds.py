"""Cross-validation of a model of one's own: models that have not seen a few stacks judge those, until all were judged.

What follows from their answers stands in ``cross_validation.py``; the model that learns from all stacks is taught in
``own_models.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS, CalibrationSamples, fit_calibration
from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.uncertainty import FieldFeatures, field_features
from napari_autofocus.focus.estimate import DecisionSettings, PatchPrediction
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.evaluation import Evaluation, FieldResult, Known, KnownPair, asked, result_of
from napari_autofocus.models.labelled_stacks import LabelledStack
from napari_autofocus.models.learning.distributed import is_main
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.models.packaging import predictor_of
from napari_autofocus.models.teaching import FrameSeen, StageProgress, Taught
from napari_autofocus.steps import relay
from napari_autofocus.workflows.own.card import card_of, decision_of
from napari_autofocus.workflows.own.cross_validation import CrossValidation, estimate_error
from napari_autofocus.workflows.own.teaching import teach_own
from napari_autofocus.workflows.own_plan import OwnPlan

FoldProgress = StageProgress | FrameSeen


@dataclass(frozen=True)
class FoldStep:
    """Progress of cross-validation: fold ``fold`` of ``folds``, counted from 1, and what happens in it."""

    fold: int
    folds: int
    step: FoldProgress


@dataclass(frozen=True)
class Answer:
    """What a model that had not seen a frame's stack said about its patches."""

    frame: Known
    patches: tuple[PatchPrediction, ...]
    field_shape: tuple[int, int]


def answers_of_fold(
    own: OwnPlan, number: int, say: Callable[[Taught], ModelCard], data: Dataset, work: Path
) -> Generator[FoldProgress, None, tuple[Answer, ...]]:
    """Teach a model without one fold, and ask it about every frame of that fold.

    It is taught as long as the model that learns from all stacks; otherwise its errors would say little about that one.

    Parameters
    ----------
    own : OwnPlan
        With its folds.
    number : int
        Of the fold, from 0.
    say : callable
        What is said of a model that was taught so.
    data : Dataset
        Patches of all stacks, each named by its path.
    work : Path
        Folder of this fold's checkpoints; what was taught is not taught again.
    """
    held = own.split.folds[number]
    taught = yield from teach_own(own, data, work, held)
    if not is_main():
        return ()  # the main process asks, while the others wait with the next fold
    return (yield from _asked(own, held, taught, say(taught), work / "draft.zip"))


def _asked(
    own: OwnPlan, held: tuple[LabelledStack, ...], taught: Taught, card: ModelCard, draft: Path
) -> Generator[FoldProgress, None, tuple[Answer, ...]]:
    written = write_package(draft, card, defocus=taught.defocus.network, importance=taught.importance.network)
    try:
        predictor = predictor_of(written)
        dataset, frames = own.frames(held)
        answers: list[Answer] = []
        for frame in own.known_frames(dataset):
            patches = asked(predictor, frame, insist=True).patches
            answers.append(Answer(_without_pixels(frame), tuple(patches), _shape(frame)))
            yield FrameSeen("evaluating", len(answers), frames)
        return tuple(answers)
    finally:
        draft.unlink(missing_ok=True)


_FORGOTTEN = np.empty((0, 0), np.uint8)


def _without_pixels(frame: Known) -> Known:
    if isinstance(frame, KnownPair):
        return replace(frame, first=_FORGOTTEN, second=_FORGOTTEN)
    return replace(frame, image=_FORGOTTEN)


def _shape(frame: Known) -> tuple[int, int]:
    height, width = (frame.second if isinstance(frame, KnownPair) else frame.image).shape[:2]
    return height, width


def calibrated(answers: Sequence[Answer], decision: DecisionSettings, pixel_size_um: float) -> DecisionSettings:
    """The decision with a calibration fitted to the answers; as it is where there are too few."""
    features: list[FieldFeatures] = []
    truths: list[float] = []
    for answer in answers:
        found = field_features(answer.patches, decision, field_shape=answer.field_shape, pixel_size_um=pixel_size_um)
        if found is not None:
            features.append(found)
            truths.append(answer.frame.true_um)
    if len(features) < FEWEST_FIELDS:
        return decision
    return replace(decision, calibration=fit_calibration(CalibrationSamples.of(features, np.array(truths))))


def judged(answers: Sequence[Answer], name: str, decision: DecisionSettings, pixel_size_um: float) -> Evaluation:
    """The answers as a decision takes them, beside the truth, under the name of the model."""

    def result(answer: Answer) -> FieldResult:
        taken = decide(answer.patches, decision, field_shape=answer.field_shape, pixel_size_um=pixel_size_um)
        return result_of(taken, answer.frame)

    return Evaluation(name, tuple(map(result, answers)), decision.dof_um, decision.range_um)


@dataclass(frozen=True, eq=False)
class Crossed:
    """Cross-validation before the model is taught: the decision that follows from it, and what it showed."""

    decision: DecisionSettings
    calibrated: bool
    validation: CrossValidation


def cross_validate(own: OwnPlan, name: str, data: Dataset, work: Path) -> Generator[FoldStep, None, Crossed | None]:
    """Teach and ask a model for each fold; what was taught in ``work`` before is not taught again.

    Parameters
    ----------
    own : OwnPlan
        With folds.
    name : str
        Of the model to be.
    data : Dataset
        Patches of all stacks, each named by its path.
    work : Path
        Folder of the checkpoints.

    Returns
    -------
    Crossed or None
        None in every process but the main one.
    """
    folds = len(own.split.folds)
    answers: list[Answer] = []
    for number in range(folds):
        fold = answers_of_fold(own, number, partial(card_of, own, name), data, work / f"fold-{number + 1}")
        answers += yield from _numbered(fold, number + 1, folds)
    if not is_main():
        return None
    decision = calibrated(answers, decision_of(own), own.optics.pixel_size_um)
    evaluation = judged(answers, name, decision, own.optics.pixel_size_um)
    validation = CrossValidation(evaluation, estimate_error(evaluation), folds)
    return Crossed(decision, decision != decision_of(own), validation)


def _numbered(
    steps: Generator[FoldProgress, None, tuple[Answer, ...]], fold: int, folds: int
) -> Generator[FoldStep, None, tuple[Answer, ...]]:
    return relay(steps, lambda step: FoldStep(fold, folds, step))
