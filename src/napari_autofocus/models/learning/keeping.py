"""What is kept of a training: the last state, from which it goes on exactly, and the best, to which it goes back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.files import remove_unfinished
from napari_autofocus.models.learning.checkpoint import load_checkpoint, restore, save_checkpoint, snapshot
from napari_autofocus.models.learning.distributed import agree, is_main
from napari_autofocus.models.learning.records import RunState
from napari_autofocus.models.learning.settings import TrainingSettings


class Keeper:
    """Writes and reads the states of a run: the main process writes, all read.

    Parameters
    ----------
    checkpoint : Path or None
        File of the last state; without one, the best state is held in memory and the last one not at all.
    network, average : nn.Module
        What is kept of, and filled again.
    optimiser : torch.optim.Optimizer
        Its memory is kept too.
    settings : TrainingSettings
        How often; and what a state must have begun with.
    """

    def __init__(
        self,
        checkpoint: Path | None,
        network: nn.Module,
        average: nn.Module,
        optimiser: torch.optim.Optimizer,
        settings: TrainingSettings,
    ) -> None:
        self.checkpoint, self.settings = checkpoint, settings
        self._learning = network, average, optimiser
        self._saved = time.monotonic()
        self._full = False
        self._remembered: tuple[dict[str, Tensor], dict[str, Any]] | None = None

    def kept(self) -> RunState | None:
        """Take up the last state; None where there is none.

        Raises
        ------
        InputError
            If the file is no checkpoint, of another network or another training, or not seen by all processes.
        """
        path = self.checkpoint
        if path is not None and is_main():
            remove_unfinished(path)
            remove_unfinished(best_of(path))
        there = path is not None and path.exists()
        if agree(there) != there:
            raise InputError(f"{path} is not seen by all processes; name a work folder that all of them share.")
        return self._loaded(path) if path is not None and there else None

    def save(self, state: RunState) -> None:
        """Keep the last state.

        Raises
        ------
        InputError
            If it cannot be written; the one before then stays, and nothing more is written.
        """
        if self.checkpoint is not None:
            self._write(self.checkpoint, state)
            self._saved = time.monotonic()

    def is_old(self) -> bool:
        """Whether the last state was kept so long ago that it is time again."""
        return time.monotonic() - self._saved >= 60 * self.settings.checkpoint_minutes

    def save_best(self, state: RunState) -> None:
        """Keep a state as the best so far.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        if self.checkpoint is not None:
            self._write(best_of(self.checkpoint), state)
        else:
            self._remembered = snapshot(*self._learning), _plain(state)

    def best(self, spoiled: RunState) -> RunState:
        """Take up the best state; the time that was spent since is spent, and counts as a retreat."""
        if self.checkpoint is not None:
            state = self._loaded(best_of(self.checkpoint))
        else:
            assert self._remembered is not None
            tensors, kept = self._remembered
            restore(tensors, *self._learning)
            state = RunState(**kept | {"history": [*kept["history"]]})
        state.seconds, state.retreats = spoiled.seconds, spoiled.retreats + 1
        return state

    def _write(self, path: Path, state: RunState) -> None:
        if self._full or not is_main():
            return
        try:
            save_checkpoint(path, *self._learning, _plain(state))
        except InputError:
            self._full = True  # told once is enough
            raise

    def _loaded(self, path: Path) -> RunState:
        kept = load_checkpoint(path, *self._learning)
        if kept.keys() != vars(RunState()).keys():
            raise InputError(f"{path} was written by another version; delete it to begin anew.")
        state = RunState(**kept)
        before, now = state.began_with, self.settings.unchangeable()
        other = [f"{name} {before.get(name)} (now {now[name]})" for name in now if now[name] != before.get(name)]
        if other:
            raise InputError(
                f"{path} is of a training with {' and '.join(other)}; go on with what it began with, or delete it to"
                " begin anew."
            )
        return state


def best_of(checkpoint: Path) -> Path:
    """Where the best state lies, beside the last."""
    return checkpoint.with_name(f"{checkpoint.stem}.best{checkpoint.suffix}")


def _plain(state: RunState) -> dict[str, Any]:
    return {**vars(state), "history": [*state.history]}
