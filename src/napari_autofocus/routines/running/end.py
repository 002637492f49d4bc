"""How a run over many places ends: cut short or not, in one word and in sentences, with the slide where it stood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from napari_autofocus.errors import ForeignMove
from napari_autofocus.routines.running.guard import RunGuard

RunEnd = Literal["done", "done_in_part", "cancelled", "timed_out", "refused", "failed"]
CutShort = Literal["cancelled", "timed_out", "refused", "failed"]

_ENDS: dict[str, CutShort] = {"cancelled": "cancelled", "timed_out": "timed_out", "refused": "refused"}


def cut_short(guard: RunGuard, *known: str) -> tuple[CutShort, tuple[str, ...]] | None:
    """What ended a run before its time, and why, behind what is known in any case; None where nothing did."""
    reasons = (*known, *guard.reasons)
    if guard.outcome is not None:
        return _ENDS.get(guard.outcome, "failed"), reasons
    if guard.interrupted_by is not None:
        return "failed", (str(guard.interrupted_by), *reasons)
    return None


@contextmanager
def slide_comes_back(bring_back: Callable[[], None]) -> Iterator[None]:
    """The slide goes home however the work inside ends, unless a person has the microscope in hand."""
    is_taken_over = False
    try:
        yield
    except ForeignMove:
        is_taken_over = True  # nothing more is moved
        raise
    finally:
        if not is_taken_over:
            bring_back()
