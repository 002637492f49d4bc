"""Steps and results of teaching in the plain words of ``steps.py``."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    PlaneRead,
    ReadingSettings,
    optics_of,
)
from napari_autofocus.models.learning.devices import training_devices
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.models.package import CardOptics
from napari_autofocus.models.refocus.dataset import PairJudged
from napari_autofocus.models.samples import FloatArray
from napari_autofocus.models.teaching import FrameSeen, StageProgress
from napari_autofocus.models.training import Gains, Pairs
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.own.refocus_plan import (
    is_virtual,
    planes_apart_words,
    prepare_refocus,
    refocus_base,
    refocus_reading,
)
from napari_autofocus.workflows.own.stacks import StackStored
from napari_autofocus.workflows.own_models import FoldStep, OwnModel, OwnRefocuser, OwnStep
from napari_autofocus.workflows.own_plan import OwnSettings, base_of, prepare, reading_of
from napari_autofocus.workflows.training.request import TrainingRequest
from napari_autofocus.workflows.training.steps import (
    Answer,
    DatasetSeen,
    Gain,
    Learning,
    OpticsKnown,
    RefocuserMade,
    TrainingMade,
    Working,
)

_MOST_ANSWERS = 2000
_MOST_REASONS = 200


def settings_of(request: TrainingRequest) -> OwnSettings:
    """How a model is made of one's own stacks, as it was asked for. Raises InputError."""
    return OwnSettings(
        minutes=request.minutes,
        base=request.base,
        name=request.name,
        range_um=request.range_um,
        seed=request.seed,
        device=request.device,
        lens=Objective.parse(request.objective) if request.objective else None,
        pixel_size_um=request.pixel_um,
        folds=request.folds,
        kind=request.kind,
    )


def told(step: OwnStep, fold: int = 0, folds: int = 0) -> Working | Learning | None:
    """A step in plain words; None where there is nothing to tell."""
    if isinstance(step, FoldStep):
        return told(step.step, step.fold, step.folds)
    if isinstance(step, StageProgress):
        return _learning(step, fold, folds)
    if isinstance(step, PlaneRead):
        done = (step.stack - 1) * step.planes + step.plane
        return Working("reading", done, step.stacks * step.planes, Path(step.path).name, fold, folds)
    if isinstance(step, StackStored):
        return Working("storing", step.done, step.total, fold=fold, folds=folds)
    if isinstance(step, FrameSeen):
        answer = answer_of(step.result) if step.result is not None else None
        return Working(step.purpose, step.done, step.total or 0, fold=fold, folds=folds, answer=answer)
    if isinstance(step, PairJudged):
        return Working("evaluating", step.pair, step.pairs, Path(step.path).name)
    return None


def optics_known(stack: LabelledStack, request: TrainingRequest) -> OpticsKnown | None:
    """The depth of field of a stack, where its file or the request states its optics."""
    settings = settings_of(request)
    objective = optics_of(stack.stack, lens=settings.lens, pixel_size_um=settings.pixel_size_um).objective
    return None if objective is None else OpticsKnown(objective.dof_um)


def _learning(step: StageProgress, fold: int, folds: int) -> Learning:
    at, new = step.progress, step.progress.validated
    pairs: Iterable[tuple[float, float]] = ()
    if new and at.pairs is not None:
        both = (at.pairs.true_um, at.pairs.found_um) if isinstance(at.pairs, Pairs) else _gains_of(at.pairs)
        pairs = zip(*(values.tolist() for values in both), strict=True)
    return Learning(
        stage=step.stage,
        loss=at.loss,
        learning_rate=at.learning_rate,
        seconds=at.seconds,
        seconds_left=at.seconds_left,
        score=at.figures.get("gain_db" if step.stage == "refocus" else "score"),
        direction=at.figures.get("direction"),
        validated=new,
        pairs=tuple((round(true, 3), round(found, 3)) for true, found in pairs),
        retreats=at.retreats,
        fold=fold,
        folds=folds,
    )


def _gains_of(gains: Gains) -> tuple[FloatArray, FloatArray]:
    return gains.half_um, gains.gain_db


def answer_of(result: FieldResult) -> Answer:
    """What was said of a frame."""
    return Answer(result.true_um, result.estimate_um, result.refused)


