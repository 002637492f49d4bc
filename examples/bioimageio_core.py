"""A model of ours in the hands of ``bioimageio.core``: tested, run and exported there, and opened here again.

    pip install bioimageio.core==0.11.0 bioimageio.spec==0.5.12.0
    python examples/bioimageio_core.py                      three models that ship
    python examples/bioimageio_core.py mine.zip             one of your own

Any program that runs bioimage.io models can run ours: patches in, and for each of them its defocus in µm, the standard
uncertainty in µm and the probability that the defocus is positive out. Which patches to read, and what they say
together, is our own work and not in the format.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from bioimageio.core import load_model_description, predict, save_bioimageio_package, test_description

from napari_autofocus import load_model
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import open_any_package
from napari_autofocus.simulation.scene import Scene

SHIPPED = ("brightfield-20x", "two-shot-20x", "tsva-20x")
"""One of each kind: of one shot, of two, and one that recovers the image in focus."""


def check(path: Path, folder: Path) -> None:
    """What bioimage.io itself asks of a model, and the way there and back."""
    # Validates the rdf.yaml against the format, runs the weights on the test input, and compares with the test output.
    summary = test_description(path)
    exported = save_bioimageio_package(load_model_description(path), output_path=folder / f"exported-{path.name}")
    again = open_any_package(exported)  # every file's hash, the card's checksum and the answers are checked anew
    print(f"{path.stem}: bioimageio.core says {summary.status}; exported there and opened here: {again.card.kind}")
    if summary.status != "passed":
        print(summary.format())


def compare(name: str) -> float:
    """Largest difference between their answers and ours, on the patches that we chose in a frame."""
    scene = Scene.build("he", "dense", seed=3, shape=(512, 612))
    frame = scene.snap(0, 0, 4.0, rng=np.random.default_rng(0))  # 4 µm too close
    found = load_model(name).estimate(frame, insist=True)
    chosen = found.chosen_patches
    # The format's order is batch, channel, y, x; grey values are a share of full light, so 8 bits are divided by 255.
    cut = [frame[patch.y : patch.y + patch.size, patch.x : patch.x + patch.size] for patch in chosen]
    patches = np.stack(cut).transpose(0, 3, 1, 2).astype(np.float32) / 255
    answer = predict(model=find_model(name), inputs={"patches": patches})  # with the pre- and postprocessing it states
    theirs = np.asarray(answer.members["prediction"].data)
    ours = np.array([(patch.defocus_um, patch.uncertainty_um, patch.positive_probability) for patch in chosen])
    print(f"{len(chosen)} patches of a frame: median defocus {np.median(theirs[:, 0]):+.2f} µm there,", end=" ")
    print(f"{np.median(ours[:, 0]):+.2f} µm here, {found.defocus_um:+.2f} µm for the field ({found.verdict})")
    return float(np.abs(theirs - ours).max())


def main() -> None:
    """Check models, and compare the answers of one that ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=SHIPPED, help="names or files")
    wanted = parser.parse_args().models
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            check(find_model(name), Path(folder))
    print(f"largest difference: {compare('brightfield-20x'):.1e}")


if __name__ == "__main__":
    main()
