"""The model that workers ask: named so that all of them find it, opened once in each, its frames shared among them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset_evaluation import FrameJudged
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_focus_model
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.workflows.spread import Unfinished, Waiting, Workers, spread

Job = TypeVar("Job")
Result = TypeVar("Result")


def name_for_workers(model: str) -> str:
    """The name or file of a model as workers find it, whatever folder they work in."""
    return str(Path(model).absolute()) if Path(model).exists() else model


@lru_cache(maxsize=1)
def worker_model(name: str) -> ModelPredictor | PairModelPredictor:
    """A worker's model; the newest stays open."""
    return load_focus_model(name).on_one_thread()


def share_frames(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    weights: Sequence[float],
    workers: Workers,
    *,
    frames: int,
    name: Callable[[Job], str],
    judged: Callable[[Result], int],
) -> Generator[FrameJudged, None, list[Result]]:
    """Share jobs among workers, and tell how many frames have been judged.

    Parameters
    ----------
    function, jobs, weights, workers
        As :func:`~napari_autofocus.workflows.spread.spread` takes them.
    frames : int
        In all jobs together.
    name : callable
        What a job is called.
    judged : callable
        How many frames a result holds.

    Returns
    -------
    list
        A result for each job, in their order.

    Raises
    ------
    InputError
        If one cannot be done.
    """
    found: dict[int, Result] = {}
    newest, done = name(jobs[0]), 0
    for step in spread(function, jobs, weights, workers):
        if isinstance(step, Unfinished):
            which = name(jobs[step.number])
            raise InputError(step.reason if which in step.reason else f"{which}: {step.reason}")
        if not isinstance(step, Waiting):
            found[step.number] = step.result
            newest, done = name(jobs[step.number]), done + judged(step.result)
        yield FrameJudged(newest, done, frames)
    return [found[number] for number in sorted(found)]
