"""What is fuzzed: how a target's input is laid on the disk, and what a user does with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuzz.guard import CPU_S, Outcome, opened

Place = Callable[[bytes, Path], Path]


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Parameters
    ----------
    name : str
        As the command line and the results spell it.
    make : callable
        Gives good inputs, to be edited.
    place : callable
        Lays an input into an empty folder; returns the path to open. Runs unwatched.
    read : callable
        Opens it as a user would.
    cpu_s : float
        Processor time that it may take, s.
    opens : bool
        Whether the first good input is opened, not refused.
    """

    name: str
    make: Callable[[], list[bytes]]
    place: Place
    read: Callable[[Path], object]
    cpu_s: float = CPU_S
    opens: bool = True

    @cached_property
    def seeds(self) -> list[bytes]:
        """Good inputs, made once."""
        return self.make()

    def run(self, data: bytes, folder: Path) -> Outcome:
        """Open one input in a folder of its own, which is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return opened(self.read, self.place(data, folder), folder, cpu_s=self.cpu_s)


def as_file(name: str) -> Place:
    """The input is a file of this name."""

    def place(data: bytes, folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return place


def in_copy_of(original: Callable[[], Path], name: str) -> Place:
    """The input takes the place of one file of a folder."""

    def place(data: bytes, folder: Path) -> Path:
        copy = folder / original().name
        shutil.copytree(original(), copy)
        (copy / name).write_bytes(data)
        return copy

    return place
