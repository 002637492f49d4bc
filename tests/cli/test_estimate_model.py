"""``napari-autofocus estimate`` with a real model file, from the frame on the disk to the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from tiny_models import OBJECTIVE, flat_frame, tiny_file

OPTICS = ("--objective", "20x/0.75", "--pixel-um", 0.325)


def estimate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["estimate", *map(str, arguments)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tiny_file(tmp_path / "models")


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    Image.fromarray(flat_frame(0.6)).save(tmp_path / "frame.png")  # the tiny model reads 2 µm from a red of 0.6
    return tmp_path / "frame.png"


def test_a_frame_gets_the_defocus_that_the_model_reads_from_it(model: Path, frame: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    result = estimate(frame, "--model", model, *OPTICS, "--plot", pictures, "--json")
    assert result.exit_code == 0, result.stderr
    (image,) = json.loads(result.stdout)["images"]
    assert image["defocus_um"] == pytest.approx(2.0, abs=0.02)
    assert (image["verdict"], image["model"], image["trusted"]) == ("flat", "tiny-20x", True)
    assert sum(patch["chosen"] for patch in image["patches"]) == 8
    assert [file.name for file in pictures.iterdir()] == ["frame.png"]


def test_a_model_is_found_by_its_name(model: Path, frame: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_AUTOFOCUS_MODELS", str(model.parent))
    result = estimate(frame, "--model", "tiny-20x", *OPTICS)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{frame}: +2.0")
    assert "too close · flat · 8 of " in result.stdout


def test_the_optics_of_an_ome_tiff_open_the_model(model: Path, tmp_path: Path) -> None:
    planes = np.stack([flat_frame(0.4), flat_frame(0.5)])
    stack = ZStack(planes, np.array([0.0, 1.0]), pixel_size_um=0.325, objective=OBJECTIVE)
    path = write_stack(tmp_path / "stack.ome.tif", stack)
    result = estimate(path, "--plane", 0, "--model", model, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["images"][0]["defocus_um"] == pytest.approx(-2.0, abs=0.02)


def test_other_optics_are_refused_with_the_differences_and_warned_of_when_insisted_on(model: Path, frame: Path) -> None:
    other = ("--objective", "10x/0.3", "--pixel-um", 0.65)
    refused = estimate(frame, "--model", model, *other)
    assert refused.exit_code == 2
    assert "NA is 0.3" in refused.stderr
    insisted = estimate(frame, "--model", model, *other, "--insist")
    assert insisted.exit_code == 0
    assert "  Warning: The frame's NA is 0.3; the model was made for 0.75." in insisted.stdout.splitlines()


def test_a_white_field_is_refused_for_want_of_content(model: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((160, 192, 3), 255, np.uint8)).save(tmp_path / "white.png")
    result = estimate(tmp_path / "white.png", "--model", model, *OPTICS, "--plot", tmp_path / "pictures")
    assert result.exit_code == 0, result.stderr
    assert "no defocus · no content · 0 of " in result.stdout
    assert (tmp_path / "pictures" / "white.png").is_file()


@pytest.mark.parametrize("shape", [(20, 300), (31, 31)])
def test_a_frame_smaller_than_a_patch_is_one_sentence(shape: tuple[int, int], model: Path, tmp_path: Path) -> None:
    Image.fromarray(flat_frame(0.6, shape)).save(tmp_path / "small.png")
    result = estimate(tmp_path / "small.png", "--model", model, *OPTICS)
    assert result.exit_code == 2
    assert "too small" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_that_is_not_there_is_one_sentence(frame: Path, tmp_path: Path) -> None:
    result = estimate(frame, "--model", tmp_path / "missing.zip", *OPTICS, "--json")
    assert result.exit_code == 2
    assert "missing.zip" in json.loads(result.stdout)["error"]
    assert result.stderr.count("\n") == 1


def test_someone_elses_frames_never_crash_it(model: Path, real_data: Path) -> None:
    frames = sorted((real_data / "algae").glob("*.png"))[:2] + sorted(
        (real_data / "brightfield_unstained").glob("*0.4um.png")
    )
    refused = estimate(*frames, "--model", model)
    assert refused.exit_code == 2
    assert refused.stderr.count("does not state its objective and pixel size") == len(frames)
    insisted = estimate(*frames, "--model", model, "--insist", "--json")
    assert insisted.exit_code == 0, insisted.stderr
    images = json.loads(insisted.stdout)["images"]
    assert len(images) == len(frames)
    assert all(image["warnings"] for image in images)
