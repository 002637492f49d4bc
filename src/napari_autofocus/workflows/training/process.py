"""A training in a process of its own, so that a window and a live microscope beside it are neither slowed nor ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from dataclasses import replace
from typing import IO

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.training.child import LOOK, TRAIN
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest
from napari_autofocus.workflows.training.steps import (
    Paused,
    Refused,
    TrainingEnd,
    TrainingStep,
    record_of,
)

_MODULE = "napari_autofocus.workflows.training.child"
_PATIENCE_S = 30.0


class TrainingProcess:
    """One process that looks at a data set, or trains.

    It gives way to other programs, and stops by itself, as if it were paused, when the program that started it ends in
    whatever way.

    Parameters
    ----------
    request : TrainingRequest
        What is asked for.
    mode : {'train', 'look'}
        Whether to train, or only to tell what is in the data set.
    """

    def __init__(self, request: TrainingRequest, mode: str = TRAIN) -> None:
        self.request = replace(request, dataset=request.dataset.absolute(), target=request.target.absolute())
        self.mode = mode
        self._killed = False
        self._asking = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        command = [sys.executable, "-m", _MODULE, mode, json.dumps(self.request.to_json())]
        self._process = _started(command, self._errors)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def steps(self) -> Generator[TrainingStep, None, TrainingEnd]:
        """What it tells, as it comes. Closing this pauses the work.

        Returns
        -------
        TrainingEnd
            What came of it. After :meth:`throw_away` that is :class:`Paused`, with nothing kept.

        Raises
        ------
        InputError
            If the work is refused, or the process ended before its time.
        """
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                record = record_of(line)
                if isinstance(record, Refused):
                    self._wait()
                    raise InputError(record.sentence)
                if isinstance(record, TrainingStep):
                    yield record
                    continue
                self._wait()
                return record
            self._wait()
            if self._killed:
                if self.mode == TRAIN:
                    TrainingFolder.of(self.request.target).discard()
                return Paused()
            raise InputError(self._why_it_ended())
        finally:
            self.pause()
            self._process.stdout.close()
            self._errors.close()

    def pause(self) -> None:
        """Ask it to stop after its next step, with a checkpoint; does not wait for that."""
        with self._asking:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._process.stdin.close()

    def throw_away(self) -> None:
        """End it at once; what was learned is deleted."""
        self._killed = True
        self._process.kill()
        self.pause()

    def wait(self, timeout_s: float = _PATIENCE_S) -> bool:
        """Wait for its end; whether that came in time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait(self) -> None:
        """It has said its last word; the process follows at once, unless it hangs in leaving."""
        self.pause()
        if not self.wait():
            self._process.kill()
            self._process.wait()

    def _why_it_ended(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        last = said[-1][:300] if said else f"exit code {self._process.returncode}"
        kept = "; what was learned is kept up to its last checkpoint, so resume it" if self.mode == TRAIN else ""
        return f"The process that was to {self.mode} ended before its time ({last}){kept}."


def look_at(request: TrainingRequest) -> TrainingProcess:
    """A process that tells what is in a data set, and why nothing could be taught of it."""
    return TrainingProcess(request, LOOK)


def _started(command: list[str], errors: IO[bytes]) -> subprocess.Popen[str]:
    """Ctrl-C in a terminal is meant for the window alone; on Windows the start says that the process gives way."""
    pipe, flags = subprocess.PIPE, 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=errors,
        encoding="utf-8",
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},  # threads that spin are ten times slower beside a window
        creationflags=flags,
        start_new_session=sys.platform != "win32",
    )
