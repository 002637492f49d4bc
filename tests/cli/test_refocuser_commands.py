"""``train`` and ``evaluate`` of virtual refocusers: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.models.package import open_virtual_package
from own_folders import write_stacks
from tiny_refocusers import tiny_refocuser_file


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stacks, and a small refocuser."""
    root = tmp_path_factory.mktemp("refocuser")
    write_stacks(root / "stacks", 3)
    tiny_refocuser_file(root)
    return root


def test_training_prints_what_the_refocuser_gains(place: Path, tmp_path: Path) -> None:
    base, out = place / "tiny-virtual.zip", tmp_path / "mine.zip"
    result = call(
        "train", place / "stacks", "--base", base, "--minutes", 0.001, "--out", out, "--report", tmp_path / "r"
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "model mine for 20x/0.75 at 0.325 µm a pixel, shots ±" in lines[0]
    assert "dB over the sharper of two shots on" in lines[1]
    assert "tiny-virtual, which it began with, gains" in lines[2]
    assert "Learned from 2 stacks" in result.stderr
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"evaluation.json", "evaluation.png"}
    assert open_virtual_package(out).card.evaluation["pairs"] > 0


def test_training_refuses_a_kind_that_is_not_the_bases(place: Path, tmp_path: Path) -> None:
    base = place / "tiny-virtual.zip"
    result = call("train", place / "stacks", "--base", base, "--kind", "one-shot", "--out", tmp_path / "mine.zip")
    assert result.exit_code == 2
    assert "is of kind virtual" in result.stderr


def test_evaluating_a_refocuser_prints_gains_as_json(place: Path, tmp_path: Path) -> None:
    result = call("evaluate", place / "tiny-virtual.zip", place / "stacks", "--json", "--workers", 0, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["kind"] == "virtual"
    assert told["fields"] == told["pairs"] > 0
    assert told["gain_db"] == pytest.approx(told["recovered_db"] - told["sharper_db"])
    assert set(told["by_half_um"]) >= {"1", "2", "3"}
    assert told["stacks"] == 3
    assert "Labelled by Brenner" in result.stderr
    assert (tmp_path / "evaluation.png").is_file()


def test_evaluating_a_refocuser_prints_a_table(place: Path) -> None:
    result = call("evaluate", place / "tiny-virtual.zip", place / "stacks", "--workers", 0)
    assert result.exit_code == 0, result.stderr
    assert "gain, dB" in result.stdout
    assert "±2 µm" in result.stdout


def test_optics_that_are_not_the_models_are_refused_without_insisting(place: Path) -> None:
    command = ("evaluate", place / "tiny-virtual.zip", place / "stacks", "--pixel-um", 0.65, "--workers", 0)
    assert "refuses this frame" in call(*command).stderr
    insisted = call(*command, "--insist")
    assert insisted.exit_code == 0
    assert "made for 0.325 µm" in insisted.stderr
