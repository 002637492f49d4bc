"""The core that napari-micromanager itself runs, shared in a real window; skipped where it is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.gui
def test_the_core_of_napari_micromanager_is_shared() -> None:
    """In a process of its own, as users have it: its layer beside ours crashes vispy where a window was open before."""
    pytest.importorskip("mm_test_adapters")
    pytest.importorskip("napari_micromanager")
    check = Path(__file__).with_name("napari_micromanager_core.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:logging", str(check)]
    ran = subprocess.run(command, cwd=check.parents[2], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "1 passed" in ran.stdout
