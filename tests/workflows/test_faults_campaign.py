"""The campaign of ``benchmarks/faults.py``, shortened; and that its checks can fail."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from napari_autofocus.microscope.drives import StageDrive
from napari_autofocus.microscope.frames import RepeatGuard
from napari_autofocus.microscope.travel import TravelRules
from napari_autofocus.routines.running.guard import RunGuard

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
QUICK = ("refocus", "refocus by two shots", "sweep", "hold", "follow a map", "survey", "overview")
ONE_OF_EACH_KIND = (
    "camera time-out",
    "NaN frame",
    "stale frame",
    "saturated frame",
    "stage stuck",
    "stage error mid-move",
    "stage never done",
    "stage reports a wrong z",
    "all devices gone",
    "stopped",
    "moved by hand",
)


@pytest.fixture(scope="module")
def campaign() -> Iterator[dict[str, ModuleType]]:
    """The campaign's modules, imported from their folder and forgotten again."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("fault_run", "fault_routines", "fault_kinds", "faults", "fault_software")
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and BENCHMARKS in Path(str(file)).parents:
                del sys.modules[name]


@pytest.mark.parametrize("name", QUICK)
def test_every_fault_of_a_routine_is_survived(campaign: dict[str, ModuleType], name: str) -> None:
    run, applies = campaign["fault_run"].run, campaign["fault_run"].applies
    rows = [run(name, kind, 0, 11) for kind in ONE_OF_EACH_KIND if applies(name, kind)]
    assert len(rows) >= 6
    assert [(row.kind, row.violations) for row in rows if row.violations] == []
    assert all(row.outcome for row in rows)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("acquire stacks", "disk full"),
        ("acquire stacks", "camera gone"),
        ("virtual scan", "disk full"),
        ("virtual scan", "slide stuck"),
        ("lens calibration", "lens stuck"),
        ("MDA", "stage stuck"),
        ("MDA", "disk full"),
        ("calibrate", "stage gone"),
    ],
)
def test_what_writes_files_survives_faults(campaign: dict[str, ModuleType], name: str, kind: str) -> None:
    row = campaign["fault_run"].run(name, kind, 0, 12)
    assert row.violations == ()
    assert row.outcome


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("label", "disk full"),
        ("label", "stack damaged"),
        ("train", "disk full"),
        ("train", "checkpoint damaged"),
        ("virtual refocus", "disk full"),
        ("virtual refocus", "another model"),
        ("running model", "file cut short"),
    ],
)
def test_files_and_models_survive_faults(campaign: dict[str, ModuleType], name: str, kind: str) -> None:
    row = campaign["fault_software"].run_software(name, kind, 0, 13)
    assert row.violations == ()
    assert row.outcome


def _found(campaign: dict[str, ModuleType], name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Violations of a run with a stated fault."""
    module = campaign["fault_run"]
    monkeypatch.setattr(module, "drawn", lambda *_: fault)
    return " ".join(module.run(name, fault.kind, 3, 14).violations)


def test_a_drive_without_limits_is_found_out(campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand's own limits, which the drive no longer keeps, are what its log is held against."""
    monkeypatch.setattr(TravelRules, "require", lambda *_: None)
    monkeypatch.setattr(TravelRules, "allows", lambda *_: True)
    monkeypatch.setattr(StageDrive, "limits_um", property(lambda _: (-50.0, 50.0)))
    for module in ("fault_stand", "fault_verdicts"):
        monkeypatch.setattr(sys.modules[module], "LIMITS_UM", (-1.0, 1.0))
    found = _found(campaign, "sweep", campaign["fault_kinds"].Fault("camera time-out", 9), monkeypatch)
    assert "limit: the stage was sent to" in found


def test_a_run_that_forgets_the_way_home_is_found_out(
    campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunGuard, "_settle", lambda _: None)
    found = _found(campaign, "sweep", campaign["fault_kinds"].Fault("camera gone", 9, 10**6), monkeypatch)
    assert "and nothing is said" in found


def test_an_error_without_a_name_is_found_out(campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.microscope.edge.DEVICE_ERRORS", ())
    found = _found(campaign, "refocus", campaign["fault_kinds"].Fault("camera time-out", 2, 10**6), monkeypatch)
    assert "no name: TimeoutError" in found or "no name: RuntimeError" in found


def test_a_stage_that_never_gets_done_without_a_time_out_is_found_out(
    campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_ever(core: Any, label: str, clock: Any, _: float) -> None:
        while core.deviceBusy(label):
            clock.sleep(0.5)

    monkeypatch.setattr("napari_autofocus.microscope.axes.wait_until_idle", for_ever)
    found = _found(campaign, "refocus", campaign["fault_kinds"].Fault("stage never done", 1, 10**6), monkeypatch)
    assert found.startswith("hang: ")


def test_a_stale_frame_that_is_believed_is_found_out(
    campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RepeatGuard, "is_repeat", lambda *_: False)
    found = _found(campaign, "survey", campaign["fault_kinds"].Fault("stale frame", 3, 10**6), monkeypatch)
    assert "called found" in found


def test_a_stage_that_does_not_get_done_is_told_in_one_sentence(
    campaign: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = campaign["fault_run"]
    monkeypatch.setattr(module, "drawn", lambda *_: campaign["fault_kinds"].Fault("stage never done", 1, 10**6))
    row = module.run("refocus", "stage never done", 3, 15)
    assert row.outcome == "failed"
    assert "Z is still busy after 1 s; check whether it is blocked." in row.sentence


def test_a_campaign_goes_on_where_it_was(campaign: dict[str, ModuleType], tmp_path: Path) -> None:
    faults, log = campaign["faults"], tmp_path / "rows.jsonl"
    asked = [("refocus", kind, 0) for kind in ("none", "stage stuck", "NaN frame")]
    first = list(faults.carried_out(asked[:2], 3, log))
    lines = log.read_text().splitlines()
    rows = list(faults.carried_out(asked, 3, log))
    assert [replace(row, seconds=0) for row in rows[:2]] == [replace(row, seconds=0) for row in first]
    assert log.read_text().splitlines()[:2] == lines
    found = faults.summary(rows, 3)
    assert (found["runs"], found["violations"]) == (3, [])
    assert found["table"]["refocus"]["stage stuck"]["runs"] == 1
    said: list[str] = []
    faults.print_table(found, said.append)
    assert said[-1].startswith("3 runs, 0 violations")


def test_the_page_tells_what_the_campaign_found(campaign: dict[str, ModuleType]) -> None:
    found = json.loads((BENCHMARKS / "results" / "faults.json").read_text(encoding="utf-8"))
    page = (BENCHMARKS.parent / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in campaign["faults"].markdown(found) if line not in page] == []
    assert found["runs"] == sum(cell["runs"] for kinds in found["table"].values() for cell in kinds.values()) >= 2000
