"""``napari-autofocus sweep``: its JSON, its table, its exit codes, and that nothing real moves without permission."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymmcore_plus import CMMCorePlus
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.errors import FrameError
from napari_autofocus.microscope.cores import release_core
from napari_autofocus.records import SweepRecord

KEYS = {
    "start_um",
    "end_um",
    "frames",
    "moves",
    "outcome",
    "seconds",
    "verdict",
    "reasons",
    "best_z_um",
    "start_z_um",
    "end_z_um",
}
BEADS = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Camera,Mode,Fluorescent Beads
Property,Camera,Exposure,5
Property,Z,Position,3.3
"""


def sweep(*arguments: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)], input=typed)


def simulated(*arguments: object) -> Result:
    return sweep("--microscope", "simulated", "--shape", "96x128", *arguments)


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    """A real Micro-Manager core whose camera shows beads that are sharp at z = 0; it stands at 3.3 µm."""
    path = tmp_path / "beads.cfg"
    path.write_text(BEADS)
    return path


@pytest.mark.parametrize("direction", [1, -1])
def test_prints_one_json_object_by_the_contract(direction: int) -> None:
    result = simulated("--method", "curve-fit", "--runs", 2, "--seed", 4, "--focus-direction", direction, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert len(told["runs"]) == 2
    for run in told["runs"]:
        assert set(run) >= KEYS
        assert run["outcome"] == "focused", run
        assert abs(run["start_um"]) <= 10.1
        assert abs(run["end_um"]) < 0.5
        moved_um = direction * (run["end_z_um"] - run["start_z_um"])
        assert moved_um == pytest.approx(run["end_um"] - run["start_um"], abs=0.01)
        assert 0.025 * run["frames"] < run["seconds"] < 10
    assert told["summary"]["runs"] == 2
    assert told["summary"]["within_half_dof"] == 1.0
    assert told["summary"]["outcomes"] == {"focused": 2}


def test_the_same_seed_gives_the_same_runs() -> None:
    first, again, other = (
        json.loads(simulated("--method", "hill-climb", "--seed", seed, "--json").stdout) for seed in (5, 5, 6)
    )
    assert first == again
    assert first["runs"][0]["start_um"] != other["runs"][0]["start_um"]


def test_an_empty_slide_ends_where_it_started_and_says_why() -> None:
    result = simulated("--method", "hill-climb", "--density", "empty")
    assert result.exit_code == 0
    assert "reverted" in result.stdout
    assert "where it started" in result.stdout
    assert "0 of 1 focused" in result.stdout


def test_limits_hold_for_the_simulated_drive() -> None:
    result = simulated("--method", "uniform", "--limits-um", -1, 2, "--json", "--seed", 3)
    run = json.loads(result.stdout)["runs"][0]
    assert -1 <= run["start_z_um"] <= 2
    assert -1 <= run["end_z_um"] <= 2
    assert run["frames"] <= 8


def test_keeps_full_records(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert simulated("--method", "curve-fit", "--runs", 2, "--records", path).exit_code == 0
    records = [SweepRecord.from_json(line) for line in path.read_text().splitlines()]
    assert [len(record.curve) == record.frames for record in records] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "spiral"], "spiral"),
        (["--measure", "blur"], "blur"),
        (["--runs", 0], "at least 1"),
        (["--step-um", -1], "step_um"),
        (["--stain", "ink"], "ink"),
        (["--objective", "big"], "big"),
        (["--focus-direction", 2], "+1 or -1"),
        (["--limits-um", 5, 1], "limits"),
        (["--method", "brent", "--polarity", "min"], "coarse-to-fine"),
        (["--microscope", "missing.cfg", "--objective", "20x/0.75", "--range-um", 5], "missing.cfg"),
        (["--microscope", "missing.cfg", "--limits-um", 0, 5], "missing.cfg"),
        (["--microscope", "missing.cfg"], "missing.cfg"),
        (["--range-um", "nan"], "--range-um must be a positive number"),
        (["--range-um", -5], "--range-um must be a positive number"),
        (["--records", "no such folder/runs.jsonl"], "folder that exists"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[object], message: str) -> None:
    result = sweep(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    "text",
    [
        "Device,Camera,NoSuchAdapter,DCam\n",
        "Property,Camera,Exposure\n",
        "Device,Z,DemoCamera,DStage\nProperty,Core,Initialize,1\n",
        "nonsense",
    ],
)
def test_a_broken_configuration_is_told_before_anything_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text(text)
    result = sweep("--microscope", path)
    assert result.exit_code == 2
    assert "broken.cfg could not be loaded" in result.stderr or "has no camera" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_real_microscope_needs_a_step(beads: Path) -> None:
    result = sweep("--microscope", beads, "--limits-um", -5, 5, "--yes")
    assert result.exit_code == 2
    assert "--objective" in result.stderr


