"""kill -9 while acquiring, at two random moments; the same with fifty is ``benchmarks/kills_acquiring.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills_acquiring.py"


@pytest.mark.skipif(os.name != "posix", reason="kills forks of a process")
def test_finished_stacks_survive_a_kill_and_the_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    command = [sys.executable, str(BENCHMARK), "--kills", "2", "--seed", "3", "--out", str(out)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(out.read_text())
    assert (found["kills"], found["stacks"], found["faults"]) == (2, 6, [])
