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
import fault_processes
import fault_slides
import fault_teaching
from fault_run import Row, seed_of
from fault_trial import Notes
from napari_autofocus.errors import AutofocusError


@dataclass(frozen=True)
class Trial:
    """What is tried, and in which share of the rounds."""

    do: Callable[[Path, np.random.Generator, Notes], None]
    share: float = 1.0


SOFTWARE: dict[tuple[str, str], Trial] = {
    ("label", "disk full"): Trial(fault_labelling.disk_full),
    ("label", "stopped"): Trial(fault_labelling.stopped),
    ("label", "stack damaged"): Trial(fault_labelling.stack_damaged),
    ("label", "killed"): Trial(fault_processes.labelling_killed, 0.1),
    ("train", "disk full"): Trial(fault_teaching.disk_full),
    ("train", "stopped"): Trial(fault_teaching.stopped),
    ("train", "checkpoint damaged"): Trial(fault_teaching.checkpoint_damaged),
    ("train", "loss no number"): Trial(fault_teaching.no_number),
    ("train", "killed"): Trial(fault_processes.teaching_killed, 0.1),
    ("virtual refocus", "disk full"): Trial(fault_slides.disk_full, 0.5),
    ("virtual refocus", "stopped"): Trial(fault_slides.stopped, 0.5),
    ("virtual refocus", "model fails"): Trial(fault_slides.model_fails, 0.5),
    ("virtual refocus", "another model"): Trial(fault_slides.another_model, 0.5),
    ("virtual refocus", "input damaged"): Trial(fault_slides.input_damaged, 0.5),
    ("virtual refocus", "killed"): Trial(fault_processes.slide_killed, 0.1),
    ("acquire stacks", "killed"): Trial(fault_processes.acquiring_killed, 0.1),
    ("virtual scan", "killed"): Trial(fault_processes.scan_killed, 0.1),
    ("MDA", "killed"): Trial(fault_processes.mda_killed, 0.1),
    ("running model", "file replaced"): Trial(fault_models.file_replaced, 0.5),
    ("running model", "file cut short"): Trial(fault_models.file_cut_short, 0.5),
    ("napari window", "closed mid-run"): Trial(fault_processes.window_closed, 0.1),
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
