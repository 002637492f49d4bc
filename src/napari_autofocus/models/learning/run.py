"""One run of a training: a network, its average and its optimiser on the way, and where they are kept.

The loop that drives it is in ``training.py``. In several processes (``distributed.py``) each has one, of equal weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning.distributed import (
    PartDone,
    agree,
    hand_out,
    is_main,
    own_device,
    process_count,
    share_of,
    sum_up,
)
from napari_autofocus.models.learning.keeping import Keeper
from napari_autofocus.models.learning.network import follow, groups, moving_average, placed
from napari_autofocus.models.learning.records import Gains, Pairs, RunState, Trained, TrainingProgress, Validation
from napari_autofocus.models.learning.settings import LEAST_SHARE, TrainingSettings
from napari_autofocus.models.learning.shared_layers import share_layers
from napari_autofocus.models.learning.watch import has_exploded, may_go_back, too_often


class Task(Protocol):
    """What is learned."""

    @property
    def network(self) -> nn.Module:
        """The network, whose weights training changes."""

    def batch(self, number: int, size: int, part: slice = ...) -> Mapping[str, Tensor]:
        """Samples ``part`` of batch ``number`` of the run; from another thread, always the same for the same number."""

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over the samples of a batch."""

    def validate(self, network: nn.Module) -> Validation:
        """Figures on slides that are not trained on; ``score`` among them, the lower the better."""


