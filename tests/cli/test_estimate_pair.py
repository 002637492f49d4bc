"""``napari-autofocus estimate`` and ``evaluate`` with a model of two shots: files, planes, distances, and refusals."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from tiny_models import OBJECTIVE, tiny_file
from tiny_pairs import pair_of, tiny_pair_file

OPTICS = ("--objective", "20x/0.75", "--pixel-um", 0.325)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_pair_file(tmp_path)


@pytest.fixture
def shots(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, shot in zip(paths, pair_of(0.2), strict=True):
        Image.fromarray(shot).save(path)
    return paths


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Five planes 1 µm apart, best focus in the middle; each is 0.05 redder than the one before."""
    data = np.stack([pair_of(0.05 * step)[step % 2] for step in range(5)])
    for step in range(5):
        data[step, ..., 0] = round(255 * (0.4 + 0.05 * step))
    (tmp_path / "stacks").mkdir()
    path = tmp_path / "stacks" / "field.ome.tif"
    return write_stack(path, ZStack(data, np.arange(5.0), pixel_size_um=0.325, objective=OBJECTIVE))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_two_shots_are_one_image_of_the_answer(model: Path, shots: list[Path]) -> None:
    result = run("estimate", *shots, "--dz-um", 2, "--model", model, *OPTICS, "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    (image,) = answer["images"]
    assert (image["first"], image["path"], image["dz_um"]) == (str(shots[0]), str(shots[1]), 2.0)
    assert image["defocus_um"] == pytest.approx(4.0, abs=0.05)
    assert image["verdict"] == "flat"
    assert answer["failed"] == []


def test_two_shots_are_told_in_a_line_a_table_and_a_picture(model: Path, shots: list[Path], tmp_path: Path) -> None:
    out, plot = tmp_path / "table.csv", tmp_path / "pictures"
    result = run("estimate", *shots, "--dz-um", 2, "--model", model, *OPTICS, "--out", out, "--plot", plot)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{shots[1]}: +4.0")
    assert len(list(plot.glob("*.png"))) == 1
    assert str(shots[1]) in out.read_text()


def test_two_planes_of_a_stack_state_their_own_distance(model: Path, stack: Path) -> None:
    told = run("estimate", stack, "--plane", 1, "--second-plane", 3, "--model", model, "--json")
    assert told.exit_code == 0, told.stderr
    (image,) = json.loads(told.stdout)["images"]
    assert (image["first_plane"], image["plane"], image["dz_um"]) == (1, 3, 2.0)
    assert image["defocus_um"] == pytest.approx(2.0, abs=0.1)
    stated = run("estimate", stack, "--plane", 1, "--second-plane", 2, "--dz-um", 2, "--model", model, "--json")
    assert json.loads(stated.stdout)["images"][0]["dz_um"] == 2.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.png", "b.png"), "does not say at which z it was taken, .* give --dz-um"),
        (("a.png", "--dz-um", 2), "takes two images of one field, found 1; name two files"),
        (("a.png", "b.png", "a.png", "--dz-um", 2), "takes two images of one field, found 3"),
        (("a.png", "b.png", "--dz-um", 5), "5 µm apart; the model was made for 2 µm"),
        (("a.png", "missing.png", "--dz-um", 2), "missing.png"),
    ],
)
def test_what_makes_no_pair_is_one_sentence(
    model: Path, shots: list[Path], arguments: tuple[object, ...], words: str
) -> None:
    images = [shots[0].parent / str(each) if str(each).endswith(".png") else each for each in arguments]
    result = run("estimate", *images, "--model", model, *OPTICS)
    assert result.exit_code == 2
    assert result.stderr.count("Error: ") == 1
    assert re.search(words, result.stderr)


def test_a_model_of_one_shot_is_not_asked_about_two(shots: list[Path], tmp_path: Path) -> None:
    result = run("estimate", *shots, "--dz-um", 2, "--model", tiny_file(tmp_path), *OPTICS)
    assert result.exit_code == 2
    assert "looks at one frame at a time; leave out --dz-um" in result.stderr


def test_a_model_of_two_shots_is_evaluated_on_planes_that_far_apart(model: Path, stack: Path) -> None:
    (stack.parent / "labels.csv").write_text(f"path,best_z_um\n{stack.name},2.0\n")
    result = run("evaluate", model, stack.parent, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["fields"] == 3
    assert told["dz_um"] == [2.0, 2.0]
    assert "Pairs of planes of one stack, 2.00 µm apart." in result.stderr


def test_stacks_whose_planes_make_no_pairs_are_told(model: Path, stack: Path, tmp_path: Path) -> None:
    coarse = ZStack(
        np.stack([pair_of(0.1)[0]] * 3), np.array([0.0, 1.5, 3.0]), pixel_size_um=0.325, objective=OBJECTIVE
    )
    write_stack(stack.parent / "coarse.ome.tif", replace(coarse, source="coarse"))
    (stack.parent / "labels.csv").write_text(f"path,best_z_um\n{stack.name},2.0\ncoarse.ome.tif,1.5\n")
    result = run("evaluate", model, stack.parent, "--json")
    (skipped,) = json.loads(result.stdout)["skipped"]
    assert skipped["kind"] == "unpaired"
    assert "has no two planes 2 µm apart" in skipped["reason"]
    assert "Left out because their planes make no pairs: 1 stacks." in result.stderr
