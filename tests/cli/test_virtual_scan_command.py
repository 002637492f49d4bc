"""``napari-autofocus virtual-scan``: its JSON, going on, and that nothing real moves without permission."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.io.zarr_slide import open_slide

SMALL = ("--area", "2x1", "--shape", "160x192", "--range-um", "5", "--seed", "3")


def scan(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["virtual-scan", *map(str, arguments), "--json"])


def test_a_small_area_is_taken_and_told(tmp_path: Path) -> None:
    out = tmp_path / "slide.zarr"
    done = scan("--out", out, *SMALL)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["output"], told["outcome"], told["skipped"], told["recovered"]) == (str(out), "done", [], None)
    assert len(told["written"]) == 2
    assert len(told["focus_um"]) == 1
    first = told["written"][0]
    assert abs(first["upper_z_um"] - first["lower_z_um"] - 2) < 0.1
    assert (tuple(told["shape"]), open_slide(out / "a").shape) == ((160, 365), (160, 365))
    again = json.loads(scan("--out", out, *SMALL).stdout)
    assert (again["frames"], len(again["written"])) == (0, 2)


def test_an_empty_slide_is_done_in_part(tmp_path: Path) -> None:
    done = scan("--out", tmp_path / "slide.zarr", "--density", "empty", *SMALL)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["outcome"], told["written"]) == (3, "done_in_part", [])
    assert [each["state"] for each in told["skipped"]] == ["empty", "empty"]


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for wrong, sentence in (
        (("--area", "three"), "Cannot read 'three' as an area"),
        (("--dz-um", "0"), "positive number of µm apart"),
        (("--model", "none-such"), "There is no model 'none-such'"),
        (("--overlap", "1"), "share from 0 to below 1"),
    ):
        refused = scan("--out", tmp_path / "slide.zarr", *SMALL, *wrong)
        assert refused.exit_code == 2
        assert sentence in json.loads(refused.stdout)["error"]
    assert list(tmp_path.iterdir()) == []


def test_a_real_core_moves_only_with_permission(tmp_path: Path) -> None:
    cfg = tmp_path / "beads.cfg"
    devices = "Device,Camera,DemoCamera,DCam\nDevice,Z,DemoCamera,DStage\nDevice,XY,DemoCamera,DXYStage\n"
    roles = "Property,Core,Camera,Camera\nProperty,Core,Focus,Z\nProperty,Core,XYStage,XY\n"
    cfg.write_text(f"Property,Core,Initialize,0\n{devices}Property,Core,Initialize,1\n{roles}")
    options = ("--microscope", cfg, "--area", "1x1", "--pixel-um", 0.5, "--out", tmp_path / "slide.zarr")
    refused = scan(*options)
    assert refused.exit_code == 2
    assert "--limits-um" in json.loads(refused.stdout)["error"]
    refused = scan(*options, "--range-um", 3)
    assert refused.exit_code == 2
    assert "you did not agree" in json.loads(refused.stdout)["error"]
    assert not (tmp_path / "slide.zarr").exists()
