"""Make the sample stacks again: ``python sample_data/make.py``.

Each is one field of ``napari-autofocus simulate`` with the options below; the truth of the stacks goes to
``labels.csv``.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tifffile

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack
from napari_autofocus.io.ome import OmeDescription

HERE = Path(__file__).parent
SAMPLES = {
    "he_dense": "--stain he --density dense --objective 20x/0.75 --shape 224x304 --range-um 8 --step-um 0.8 --seed 3",
    "he_tilted": "--stain he --density dense --objective 20x/0.75 --shape 224x304 --range-um 8 --step-um 0.8 --seed 4"
    " --tilt 24 -18",
    "cytology_sparse": "--stain cytology --density sparse --objective 20x/0.75 --shape 256x320 --range-um 8"
    " --step-um 0.8 --seed 2",
    "cytology_extremely_sparse": "--stain cytology --density extremely-sparse --objective 20x/0.75 --shape 352x400"
    " --range-um 7.2 --step-um 1.2 --seed 66",
    "unstained_cells": "--stain unstained --density dense --objective 40x/0.95 --mono --shape 320x384 --range-um 3"
    " --step-um 0.2 --seed 3",
}
PAIR = "--stain he --density dense --objective 20x/0.75 --shape 384x512 --range-um 1 --step-um 1 --seed 11"
SHOTS = {"he_two_shots_below": 0, "he_two_shots_above": 2}
"""Plane of the stack that each shot is; the one between them, nearly in focus, is left out."""


def simulated(options: str, folder: Path) -> tuple[Path, float]:
    """Simulate one stack into a folder; its path and the drive position of its best focus, µm."""
    command = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "simulate"]
    command += [*options.split(), "--fields", "1", "--out", str(folder), "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        return Path(json.loads(printed)["stacks"][0]), float(next(csv.DictReader(file))["best_z_um"])


def make(name: str, options: str, folder: Path) -> float:
    """Make one sample; returns the drive position of its best focus, µm."""
    with tempfile.TemporaryDirectory() as temporary:
        stack, best_z_um = simulated(options, Path(temporary))
        shutil.copyfile(stack, folder / f"{name}.ome.tif")
    return best_z_um


def make_pair(folder: Path) -> None:
    """Make the two shots, each a file of one plane that knows its z."""
    with tempfile.TemporaryDirectory() as temporary:
        stack = open_stack(simulated(PAIR, Path(temporary))[0])
        for name, number in SHOTS.items():
            write_frame(folder / f"{name}.ome.tif", stack, number)


def write_frame(path: Path, stack: ZStack, number: int) -> None:
    """One plane of a stack as an OME-TIFF."""
    plane = stack.plane(number)
    about = OmeDescription(
        name=path.name.split(".")[0],
        shape=(1, *plane.shape),
        dtype=plane.dtype,
        z_um=stack.z_um[number : number + 1],
        pixel_size_um=stack.pixel_size_um,
        objective=stack.objective,
        focus_direction=stack.focus_direction,
    )
    tifffile.imwrite(
        path, plane, photometric="rgb", compression="zlib", predictor=True, description=about.to_xml(), metadata=None
    )


def main() -> None:
    """Make every sample and the table of their truth."""
    make_pair(HERE)
    truth = {name: make(name, options, HERE) for name, options in SAMPLES.items()}
    with (HERE / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "best_z_um"])
        writer.writerows([f"{name}.ome.tif", best_z_um] for name, best_z_um in truth.items())


if __name__ == "__main__":
    main()
