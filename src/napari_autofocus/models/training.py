"""Teaching a network: one loop for all, that reports, validates, can be stopped at any step and goes on exactly.

What is learned stands in a :class:`Task` (``tasks.py``); data in ``dataset.py``. Every batch is a pure function of the
seed and its number, so a run that was interrupted ends as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from napari_autofocus.errors import InputError
from napari_autofocus.models.checkpoint import load_checkpoint, save_checkpoint

_Tensors = tuple[Tensor, ...] | list[Tensor]


class Task(Protocol):
    """What is learned."""

    @property
    def network(self) -> nn.Module:
        """The network, whose weights training changes."""

    def batch(self, number: int, size: int) -> Mapping[str, Tensor]:
        """Batch ``number`` of the run; called from another thread, always the same for the same number."""

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean loss of a batch."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures on slides that are not trained on; ``score`` among them, the lower the better."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is taught.

    Parameters
    ----------
    samples : int
        Patches (or overviews) to show in all; more than there are shows them again, turned and mirrored.
    batch : int
        Samples a step.
    learning_rate, weight_decay : float
        Of AdamW, at the height of the schedule.
    warmup : float
        Share of the run over which the learning rate rises from 0.
    hold : float
        Share of the run after which it falls by a cosine to 0. A run that goes on with more ``samples`` is held longer.
    averaging : float
        Decay of the exponential moving average of the weights, which is what is validated and kept.
    validate_every : int
        Samples between validations.
    patience : int
        Validations without a better score after which training stops early; 0 to never.
    minutes : float or None
        Time to spend; the schedule then follows the clock, ``samples`` is the most that is shown, and a run cannot be
        repeated exactly.
    seed : int
        Of the batches.
    device : str
        As torch names it.
    """

    samples: int = 600_000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.02
    hold: float = 0.5
    averaging: float = 0.998
    validate_every: int = 25_600
    patience: int = 0
    minutes: float | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.samples, self.batch, self.validate_every) < 1 or self.patience < 0:
            raise InputError("Samples, batch size and distance of validations must be positive numbers.")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"Training takes a positive number of minutes; found {self.minutes}.")
        if not (0 < self.learning_rate < 1 and 0 <= self.averaging < 1 and 0 <= self.warmup <= self.hold <= 1):
            raise InputError(
                "Learning rate and averaging lie between 0 and 1, and warm-up ends before the hold; found"
                f" {self.learning_rate}, {self.averaging}, {self.warmup} and {self.hold}."
            )

    @property
    def steps(self) -> int:
        """Number of batches in all."""
        return math.ceil(self.samples / self.batch)

    def share(self, step: int, seconds: float) -> float:
        """Share of the run that is over after so many batches and seconds."""
        shown = step / self.steps
        return shown if self.minutes is None else max(shown, seconds / (60 * self.minutes))

    def rate_at(self, share: float) -> float:
        """Learning rate where such a share of the run is over: a linear rise, a plateau, half a cosine."""
        if share < self.warmup:
            return self.learning_rate * share / self.warmup
        if share <= self.hold or self.hold == 1:
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * min(1.0, (share - self.hold) / (1 - self.hold)))) / 2


@dataclass(frozen=True, eq=False)
class Pairs:
    """Truth and answer of a validation, one entry a sample.

    Parameters
    ----------
    true_um, found_um : np.ndarray, shape (N,)
        Defocus, µm.
    """

    true_um: npt.NDArray[np.float32]
    found_um: npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingProgress:
    """Where training stands.

    Parameters
    ----------
    samples, total : int
        Shown so far, and in all.
    loss : float
        Running mean.
    learning_rate : float
        Of the last step.
    seconds : float
        Spent training, over all runs.
    seconds_left : float
        At the present speed.
    figures : dict
        Of the last validation; empty before the first.
    validated : bool
        Whether that validation is new.
    pairs : Pairs or None
        Truth and answer for each sample of the last validation, where the task has such; for a scatter.
    """

    samples: int
    total: int
    loss: float
    learning_rate: float
    seconds: float
    seconds_left: float
    figures: dict[str, float]
    validated: bool
    pairs: Pairs | None = None