@pytest.mark.parametrize("arguments", [["--exposure-ms", -5], ["--range-um", 0.5], ["--backlash-um", -1]])
def test_settings_that_a_real_microscope_refuses_let_go_of_its_core(
    beads: Path, arguments: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[CMMCorePlus] = []

    def release(core: CMMCorePlus) -> None:
        released.append(core)
        release_core(core)

    monkeypatch.setattr("napari_autofocus.microscope.mmcore.release_core", release)
    limits = () if "--range-um" in arguments else ("--limits-um", -5, 5)
    result = sweep("--microscope", beads, "--step-um", 0.2, *limits, *arguments, "--yes")
    assert result.exit_code == 2, result.output
    assert len(released) == 1


def test_a_failed_run_on_a_real_microscope_is_the_last(beads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dark(*_: object) -> None:
        raise FrameError("The camera delivered a frame of zeros.")

    monkeypatch.setattr("napari_autofocus.microscope.mmcore.require_image", dark)
    common = ("--microscope", beads, "--step-um", 1, "--limits-um", -40, 40, "--yes", "--json")
    result = sweep(*common, "--runs", 3)
    assert result.exit_code == 3, result.output
    told = json.loads(result.stdout)
    assert [run["outcome"] for run in told["runs"]] == ["failed"]
    assert "the remaining 2 were not begun" in result.stderr


def test_focuses_a_camera_without_noise_from_exactly_its_focus(beads: Path) -> None:
    """Frames at equal distances above and below are the same in every bit there."""
    beads.write_text(BEADS.replace("Position,3.3", "Position,0"))
    for method in ("hill-climb", "brent", "curve-fit"):
        common = ("--microscope", beads, "--step-um", 1, "--limits-um", -40, 40, "--yes", "--json")
        run = json.loads(sweep(*common, "--method", method).stdout)["runs"][0]
        assert run["outcome"] == "focused", (method, run["reasons"])
        assert abs(run["end_z_um"]) < 0.5


def test_a_real_microscope_needs_limits(beads: Path) -> None:
    result = sweep("--microscope", beads, "--step-um", 1)
    assert result.exit_code == 2
    assert "--limits-um" in result.stderr


@pytest.mark.parametrize("typed", ["n\n", ""], ids=["no", "nobody there"])
def test_a_real_microscope_does_not_move_without_a_yes(beads: Path, typed: str) -> None:
    result = sweep("--microscope", beads, "--step-um", 1, "--limits-um", -40, 40, typed=typed)
    assert result.exit_code == 2
    assert "stands at 3.30 µm" in result.stderr
    assert "between -40.00 and 40.00 µm" in result.stderr
    assert "Nothing was moved" in result.stderr


@pytest.mark.parametrize("method", ["uniform", "coarse-to-fine", "hill-climb", "brent", "curve-fit"])
def test_focuses_a_real_micro_manager_core(beads: Path, method: str) -> None:
    result = sweep("--microscope", beads, "--method", method, "--step-um", 1, "--limits-um", -40, 40, "--yes", "--json")
    assert result.exit_code == 0, result.output
    run = json.loads(result.stdout)["runs"][0]
    assert run["outcome"] == "focused", run["reasons"]
    assert run["start_um"] is None
    assert run["end_um"] is None
    assert run["start_z_um"] == pytest.approx(3.3)
    assert abs(run["end_z_um"]) < 0.5


def test_a_range_around_here_is_a_limit(beads: Path) -> None:
    result = sweep("--microscope", beads, "--step-um", 1, "--range-um", 2, "--method", "uniform", "--json", typed="y\n")
    assert "between 1.30 and 5.30 µm" in result.stderr
    run = json.loads(result.stdout)["runs"][0]
    assert (run["outcome"], run["verdict"]) == ("reverted", "peak_at_edge")
    assert run["end_z_um"] == pytest.approx(3.3, abs=0.01)
