"""``napari-autofocus simulate``: options reach the simulation, and JSON stands alone on standard output."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.cli.parts.options import parse_shape
from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack

SMALL = ["--shape", "64x96", "--range-um", "3", "--step-um", "1", "--fields", "2", "--mono"]


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def test_json_lists_the_stacks_that_were_written(tmp_path: Path) -> None:
    result = simulate(*SMALL, "--seed", 7, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0
    paths = [Path(path) for path in json.loads(result.stdout)["stacks"]]
    assert [len(open_stack(path)) for path in paths] == [7, 7]
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [path.name for path in paths]


def test_stdout_of_a_real_process_is_one_json_object(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "simulate", *SMALL]
    done = subprocess.run([*command, "--out", str(tmp_path / "out"), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)) == ["stacks"]
    assert done.stdout.count("\n") == 1
    assert "2 z-stacks of 7 planes" in done.stderr


def test_options_reach_slide_optics_and_camera(tmp_path: Path) -> None:
    options = ["--stain", "blood", "--density", "sparse", "--objective", "40x/0.95", "--pixel-um", "0.2", "--tilt"]
    options += ["3", "-4", "--bit-depth", "12", "--start-offsets", "--focus-direction", "-1"]
    result = simulate(*SMALL, *options, "--seed", 9, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    record = json.loads((tmp_path / "out" / "simulation.json").read_text(encoding="utf-8"))
    chosen = record["settings"]
    assert (chosen["stain"], chosen["density"], chosen["objective"]) == ("blood", "sparse", "40x/0.95")
    assert (chosen["topography"]["tilt_x_um_per_mm"], chosen["topography"]["tilt_y_um_per_mm"]) == (3, -4)
    assert (chosen["camera"]["bit_depth"], chosen["camera"]["colour"]) == (12, "mono")
    stack = open_stack(tmp_path / "out" / record["stacks"][0]["path"])
    assert (stack.pixel_size_um, stack.focus_direction, stack.data.dtype) == (pytest.approx(0.2), -1, "uint16")
    assert stack.z_um[0] == pytest.approx(-3 - 1 / 3, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stain", "tartan"], "use one of he, ihc"),
        (["--density", "thin"], "use one of dense, sparse"),
        (["--objective", "big"], "20x/0.75"),
        (["--objective", "20x/1.2"], "name the immersion"),
        (["--shape", "64"], "1024x1224"),
        (["--shape", "0x64"], "1024x1224"),
        (["--step-um", "0"], "positive step"),
        (["--fields", "0"], "At least one field"),
        (["--bit-depth", "7"], "8"),
        (["--focus-direction", "0"], "+1 or -1"),
        (["--even", "--topography", "thick"], "one depth"),
    ],
)
def test_bad_options_get_one_sentence_and_write_nothing(options: list[str], message: str, tmp_path: Path) -> None:
    result = simulate(*SMALL, *options, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_used_folder_is_refused_in_json_too(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    result = simulate(*SMALL, "--out", tmp_path, "--json")
    assert result.exit_code == 2
    assert "not empty" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("text", ["12x34", " 12 X 34 ", "12×34"])
def test_shapes_are_read_as_height_and_width(text: str) -> None:
    assert parse_shape(text) == (12, 34)


@pytest.mark.parametrize("text", ["", "12", "12x", "axb", "-1x5", "1.5x3"])
def test_unreadable_shapes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="height x width"):
        parse_shape(text)
