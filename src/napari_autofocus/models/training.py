"""Teaching a network: one loop for all, that reports, validates, can be stopped at any step and goes on exactly.

What is learned stands in a :class:`Task` (``tasks.py``); data in ``dataset.py``; settings, records, the run itself,
what is kept of it and when it has diverged, in ``training_*.py``. Every batch is a pure function of the seed and its
number, so a run that was interrupted ends as one that was not. Several processes may train one network
(``learning/distributed.py``).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_autofocus.models.learning.records import Gains, Pairs, Trained, TrainingProgress, Validation
from napari_autofocus.models.learning.run import Run, Task
from napari_autofocus.models.learning.settings import TrainingSettings
from napari_autofocus.models.learning.watch import has_diverged

__all__ = ["Gains", "Pairs", "Task", "Trained", "TrainingProgress", "TrainingSettings", "Validation", "judged", "train"]

LONGEST_SILENCE_S = 2.0
"""Between progress records: whoever wants to stop the run waits no longer."""


def train(
    task: Task, settings: TrainingSettings, checkpoint: Path | None = None, *, every: int = 20, until: float = 1.0
) -> Generator[TrainingProgress, None, Trained]:
    """Teach a network.

    Parameters
    ----------
    task : Task
        What is learned.
    settings : TrainingSettings
        How.
    checkpoint : Path, optional
        A file that is written at every validation, every minute and when the run is stopped, and from which a run goes
        on exactly; it goes on with more samples too. Beside it lies ``NAME.best``, the best state so far.
    every : int
        Steps between progress records, of which there is one every two seconds at least.
    until : float
        Share of the run at which to stop, having validated, as if it were over; the same call with a larger one goes
        on from its checkpoint.

    Yields
    ------
    TrainingProgress
        Closing the generator stops the run; a checkpoint is written.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        If the checkpoint is of another network, or of a training with another seed, batch or learning rate; torch has
        no such device; the disk is full; another process of the training has ended; or the run diverged for the third
        time. The last whole checkpoint then stays.
    """
    run = Run(task, settings, checkpoint, until)
    try:
        diverged = True
        while diverged:
            with run.batches() as batches:
                diverged = yield from _steps(run, batches, every)
            if diverged:
                run.go_back()
    finally:
        run.save()
    return run.trained()


def judged(task: Task, network: nn.Module) -> Validation:
    """What a network is worth on the samples that a task holds back."""
    with torch.inference_mode():
        return task.validate(network.eval())


def _steps(run: Run, batches: Iterator[Mapping[str, Tensor]], every: int) -> Generator[TrainingProgress, None, bool]:
    """Learn to the end, or until that turns out to be in vain; whether it does."""
    began, first, told_s = time.monotonic() - run.state.seconds, run.state.step, run.state.seconds
    if run.is_over():
        return False
    for batch in batches:
        run.learn(batch, began)
        due = not has_diverged(run.state) and run.validation_is_due()
        if due:
            run.validate(began)
        if has_diverged(run.state):
            return True
        run.save_in_time()
        if due or (run.state.step - first) % every == 0 or run.state.seconds - told_s >= LONGEST_SILENCE_S:
            told_s = run.state.seconds
            yield run.progress(due)
        if due and run.is_over():
            return False
    return False
