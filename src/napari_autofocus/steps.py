"""Long work is a generator that yields its progress and returns its result: how one is run, alone or in another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import TypeVar

Step = TypeVar("Step")
Told = TypeVar("Told")
Result = TypeVar("Result")


def run_to_end(work: Generator[Step, None, Result], on_step: Callable[[Step], object] | None = None) -> Result:
    """Run work and return its result; whatever interrupts it, the work is closed and tidies up.

    Parameters
    ----------
    work : generator
        Yields progress records and returns a result.
    on_step : callable, optional
        Called with each record.
    """

    def told(step: Step) -> None:
        if on_step is not None:
            on_step(step)

    silent: Generator[None, None, Result] = relay(work, told)
    try:
        next(silent)
    except StopIteration as finished:
        result: Result = finished.value
        return result
    raise AssertionError("work of which nothing is told has told something")


def relay(work: Generator[Step, None, Result], told: Callable[[Step], Told | None]) -> Generator[Told, None, Result]:
    """Run work as a part of other work: ``yield from`` this returns its result, and closing this closes it.

    Parameters
    ----------
    work : generator
        Yields progress records and returns a result.
    told : callable
        Makes of each record what is told instead of it; None tells nothing.
    """
    with contextlib.closing(work):
        while True:
            try:
                step = next(work)
            except StopIteration as finished:
                result: Result = finished.value
                return result
            said = told(step)
            if said is not None:
                yield said
