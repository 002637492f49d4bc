"""``napari-autofocus virtual-refocus``: its JSON, words, files and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.io.virtual import VirtualOrigin, virtual_origin, write_virtual_image
from napari_autofocus.io.zarr_slide import open_slide
from tiny_refocusers import as_u8, shots_of, texture, tiny_refocuser_file
from virtual_slides import texture as slide_texture
from virtual_slides import write_slide

OPTICS = ("--objective", "20x/0.75", "--pixel-um", 0.325)
ORIGIN = VirtualOrigin("m", "f", "a", "b")


def virtual_refocus(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["virtual-refocus", *map(str, arguments)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_refocuser_file(tmp_path)


@pytest.fixture
def shots(tmp_path: Path) -> tuple[Path, Path, Path]:
    truth = texture()
    lights = (*shots_of(truth), truth)
    names = ("below.png", "above.png", "true.png")
    paths = [write_virtual_image(tmp_path / n, as_u8(light), ORIGIN) for n, light in zip(names, lights, strict=True)]
    return paths[0], paths[1], paths[2]


def test_json_holds_the_contract(tmp_path: Path, model: Path, shots: tuple[Path, Path, Path]) -> None:
    out = tmp_path / "out.ome.tif"
    result = virtual_refocus(*shots[:2], "--model", model, *OPTICS, "-o", out, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["output"] == str(out)
    assert told["seconds"] > 0
    assert told["verdict"] in ("recovered", "doubtful")
    assert told["likeness"] is None
    assert virtual_origin(out) is not None


def test_everything_that_can_be_asked_for(tmp_path: Path, model: Path, shots: tuple[Path, Path, Path]) -> None:
    out, folder, doubt = tmp_path / "out.png", tmp_path / "pictures", tmp_path / "u.tif"
    asked = ("--truth", shots[2], "--count", "--report", folder, "--uncertainty", doubt)
    result = virtual_refocus(*shots[:2], "--model", model, *OPTICS, "-o", out, *asked)
    assert result.exit_code == 0, result.stderr
    assert "virtual: no camera took it" in result.stdout
    assert "dB, SSIM" in result.stdout
    assert "cells: first" in result.stdout
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".png"]
    assert doubt.exists()


def test_the_true_plane_may_be_one_of_the_same_stack(tmp_path: Path, model: Path) -> None:
    stack = Path(__file__).parents[2] / "sample_data" / "he_dense.ome.tif"
    planes = ("--plane", 8, "--second-plane", 12, "--true-plane", 10)
    result = virtual_refocus(stack, "--model", model, "--insist", *planes, "-o", tmp_path / "out.tif")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("against the true image") == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "objective"),
        ((*OPTICS, "--plane", 3), "no plane 3"),
        ((*OPTICS, "-o", "nowhere/out.tif"), "does not exist"),
        ((*OPTICS, "-o", "out.bmp"), "change its ending"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    tmp_path: Path, model: Path, shots: tuple[Path, Path, Path], arguments: tuple[object, ...], sentence: str
) -> None:
    result = virtual_refocus(*shots[:2], "--model", model, "-o", tmp_path / "out.tif", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "out.tif").exists()


def test_no_output_and_no_second_shot_are_refused(model: Path, shots: tuple[Path, Path, Path], tmp_path: Path) -> None:
    assert "-o" in virtual_refocus(*shots[:2], "--model", model, *OPTICS).stderr
    once = virtual_refocus(shots[0], "--model", model, *OPTICS, "-o", tmp_path / "out.tif")
    assert once.exit_code == 2
    assert "named twice" in once.stderr


def test_a_model_that_is_not_there_is_refused(tmp_path: Path, shots: tuple[Path, Path, Path]) -> None:
    result = virtual_refocus(*shots[:2], "--model", "nobody", *OPTICS, "-o", tmp_path / "out.tif")
    assert result.exit_code == 2
    assert "nobody" in result.stderr


@pytest.mark.timeout(900)
def test_a_dask_scheduler_has_its_workers_recover_the_slide(tmp_path: Path) -> None:
    model, one = tiny_refocuser_file(tmp_path), slide_texture((300, 500, 3), 1)
    slides = write_slide(tmp_path / "a.zarr", one), write_slide(tmp_path / "b.zarr", slide_texture((300, 500, 3), 2))
    alone, spread = tmp_path / "alone.zarr", tmp_path / "spread.zarr"
    told = virtual_refocus(*slides, "--model", model, *OPTICS, "-o", alone, "--insist")
    assert told.exit_code == 0, told.stderr
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
    ):
        address = ("--scheduler", cluster.scheduler_address)
        result = virtual_refocus(*slides, "--model", model, *OPTICS, "-o", spread, "--insist", *address, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["resumed"] == 0
    here, there = (open_slide(path).read(slice(None), slice(None)) for path in (alone, spread))
    assert np.abs(here.astype(int) - there).max() <= 1
    assert not np.array_equal(here, one)


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    model = tiny_refocuser_file(tmp_path)
    slides = [write_slide(tmp_path / name, slide_texture((64, 64, 3), 1)) for name in ("a.zarr", "b.zarr")]
    address = ("--scheduler", "nonsense://nowhere:1")
    result = virtual_refocus(*slides, "--model", model, *OPTICS, "-o", tmp_path / "o.zarr", "--insist", *address)
    assert result.exit_code == 2
    assert "nonsense://nowhere:1" in result.stderr
