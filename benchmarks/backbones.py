"""Every backbone taught alike for a short while: what it has learnt by then, and what it costs.

    python benchmarks/backbones.py [--samples 9600] [--crop 64] [--patches 16000] [--backbones resnet50,...] [--seed 0]

All see the same patches of the training data of brightfield-20x (build/models/brightfield-20x/data, made by
`make models`), cut to --crop px, in the same order, from first weights of the same seed, with the recipe's loss,
optimiser and schedule. Patches whose direction cannot be told are left out. Measured on patches of slides that none has
seen; running statistics of the normalisations are taken anew before, for a short training ends before they arrive.

A short training ranks how fast a network learns from so many patches, not how good it becomes in the end. Rows of other
sizes (--samples) are kept beside each other: a small network learns from more patches in the time of a large one.

Times are processor times of one thread (a busy machine makes them no longer), medians: 32 patches of 128 px, as models
read them, in onnxruntime, and a training step of 32 patches of --crop px in torch. Multiply-adds are those of one patch
of 128 px.

Resumes where it was stopped, and writes benchmarks/results/backbones.json after every network. With --samples 0 nothing
is taught: only what is missing of the costs is measured.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

from crops import DATA, Budget, Crops, CropTask, teach_on_crops
from napari_autofocus.models.backbones import BACKBONES
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.tasks import Holding

RESULT = Path(__file__).parent / "results" / "backbones.json"
COMPARED = (
    "mobilenet_v3_small",
    "mobilenet_v3_small_ghost",
    "mobilenet_v3_small_fft",
    "shufflenet_v2_x1_0",
    "mobilenet_v3_large",
    "resnet18",
    "densenet121",
    "resnet50_ghost",
    "resnet50",
    "mobilenet_v2",
)
ASKED, ASKED_PX = 32, 128
_REPEATS = 7


def cpu_ms(call: Callable[[], Any], repeats: int = _REPEATS) -> float:
    """Median processor time of a call, ms, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return round(statistics.median(times), 2)


def in_onnx(network: DefocusNetwork) -> dict[str, float]:
    """Time of 32 patches in onnxruntime on one thread, and how far its probabilities are from torch's."""
    example = torch.rand(2, network.settings.channels, ASKED_PX, ASKED_PX)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.onnx"
        batch = ({0: torch.export.Dim("N")},)
        torch.onnx.export(network, (example,), path, dynamo=True, dynamic_shapes=batch, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        patches = np.random.default_rng(0).random((ASKED, *example.shape[1:]), np.float32)
        asked = {session.get_inputs()[0].name: patches}
        with torch.inference_mode():
            apart = np.abs(session.run(None, asked)[0] - network(torch.from_numpy(patches)).numpy())[:, 2].max()
        return {
            f"onnx_ms_per_{ASKED}_patches": cpu_ms(lambda: session.run(None, asked)),
            "onnx_differs_by": float(f"{apart:.1e}"),
        }


def step_ms(network: DefocusNetwork, crops: Crops, budget: Budget) -> float:
    """Of one training step in torch on one thread; the network is spoilt by it."""
    task = CropTask(network, crops, dof_um=1.0, holding=Holding(most=budget.validation))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=True)
    batch = task.batch(0, budget.batch)
    network.train()

    def learn() -> None:
        optimiser.zero_grad()
        task.loss(network, batch).backward()
        optimiser.step()

    return cpu_ms(learn)


def cost_of(name: str, crops: Crops, budget: Budget) -> dict[str, Any]:
    """What a network costs, whatever it has learnt."""
    print(f"{name}: timing", file=sys.stderr)
    network = DefocusNetwork(DefocusSettings(backbone=name)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, network.settings.channels, ASKED_PX, ASKED_PX))
    return {
        "parameters": sum(parameter.numel() for parameter in network.backbone.parameters()),
        "million_multiply_adds": round(counter.get_total_flops() / 2e6, 1),
        **in_onnx(network),
        "training_ms_per_step": step_ms(network, crops, budget),
        "crop": budget.crop,
    }


