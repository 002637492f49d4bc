"""Kills and closed windows, each in a process of its own that this one starts, judges and outlives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fault_trial import Notes

HERE = Path(__file__).parent
KILLS = 4
"""In each trial."""
PATIENCE_S = 900.0


def _told(command: list[str], out: Path, notes: Notes) -> dict[str, Any]:
    """What a script found; a script that hangs or breaks is a violation."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        notes.wrong(f"hang: {' '.join(command[1:])}")
        return {}
    if not out.exists():
        notes.wrong(f"{Path(command[1]).name} ended with {ended.returncode}: {ended.stderr[-300:]}")
        return {}
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if ended.returncode != 0:
        notes.wrong(f"{Path(command[1]).name} ended with {ended.returncode}: {ended.stderr[-200:]}")
    return found


def _kills(script: str, *more: str) -> Callable[[Path, np.random.Generator, Notes], None]:
    def trial(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
        out, seed = folder / "found.json", int(rng.integers(1, 10**6))
        command = [sys.executable, str(HERE / script), "--kills", str(KILLS), "--seed", str(seed), "--out", str(out)]
        found = _told([*command, *more], out, notes)
        notes.at, notes.times, notes.struck = seed, KILLS, True
        notes.violations += [str(each) for each in found.get("faults", ())]
        notes.end("went on", f"{found.get('kills', 0)} kills, after each of which it went on.")

    return trial


labelling_killed = _kills("kills_labelling.py")
teaching_killed = _kills("kills_training.py", "--samples", "800")
acquiring_killed = _kills("kills_acquiring.py")
slide_killed = _kills("fault_kills.py", "--what", "virtual refocus")
scan_killed = _kills("fault_kills.py", "--what", "virtual scan")
mda_killed = _kills("fault_kills.py", "--what", "MDA")


def window_closed(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """A napari window is closed while a routine runs in it; what happened is told by the devices."""
    out, seed = folder / "found.json", int(rng.integers(1, 10**6))
    command = [sys.executable, str(HERE / "fault_window.py"), "--seed", str(seed), "--out", str(out)]
    found = _told(command, out, notes)
    notes.at, notes.struck = seed, True
    notes.violations += [str(each) for each in found.get("faults", ())]
    notes.end("closed", f"{found.get('doing', '?')}, closed after {found.get('after_ms', '?')} ms.")
