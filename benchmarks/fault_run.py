"""One run of the fault campaign: a routine, a fault at a random step of it, and the verdict."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import numpy as np

from fault_files import FullDisk
from fault_kinds import FOR_GOOD, KINDS, Fault, FaultyHardware, Hang
from fault_routines import ROUTINES, Routine
from fault_stand import Stand
from fault_verdicts import Done, Ending, violations

WALL_S = 300.0
"""A run that takes longer by the wall hangs; seconds are enough on a quiet machine."""
_HOOKS_OF_THE_CORE = ("stopped", "moved by hand")


@dataclass(frozen=True)
class Row:
    """What came of one run."""

    routine: str
    kind: str
    number: int
    at: int
    times: int
    struck: bool
    outcome: str
    sentence: str
    seconds: float
    violations: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Course:
    """What an undisturbed run asks of the hardware: calls by hook, and bytes written."""

    calls: dict[str, int]
    written: int


def seed_of(*words: object) -> tuple[int, ...]:
    """A seed from what a run is."""
    return tuple(word if isinstance(word, int) else zlib.crc32(str(word).encode()) for word in words)


def applies(name: str, kind: str) -> bool:
    """Whether a fault can strike a routine at all."""
    routine, hook = ROUTINES[name], KINDS[kind]
    if hook == "write":
        return routine.writes
    if hook == "lens":
        return name == "lens calibration"
    if routine.blocks and kind == "moved by hand":
        return False
    return hook in ("none", "step", "any") or course(name).calls.get(hook, 0) > 0


@cache
def course(name: str) -> Course:
    """Of a run without a fault, once for each routine."""
    with tempfile.TemporaryDirectory() as folder:
        stand, hardware, ending, disk = _carried_out(name, Fault("none"), Path(folder), (1,))
        stand.close()
    if ending.error is not None:
        raise ending.error
    return Course({**hardware.log.calls, "step": ending.steps}, disk.written)


def run(name: str, kind: str, number: int, seed: int) -> Row:
    """One run and its verdict.

    Parameters
    ----------
    name, kind : str
        Of the routine and of the fault.
    number : int
        Of the run among those of its kind.
    seed : int
        Of the campaign.
    """
    words = seed_of(seed, name, kind, number)
    fault = drawn(name, kind, np.random.default_rng((*words, 7)))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        stand, hardware, ending, disk = _carried_out(name, fault, Path(folder), words)
        found = violations(Done(name, ROUTINES[name], stand, hardware, ending))
        stand.close()
    struck = bool(hardware.log.struck or disk.struck or ending.closed)
    word = ending.word(ROUTINES[name])
    seconds = round(time.monotonic() - began_s, 3)
    return Row(name, kind, number, fault.at, fault.times, struck, word, ending.told[:400], seconds, tuple(found))


def drawn(name: str, kind: str, rng: np.random.Generator) -> Fault:
    """Where a fault strikes, and for how long."""
    hook = KINDS[kind]
    if ROUTINES[name].blocks and kind in _HOOKS_OF_THE_CORE:
        hook = "snap"
    calls = course(name).written if hook == "write" else course(name).calls.get(hook, 1)
    at = int(rng.integers(1, max(calls, 1) + 1))
    return Fault(kind, at, int(rng.choice([1, 2, FOR_GOOD])), float(rng.random()))


def _carried_out(
    name: str, fault: Fault, folder: Path, words: tuple[int, ...]
) -> tuple[Stand, FaultyHardware, Ending, FullDisk]:
    routine = ROUTINES[name]
    stand = Stand.make(folder, words, live=not routine.blocks)
    hardware = FaultyHardware(stand.rig, fault)
    stand.refuses_live = lambda: hardware.is_gone("camera")
    disk = FullDisk(folder, fault.at if fault.kind == "disk full" else 10**12)
    if routine.blocks and fault.kind == "stopped":
        hardware.stop_at_snap(stand.rig.core.mda.cancel)
    ending = Ending()
    try:
        with disk, _wall_limit():
            _drive(routine, stand, hardware, ending)
    except (Exception, Hang) as error:  # noqa: BLE001 (what has no name is what is looked for)
        ending.error = error
    return stand, hardware, ending, disk


def _drive(routine: Routine, stand: Stand, hardware: FaultyHardware, ending: Ending) -> None:
    """Step by step, as a panel or the shell would; somebody meddles with the camera meanwhile."""
    steps = routine.start(stand, ending.records.append)
    try:
        for step in steps:
            ending.steps += 1
            result = getattr(getattr(step, "step", step), "result", None)  # a calibration wraps the steps of others
            if getattr(result, "state", "") == "written":
                ending.promised.append(getattr(result, "name", "") or str(result.number))
            if routine.restores and getattr(step, "frame", None) is not None:
                stand.tamper()
            struck = hardware.due("step")
            if struck == "moved by hand":
                _move_by_hand(stand, hardware)
            if struck == "stopped" or ending.steps >= routine.rounds:
                ending.closed = struck == "stopped"
                hardware.log.closed_at = len(hardware.log.commands)
                break
            if ending.steps > 5000:
                raise Hang("5000 steps")
    finally:
        steps.close()


def _move_by_hand(stand: Stand, hardware: FaultyHardware) -> None:
    """A person at the stage's knob, also beyond the limits."""
    hardware.by_hand = True
    try:
        stand.rig.core.setPosition("Z", float(stand.rng.uniform(-25, 25)))
        stand.rig.clock.sleep(0.2)
    finally:
        hardware.by_hand = False


@contextlib.contextmanager
def _wall_limit() -> Iterator[None]:
    """Break a run off that hangs without asking the hardware; not where something else has set the alarm."""

    def rang(_: int, frame: FrameType | None) -> None:
        where = "" if frame is None else f" in {frame.f_code.co_filename}:{frame.f_lineno}"
        raise Hang(f"more than {WALL_S:g} s{where}")

    if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        yield
        return
    before = signal.signal(signal.SIGALRM, rang)
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
