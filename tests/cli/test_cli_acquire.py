"""``napari-autofocus acquire``: its JSON, going on with a folder, and that nothing real moves without permission."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.io import find_stacks, open_stack

SMALL = ("--shape", "96x128", "--range-um", "2", "--step-um", "1", "--find-range-um", "4", "--seed", "3")


BEADS = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Camera,Mode,Fluorescent Beads
Property,Camera,Exposure,5
"""


def acquire(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["acquire", *map(str, arguments), "--json"])


def test_a_grid_is_written_with_optics_and_told(tmp_path: Path) -> None:
    done = acquire("--positions", "grid:2x1@300", "--focus-direction", -1, "--out", tmp_path, *SMALL)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["outcome"], told["skipped"]) == ("done", [])
    assert [Path(each["path"]) for each in told["written"]] == find_stacks([tmp_path])
    assert [each["x_um"] for each in told["written"]] == [-150.0, 150.0]
    for each in told["written"]:
        assert abs(each["best_z_um"] - each["true_best_z_um"]) < 0.5
        stack = open_stack(each["path"])
        assert (stack.objective.name if stack.objective else "", stack.focus_direction) == ("20x/0.75", -1)


def test_a_folder_that_was_begun_needs_no_positions_again(tmp_path: Path) -> None:
    acquire("--positions", "here", "--out", tmp_path, *SMALL)
    told = json.loads(acquire("--out", tmp_path, *SMALL).stdout)
    assert (told["frames"], len(told["written"])) == (0, 1)
    refused = acquire("--out", tmp_path / "new", *SMALL)
    assert refused.exit_code == 2
    assert "holds no acquisition to go on with" in json.loads(refused.stdout)["error"]


def test_glass_is_skipped_and_said_why(tmp_path: Path) -> None:
    done = acquire("--positions", "grid:2x1@300", "--density", "empty", "--out", tmp_path, *SMALL)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["outcome"], told["written"]) == (3, "done_in_part", [])
    assert [each["why"] for each in told["skipped"]] == ["empty", "empty"]
    assert "patches change with focus" in told["skipped"][0]["reason"]


def test_positions_that_are_none_are_refused(tmp_path: Path) -> None:
    refused = acquire("--positions", "circle:3", "--out", tmp_path, *SMALL)
    assert refused.exit_code == 2
    assert "Cannot read 'circle:3' as positions; write grid:" in json.loads(refused.stdout)["error"]


def test_a_real_core_is_asked_for_and_moves_only_with_permission(tmp_path: Path) -> None:
    cfg = tmp_path / "beads.cfg"
    cfg.write_text(BEADS)
    options = ("--positions", "here", "--microscope", cfg, "--step-um", 1, "--out", tmp_path / "stacks")
    refused = acquire(*options)
    assert refused.exit_code == 2
    assert "--limits-um" in json.loads(refused.stdout)["error"]
    refused = acquire(*options, "--range-um", 3)
    assert refused.exit_code == 2
    assert "you did not agree" in json.loads(refused.stdout)["error"]
    assert not (tmp_path / "stacks").exists()
    told = json.loads(acquire(*options, "--range-um", 3, "--focus", "here", "--yes").stdout)
    assert told["outcome"] == "done"
    stack = open_stack(told["written"][0]["path"])
    assert (len(stack), stack.objective, told["written"][0]["x_um"]) == (7, None, None)
