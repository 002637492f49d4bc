"""``napari-autofocus estimate``: its JSON, lines, tables, pictures and exit codes, and what it refuses."""

from __future__ import annotations

import csv
import json
import sys
import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner, Result

from made_estimates import WARNING, MadePredictor
from napari_autofocus.cli import app
from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.optics import Objective

OPTICS = ("--objective", "20x/0.75", "--pixel-um", 0.33)


def estimate(*arguments: object, model: str = "made") -> Result:
    return CliRunner().invoke(app, ["estimate", *map(str, arguments), "--model", model])


@pytest.fixture(autouse=True)
def _made_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> MadePredictor:
        if name != "made":
            raise InputError(f"There is no model {name!r}; the installed one is made.")
        return MadePredictor()

    module = types.ModuleType("napari_autofocus.models.pair_predictor")
    module.load_focus_model = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    return tmp_path / "frame.png"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    Image.fromarray(np.full((96, 128), 230, np.uint8)).save(tmp_path / "empty.png")
    return tmp_path / "empty.png"


def test_json_holds_the_contract(frame: Path) -> None:
    result = estimate(frame, *OPTICS, "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert set(answer) == {"images", "failed", "tilt"}
    (image,) = answer["images"]
    keys = {"path", "defocus_um", "uncertainty_um", "direction_probability", "verdict", "reasons", "patches"}
    assert keys <= set(image)
    assert (image["path"], image["verdict"], image["defocus_um"]) == (str(frame), "flat", 3.42)
    patch_keys = {"y", "x", "size", "importance", "chosen", "defocus_um", "uncertainty_um"}
    assert all(patch_keys <= set(patch) for patch in image["patches"])
    assert [patch["defocus_um"] is None for patch in image["patches"][:3]] == [False, True, True]


def test_a_line_tells_value_side_verdict_patches_and_direction_then_the_reasons(frame: Path) -> None:
    lines = estimate(frame, *OPTICS).stdout.splitlines()
    assert lines == [
        f"{frame}: +3.42 ± 0.10 µm (90 %: +3.26 to +3.58) too close · flat · 12 of 35 patches · direction 99.9 %",
        "  The patches agree within 0.04 µm.",
        "  The depth of field is 1 µm.",
    ]


def test_a_field_without_content_is_an_answer_without_a_defocus(empty: Path) -> None:
    shown = estimate(empty, *OPTICS)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{empty}: no defocus · no content · 0 of 35 patches\n")
    (image,) = json.loads(estimate(empty, *OPTICS, "--json").stdout)["images"]
    assert (image["verdict"], image["defocus_um"], image["trusted"]) == ("no_content", None, False)


def test_file_names_with_brackets_are_shown_as_they_are(frame: Path) -> None:
    odd = frame.rename(frame.with_name("[red]frame.png"))
    assert estimate(odd, *OPTICS).stdout.startswith(f"{odd}: ")


def test_unknown_optics_are_refused_with_what_to_give(frame: Path) -> None:
    result = estimate(frame, "--json")
    assert result.exit_code == 2
    (failure,) = json.loads(result.stdout)["failed"]
    assert "does not state its objective and pixel size" in failure["reason"]
    assert "--objective (as in 20x/0.75) and --pixel-um" in failure["reason"]
    assert "--insist" in failure["reason"]
    assert result.stderr.count("\n") == 1


def test_an_objective_alone_is_no_optics_for_no_pixel_size_is_invented(frame: Path) -> None:
    result = estimate(frame, "--objective", "20x/0.75")
    assert result.exit_code == 2
    assert "does not state its pixel size" in result.stderr
    assert "give --pixel-um" in result.stderr


def test_optics_of_the_file_are_used_and_overruled(tmp_path: Path, stack: ZStack) -> None:
    path = write_stack(tmp_path / "stack.ome.tif", stack)
    own = estimate(path, "--plane", 2, "--json")
    assert own.exit_code == 0
    assert json.loads(own.stdout)["images"][0]["warnings"] == []
    overruled = estimate(path, "--plane", 2, "--pixel-um", 0.5)
    assert overruled.exit_code == 2
    assert overruled.stderr == f"Error: {path}: These optics are not those of the model; calibrate, or insist.\n"


@pytest.mark.parametrize("optics", [(), ("--objective", "10x/0.3", "--pixel-um", 0.65)])
def test_who_insists_gets_every_answer_with_the_warning(frame: Path, optics: tuple[str, ...]) -> None:
    told = estimate(frame, *optics, "--insist")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[1] == f"  Warning: {WARNING}"
    (image,) = json.loads(estimate(frame, *optics, "--insist", "--json").stdout)["images"]
    assert image["warnings"] == [WARNING]


def test_a_stack_asks_for_its_plane(tmp_path: Path, stack: ZStack) -> None:
    path = write_stack(tmp_path / "stack.ome.tif", stack)
    result = estimate(path)
    assert result.exit_code == 2
    assert "--plane" in result.stderr


def test_bad_images_do_not_stop_the_others(frame: Path, empty: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tif"
    tifffile.imwrite(cut, np.zeros((64, 64), np.uint8))
    cut.write_bytes(cut.read_bytes()[:300])
    result = estimate(frame, cut, tmp_path / "missing.png", empty, *OPTICS, "--json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert [Path(image["path"]).name for image in answer["images"]] == ["frame.png", "empty.png"]
    assert [Path(failure["path"]).name for failure in answer["failed"]] == ["cut.tif", "missing.png"]
    assert result.stderr.count("Error: ") == 2


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_table_has_a_row_a_frame_a_row_a_patch_and_the_failures(frame: Path, ending: str, tmp_path: Path) -> None:
    table = tmp_path / f"estimates.{ending}"
    result = estimate(frame, tmp_path / "missing.png", *OPTICS, "--out", table)
    assert result.exit_code == 3
    if ending == "csv":
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(table).to_pylist()
    assert [row["scope"] for row in rows] == ["frame"] + ["patch"] * 35 + ["failed"]
    assert (float(rows[0]["defocus_um"]), float(rows[0]["high90_um"])) == (3.42, pytest.approx(3.58))
    assert float(rows[1]["importance"]) == 0.9
    assert "does not exist" in rows[-1]["reasons"]


def test_plot_leaves_a_picture_of_each_frame(frame: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    other = tmp_path / "more" / "frame.png"
    other.write_bytes(frame.read_bytes())
    result = estimate(frame, other, *OPTICS, "--plot", tmp_path / "pictures")
    assert result.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == ["frame.png", "more_frame.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--objective", "twenty"], "Cannot read 'twenty' as an objective"),
        (["--pixel-um", "0"], "positive number of µm"),
        (["--pixel-um", "nan"], "positive number of µm"),
        (["--bit-depth", "17"], "between 1 and 16"),
        (["--out", "estimates.xlsx"], ".csv or .parquet"),
        (["--plot", __file__], "is a file"),
    ],
)
def test_bad_options_are_refused_before_any_work(options: list[str], message: str, frame: Path) -> None:
    result = estimate(frame, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_model_is_one_sentence(frame: Path) -> None:
    result = estimate(frame, "--json", model="other")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"error": "There is no model 'other'; the installed one is made."}


@pytest.fixture
def stack() -> ZStack:
    data = np.random.default_rng(1).integers(0, 255, (5, 96, 128), dtype=np.uint8)
    lens = Objective.parse("20x/0.75", pixel_size_um=0.325)
    return ZStack(data, np.arange(5.0), pixel_size_um=0.325, objective=lens)
