"""``napari-autofocus label``: its JSON, tables, pictures and exit codes, and what it says to bad files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack

MakeStack = Callable[..., ZStack]
REAL = Path(os.environ.get("NAPARI_AUTOFOCUS_REAL_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def label(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["label", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    write_stack(inputs / "a.ome.tif", make_stack(6.3))
    write_stack(inputs / "b.ome.tif", make_stack(7.8, seed=1))
    return inputs


def test_json_holds_the_contract(folder: Path) -> None:
    result = label(folder, "--patch-px", 32, "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert set(answer) == {"stacks", "failed"}
    assert answer["failed"] == []
    first = answer["stacks"][0]
    assert {"path", "planes", "best_z_um", "uncertainty_um", "verdict", "trusted", "patches"} <= set(first)
    assert (Path(first["path"]).name, first["planes"], first["verdict"]) == ("a.ome.tif", 15, "peak")
    assert first["best_z_um"] == pytest.approx(6.3, abs=0.1)
    assert first["trusted"] is True
    assert len(first["patches"]) == 6
    assert {"y", "x", "size", "best_z_um", "importance", "trusted"} <= set(first["patches"][0])
    assert {patch["size"] for patch in first["patches"]} == {32}


def test_stdout_of_a_real_process_is_one_json_object(folder: Path) -> None:
    command = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "label", str(folder)]
    done = subprocess.run([*command, str(folder / "missing.tif"), "--json"], capture_output=True, text=True)
    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (len(answer["stacks"]), len(answer["failed"])) == (2, 1)
    assert answer["failed"][0]["path"].endswith("missing.tif")
    assert done.stderr.startswith("Error: ")


def test_overview_names_each_stack_with_its_verdict(folder: Path) -> None:
    result = label(folder)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert "a.ome.tif" in lines[1]
    assert "one clear peak" in lines[1]
    assert " yes " in lines[1]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_table_has_a_row_a_stack_and_a_row_a_patch(folder: Path, ending: str, tmp_path: Path) -> None:
    table = tmp_path / f"labels.{ending}"
    result = label(folder, tmp_path / "missing.tif", "--patch-px", 32, "--out", table)
    assert result.exit_code == 3
    if ending == "csv":
        with table.open(encoding="utf-8") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        rows = pq.read_table(table).to_pylist()
    assert [row["scope"] for row in rows] == (["field"] + ["patch"] * 6) * 2 + ["failed"]
    assert float(rows[0]["best_z_um"]) == pytest.approx(6.3, abs=0.1)
    assert "does not exist" in rows[-1]["reasons"]


def test_plot_leaves_a_picture_of_each_stack(folder: Path, make_stack: MakeStack, tmp_path: Path) -> None:
    (folder / "more").mkdir()
    write_stack(folder / "more" / "a.ome.tif", make_stack(5.1))
    result = label(folder, "--plot", tmp_path / "curves")
    assert result.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "curves").iterdir()) == ["a.png", "b.png", "more_a.png"]


def test_step_polarity_and_measure_reach_the_judge(folder: Path) -> None:
    options = ["--step-um", 2, "--polarity", "max", "--measure", "tenengrad", "--focus-direction", -1]
    (first, _) = json.loads(label(folder, *options, "--json").stdout)["stacks"]
    assert first["best_z_um"] == pytest.approx(12.6, abs=0.3)


def test_a_stack_without_content_is_not_trusted_and_has_no_nan(make_stack: MakeStack, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 64, 96)).astype(np.uint8)
    path = write_stack(tmp_path / "empty.ome.tif", replace(make_stack(6), data=noise))
    result = label(path, "--patch-px", 32, "--json")
    assert result.exit_code == 0
    assert "NaN" not in result.stdout
    (stack,) = json.loads(result.stdout)["stacks"]
    assert stack["trusted"] is False
    assert not any(patch["trusted"] for patch in stack["patches"])


def _truncated(folder: Path, stack: ZStack) -> Path:
    path = write_stack(folder / "cut.ome.tif", stack)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _empty_folder(folder: Path, stack: ZStack) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _planes(folder: Path, names: list[str], shapes: list[tuple[int, int]]) -> Path:
    (folder / "planes").mkdir()
    for name, shape in zip(names, shapes, strict=True):
        tifffile.imwrite(folder / "planes" / name, np.zeros(shape, np.uint8))
    return folder / "planes"


def _different_size(folder: Path, stack: ZStack) -> Path:
    return _planes(folder, ["z0um.tif", "z1um.tif", "z2um.tif"], [(32, 32), (32, 32), (32, 40)])


def _duplicate_z(folder: Path, stack: ZStack) -> Path:
    return _planes(folder, ["a_z0um.tif", "b_z1um.tif", "c_z1um.tif"], [(32, 32)] * 3)


def _one_plane(folder: Path, stack: ZStack) -> Path:
    return _planes(folder, ["z0um.tif"], [(32, 32)])


def _nan_pixels(folder: Path, stack: ZStack) -> Path:
    data = stack.data.astype(np.float32)
    data[7, 3, 3] = np.nan
    path = folder / "nan.ome.tif"
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "ZYX", "PhysicalSizeZ": 1.0, "PhysicalSizeZUnit": "µm"})
    return path


def _time_series(folder: Path, stack: ZStack) -> Path:
    path = folder / "movie.ome.tif"
    tifffile.imwrite(path, stack.data, metadata={"axes": "TYX"}, ome=True)
    return path


def _no_z(folder: Path, stack: ZStack) -> Path:
    path = folder / "plain.tif"
    tifffile.imwrite(path, stack.data, metadata=None)
    return path


def _not_an_image(folder: Path, stack: ZStack) -> Path:
    path = folder / "notes.txt"
    path.write_text("nothing")
    return path


BAD_INPUTS = {
    "truncated": (_truncated, "cut.ome.tif"),
    "empty folder": (_empty_folder, "no z-stack"),
    "different size": (_different_size, "32 x 40"),
    "duplicate z": (_duplicate_z, "1 µm"),
    "one plane": (_one_plane, "one plane only"),
    "nan": (_nan_pixels, "NaN"),
    "time series": (_time_series, "time"),
    "no z": (_no_z, "--step-um"),
    "no image": (_not_an_image, "notes.txt"),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_bad_input_gets_one_sentence_exit_code_2_and_nothing_written(
    kind: str, make_stack: MakeStack, tmp_path: Path
) -> None:
    make, message = BAD_INPUTS[kind]
    path = make(tmp_path, make_stack(6.3))
    before = sorted(tmp_path.rglob("*"))
    outputs = ["--out", tmp_path / "t.csv", "--plot", tmp_path / "curves"]
    result = label(path, *outputs, "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["stacks"] == []
    assert message in answer["failed"][0]["reason"]
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bad_stack_among_good_ones_in_a_folder_is_not_passed_over(folder: Path, make_stack: MakeStack) -> None:
    _truncated(folder, make_stack(6.3))
    result = label(folder, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 3
    assert [Path(stack["path"]).name for stack in answer["stacks"]] == ["a.ome.tif", "b.ome.tif"]
    assert [Path(failure["path"]).name for failure in answer["failed"]] == ["cut.ome.tif"]


def test_planes_in_any_order_are_sorted_by_z(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack(6.3)
    for index, z in enumerate([*range(14, -1, -2), *range(1, 15, 2)]):
        tifffile.imwrite(tmp_path / f"{index:02d}_z{z}um.tif", stack.data[z])
    (labelled,) = json.loads(label(tmp_path, "--json").stdout)["stacks"]
    assert labelled["best_z_um"] == pytest.approx(6.3, abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "labels.xlsx"], ".csv or .parquet"),
        (["--out", "no/such/labels.csv"], "does not exist"),
        (["--polarity", "up"], "auto, max or min"),
        (["--step-um", "-1"], "positive number"),
        (["--focus-direction", "2"], "+1 or -1"),
        (["--plot", __file__], "is a file"),
    ],
)
def test_bad_options_are_refused_before_any_work(options: list[str], message: str, folder: Path) -> None:
    result = label(folder, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_measure_is_refused(folder: Path) -> None:
    result = label(folder, "--measure", "feeling")
    assert result.exit_code == 2
    assert "feeling" in result.stderr


@pytest.mark.skipif(not REAL.is_dir(), reason="real stacks not found; name their folder in NAPARI_AUTOFOCUS_REAL_DATA")
@pytest.mark.parametrize(
    ("name", "options", "verdict", "best_z_um", "within_um"),
    [
        ("mitochondria_lightsheet/stack", [], "peak", 0.05, 0.1),
        ("beads/Bead_Image1_crop.tif", ["--step-um", "0.125"], "peak", 2.95, 0.1),
        ("yeast/BF.tif", ["--step-um", "0.3"], "phase_minimum", 4.5, 0.3),
    ],
)
def test_real_stacks_from_the_shell(
    name: str, options: list[str], verdict: str, best_z_um: float, within_um: float
) -> None:
    result = label(REAL / name, *options, "--json")
    assert result.exit_code == 0, result.stderr
    (stack,) = json.loads(result.stdout)["stacks"]
    assert (stack["verdict"], stack["trusted"]) == (verdict, True)
    assert stack["best_z_um"] == pytest.approx(best_z_um, abs=within_um)
