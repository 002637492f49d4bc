"""Faults of files, models and processes: what labelling, teaching, virtual refocusing and a running model go through.

Each trial does what a user does, lets something go wrong at a random moment, looks at what is on the disk with fresh
eyes, and goes on: what was confirmed must be there, and what is finished afterwards must be what an undisturbed run
makes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fault_labelling
import fault_models
import fault_slides
import fault_teaching
from fault_processes import KILLED, WINDOWS, killed, window_closed
from fault_run import Row, seed_of
from fault_trial import Notes
from napari_autofocus.errors import AutofocusError

Do = Callable[[Path, np.random.Generator, Notes], None]
OF_FILES: dict[str, tuple[float, dict[str, Do]]] = {
    "label": (1.0, fault_labelling.TRIALS),
    "train": (1.0, fault_teaching.TRIALS),
    "virtual refocus": (0.5, fault_slides.TRIALS),
    "running model": (0.5, fault_models.TRIALS),
}
"""What is tried with files, and in which share of the rounds."""
OF_PROCESSES = 0.2
"""Share of the rounds of trials that take processes of their own, some ten seconds each."""


@dataclass(frozen=True)
class Trial:
    """What is tried, and in which share of the rounds."""

    do: Do
    share: float = OF_PROCESSES


SOFTWARE: dict[tuple[str, str], Trial] = {
    **{(name, kind): Trial(do, share) for name, (share, kinds) in OF_FILES.items() for kind, do in kinds.items()},
    **{(name, "process killed"): Trial(killed(name)) for name in KILLED},
    **{(name, "window closed"): Trial(window_closed(name)) for name in WINDOWS},
}


def run_software(name: str, kind: str, number: int, seed: int) -> Row:
    """One trial and its verdict."""
    notes, began_s = Notes(), time.monotonic()
    rng = np.random.default_rng(seed_of(seed, name, kind, number))
    with tempfile.TemporaryDirectory() as folder:
        try:
            SOFTWARE[name, kind].do(Path(folder), rng, notes)
        except AutofocusError as error:
            notes.end(type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 (what has no name is what is looked for)
            notes.wrong(f"no name: {type(error).__name__}: {error}")
    if not notes.outcome:
        notes.wrong("no outcome")
    seconds = round(time.monotonic() - began_s, 3)
    return Row(
        name, kind, number, notes.at, notes.times, notes.struck, notes.outcome, notes.sentence[:400], seconds,
        tuple(notes.violations),
    )  # fmt: skip
