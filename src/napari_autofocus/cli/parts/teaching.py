"""What the commands that teach networks have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def ready_to_teach(require: Callable[[], None]) -> None:
    """Refuse where a library is missing, and keep threads from getting in each other's way. Raises InputError."""
    # Threads that wait for one another by spinning are ten times slower beside any other program.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require()


def kept_words(work: Path | None, out: Path) -> str:
    """What is left of a training that somebody stopped."""
    if work is None:
        return f"Nothing is kept, because no --work folder was named. {out} was not written."
    return f"What was learned is kept in {work}; the same command goes on from there. {out} was not written."
