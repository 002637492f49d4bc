"""A model asked about many stacks by several workers, each of which opens it once."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_autofocus.io import open_stack
from napari_autofocus.models.dataset_evaluation import (
    EvaluationSettings,
    FrameJudged,
    Judge,
    Judged,
    count_known,
    judge_with,
)
from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.models.labelled_stacks import LabelledDataset, LabelledStack
from napari_autofocus.models.pair_predictor import PairModelPredictor
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.steps import run_to_end
from napari_autofocus.workflows.labels.focus_book import state_of
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.spreading.models import name_for_workers, share_frames, worker_model


@dataclass(frozen=True)
class EvaluationJob:
    """One stack to be judged, with all that a worker has to know; the stack travels without its planes.

    Parameters
    ----------
    model : str
        Name or file of the model.
    """

    model: str
    path: Path
    best_z_um: float
    slide: str
    stain: str | None
    density: str | None
    settings: EvaluationSettings


def spread_judge(model: str, predictor: ModelPredictor | PairModelPredictor, workers: Workers) -> Judge:
    """A judge whose frames are shared among workers; with little to do, the predictor is asked here.

    Parameters
    ----------
    model : str
        Name or file of the predictor's model; a file has to be where workers see it.
    predictor : ModelPredictor or PairModelPredictor
        The model, opened.
    workers : Workers
        Who works.
    """

    def judge(dataset: LabelledDataset, settings: EvaluationSettings) -> Generator[FrameJudged, None, Judged]:
        sizes = [state.size if (state := state_of(stack.path)) is not None else 0 for stack in dataset.stacks]
        if workers.here(sizes):
            return (yield from judge_with(predictor)(dataset, settings))
        name = name_for_workers(model)
        jobs = [_job(name, stack, settings) for stack in dataset.stacks]
        found = yield from share_frames(
            judge_job,
            jobs,
            sizes,
            workers,
            frames=count_known(predictor, dataset),
            name=lambda job: str(job.path),
            judged=lambda part: len(part[0].results),
        )
        parts = [evaluation for evaluation, _ in found]
        warnings = dict.fromkeys(warning for part in parts for warning in part.warnings)
        results = tuple(result for part in parts for result in part.results)
        card = predictor.card
        evaluation = Evaluation(predictor.name, results, card.dof_um, card.range_um, tuple(warnings))
        return evaluation, [skipped for _, bad in found for skipped in bad]

    return judge


def judge_job(job: EvaluationJob) -> Judged:
    """What a worker does with a stack."""
    how = job.settings.reading
    stack = open_stack(job.path, step_um=how.step_um, channel=how.channel, focus_direction=how.focus_direction)
    labelled = LabelledStack(job.path, stack, job.best_z_um, "table", job.slide, job.stain, job.density)
    return run_to_end(judge_with(worker_model(job.model))(LabelledDataset((labelled,), ()), job.settings))


def _job(model: str, stack: LabelledStack, settings: EvaluationSettings) -> EvaluationJob:
    facts = stack.path, stack.best_z_um, stack.slide, stack.stain, stack.density
    return EvaluationJob(model, *facts, settings)
