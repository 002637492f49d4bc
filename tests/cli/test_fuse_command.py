"""``napari-autofocus fuse``: its JSON, words, files and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.io.fused import fused_origin
from napari_autofocus.io.writing import write_stack
from stacks import blurred_stack


def fuse(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fuse", *map(str, arguments)])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_stack(tmp_path / "stack.ome.tif", blurred_stack(7.0, shape=(128, 128)))


def test_json_holds_the_contract(tmp_path: Path, stack: Path) -> None:
    out, depth = tmp_path / "sharp.ome.tif", tmp_path / "depth.ome.tif"
    result = fuse(stack, "-o", out, "--depth", depth, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["output"], told["depth"], told["planes"]) == (str(out), str(depth), 15)
    assert told["depth_um"][0] == pytest.approx(7.0, abs=0.6)
    assert told["depth_told"] > 0.9
    assert fused_origin(out)
    assert fused_origin(depth)


def test_words_tell_the_depths(tmp_path: Path, stack: Path) -> None:
    result = fuse(stack, "-o", tmp_path / "sharp.png")
    assert result.exit_code == 0, result.stderr
    assert "15 planes fused" in result.stdout
    assert "sharp from z" in result.stdout


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((), "where the image goes"),
        (("-o", "sharp.xyz"), "none of these"),
        (("-o", "sharp.tif", "--depth", "depth.png"), "neither"),
        (("-o", "sharp.tif", "--least-sure", "3"), "from 0 to 1"),
        (("-o", "sharp.tif", "--step-um", "-1"), "positive"),
    ],
)
def test_bad_input_is_one_sentence(
    stack: Path, more: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stack.parent)
    result = fuse(stack, *more)
    assert result.exit_code == 2
    assert why in result.stderr
    assert sorted(stack.parent.iterdir()) == [stack]