class Run:
    """A network, its average and its optimiser on the way.

    Parameters
    ----------
    task : Task
        What is learned.
    settings : TrainingSettings
        How.
    checkpoint : Path or None
        Where the run is kept; what lies there is gone on from.
    until : float
        Share of the run at which to stop, having validated.

    Raises
    ------
    InputError
        If the checkpoint is of another network or another training, or torch has no such device.
    """

    def __init__(self, task: Task, settings: TrainingSettings, checkpoint: Path | None, until: float = 1.0) -> None:
        self.task, self.settings, self.until = task, settings, until - LEAST_SHARE
        self.share, self.device = share_of(settings.batch), own_device(settings.device)
        self.network = placed(task.network, self.device)
        self.average = AveragedModel(self.network, multi_avg_fn=moving_average(settings.averaging), use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            groups(self.network, settings.weight_decay),
            lr=settings.learning_rate,
            betas=(settings.momentum, 0.999),
            fused=True,
        )
        self.pairs: Pairs | Gains | None = None
        self._keeper = Keeper(checkpoint, self.network, self.average, self.optimiser, settings)
        self.state = self._begin()
        if process_count() > 1:
            share_layers(self.network, self.share)

    def _begin(self) -> RunState:
        """Where an earlier run stopped, otherwise the first state, with the same weights in all processes."""
        found = self._keeper.kept()
        if found is not None:
            return found
        for tensor in (*self.network.state_dict().values(), *self.average.state_dict().values()):
            hand_out(tensor)
        state = RunState(began_with=self.settings.unchangeable())
        self._keeper.save_best(state)
        return state

    # --- Learning -----------------------------------------------------------------------------------------------------

    @contextmanager
    def batches(self) -> Iterator[Iterator[Mapping[str, Tensor]]]:
        """Batches from here to the end, each made while the one before is learned from."""
        with ThreadPoolExecutor(1) as pool:

            def ahead() -> Iterator[Mapping[str, Tensor]]:
                size, last, part = self.settings.batch, self.settings.steps, self.share.part
                coming = pool.submit(self.task.batch, self.state.step, size, part)
                for number in range(self.state.step + 1, last + 1):
                    batch = coming.result()
                    if number < last:
                        coming = pool.submit(self.task.batch, number, size, part)
                    yield batch

            yield ahead()

    def learn(self, batch: Mapping[str, Tensor], began: float) -> None:
        """One step, from a process's share of a batch.

        Parameters
        ----------
        batch : mapping
            What the task made.
        began : float
            When the run would have begun had it run in one go, s on the monotonic clock.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(ahead=1)
        leg = self.settings.leg_at(self._share(ahead=1))
        if leg is not None:
            follow(leg, self.network, self.optimiser)
        torch.manual_seed(self.settings.seed * 1_000_003 + self.state.step)  # dropout, the same after a resume
        self.network.train()
        moved = {name: value.to(self.device) for name, value in batch.items()}
        loss = self.task.loss(self.network, moved) * self.share.weight
        value = float(loss.detach())
        if process_count() == 1 and not math.isfinite(value):
            self.state.loss, self.state.spoiled = value, True  # normalisation has seen it
            return
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._add_up_gradients()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        seconds = time.monotonic() - began if is_main() else 0.0
        whole, seconds = sum_up(torch.tensor([value, seconds], dtype=torch.float64)).tolist()
        self.state.learned(whole, seconds)

    def _add_up_gradients(self) -> None:
        """Each process's gradient is that of its share's part in the whole mean: their sum is the whole's."""
        if process_count() == 1:
            return
        slopes = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        whole = sum_up(torch.cat([slope.flatten() for slope in slopes]))
        for slope, summed in zip(slopes, torch.split(whole, [slope.numel() for slope in slopes]), strict=True):
            slope.copy_(summed.view(slope.shape))

    # --- Validating ---------------------------------------------------------------------------------------------------

    def validation_is_due(self) -> bool:
        """Whether it is time, or the last step was the last."""
        shown, settings = self.state.step * self.settings.batch, self.settings
        return self._share() >= self.until or shown % settings.validate_every < settings.batch

    def validate(self, began: float) -> None:
        """Look at slides that are not trained on, in the main process; the others are told. Writes the checkpoint."""
        state, told = self.state, None
        if is_main():
            with torch.inference_mode():
                found = self.task.validate(self.average.module.eval())
            self.pairs = found.pairs
            told = [found.figures, time.monotonic() - began]
        figures, state.seconds = agree(told)
        is_best = state.validated(
            {
                "samples": float(state.step * self.settings.batch),
                "seconds": state.seconds,
                "loss": state.loss,
                "learning_rate": self.rate(),
                **figures,
            }
        )
        state.strikes = state.strikes + 1 if has_exploded(state) else 0
        if is_best and not state.strikes:
            self._keeper.save_best(state)
        self.save()

    def go_back(self) -> None:
        """Take up the best state again with half the learning rate.

        Raises
        ------
        InputError
            If that was done twice already, in the main process (PartDone in others); the checkpoint is then of the
            best state.
        """
        spoiled = self.state
        self.state = self._keeper.best(spoiled)
        self.save()
        if may_go_back(spoiled):
            return
        if not is_main():
            raise PartDone("The main process tells that training diverged.")
        raise InputError(too_often(spoiled, self.settings.learning_rate))

    # --- Where it stands ----------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint, unless what would be written is spoiled."""
        if not self.state.spoiled:
            self._keeper.save(self.state)

    def save_in_time(self) -> None:
        """Write the checkpoint if the last one is old."""
        if self._keeper.is_old():
            self.save()

    def is_over(self) -> bool:
        """Whether everything was shown, the time is up, or validations stopped getting better."""
        patience = self.settings.patience
        return self._share() >= self.until or (patience > 0 and self.state.stale() >= patience)

    def rate(self, ahead: int = 0) -> float:
        """Learning rate after the last step, or some steps later."""
        return float(self.settings.rate_at(self._share(ahead)) / 2**self.state.retreats)

    def _share(self, ahead: int = 0) -> float:
        return self.settings.share(self.state.step + ahead, self.state.seconds)

    def progress(self, validated: bool) -> TrainingProgress:
        """For those who watch."""
        settings, state, share = self.settings, self.state, self._share()
        return TrainingProgress(
            samples=min(state.step * settings.batch, settings.samples),
            total=settings.samples,
            loss=state.loss,
            learning_rate=self.rate(),
            seconds=state.seconds,
            seconds_left=state.seconds / share * max(0.0, 1 - share),
            figures=state.figures,
            validated=validated,
            pairs=self.pairs,
            history=tuple(state.history),
            retreats=state.retreats,
        )

    def trained(self) -> Trained:
        """What the run gave."""
        network: nn.Module = self.average.module.eval()
        state = self.state
        return Trained(network, state.step * self.settings.batch, state.seconds, state.history, state.retreats)
