"""What the choices behind a single-shot model cost: patch size, number of patches, pooling, one model for all stains.

    python benchmarks/single_shot_choices.py [--model brightfield-20x] [--fields 12] [--draws 4] [--samples 9600]
                                             [--only frames,stains]

frames   --fields simulated fields of each density (those of single_shot.py: 20x/0.75, 1224 x 1024 px, all stains in
         turn), --draws random defocus values within ±10 µm each. Every frame is read once and pooled in all ways:
         number   the 1 to 64 most important patches (the shipped model reads 32), pooled by mean, median, both
                  weighted with importance over variance, and Huber's location. Where content is rare there are fewer
                  patches than asked for.
         size     patches of 112 to 672 px by the network as it is, which was taught on one size; as many as have the
                  area of 32 patches of the model's own size, and the most important one alone.
         Errors are counted over frames in which stage one finds a patch worth reading; others are `refused`. No verdict
         is passed: frames that the model would call unsure count.
stains   MobileNetV3-small taught on small crops of all stains, and of each stain alone, --samples patches each from the
         same first weights (as backbones.py does); errors on each stain's patches of slides that none has seen. With so
         short a training this ranks how fast they learn, not how good they become.

Times are processor times of one thread in onnxruntime, ms, medians. Resumes where it was stopped; writes
benchmarks/results/single_shot_choices.json after each part.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from backbones import cpu_ms
from crops import DATA, Budget, Crops, teach_on_crops
from napari_autofocus.focus.deciding.pooling import pool
from napari_autofocus.focus.deciding.settings import Pooling
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusSettings
from single_shot_choices_run import SIZES, AnySize, Asker, answers_of, patches_of
from single_shot_fields import DENSITIES, RANGE_UM, STAINS, fields_of
from single_shot_networks import fingerprint, package_of

RESULT = Path(__file__).parent / "results" / "single_shot_choices.json"
NUMBERS = (1, 2, 4, 8, 16, 32, 64)
Frames = list[dict[str, Any]]


def figures(frames: Frames, name: str, number: int, pooling: Pooling, dof_um: float) -> dict[str, Any]:
    """Errors of the field's value when the first patches of each frame are pooled."""
    read = [frame for frame in frames if frame["said"][name]["defocus_um"]]
    values = [
        pool(np.array(said["defocus_um"][:number]), np.array(said["weight"][:number]), pooling, dof_um)
        for said in (frame["said"][name] for frame in read)
    ]
    truth = np.array([frame["true_um"] for frame in read])
    error, clear = np.abs(np.array(values) - truth), np.abs(truth) > dof_um / 2
    right = np.sign(np.array(values)[clear]) == np.sign(truth[clear])
    return {
        "frames": len(read),
        "patches_read": round(float(np.mean([len(f["said"][name]["weight"][:number]) for f in read])), 2),
        "mae_um": round(float(error.mean()), 4),
        "median_um": round(float(np.median(error)), 4),
        "p95_um": round(float(np.quantile(error, 0.95)), 4),
        "within_half_dof": round(float((error <= dof_um / 2).mean()), 4),
        "direction_success": round(float(right.mean()), 4) if right.size else None,
    }


def by_number(frames: Frames, dof_um: float) -> list[dict[str, Any]]:
    """One row for each number of patches and pooling."""
    return [
        {"patches": number, "pooling": pooling, **figures(frames, "number", number, pooling, dof_um)}
        for number in NUMBERS
        for pooling in get_args(Pooling)
    ]


def by_size(frames: Frames, own_px: int, pooling: Pooling, dof_um: float) -> list[dict[str, Any]]:
    """Two rows for each size: with as much area as the model reads, and one patch alone."""
    return [
        {"size_px": size, "patches": number, **figures(frames, str(size), number, pooling, dof_um)}
        for size in SIZES
        for number in sorted({patches_of(size, own_px), 1}, reverse=True)
    ]


def frames_part(model: str, fields: int, draws: int, work: Path) -> dict[str, Any]:
    """Number, pooling and size on the same frames."""
    package = package_of(model)
    card, sha = package.card, fingerprint(package.path)
    frames = answers_of(fields_of("nominal", fields), draws, Asker(package), work / f"{sha}.jsonl")
    print(file=sys.stderr)
    groups = {density: [f for f in frames if f["density"] == density] for density in DENSITIES} | {"all": frames}
    return {
        "model": card.name,
        "model_sha256": sha,
        "taught_on_px": card.patch_px,
        "own_pooling": card.decision.pooling,
        "dof_um": card.dof_um,
        "range_um": RANGE_UM,
        "fields": fields,
        "draws": draws,
        "refused": {name: sum(not f["said"]["number"]["weight"] for f in group) for name, group in groups.items()},
        "number": {name: by_number(group, card.dof_um) for name, group in groups.items()},
        "size": {
            name: by_size(group, card.patch_px, card.decision.pooling, card.dof_um) for name, group in groups.items()
        },
        "ms": times(AnySize(package), card.patch_px, card.optics.channels),
    }


