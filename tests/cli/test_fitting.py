"""Commands that are told no model take the one that fits, and say so; the simulated microscope has a fitting camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.cli.parts.stand import usual_range_um
from napari_autofocus.models.library import USER_FOLDER_VARIABLE
from napari_autofocus.optics import Objective
from tiny_models import named_file

SMALL = ("--shape", "48x64", "--runs", "1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models for colour frames at 20x and 10x, and for grey ones at 20x; none that ship."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")
    named_file(tmp_path, "colour-20x", stains=("he", "blood"))
    named_file(tmp_path, "colour-10x", range_um=36.0, dof_um=10.0, magnification=10.0, na=0.3, pixel_size_um=0.65)
    named_file(tmp_path, "shining-20x", "mono", ("fluorescence", "beads"))
    return tmp_path


def shell(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ((), "colour-20x"),
        (("--stain", "beads"), "shining-20x"),
        (("--stain", "mixed"), "colour-20x"),
        (("--objective", "10x/0.3"), "colour-10x"),
    ],
)
def test_a_refocus_takes_the_model_that_fits_and_says_so(options: tuple[str, ...], name: str) -> None:
    result = shell("refocus", *SMALL, *options, "--json")
    assert told(result)["runs"][0]["model"] == name
    assert f"{name} fits" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--objective", "40x/0.95"), ("colour-20x comes nearest", "made for 20x/0.75", "--insist")),
        (("--stain", "unstained"), ("shining-20x comes nearest", "taught on")),
        (("--stain", "beads", "--camera", "rgb"), ("shining-20x comes nearest", "Take grey frames")),
        (("--camera", "mono"), ("colour-20x comes nearest", "colour camera")),
        (("--camera", "infrared"), ("--camera is rgb", "infrared")),
    ],
)
def test_where_none_fits_one_sentence_says_which_is_nearest_and_why_not(
    options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    result = shell("refocus", *SMALL, *options, "--json")
    assert result.exit_code == 2
    for part in words:
        assert part in result.stderr


def test_a_colour_model_refuses_the_grey_camera_and_says_what_to_do() -> None:
    result = shell("refocus", "--model", "colour-20x", "--stain", "beads", *SMALL, "--json")
    assert result.exit_code == 2
    assert "Use a model made for grey images" in result.stderr


def test_starts_lie_anywhere_in_the_range_of_the_model() -> None:
    runs = told(shell("refocus", "--model", "colour-10x", "--shape", "48x64", "--runs", 4, "--seed", 2, "--json"))[
        "runs"
    ]
    starts = [abs(run["start_um"]) for run in runs]
    assert 12 < max(starts) <= 36.1


def test_searches_reach_as_far_as_the_depth_of_field_asks_for() -> None:
    assert usual_range_um(Objective.parse("20x/0.75")) == 10.0
    assert usual_range_um(Objective.parse("10x/0.3")) == pytest.approx(36.0)
    assert usual_range_um(Objective.parse("10x/0.3"), 12.0) == 12.0
    assert usual_range_um(None) == 10.0


def test_an_estimate_takes_the_model_that_fits_the_first_image(tmp_path: Path) -> None:
    grey = tmp_path / "grey.tif"
    tifffile.imwrite(grey, np.random.default_rng(0).integers(0, 3000, (64, 80), np.uint16))
    result = shell("estimate", grey, "--objective", "20x/0.75", "--pixel-um", 0.325, "--json")
    assert "shining-20x fits" in result.stderr
    assert told(result)["images"]


def test_grey_frames_pass_through_an_acquisition(tmp_path: Path) -> None:
    out = tmp_path / "stacks"
    result = shell(
        "acquire", "--stain", "beads", "--density", "dense", "--positions", "random:1", "--range-um", 3, "--step-um", 1,
        "--shape", "64x80", "--focus", "here", "--keep-empty", "--out", out, "--json",
    )  # fmt: skip
    assert len(told(result)["written"]) == 1
