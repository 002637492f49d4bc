"""The safety campaign of ``benchmarks/moves.py``, shortened."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_autofocus.microscope.drives import StageDrive
from napari_autofocus.microscope.travel import TravelRules

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "moves.py"


@pytest.fixture(scope="module")
def moves() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_moves", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _no_reports_of_faults_in_acquisitions() -> None:
    logging.getLogger("pymmcore-plus").setLevel(logging.CRITICAL)


def test_no_move_of_ours_leaves_the_limits_and_none_beyond_them_goes_unnoticed(moves: ModuleType) -> None:
    tally = moves.campaign(1500, seed=11)
    assert tally.commanded == 1500
    assert tally.violations == 0
    assert tally.outcomes["arrived"] > 400
    assert tally.outcomes["MoveRefused"] > 300
    assert tally.outcomes["HardwareError"] > 5
    assert tally.beyond_limits > 80
    assert tally.watched > 40
    assert min(tally.foreign[who] for who in ("widget", "relative", "property", "undo", "mda")) > 5


def test_the_campaign_would_notice_a_drive_without_limits(moves: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TravelRules, "require", lambda *_: None)
    monkeypatch.setattr(StageDrive, "_require_still_allowed", lambda *_: None)
    assert moves.campaign(60, seed=1).outside_limits > 0