def times(network: AnySize, own_px: int, channels: int) -> dict[str, Any]:
    """Processor time of the defocus network by number of its own patches, and by size of as much area."""

    def spent(number: int, size: int) -> float:
        patches = np.random.default_rng(0).random((number, channels, size, size), np.float32)
        return cpu_ms(lambda: network.predict(patches), 5)

    return {
        "number": {str(number): spent(number, own_px) for number in NUMBERS},
        "size": {str(size): spent(patches_of(size, own_px), size) for size in SIZES},
        "one_patch": {str(size): spent(1, size) for size in SIZES},
    }


def stains_part(budget: Budget, data: Path, work: Path) -> dict[str, Any]:
    """One network taught on all stains, and one on each, on the patches of each."""
    rows: list[dict[str, Any]] = []
    dataset = Dataset(data)
    for stain in (None, *STAINS):
        crops, name = Crops(dataset, budget, stain, work), stain or "mixed"
        checkpoint = work / f"stain-{name}-{budget.crop}-{budget.samples}-{budget.patches}-{budget.seed}.safetensors"
        lesson = teach_on_crops(DefocusSettings(), crops, budget, checkpoint)
        of_stain = {own: lesson.figures(lesson.stains == own) for own in STAINS}
        rows.append({"taught_on": name, "all": lesson.figures(), "by_stain": of_stain})
        print(file=sys.stderr)
    return {"backbone": DefocusSettings().backbone, **asdict(budget), "rows": rows}


def print_tables(result: dict[str, Any]) -> None:
    """A few lines of each part."""
    frames = result.get("frames", {})
    for name, rows in frames.get("number", {}).items():
        print(f"{name}: MAE, µm, by number of patches")
        for pooling in get_args(Pooling):
            found = "".join(f"{row['patches']:>4}: {row['mae_um']:.3f}" for row in rows if row["pooling"] == pooling)
            print(f"  {pooling:<16}{found}")
        sizes = "".join(
            f"  {row['size_px']} px x {row['patches']}: {row['mae_um']:.3f}" for row in frames["size"][name]
        )
        print(f"  by size{sizes}")
    for row in result.get("stains", {}).get("rows", []):
        told = "".join(f"  {stain} {found['mae_um']:.3f}" for stain, found in row["by_stain"].items())
        print(f"taught on {row['taught_on']:<10} all {row['all']['mae_um']:.3f}{told}")


def keep(part: str, found: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write one part beside what an earlier run left."""
    result = json.loads(path.read_text()) if path.is_file() else {}
    result |= {
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        part: {
            "command": f"python benchmarks/single_shot_choices.py {' '.join(sys.argv[1:])}".strip(),
            "date": time.strftime("%Y-%m-%d"),
            **found,
        },
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return result


def main() -> None:
    """Run what is missing, print the tables, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x", help="name of a model, or a file")
    parser.add_argument("--fields", type=int, default=12, help="of each density")
    parser.add_argument("--draws", type=int, default=4, help="frames a field")
    parser.add_argument("--samples", type=int, default=Budget.samples, help="patches shown to each network of a stain")
    parser.add_argument("--patches", type=int, default=Budget.patches, help="different ones that they are drawn from")
    parser.add_argument("--crop", type=int, default=Budget.crop, help="side of these, px")
    parser.add_argument("--only", default="frames,stains", help="parts, separated by commas")
    parser.add_argument("--data", type=Path, default=DATA, help="training data, for the stains")
    parser.add_argument("--work", type=Path, default=Path(".tmp/single_shot_choices"), help="where answers are kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = options.only.split(",")
    result: dict[str, Any] = {}
    if "frames" in parts:
        found = frames_part(options.model, options.fields, options.draws, options.work)
        result = keep("frames", found, options.out)
    if "stains" in parts and not options.data.is_dir():
        print(f"{options.data} holds no training data; `make models` makes it. No stains compared.", file=sys.stderr)
    elif "stains" in parts:
        budget = Budget(samples=options.samples, patches=options.patches, crop=options.crop)
        result = keep("stains", stains_part(budget, options.data, options.work), options.out)
    print_tables(result)


if __name__ == "__main__":
    main()
