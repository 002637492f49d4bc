"""A model asked about simulated slides by several workers, each of which opens it once and simulates for itself."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from napari_autofocus.models.dataset_evaluation import FrameJudged
from napari_autofocus.models.evaluation import Evaluation, evaluate
from napari_autofocus.models.simulated.checks import CheckSettings
from napari_autofocus.models.simulated.evaluation import CheckedPredictor, FrameSource, judge_places, known_frames
from napari_autofocus.steps import run_to_end
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.spreading.models import name_for_workers, share_frames, worker_model

_BYTES_A_PIXEL = 3


@dataclass(frozen=True)
class CheckJob:
    """One field to be simulated and judged.

    Parameters
    ----------
    model : str
        Name or file of the model.
    settings : CheckSettings
        Which slides.
    density, number
        One of their places.
    """

    model: str
    settings: CheckSettings
    density: str
    number: int


def spread_check(model: str, predictor: CheckedPredictor, workers: Workers) -> FrameSource:
    """A judge that shares fields among workers; with little to do, the predictor is asked here.

    Parameters
    ----------
    model : str
        Name or file of the predictor's model; a file has to be where workers see it.
    predictor : ModelPredictor or PairModelPredictor
        The model, opened.
    workers : Workers
        Who works.
    """

    def judge(settings: CheckSettings) -> Generator[FrameJudged, None, Evaluation]:
        height, width = settings.shape
        weights = [float(_BYTES_A_PIXEL * height * width * settings.draws)] * len(settings.places)
        if workers.here(weights):
            return (yield from judge_places(predictor, settings))
        name = name_for_workers(model)
        jobs = [CheckJob(name, settings, *place) for place in settings.places]
        parts = yield from share_frames(
            check_job,
            jobs,
            weights,
            workers,
            frames=settings.frames,
            name=lambda job: f"simulated slide {job.number}, {job.density}",
            judged=lambda part: len(part.results),
        )
        return replace(
            parts[0],
            results=tuple(result for part in parts for result in part.results),
            warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
        )

    return judge


def check_job(job: CheckJob) -> Evaluation:
    """What a worker does with a field."""
    predictor = worker_model(job.model)
    frames = known_frames(predictor, job.settings, job.density, job.number)
    return run_to_end(evaluate(predictor, frames, insist=job.settings.insist))
