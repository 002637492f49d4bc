"""The files that README and docs speak of, small: frames, stacks, slides, configurations, lists."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tifffile
from safetensors.torch import save_file
from typer.testing import CliRunner

from documented import ROOT
from made_lenses import made_curve
from made_records import refocus_record
from napari_autofocus.cli import app
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.workflows.run_log import RunLog
from napari_autofocus.workflows.tuning_found import write_found
from stacks import blurred_stack
from tuned_data import made_found
from virtual_slides import texture, write_slide

CORE = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Device,XY,DemoCamera,DXYStage
Device,Shutter,DemoCamera,DShutter
Property,Core,Initialize,1
Property,Core,Shutter,Shutter
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Core,XYStage,XY
Property,Camera,Mode,Fluorescent Beads
Property,Camera,OnCameraCCDXSize,256
Property,Camera,OnCameraCCDYSize,256
Property,Camera,Exposure,2
Property,Z,Position,2
ConfigPixelSize,Res,Camera,Binning,1
PixelSize_um,Res,0.325
"""
"""Micro-Manager's demo devices: grey frames of beads that blur with the distance from z = 0."""

PLAN = """
stage_positions: [{x: 0, y: 0, z: 0}, {x: 300, y: 0, z: 0}]
z_plan: {range: 2, step: 1}
autofocus_plan: {axes: [p]}
"""
SHOTS = {"one": 4, "other": 8, "below": 4, "above": 12, "focus": 8, "frame": 12, "my_frame": 12}
"""Planes of a stack with a plane every 0.5 µm, in focus at plane 8."""


def fill(folder: Path) -> None:
    """Put everything into a folder; some seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    stack = _simulated(folder)
    for name, plane in SHOTS.items():
        frame = open_stack(stack).plane(plane)
        tifffile.imwrite(folder / f"{name}.tif", frame, photometric="rgb")
        tifffile.imwrite(folder / f"{name}.ome.tif", frame, photometric="rgb")
    for name in ("stack.ome.tif", "my_stack.ome.tif", "fold.ome.tif"):
        shutil.copy(stack, folder / name)
    for name in ("my_stacks", "other-stacks"):
        shutil.copytree(folder / "stacks", folder / name)
    write_stack(folder / "yeast.tif", blurred_stack(7.0))
    _slides(folder)
    _texts(folder)
    save_file(DefocusNetwork().backbone.state_dict(), folder / "mobilenet_v3_small.safetensors")
    shipped = ROOT / "src" / "napari_autofocus" / "models" / "shipped"
    shutil.copy(shipped / "brightfield-20x.zip", folder / "mine.zip")
    shutil.copy(shipped / "tsva-20x.zip", folder / "refocuser.zip")


def _simulated(folder: Path) -> Path:
    """Write a folder of one stack, and name the stack."""
    _run("simulate --fields 1 --range-um 4 --step-um 0.5 --shape 256x320 --seed 7", folder / "stacks")
    return next((folder / "stacks").glob("*.ome.tif"))


def _run(command: str, out: Path) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--out", str(out)])
    assert done.exit_code == 0, done.output


def _slides(folder: Path) -> None:
    image = texture((160, 200, 3))
    for name in ("a", "b", "slide_a", "slide_b", "below", "above"):
        write_slide(folder / f"{name}.zarr", image if name.endswith(("a", "below")) else 255 - image)
    _run("virtual-scan --area 2x1 --shape 128x160", folder / "slide.zarr")


def _texts(folder: Path) -> None:
    tables: dict[str, Any] = {
        "places.csv": "x_um,y_um\n0,0\n",
        "list.csv": "x_um,y_um\n0,0\n400,0\n0,400\n",
        "steps.csv": "x_um,y_um,height_um\n0,0,0\n400,0,5\n800,0,10\n",
        **dict.fromkeys(("sequence.yaml", "timelapse.yaml", "tiles.yaml"), PLAN),
        **dict.fromkeys(("my_scope.cfg", "MMConfig.cfg"), CORE),
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    made_curve().save(folder / "lens.json")
    write_found(folder / "settings.json", made_found())
    log = RunLog()
    log.add(refocus_record())
    log.export_json(folder / "runs.json")
