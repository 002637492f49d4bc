"""Several processes, on one machine or many, that train one network together: as torch's own launcher starts them.

``torchrun --nproc-per-node 4 -m napari_autofocus train …`` starts the processes and tells each its place in the
environment. The first one is the main process: it alone writes, validates and talks. Without a launcher everything here
is free: one process, which is the main one. What the processes compute together stands in ``shared_layers.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from napari_autofocus.errors import AutofocusError, InputError

_PATIENCE = timedelta(days=30)
"""How long a process waits for the main one, which reads stacks and measures models alone. Death is noticed at once."""
_PLACE = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class PartDone(AutofocusError):
    """This process has done its part; what is left is for the main process alone."""


@dataclass(frozen=True)
class Share:
    """The part of every batch that one process learns from.

    Parameters
    ----------
    batch : int
        Samples in the whole batch.
    start, stop : int
        The part.
    """

    batch: int
    start: int
    stop: int

    @property
    def part(self) -> slice:
        """To cut it out with."""
        return slice(self.start, self.stop)

    @property
    def weight(self) -> float:
        """Of its mean in the mean of the whole."""
        return (self.stop - self.start) / self.batch


def process_count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _is_joined() else 1


def is_main() -> bool:
    """Whether this process is the one that writes, validates and talks."""
    return not _is_joined() or dist.get_rank() == 0


def share_of(batch: int) -> Share:
    """This process's share of a batch.

    Raises
    ------
    InputError
        If there are more processes than samples.
    """
    count, rank = process_count(), dist.get_rank() if _is_joined() else 0
    if count > batch:
        raise InputError(f"{count} processes cannot share batches of {batch} samples; start fewer, or teach with more.")
    return Share(batch, batch * rank // count, batch * (rank + 1) // count)


def own_device(name: str) -> str:
    """The device that this process trains on: of several GPUs of one machine each takes its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if _is_joined() and name == "cuda" else name


def barrier() -> None:
    """Wait until every process is here.

    Raises
    ------
    InputError
        If one of them has ended.
    """
    sum_up(torch.zeros(1))


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block first, the others once it has been through without a refusal.

    What is refused is so refused once; what the first one wrote, the others find.
    """
    if not is_main():
        barrier()
    yield
    if is_main():
        barrier()


def agree(value: Any) -> Any:
    """What the main process says, for all: plain values that JSON knows. What the others say does not count."""
    if not _is_joined():
        return value
    content = json.dumps(value).encode() if is_main() else b""
    size = torch.tensor([len(content)], dtype=torch.int64)
    hand_out(size)
    letters = torch.zeros(int(size), dtype=torch.uint8)
    if is_main():
        letters = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    hand_out(letters)
    return json.loads(bytes(letters.tolist()))


def sum_up(tensor: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place."""
    if _is_joined():
        with _together():
            dist.all_reduce(tensor)
    return tensor


def hand_out(tensor: Tensor) -> Tensor:
    """Give the main process's tensor to all, in place."""
    if _is_joined():
        with _together():
            dist.broadcast(tensor, 0)
    return tensor


def collect(tensor: Tensor) -> Tensor:
    """One tensor of each process, stacked along a new first axis in their order."""
    with _together():
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor)
    return torch.stack(parts)


@contextlib.contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # how torch tells that a connection is gone
        raise _lost() from error


def _lost() -> AutofocusError:
    """Told by the main process, and by the next one, as the main one may be what has ended."""
    if dist.get_rank() > 1:
        return PartDone("Another process tells what happened.")
    return InputError(
        f"One of the {process_count()} processes that train together has ended; what was learned is kept up to the last"
        " checkpoint, so start all of them again with the same work folder."
    )


def _is_joined() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextlib.contextmanager
def joined(device: str = "cpu") -> Iterator[None]:
    """Train together with the processes that a launcher started beside this one; alone, where there is none.

    Parameters
    ----------
    device : str
        What is trained on, as torch names it.

    Raises
    ------
    InputError
        If the processes do not find one another, or one of them ends before its time.
    """
    if any(name not in os.environ for name in _PLACE) or int(os.environ["WORLD_SIZE"]) < 2:
        yield
        return
    _find_the_others(device)
    with contextlib.ExitStack() as leaving:
        leaving.callback(dist.destroy_process_group)
        leaving.enter_context(_ended_by_a_sentence())
        if not is_main():
            leaving.enter_context(_silent())
        yield


def _find_the_others(device: str) -> None:
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    if device == "cuda" and torch.cuda.is_available():
        torch.cuda.set_device(own_number())
    try:
        dist.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"The {os.environ['WORLD_SIZE']} processes that a launcher started do not find one another ({reason});"
            " check the address given to torchrun."
        ) from error


def own_number() -> int:
    """Number of this process among those of its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextlib.contextmanager
def _ended_by_a_sentence() -> Iterator[None]:
    """A launcher ends all processes when one has died; this one then stops as after any refusal, its work kept."""

    def end(*_: object) -> None:
        raise _lost()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing is printed by any but the main process."""
    redirected = contextlib.redirect_stdout, contextlib.redirect_stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirected[0](nowhere), redirected[1](nowhere):
        yield
