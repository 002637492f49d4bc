"""Make the sample stacks again: ``python sample_data/make.py``.

Each is one field of ``napari-autofocus simulate`` with the options below; the truth of all of them goes to
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


def make(name: str, options: str, folder: Path) -> float:
    """Simulate one sample; returns the drive position of its best focus, µm."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "simulate"]
        command += [*options.split(), "--fields", "1", "--out", temporary, "--json"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        shutil.copyfile(json.loads(printed)["stacks"][0], folder / f"{name}.ome.tif")
        with (Path(temporary) / "labels.csv").open(encoding="utf-8") as file:
            return float(next(csv.DictReader(file))["best_z_um"])


def main() -> None:
    """Make every sample and the table of their truth."""
    truth = {name: make(name, options, HERE) for name, options in SAMPLES.items()}
    with (HERE / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "best_z_um"])
        writer.writerows([f"{name}.ome.tif", best_z_um] for name, best_z_um in truth.items())


if __name__ == "__main__":
    main()
