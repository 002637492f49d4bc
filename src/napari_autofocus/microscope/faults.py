"""Faults that a simulated microscope commits on purpose at a stated time: a test finds the same trouble every run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from napari_autofocus.errors import InputError

CameraFault = Literal["snap-timeout", "zero-frame", "stale-frame"]
StageFault = Literal["stage-sticks", "stage-raises", "stage-hangs"]
FaultKind = Literal[CameraFault, StageFault]

_CAMERA_FAULTS = frozenset(get_args(CameraFault))
_KINDS = _CAMERA_FAULTS | frozenset(get_args(StageFault))


@dataclass(frozen=True)
class Fault:
    """One fault and when it strikes.

    Parameters
    ----------
    kind : str
        ``snap-timeout`` (the camera gives no frame), ``zero-frame`` (a frame of zeros), ``stale-frame`` (the frame
        before comes once more), ``stage-sticks`` (a command is accepted and nothing moves), ``stage-raises`` (a command
        is answered with an error) or ``stage-hangs`` (the stage moves and then stays busy).
    at : int
        Which exposure (camera faults) or which command to the z stage (stage faults) goes wrong, counted from 1.
    times : int
        How many in a row go wrong.
    """

    kind: FaultKind
    at: int
    times: int = 1

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InputError(f"Unknown fault {self.kind!r}; use one of {', '.join(sorted(_KINDS))}.")
        if self.at < 1 or self.times < 1:
            raise InputError(f"A fault strikes from call 1 on, once or more; found at={self.at}, times={self.times}.")

    def strikes(self, call: int) -> bool:
        """Whether this call, counted from 1, goes wrong."""
        return self.at <= call < self.at + self.times


class FaultSchedule:
    """Counts exposures and stage commands, and says which of them go wrong.

    Parameters
    ----------
    faults : iterable of Fault
        Where two strike the same call, the first counts.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        faults = tuple(faults)
        self._camera = [f for f in faults if f.kind in _CAMERA_FAULTS]
        self._stage = [f for f in faults if f.kind not in _CAMERA_FAULTS]
        self.exposures = 0
        self.commands = 0
        self._lock = threading.Lock()

    def next_exposure(self) -> FaultKind | None:
        """Count an exposure; what goes wrong with it, if anything."""
        with self._lock:
            self.exposures += 1
            return _struck(self._camera, self.exposures)

    def next_command(self) -> FaultKind | None:
        """Count a command to the z stage; what goes wrong with it, if anything."""
        with self._lock:
            self.commands += 1
            return _struck(self._stage, self.commands)


def _struck(faults: list[Fault], call: int) -> FaultKind | None:
    return next((fault.kind for fault in faults if fault.strikes(call)), None)