def row_of(name: str, crops: Crops, budget: Budget, work: Path) -> dict[str, Any]:
    """One line of the table."""
    settings = DefocusSettings(backbone=name)
    checkpoint = work / f"{name}-{budget.crop}-{budget.samples}-{budget.patches}-{budget.seed}.safetensors"
    lesson = teach_on_crops(settings, crops, budget, checkpoint)
    return {"backbone": name, **asdict(budget), **lesson.figures()}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[part] for part in ("backbone", "samples", "patches", "crop", "seed"))


def print_table(costs: dict[str, dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """One line for each network and number of samples."""
    for name, cost in costs.items():
        asked = cost[f"onnx_ms_per_{ASKED}_patches"]
        print(
            f"{name:<28}{cost['parameters'] / 1e6:>7.2f} M parameters,"
            f" {cost['million_multiply_adds']:.0f} M multiply-adds, {asked:.0f} ms for {ASKED} patches,"
            f" {cost['training_ms_per_step']:.0f} ms a training step"
        )
        for row in rows:
            if row["backbone"] == name:
                print(
                    f"{row['samples']:>10} patches: {row['mae_um']:.3f} ± {row['standard_error_um']:.3f} µm, direction"
                    f" {100 * row['direction_success']:.2f} %"
                )


def keep(costs: dict[str, dict[str, Any]], rows: list[dict[str, Any]], path: Path) -> None:
    """Write the result."""
    result = {
        "command": f"python benchmarks/backbones.py {' '.join(sys.argv[1:])}".strip(),
        "date": time.strftime("%Y-%m-%d"),
        "what": "a short training of each ranks how fast it learns at this budget, not how good it becomes",
        "multiply_adds_of": f"one patch of {ASKED_PX} px",
        "times": "processor time of one thread, medians",
        "machine": {
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "costs": costs,
        "rows": [{**row, **costs[row["backbone"]]} for row in rows],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def main() -> None:
    """Time and teach what is missing, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default=",".join(COMPARED), help="names, separated by commas")
    parser.add_argument(
        "--samples", type=int, default=Budget.samples, help="patches shown to each; 0: what they cost only"
    )
    parser.add_argument("--crop", type=int, default=Budget.crop, help="side of these, px")
    parser.add_argument("--patches", type=int, default=Budget.patches, help="different ones that they are drawn from")
    parser.add_argument("--seed", type=int, default=Budget.seed)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=Path(".tmp/backbones"), help="where runs are kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    budget = Budget(samples=max(1, options.samples), patches=options.patches, crop=options.crop, seed=options.seed)
    if not options.data.is_dir():
        print(f"{options.data} holds no training data; `make models` makes it. Nothing was compared.", file=sys.stderr)
        return
    crops = Crops(Dataset(options.data), budget, None, options.work)
    names = options.backbones.split(",")
    if unknown := [name for name in names if name not in BACKBONES]:
        parser.error(f"there is no backbone {unknown[0]!r}; choose among {', '.join(sorted(BACKBONES))}")
    earlier = json.loads(options.out.read_text()) if options.out.is_file() else {}
    costs, rows = earlier.get("costs", {}), earlier.get("rows", [])
    for name in names:
        if costs.get(name, {}).get("crop") != budget.crop:
            costs[name] = cost_of(name, crops, budget)
            keep(costs, rows, options.out)
    for name in names if options.samples else []:
        wanted = (name, budget.samples, budget.patches, budget.crop, budget.seed)
        if any(_key(row) == wanted for row in rows):
            continue
        rows.append(row_of(name, crops, budget, options.work))
        keep(costs, rows, options.out)
        print(file=sys.stderr)
    print_table(costs, rows)


if __name__ == "__main__":
    main()
