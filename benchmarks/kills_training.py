"""kill -9 at random moments of a training: does every run go on, end as an undisturbed one, and leave whole files?

``python benchmarks/kills_training.py --kills 50`` writes ``results/kills_training.json``. A tiny network, with all that
could make a resume inexact (normalisation, dropout, averages), writes its checkpoint after every step, so that many
kills fall into a write. POSIX only: each run is a fork of this process, which itself trains nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from napari_autofocus.models.training import TrainingSettings, Validation, train

SETTINGS = TrainingSettings(samples=3200, batch=8, validate_every=160, learning_rate=0.01, checkpoint_minutes=0.0)
KILLS_A_RUN = 5


class Levels:
    """Learns the mean of an image."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        layers = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1)
        self.network: nn.Module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 1))

    def batch(self, number: int, size: int, part: slice = slice(None)) -> dict[str, Tensor]:
        rng = np.random.default_rng([5, number])
        level = rng.normal(0, 1, (size, 1, 1, 1))
        images = (level + rng.normal(0, 0.3, (size, 1, 8, 8))).astype(np.float32)
        return {"images": torch.from_numpy(images)[part], "level": torch.from_numpy(level).float()[part, 0, 0, 0]}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        return nn.functional.mse_loss(network(batch["images"])[:, 0], batch["level"])

    def validate(self, network: nn.Module) -> Validation:
        return Validation({"score": float(self.loss(network, self.batch(10**6, 64)))})


def teach(folder: Path, settings: TrainingSettings) -> None:
    """Train to the end, from where the folder says; leaves the weights as ``end.safetensors``."""
    task = Levels()
    running = train(task, settings, folder / "run.safetensors", every=1)
    while True:
        try:
            next(running)
        except StopIteration as finished:
            taught = finished.value
            break
    weights = {f"network.{name}": value for name, value in task.network.state_dict().items()}
    weights |= {f"average.{name}": value for name, value in taught.network.state_dict().items()}
    save_file(weights, folder / "end.part")
    (folder / "end.part").rename(folder / "end.safetensors")


def warm_up() -> None:
    """Load what torch loads late, before there is anything to kill."""
    torch.set_num_threads(1)  # a fork must not inherit threads
    running = train(Levels(), SETTINGS, every=1)
    next(running)
    running.close()


def start(folder: Path, settings: TrainingSettings) -> int:
    """Teach in a process of its own; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        teach(folder, settings)
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a process; how it ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(folder: Path, settings: TrainingSettings, after_s: float) -> bool:
    """Teach, and kill that after so many seconds; whether it was still alive."""
    child = start(folder, settings)
    time.sleep(after_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def steps_kept(folder: Path) -> list[int]:
    """Batches that the whole checkpoints of a folder have seen; a half-written one raises."""
    steps = []
    for path in sorted(folder.glob("run*.safetensors")):
        with safe_open(path, framework="pt") as file:
            steps.append(json.loads(file.metadata()["state"])["step"])
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                file.get_tensor(name)
    return steps


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same tensors, bit for bit."""
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def measure(kills: int, seed: int, settings: TrainingSettings, work: Path) -> dict[str, object]:
    """Kill so many times; what came of it."""
    moments = random.Random(seed)
    warm_up()
    undisturbed = work / "undisturbed"
    undisturbed.mkdir()
    began = time.monotonic()
    assert ended(start(undisturbed, settings)) == 0
    whole_s = time.monotonic() - began
    done, runs, identical, failed, leftovers, kept = 0, 0, 0, 0, 0, []
    while done < kills:
        runs += 1
        folder = work / f"run-{runs}"
        folder.mkdir()
        for _ in range(min(KILLS_A_RUN, kills - done)):
            if not killed(folder, settings, moments.uniform(0, whole_s / 3)):
                break
            done += 1
            kept.append(max(steps_kept(folder), default=0))
            leftovers += any(path.suffix == ".part" for path in folder.iterdir())
        failed += ended(start(folder, settings)) != 0
        identical += same(folder / "end.safetensors", undisturbed / "end.safetensors")
        names = {path.name for path in folder.iterdir()}
        failed += names != {"run.safetensors", "run.best.safetensors", "end.safetensors"}
    return {
        "kills": done,
        "runs": runs,
        "identical": identical,
        "failed": failed,
        "kills_in_a_write": leftovers,
        "steps": settings.steps,
        "steps_kept_at_kills": kept,
        "seed": seed,
        "seconds_undisturbed": round(whole_s, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kills_training.json")
    parser.add_argument("--samples", type=int, default=SETTINGS.samples)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(wanted.kills, wanted.seed, replace(SETTINGS, samples=wanted.samples), Path(folder))
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 0 if found["identical"] == found["runs"] and not found["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
