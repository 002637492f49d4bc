"""Whether settings that population-based training finds beat those of the recipe, at equal cost.

A small copy of the training data of a model that ships (patches cropped, drawn from all its slides) is learned from

- by a population, ``napari-autofocus tune`` as it is, on Ray;
- with the recipe's settings, as long as one member, and as long as the whole population;
- with the settings that were found, taught anew from other first weights and in other batches.

All are measured on slides that neither taught nor chose. Goes on where it was stopped:

    python benchmarks/tuning.py --data build/models/brightfield-10x/data --recipe brightfield-10x --samples 4096
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.training import TrainingSettings, judged, train
from napari_autofocus.workflows.tune.data import tuning_on_shards
from napari_autofocus.workflows.tune.member import TuningJob, task_of
from napari_autofocus.workflows.tune.plan import Start, TuningSettings, Values
from napari_autofocus.workflows.tuning import tune
from napari_autofocus.workflows.tuning_found import Found

RESULTS = Path(__file__).parent / "results" / "tuning.json"
OTHER_SEED = 101


def smaller_copy(source: Path, target: Path, patches: int, crop: int) -> None:
    """A shard of some patches of all slides, their middles only."""
    shard = target / "shard-0000"
    if shard.exists():
        return
    data = Dataset(source)
    chosen = np.sort(np.random.default_rng(0).permutation(len(data))[:patches])
    edge = (data.patch(0).shape[0] - crop) // 2
    middle = slice(edge, edge + crop)
    cut = np.stack([np.rint(255 * data.patch(int(i))[middle, middle]).astype(np.uint8) for i in chosen])
    names = dict(data.shards[0].names)
    labels = data.labels[chosen].copy()
    for table, column, own in (("slides", "slide", data.slides), ("stains", "stain", data.stains)):
        names[table], labels[column] = _numbered(own[chosen], labels[column].dtype)
    names["densities"], labels["density"] = _numbered(data.densities[chosen], labels["density"].dtype)
    unfinished = target / "shard-0000.part"
    unfinished.mkdir(parents=True, exist_ok=True)
    none = data.shards[0]
    arrays = {
        "patches": cut,
        "labels": labels,
        "overviews": np.asarray(none.overviews[:0]),
        "importances": np.asarray(none.importances[:0]),
        "overview_labels": none.overview_labels[:0],
    }
    for name, array in arrays.items():
        np.save(unfinished / f"{name}.npy", array)
    (unfinished / "names.json").write_text(json.dumps(names), encoding="utf-8")
    unfinished.rename(shard)


def _numbered(names: np.ndarray, dtype: np.dtype) -> tuple[list[str], np.ndarray]:
    table, place = np.unique(names, return_inverse=True)
    return table.tolist(), place.astype(dtype)


def taught(job: TuningJob, name: str, training: TrainingSettings, width: float, dropout: float) -> dict[str, float]:
    """Figures, on the slides that measure, of one training that stands by itself; kept under its name."""
    kept = job.work / f"{name}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    data, start = Dataset(job.data), Start(0, 0, width, Values(0.1, 0.9, 0.0, dropout))
    own = replace(job, plan=replace(job.plan, defocus_training=training))
    running = train(task_of(own, start, data, job.choosing), training, job.work / f"{name}.safetensors")
    while True:
        try:
            next(running)
        except StopIteration as finished:
            done = finished.value
            break
    figures = judged(task_of(own, start, data, job.measuring), done.network).figures
    figures |= {"chosen_by_um": done.history[-1]["score"], "samples": done.samples, "seconds": round(done.seconds, 1)}
    kept.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def compared(job: TuningJob, found: Found, done: dict[str, Any]) -> None:
    """All trainings that the population is held against, the cheap ones first; each is noted when it is there."""
    usual = replace(job.plan.defocus_training, samples=job.settings.samples or 1, validate_every=10**9)
    width, dropout = job.plan.defocus.width, job.plan.defocus.dropout
    tuned = found.taught_with(usual), found.width, found.course[-1].dropout
    plain = usual, width, dropout
    whole = replace(usual, samples=usual.samples * job.settings.population), width, dropout
    for name, (training, own_width, own_dropout) in {
        "found_taught_anew_other_seed": (replace(tuned[0], seed=OTHER_SEED), *tuned[1:]),
        "recipe_other_seed": (replace(usual, seed=OTHER_SEED), width, dropout),
        "recipe_as_long_as_one_member": plain,
        "recipe_as_long_as_the_population": whole,
    }.items():
        done[name] = taught(job, name, training, own_width, own_dropout)
        write(done)
        print(name, done[name]["score"], flush=True)


def write(done: dict[str, Any]) -> None:
    """The file of results, as far as they are there."""
    RESULTS.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="brightfield-20x")
    parser.add_argument("--work", type=Path, default=Path("build/tuning"))
    parser.add_argument("--patches", type=int, default=12_000)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--samples", type=int, default=6_400)
    parser.add_argument("--population", type=int, default=4)
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    smaller_copy(wanted.data, wanted.work / "data", wanted.patches, wanted.crop)
    settings = TuningSettings(
        population=wanted.population,
        generations=wanted.generations,
        samples=wanted.samples,
        workers=wanted.workers,
        seed=wanted.seed,
    )
    job = tuning_on_shards(wanted.work / "data", wanted.recipe, settings, wanted.work / "population", "cpu").job
    began, running = time.monotonic(), tune(job)
    while True:
        try:
            print(next(running), flush=True)
        except StopIteration as finished:
            found: Found = finished.value
            break
    options = {name: value for name, value in vars(wanted).items() if name not in ("data", "work")}
    done: dict[str, Any] = {
        "command": f"python benchmarks/tuning.py --data build/models/{wanted.recipe}/data "
        + " ".join(f"--{name} {value}" for name, value in options.items()),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "seed": wanted.seed,
        "wall_seconds": round(time.monotonic() - began, 1),
        "found": found.to_json(),
    }
    write(done)
    os.nice(15)  # as the members, which Ray runs
    compared(job, found, done)


if __name__ == "__main__":
    main()
