"""Kills and closed windows, each in a process of its own that this one starts, judges and outlives."""

from __future__ import annotations

import json
import os
import signal
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
KILLED = {
    "label": ("kills_labelling.py",),
    "train": ("kills_training.py", "--samples", "800"),
    "acquire stacks": ("kills_acquiring.py",),
    **{
        name: ("fault_kills.py", "--what", name)
        for name in ("refocus", "sweep", "hold", "survey", "calibrate", "MDA", "virtual scan", "virtual refocus")
    },
}
"""What is killed, and the script that does it."""
WINDOWS = (
    "live",
    "refocus",
    "hold",
    "sweep",
    "survey",
    "acquire stacks",
    "calibrate",
    "MDA",
    "label",
    "train",
    "virtual refocus",
)
"""What a napari window does when it is closed."""


def told(command: list[str], out: Path, notes: Notes, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """What a script found; a script that hangs or breaks is a violation, and what it started ends with it."""
    script = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = script.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        os.killpg(script.pid, signal.SIGKILL)
        script.communicate()
        notes.wrong(f"hang: {' '.join(command[1:])}")
        return {}
    if script.returncode != 0:
        notes.wrong(f"{Path(command[1]).name} ended with {script.returncode}: {errors[-300:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    return found


def killed(name: str) -> Callable[[Path, np.random.Generator, Notes], None]:
    """A trial in which what works on something is killed a few times."""
    script, *more = KILLED[name]

    def trial(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
        out, notes.at, notes.times = folder / "found.json", int(rng.integers(1, 10**6)), KILLS
        asked = ["--kills", str(KILLS), "--seed", str(notes.at), "--out", str(out)]
        found = told([sys.executable, str(HERE / script), *more, *asked], out, notes)
        notes.struck = bool(found.get("kills"))
        notes.violations += [str(each) for each in found.get("faults", ())]
        notes.end(
            "went on" if found else "broke off", f"{found.get('kills', 0)} kills, after each of which it went on."
        )

    return trial


def window_closed(name: str) -> Callable[[Path, np.random.Generator, Notes], None]:
    """A trial in which a napari window is closed while it does something; what happened is told by the devices."""

    def trial(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
        out, notes.at = folder / "found.json", int(rng.integers(1, 10**6))
        command = [sys.executable, str(HERE / "fault_window.py"), "--doing", name, "--seed", str(notes.at)]
        found = told([*command, "--out", str(out)], out, notes)
        notes.struck = bool(found.get("was_running"))
        notes.violations += [str(each) for each in found.get("faults", ())]
        notes.end(
            "closed" if found else "broke off",
            f"Closed after {found.get('after_ms', '?')} ms; {'; '.join(found.get('said', ()))}",
        )

    return trial
