"""Tests that need a process of their own: another's plugin may kill it, or memory must be quiet enough to measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import qtpy

ROOT = Path(__file__).parents[1]
LONGEST_S = 120


def run_alone(check: Path) -> subprocess.CompletedProcess[str]:
    """Run one file of tests in a process of its own, whose exit code tells how it died.

    Not side by side: pytest's workers would die in its place, and it would only say that tests failed.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:logging",
        "-o",
        f"qt_api={qtpy.API}",  # the binding that this process runs on
        str(check),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S)
