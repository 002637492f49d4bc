"""The baseline that sees the whole frame at once: MobileNetV3-small on the frame reduced 8 or 4 times.

    python benchmarks/whole_image.py --reduction 8 [--samples 120000] [--fields 384] [--overviews FOLDER]
    python benchmarks/whole_image.py --reduction 4 [--samples 45000] [--base brightfield-20x]

The network, its head, loss, optimiser, turns and mirrors are those of the shipped defocus network; only what it is
shown differs: the frame instead of patches of it. It learns from frames of 512 x 512 px and pools over whatever size it
is given. It begins with the shipped network's weights, which is to its advantage, or with drawn ones (``--base ""``).
``--overviews`` adds the overviews of a shipped model's training data (build/models/brightfield-20x/data).
Goes on where it was stopped. Writes FOLDER/reduced-N.safetensors, the weights, and beside them reduced-N.json, how they
came about; ``densities.py`` reads both.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import reduce
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch

from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.library import find_model
from napari_autofocus.models.networks import load_networks
from napari_autofocus.models.package import open_package
from napari_autofocus.models.tasks import DefocusTask, Holding
from napari_autofocus.models.training import Trained, TrainingSettings, train
from napari_autofocus.optics import PRESETS
from whole_image_data import WholeFrames, from_files, from_overviews, simulate

FOLDER = Path(".tmp/whole_image")
DOF_UM = PRESETS["20x/0.75"].dof_um
TRAINED_ON_PX = 512 * 512
VALIDATE_EVERY = 6_400


def weights_of(folder: Path, reduction: int) -> Path:
    """Where the weights of a baseline lie."""
    return folder / f"reduced-{reduction}.safetensors"


def load(weights: Path) -> DefocusNetwork:
    """The taught network."""
    network = DefocusNetwork()
    network.load_state_dict(safetensors.torch.load_file(weights))
    return network.eval()


def answer_um(network: DefocusNetwork, frame: npt.NDArray[np.uint8], reduction: int) -> float:
    """Defocus of a frame, shape (Y, X, 3), by the whole of it, µm."""
    size = frame.shape[1] // reduction, frame.shape[0] // reduction
    whole = frame[: size[1] * reduction, : size[0] * reduction]
    reduced = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    seen = torch.from_numpy(reduced).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        return float(network(seen)[0, 0])


def first_network(base: str) -> DefocusNetwork:
    """What training begins with: the defocus network of a model, by its name or file, or one of drawn weights."""
    if not base:
        return DefocusNetwork()
    network, _ = load_networks(open_package(find_model(base)))
    return cast(DefocusNetwork, network).train()


def data_of(options: argparse.Namespace) -> WholeFrames:
    """What is learned from; simulates what is missing of it."""
    for path in simulate(options.work / "fields", options.fields):
        print(f"\r{path} ", end="", file=sys.stderr)
    sources = [from_files(options.work / "fields", options.reduction)] if options.fields else []
    sources += [from_overviews(options.overviews)] if options.overviews else []
    return reduce(WholeFrames.and_also, sources)


def taught(data: WholeFrames, options: argparse.Namespace) -> Trained:
    """The network after the run, or after the rest of it."""
    torch.manual_seed(options.seed)
    network = first_network(options.base)
    task = DefocusTask(
        network, cast(Dataset, data), dof_um=DOF_UM, seed=options.seed, holding=Holding(share=0.06), balance=0.5
    )
    settings = TrainingSettings(
        samples=options.samples,
        batch=options.batch,
        seed=options.seed,
        averaging=0.995,
        hold=0.4,
        validate_every=VALIDATE_EVERY,
    )
    run = train(task, settings, options.work / f"run-{options.reduction}.safetensors")
    while True:
        try:
            step = next(run)
        except StopIteration as finished:
            return cast(Trained, finished.value)
        if step.validated:
            print(f"{step.samples} shown, {step.seconds / 60:.1f} min: {step.figures}", file=sys.stderr, flush=True)


def record(data: WholeFrames, trained: Trained, options: argparse.Namespace) -> dict[str, Any]:
    """How the weights came about."""
    return {
        "command": f"python benchmarks/whole_image.py {' '.join(sys.argv[1:])}".strip(),
        "network": "mobilenet_v3_small, the shipped defocus network's head and loss",
        "reduction": options.reduction,
        "begins_with": options.base or "drawn weights",
        "frames": len(data),
        "slides": int(np.unique(data.slides).size),
        "frames_shown": trained.samples,
        "megapixels_shown": round(trained.samples * TRAINED_ON_PX / options.reduction**2 / 1e6),
        "minutes": round(trained.seconds / 60, 1),
        "seed": options.seed,
        "held_back": {key: round(value, 4) for key, value in trained.history[-1].items()},
    }


def main() -> None:
    """Teach one baseline and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reduction", type=int, default=8, choices=(4, 8))
    parser.add_argument("--samples", type=int, default=120_000, help="frames shown in all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--fields", type=int, default=384, help="fields simulated for it, 14 frames each; 0 for none")
    parser.add_argument(
        "--overviews", type=Path, help="shards of a shipped model, whose overviews are learned from too"
    )
    parser.add_argument("--base", default="brightfield-20x", help="model to begin with; empty for drawn weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=FOLDER)
    options = parser.parse_args()
    if options.overviews and options.reduction != 8:
        parser.error("overviews are reduced 8 times")
    if not (options.overviews or options.fields):
        parser.error("nothing to learn from: give --fields or --overviews")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    data = data_of(options)
    trained = taught(data, options)
    weights = weights_of(options.work, options.reduction)
    state = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    safetensors.torch.save_file(state, weights)
    weights.with_suffix(".json").write_text(json.dumps(record(data, trained, options), indent=1) + "\n")
    print(weights.with_suffix(".json").read_text())


if __name__ == "__main__":
    main()
