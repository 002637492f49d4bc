"""Teaching while the disk fills up, or what it left is damaged: it goes on, and ends as an undisturbed run does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from fault_files import FullDisk
from fault_trial import Notes
from kills_training import Levels
from napari_autofocus.errors import InputError
from napari_autofocus.models.training import TrainingSettings, train

SETTINGS = TrainingSettings(samples=160, batch=8, validate_every=40, learning_rate=0.01, checkpoint_minutes=0.0)


class Lost(Levels):
    """The loss of one batch is no number."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.asked = at, 0

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Of the batch, but once NaN."""
        self.asked += 1
        return super().loss(network, batch) * (float("nan") if self.asked == self.at else 1.0)


def _taught(folder: Path, steps: int = 10**6, task: Levels | None = None) -> dict[str, Tensor] | None:
    """Teach, for so many steps; the weights if it came to its end."""
    torch.set_num_threads(1)  # sums of other lengths differ in their last digits
    task = task or Levels()
    running = train(task, SETTINGS, folder / "run.safetensors", every=1)
    try:
        for _ in range(steps):
            next(running)
    except StopIteration as finished:
        return {name: value.clone() for name, value in finished.value.network.state_dict().items()}
    finally:
        running.close()
    return None


@cache
def _undisturbed() -> dict[str, Tensor]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        taught = _taught(Path(folder))
    assert taught is not None
    return taught


def _check_goes_on(folder: Path, notes: Notes) -> None:
    taught = _taught(folder)
    if taught is None:
        notes.wrong("it does not come to its end")
        return
    same = all(torch.equal(taught[name], value) for name, value in _undisturbed().items())
    notes.require(same, "it ends otherwise than an undisturbed run")
    notes.require(not list(folder.glob("*.part")) + list(folder.glob(".*.part")), "half-written files are left")


def _require_whole(folder: Path, notes: Notes) -> None:
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (not a mapping)
                    file.get_tensor(name)
        except Exception as error:  # noqa: BLE001 (whatever the reader raises, the file is broken)
            notes.wrong(f"{path.name} is broken: {error}")


def disk_full(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """Room for some checkpoints and not one byte more."""
    _undisturbed()
    notes.at = int(rng.integers(100, 120_000))
    with FullDisk(folder, notes.at) as disk, notes.refusing("disk full"):
        _taught(folder)
        notes.end("done")
    notes.require(bool(disk.struck) == notes.struck, f"{disk.struck} writes failed and nothing was said")
    _require_whole(folder, notes)
    _check_goes_on(folder, notes)


def stopped(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """Closed between two steps, twice."""
    for _ in range(2):
        notes.at = int(rng.integers(1, 12))
        notes.struck |= _taught(folder, notes.at) is None
    notes.end("cancelled" if notes.struck else "done", "Stopped between two steps.")
    _require_whole(folder, notes)
    _check_goes_on(folder, notes)


def checkpoint_damaged(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """The checkpoint is cut short or overwritten while nobody looks."""
    _taught(folder, int(rng.integers(3, 15)))
    path = folder / "run.safetensors"
    content = bytearray(path.read_bytes())
    notes.at, notes.struck = int(rng.integers(0, len(content))), True
    path.write_bytes(bytes(content[: notes.at]) if rng.random() < 0.5 else rng.bytes(notes.at))
    with notes.refusing():
        _taught(folder)
        notes.wrong("a damaged checkpoint is gone on from")
    for left in folder.glob("run*.safetensors"):
        left.unlink()  # as the sentence says
    _check_goes_on(folder, notes)


def no_number(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """The loss of a random batch is NaN."""
    notes.at, notes.struck = int(rng.integers(1, 26)), True
    try:
        taught = _taught(folder, task=Lost(notes.at))
    except InputError as error:
        notes.end("refused", str(error))
    else:
        assert taught is not None
        notes.require(all(bool(value.isfinite().all()) for value in taught.values()), "weights are no numbers")
        notes.end("done")
    _require_whole(folder, notes)


TRIALS = {
    "disk full": disk_full,
    "stopped": stopped,
    "checkpoint damaged": checkpoint_damaged,
    "loss no number": no_number,
}
