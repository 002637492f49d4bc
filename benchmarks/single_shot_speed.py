"""How long it takes from a frame to a FocusEstimate, beside the same network on all patches of the frame.

    python benchmarks/single_shot_speed.py [--model brightfield-20x] [--repeats 30] [--threads 2] [--device cuda]

Times are medians in ms, the calls taking turns, so that a busy machine slows all of them alike. The frame is a dense
simulated one, 2048 x 2048 RGB u8, 3 µm out of focus; 1024² is a part of it, 4096² four copies side by side.

estimate          what a user calls: overview, importance, choice, the chosen patches, decision.
all patches       the same, but every patch (touching, not overlapping) is read: in onnxruntime, and in eager torch.
importance stage  reducing the frame and the importance network; `rest` is everything else of an estimate and should not
                  grow with the frame.

Writes benchmarks/results/single_shot_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.package import ModelPackage
from napari_autofocus.models.predictor import ModelPredictor, every_patch
from napari_autofocus.models.seeing.engines import TorchEngine
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.simulation.scene import Scene
from single_shot_networks import fingerprint, package_of, predictor_of

RESULT = Path(__file__).parent / "results" / "single_shot_speed.json"
SIDE = 2048
SEED = 10_900_000
DEFOCUS_UM = 3.0
SLOWER_CALLS = 5
"""Calls on all patches are made once in so many turns."""


REST_S = 0.3
"""Before each call, so that the threads of the one before, which go on spinning for a while, are at rest."""


def make_frame(package: ModelPackage) -> np.ndarray:
    """A dense frame of 2048 x 2048 px, RGB u8."""
    scene = Scene.build("he", "dense", package.card.optics.objective, seed=SEED, shape=(SIDE, SIDE))
    rng = np.random.default_rng(SEED)
    return scene.snap(0, 0, scene.best_focus_um(0, 0) + DEFOCUS_UM, rng=rng)


def take_turns(calls: dict[str, Callable[[], Any]], repeats: dict[str, int]) -> dict[str, float]:
    """Median of each call, ms, after a first one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for turn in range(max(repeats.values())):
        for name, call in calls.items():
            if turn % (max(repeats.values()) // repeats[name]) == 0 and len(times[name]) < repeats[name]:
                time.sleep(REST_S)
                start = time.perf_counter()
                call()
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: round(float(np.median(found)), 3) for name, found in times.items()}


def time_whole(package: ModelPackage, frame: np.ndarray, options: argparse.Namespace) -> dict[str, float]:
    """The estimate of one frame, and the same network on all its patches."""
    optics = ImageOptics(package.card.optics.objective)
    ours = predictor_of(package, options.threads)
    eager = ModelPredictor(package, TorchEngine(package, "cpu"), choose=every_patch)
    every = ours.variant(choose=every_patch)
    calls: dict[str, Callable[[], Any]] = {
        "estimate": lambda: ours.estimate(frame, optics=optics),
        "all patches, onnxruntime": lambda: every.estimate(frame, optics=optics),
        "all patches, eager torch": lambda: eager.estimate(frame, optics=optics),
    }
    few = max(options.repeats // SLOWER_CALLS, 3)
    repeats = dict.fromkeys(calls, few) | {"estimate": options.repeats}
    if options.device:
        on_device = ModelPredictor(package, TorchEngine(package, options.device))
        calls[f"estimate, torch on {options.device}"] = lambda: on_device.estimate(frame, optics=optics)
        repeats[f"estimate, torch on {options.device}"] = options.repeats
    return take_turns(calls, repeats)


def time_sizes(package: ModelPackage, frame: np.ndarray, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The estimate of frames of three sizes, and how much of it the importance stage takes."""
    optics, card = ImageOptics(package.card.optics.objective), package.card
    ours = predictor_of(package, options.threads)
    sizes = {1024: np.ascontiguousarray(frame[:1024, :1024]), SIDE: frame, 4096: np.tile(frame, (2, 2, 1))}
    rows = {}
    for side, image in sizes.items():
        grid = PatchGrid(image.shape[:2], card.patch_px, card.stride_px)

        def importance_stage(image: np.ndarray = image, grid: PatchGrid = grid) -> None:
            overview = ModelFrame.of(image).overview(grid, card.reduction, card.optics.channels)
            ours.engine.importance(overview)

        calls = {"estimate": lambda image=image: ours.estimate(image, optics=optics), "importance": importance_stage}
        found = take_turns(calls, dict.fromkeys(calls, options.repeats))
        chosen = len(ours.estimate(image, optics=optics).chosen_patches)
        rows[f"{side} x {side}"] = {
            "estimate_ms": found["estimate"],
            "importance_stage_ms": found["importance"],
            "importance_share": round(found["importance"] / found["estimate"], 3),
            "rest_ms": round(found["estimate"] - found["importance"], 3),
            "patches": len(grid),
            "chosen": chosen,
        }
    return rows


def judged(whole: dict[str, float], device: str | None) -> list[dict[str, Any]]:
    """Each figure to reach with what was found."""
    estimate = whole["estimate"]
    found = [
        ("estimate, ms", estimate, 30.0),
        ("estimate / all patches in onnxruntime", estimate / whole["all patches, onnxruntime"], 1 / 3),
        ("estimate / all patches in eager torch", estimate / whole["all patches, eager torch"], 1 / 15),
    ]
    if device:
        found.append((f"estimate on {device}, ms", whole[f"estimate, torch on {device}"], 2.0))
    return [
        {"figure": name, "at_most": round(limit, 4), "found": round(value, 4), "reached": value <= limit}
        for name, value, limit in found
    ]


def main() -> None:
    """Print the tables and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x", help="name of a model, or a file")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2, help="of onnxruntime, torch and OpenCV")
    parser.add_argument("--device", help="also run with torch on this device (cuda, mps)")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    torch.set_num_threads(options.threads)
    package = package_of(options.model)
    frame = make_frame(package)
    whole, sizes = time_whole(package, frame, options), time_sizes(package, frame, options)
    for name, value in whole.items():
        print(f"{name:<28}{value:>10.2f} ms")
    for name, row in sizes.items():
        print(f"{name:<14}" + "  ".join(f"{key} {value:g}" for key, value in row.items()))
    targets = judged(whole, options.device)
    for target in targets:
        state = "reached" if target["reached"] else "MISSED"
        print(f"{state:<8} {target['figure']:<40} at most {target['at_most']:g}, found {target['found']:g}")
    result = {
        "command": f"python benchmarks/single_shot_speed.py {' '.join(sys.argv[1:])}".strip(),
        "model": package.card.name,
        "model_sha256": fingerprint(package.path),
        "threads": options.threads,
        "machine": {
            "processors": os.cpu_count(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "torch": torch.__version__,
        },
        "frame": f"{SIDE} x {SIDE} RGB u8",
        "median_ms": whole,
        "sizes": sizes,
        "targets": targets,
    }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
