"""The campaign of ``benchmarks/kills_labelling.py``, shortened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "kills_labelling.py"


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kill -9")
def test_nothing_confirmed_is_lost_and_nothing_is_half_written_after_kills(tmp_path: Path) -> None:
    out = tmp_path / "kills.json"
    command = [sys.executable, str(BENCHMARK), "--kills", "3", "--out", str(out)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(out.read_text())
    faults = ("lost", "changed", "gaps", "half-written", "damaged", "broken_work_lists")
    assert {name: found[name] for name in faults} == dict.fromkeys(faults, 0)
    assert found["kills"] == 3
    assert min(found["confirmed"][name] for name in ("ann", "bob")) >= 3
