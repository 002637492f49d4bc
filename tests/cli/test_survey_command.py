"""``napari-autofocus survey``: its JSON, the files it writes, its refusals, that nothing real moves without a yes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.routines.survey import SurveyRecord
from napari_autofocus.slide.focus_map import FocusMap

SMALL = ("--points", "3x2", "--area-mm", "2x1", "--shape", "256x320", "--density", "sparse", "--stain", "ihc")
DEMO_CORE = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Device,XY,DemoCamera,DXYStage
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Core,XYStage,XY
"""


def survey(*arguments: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["survey", *map(str, arguments)], input=typed)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A real Micro-Manager core with an XY stage."""
    path = tmp_path / "demo.cfg"
    path.write_text(DEMO_CORE)
    return path


@pytest.mark.parametrize("direction", [1, -1])
def test_prints_one_json_object_by_the_contract_and_writes_the_map(tmp_path: Path, direction: int) -> None:
    out, record = tmp_path / "map.json", tmp_path / "survey.json"
    found = told(survey(*SMALL, "--focus-direction", direction, "--out", out, "--record", record, "--json"))
    assert len(found["points"]) == 6
    for point in found["points"]:
        assert {"x_um", "y_um", "z_um", "outcome", "reason", "true_z_um"} <= set(point)
        assert point["outcome"] in ("found", "nearby")
    summary = found["summary"]
    assert summary["outcome"] == "done"
    assert summary["exposures"] < 30
    assert 0.5 < summary["seconds"] < 20
    assert summary["mae_um"] < 0.4
    surface = FocusMap.from_json(out.read_text())
    assert surface.z_um(0.0, 0.0) == pytest.approx(found["points"][1]["true_z_um"], abs=3.0)
    kept = SurveyRecord.from_json(record.read_text())
    assert len(kept.points) == 6

    again = told(survey(*SMALL, "--focus-direction", direction, "--record", record, "--json"))
    assert again["summary"]["exposures"] == 0
    assert again["points"] == found["points"]


def test_in_words_it_says_what_was_found() -> None:
    result = survey(*SMALL)
    assert result.exit_code == 0
    assert "6 places: " in result.stdout
    assert "True error" in result.stdout
    assert "Surface: " in result.stdout


def test_an_empty_slide_is_done_in_part(tmp_path: Path) -> None:
    result = survey(*SMALL[:6], "--density", "empty", "--out", tmp_path / "map.json", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["summary"]["outcomes"] == {"empty": 6}
    assert not (tmp_path / "map.json").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--points", "16"), "columns x rows"),
        (("--points", "0x4"), "from 1 to"),
        (("--area-mm", "wide"), "width x height in mm"),
        (("--area-mm", "0x5"), "above 0 mm"),
        (("--area-mm", "90x90"), "beyond the limits of the XY stage"),
        (("--empty", "1.5"), "--empty"),
        (("--nearby", "-1"), "0 to 16 places"),
        (("--surface", "dome"), "Unknown surface"),
        (("--mirrored", "z"), "--mirrored is"),
        (("--out", "map.txt"), "A map is written as"),
        (("--out", "/nowhere/map.json"), "in a folder that exists"),
        (("--model", "nobody-knows-it"), "nobody-knows-it"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(arguments: tuple[str, ...], why: str) -> None:
    result = survey(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_record_of_other_places_is_not_gone_on_with(tmp_path: Path) -> None:
    record = tmp_path / "survey.json"
    survey(*SMALL[:6], "--density", "empty", "--record", record)
    result = survey("--points", "2x2", *SMALL[2:6], "--density", "empty", "--record", record)
    assert result.exit_code == 2
    assert "other places" in result.stderr


def test_nothing_real_moves_without_a_yes(core: Path) -> None:
    arguments = ("--microscope", core, "--points", "2x2", "--area-mm", "1x1", "--objective", "20x/0.75")
    result = survey(*arguments, "--pixel-um", "0.325", "--range-um", "5", typed="n\n")
    assert result.exit_code == 2
    assert "Nothing was moved" in result.stderr
    assert "the stage will move between x -500 and 500" in result.stderr


def test_a_real_microscope_needs_a_range(core: Path) -> None:
    result = survey("--microscope", core, "--points", "2x2", "--objective", "20x/0.75")
    assert result.exit_code == 2
    assert "--limits-um" in result.stderr
