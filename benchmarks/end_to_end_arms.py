"""The arms of ``end_to_end.py``: what each is taught with, and the networks it gives."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from end_to_end_fields import TRAINING_SEED, VALIDATION_SEED, fields_in
from napari_autofocus.models.field.network import SoftChoice
from napari_autofocus.models.field.samples import ShownFields
from napari_autofocus.models.field.task import FieldErrors
from napari_autofocus.models.field_dataset import FieldDataset
from napari_autofocus.models.field_teaching import TogetherPlan, teach_together
from napari_autofocus.models.package import ModelPackage
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import networks_of
from napari_autofocus.models.training import TrainingSettings

REFERENCE = "stage by stage"
ARMS = {
    REFERENCE: TogetherPlan(
        choice=SoftChoice(weighted=False), errors=FieldErrors(field=0), shown=ShownFields(sparse=0), pooling="median"
    ),
    "end to end, head": TogetherPlan(),
    "end to end": TogetherPlan(choice=SoftChoice(weighted=False), shown=ShownFields(sparse=0), pooling="median"),
}
BATCH = 8


@dataclass(frozen=True)
class Networks:
    """Two networks in memory, asked as those of a package are."""

    of_importance: nn.Module
    of_defocus: nn.Module

    def importance(self, overview: np.ndarray) -> np.ndarray:
        """Importance of each patch, shape (rows, columns)."""
        with torch.inference_mode():
            return self.of_importance(torch.from_numpy(overview))[0, 0].numpy()

    def predict(self, patches: np.ndarray) -> np.ndarray:
        """Predictions, shape (N, 3)."""
        with torch.inference_mode():
            return self.of_defocus(torch.from_numpy(patches)).numpy()


def taught(name: str, start: ModelPackage, data: FieldDataset, options: argparse.Namespace) -> tuple[Networks, Any]:
    """An arm's networks, and how they came about."""
    training = TrainingSettings(
        samples=options.samples,
        batch=BATCH,
        learning_rate=options.rate,
        warmup=0.05,
        hold=0.3,
        averaging=0.98,
        validate_every=max(options.samples // 2, BATCH),
        seed=8,
        device=options.device,
    )
    plan = replace(ARMS[name], training=training)
    defocus, importance = networks_of(start)
    said = {
        "dof_um": start.card.dof_um,
        "range_um": start.card.range_um,
        "run": f"{name.replace(', ', '-').replace(' ', '-')}-{options.samples}",
    }
    held = Holding(slides=tuple(np.unique(data.slides[_validated(data)])), most=64)
    steps = teach_together(
        plan, data, options.work / "arms", **said, defocus=defocus, importance=importance, holding=held
    )
    while True:
        try:
            at = next(steps)
        except StopIteration as finished:
            looking, judging = finished.value
            break
        print(f"\r{name}: {at.samples} of {at.total} fields, loss {at.loss:.3f} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    plan_told = {part: asdict(getattr(plan, part)) for part in ("choice", "errors", "shown", "training")}
    record = {"plan": plan_told, "seconds": round(judging.seconds), "history": judging.history}
    return Networks(looking.network.cpu().eval(), judging.network.cpu().eval()), record


def _validated(data: FieldDataset) -> np.ndarray:
    numbers = np.array([int(str(slide).rpartition("-")[2]) for slide in data.slides])
    return numbers >= VALIDATION_SEED


def learned_from(options: argparse.Namespace) -> FieldDataset:
    """Fields to learn from and to validate on, in one folder."""
    folder = options.work / "data"
    parts = (("training", TRAINING_SEED, options.slides), ("validation", VALIDATION_SEED, 24))
    folder.mkdir(exist_ok=True)
    for name, seed, count in parts:
        fields_in(options.work / name, seed, count, options.processes)
        for shard in sorted((options.work / name).glob("shard-*")):
            link = folder / f"shard-{name}-{shard.name.rpartition('-')[2]}"
            if not link.exists():
                link.symlink_to(shard.resolve(), target_is_directory=True)
    return FieldDataset(folder)