@dataclass
class _State:
    """All that a checkpoint holds besides tensors."""

    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        return self.history[-1] if self.history else {}

    def stale(self) -> int:
        """Validations since the best one."""
        scores = [figures["score"] for figures in self.history]
        return len(scores) - 1 - scores.index(min(scores)) if scores else 0


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Parameters
    ----------
    network : nn.Module
        With the averaged weights, in evaluation mode.
    samples : int
        Shown.
    seconds : float
        Spent.
    history : list of dict
        Figures of every validation.
    """

    network: nn.Module
    samples: int
    seconds: float
    history: list[dict[str, float]]


def train(
    task: Task, settings: TrainingSettings, checkpoint: Path | None = None, *, every: int = 20
) -> Generator[TrainingProgress, None, Trained]:
    """Teach a network.

    Parameters
    ----------
    task : Task
        What is learned.
    settings : TrainingSettings
        How.
    checkpoint : Path, optional
        A file that is written at every validation and when the run is stopped, and from which a run goes on exactly;
        it goes on with more samples too.
    every : int
        Steps between progress records.

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
        If the checkpoint is of another network, torch has no such device, or the loss is no longer a number; the
        checkpoint of the last validation then stays.
    """
    run = _Run(task, settings, checkpoint)
    with run.batches() as batches:
        try:
            yield from run.steps(batches, every)
        finally:
            run.save()
    return run.trained()


class _Run:
    """A network, its average and its optimiser on the way."""

    def __init__(self, task: Task, settings: TrainingSettings, checkpoint: Path | None) -> None:
        self.task, self.settings, self.checkpoint = task, settings, checkpoint
        self.network = _placed(task.network, settings.device)
        self.average = AveragedModel(self.network, multi_avg_fn=_moving(settings.averaging), use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            _groups(self.network, settings.weight_decay), lr=settings.learning_rate, fused=True
        )
        self.state = _State()
        self.sound = True
        if checkpoint is not None and checkpoint.exists():
            self.state = _state_of(checkpoint, load_checkpoint(checkpoint, self.network, self.average, self.optimiser))

    def save(self) -> None:
        if self.checkpoint is not None and self.sound:
            save_checkpoint(self.checkpoint, self.network, self.average, self.optimiser, vars(self.state))

    @contextmanager
    def batches(self) -> Iterator[Iterator[Mapping[str, Tensor]]]:
        """Batches from here to the end, each made while the one before is learned from."""
        with ThreadPoolExecutor(1) as pool:

            def ahead() -> Iterator[Mapping[str, Tensor]]:
                size, last = self.settings.batch, self.settings.steps
                coming = pool.submit(self.task.batch, self.state.step, size)
                for number in range(self.state.step + 1, last + 1):
                    batch = coming.result()
                    if number < last:
                        coming = pool.submit(self.task.batch, number, size)
                    yield batch

            yield ahead()

    def steps(self, batches: Iterator[Mapping[str, Tensor]], every: int) -> Generator[TrainingProgress, None, None]:
        settings, state = self.settings, self.state
        began, first = time.monotonic() - state.seconds, state.step
        if self._over():
            return
        for batch in batches:
            loss = self._learn(batch)
            state.loss = loss if math.isnan(state.loss) else 0.98 * state.loss + 0.02 * loss
            state.step += 1
            state.seconds = time.monotonic() - began
            due = self._share() >= 1 or (state.step * settings.batch) % settings.validate_every < settings.batch
            if due:
                state.history.append(self._validate())
                state.seconds = time.monotonic() - began
                self.save()
            if due or (state.step - first) % every == 0:
                yield self._progress(due)
            if due and self._over():
                return

    def _over(self) -> bool:
        """Whether everything was shown, the time is up, or validations stopped getting better."""
        patience = self.settings.patience
        return self._share() >= 1 or (patience > 0 and self.state.stale() >= patience)

    def _learn(self, batch: Mapping[str, Tensor]) -> float:
        rate = self.settings.rate_at(self._share(ahead=1))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.settings.seed * 1_000_003 + self.state.step)  # dropout, the same after a resume
        self.network.train()
        placed = {name: value.to(self.settings.device) for name, value in batch.items()}
        loss = self.task.loss(self.network, placed)
        value = float(loss.detach())
        if not math.isfinite(value):
            self.sound = False  # normalisation has seen it
            raise InputError(
                f"After {self.state.step} batches the loss is {value}; lower the learning rate ({rate:.2g}), or look"
                " for labels that are no numbers."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return value

    def _share(self, ahead: int = 0) -> float:
        return self.settings.share(self.state.step + ahead, self.state.seconds)

    def _validate(self) -> dict[str, float]:
        averaged = self.average.module.eval()
        with torch.inference_mode():
            figures = self.task.validate(averaged)
        return {"samples": float(self.state.step * self.settings.batch), "loss": self.state.loss, **figures}

    def _progress(self, validated: bool) -> TrainingProgress:
        settings, state = self.settings, self.state
        share = self._share()
        left, rate = state.seconds / share * max(0.0, 1 - share), settings.rate_at(share)
        samples = min(state.step * settings.batch, settings.samples)
        return TrainingProgress(
            samples, settings.samples, state.loss, rate, state.seconds, left, state.figures, validated
        )

    def trained(self) -> Trained:
        network: nn.Module = self.average.module.eval()
        return Trained(network, self.state.step * self.settings.batch, self.state.seconds, self.state.history)


def _moving(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """An exponential moving average that forgets its beginnings: its decay grows to the final one."""

    @torch.no_grad()
    def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - kept)
            else:
                old.copy_(new)

    return update


def _placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, its filters laid out channels last, which is half as fast again on CPUs."""
    try:
        network.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"torch cannot train on the device {device!r} here ({reason}); choose cpu.") from error
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _state_of(checkpoint: Path, kept: dict[str, Any]) -> _State:
    try:
        return _State(**kept)
    except TypeError as error:
        raise InputError(f"{checkpoint} was written by another version; delete it to begin anew.") from error


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of more than one dimension decay; biases and normalisation do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    decaying = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