def made_of(
    own: OwnModel | OwnRefocuser, report: Path | None, extra: Iterable[str] = ()
) -> TrainingMade | RefocuserMade:
    """A finished model in plain words.

    Parameters
    ----------
    own : OwnModel or OwnRefocuser
        As it was made.
    report : Path or None
        Page of its figures.
    extra : iterable of str
        Notes to add, a sentence each.
    """
    if isinstance(own, OwnRefocuser):
        return _refocuser_made(own, report, extra)
    evaluation = own.held_out.evaluation
    figures, estimate = evaluation.figures(), own.cross_validation.estimate if own.cross_validation else None
    return TrainingMade(
        model=str(own.package.path),
        report=str(report) if report is not None else "",
        name=own.package.card.name,
        dof_um=own.package.card.dof_um,
        range_um=own.package.card.range_um,
        mae_um=estimate.mae_um if estimate else figures["mae_um"],
        low_um=estimate.low_um if estimate else None,
        high_um=estimate.high_um if estimate else None,
        direction=estimate.direction if estimate else figures["direction_success"],
        refused=figures["refused"]["all"],
        frames=len(evaluation.results),
        stacks=len({result.source for result in evaluation.results}),
        works=estimate.works if estimate else None,
        reasons=estimate.reasons if estimate else (),
        notes=(*own.notes, *extra),
        answers=tuple(_thinned(evaluation.results)),
    )


def _refocuser_made(own: OwnRefocuser, report: Path | None, extra: Iterable[str]) -> RefocuserMade:
    card, found = own.package.card, own.held_out
    told, base = found.figures(), found.base
    before = told["base"]["by_half_um"] if base is not None else {}
    return RefocuserMade(
        model=str(own.package.path),
        report=str(report) if report is not None else "",
        name=card.name,
        base=base.model if base is not None else "",
        dof_um=card.dof_um,
        half_um=card.half_um,
        gain_db=told.get("gain_db"),
        base_gain_db=told["base"].get("gain_db") if base is not None else None,
        doubtful=told["doubtful"],
        stacks=len(own.split.evaluation),
        gains=tuple(_gain(half, row, before.get(half)) for half, row in told["by_half_um"].items()),
        pairs=tuple((result.half_um, round(result.gain_db, 3)) for result in found.results[:_MOST_ANSWERS]),
        notes=(*own.notes, *extra),
    )


def _gain(half: str, row: dict[str, Any], before: dict[str, Any] | None) -> Gain:
    base_db = before["recovered_db"] if before is not None else None
    return Gain(float(half), row["pairs"], row["sharper_db"], row["recovered_db"], base_db)


def _thinned(results: tuple[FieldResult, ...]) -> Iterator[Answer]:
    every = math.ceil(len(results) / _MOST_ANSWERS) or 1
    return (answer_of(result) for result in islice(results, 0, None, every))


def seen_in(request: TrainingRequest, found: LabelledDataset) -> DatasetSeen:
    """What a data set holds, and whether anything can be taught of it as asked for."""
    settings = settings_of(request)
    summary, refusal, inside = "", "", f"{request.dataset}{os.sep}"
    try:
        summary = _summary(request, found, settings)
    except InputError as error:
        refusal = str(error)
    return DatasetSeen(
        stacks=len(found.stacks),
        labelled_by=dict(found.how_labelled),
        left_out=tuple(stack.reason.replace(inside, "") for stack in found.skipped[:_MOST_REASONS]),
        summary=summary,
        refusal=refusal,
        devices=training_devices(),
    )


def _summary(request: TrainingRequest, found: LabelledDataset, settings: OwnSettings) -> str:
    """Optics of the stacks, and what would be taught of them. Raises InputError where nothing can."""
    if is_virtual(settings):
        plan = prepare_refocus(request.dataset, found, settings, refocus_base(settings))
        return f"{_optics_words(plan.optics)}; {planes_apart_words(plan)}"
    own = prepare(request.dataset, found, settings, base_of(settings))
    pairs = f" from planes {own.dz_um:g} µm apart" if own.dz_um is not None else ""
    return f"{_optics_words(own.optics)}; model for ±{own.range_um:g} µm{pairs}"


def _optics_words(optics: CardOptics) -> str:
    colour = "colour" if optics.colour == "rgb" else "grey"
    return f"{optics.objective.name} at {optics.pixel_size_um:.3g} µm a pixel, {colour}"


def reading_for(settings: OwnSettings) -> ReadingSettings:
    """How stacks are opened and measured for what is to be taught. Raises InputError where the base cannot be read."""
    return refocus_reading(settings) if is_virtual(settings) else reading_of(settings, base_of(settings))
