"""Something small to teach, with all that could make a resume inexact."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, Validation

SHORT = TrainingSettings(samples=80, batch=8, validate_every=24, learning_rate=0.01)  # ten steps


class Toy:
    """Learns the mean of an image, with all that could make a resume inexact: normalisation, dropout, averages."""

    def __init__(self, width: int = 4, scores: list[float] | None = None) -> None:
        torch.manual_seed(3)
        self.network: nn.Module = nn.Sequential(
            nn.Conv2d(1, width, 3),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, 1),
        )
        self.scores = scores
        self.validated = 0
        self.made: list[tuple[int, int, int]] = []

    def batch(self, number: int, size: int, part: slice = slice(None)) -> dict[str, Tensor]:
        self.made.append((number, size, threading.get_ident()))
        rng = np.random.default_rng([5, number])
        level = rng.normal(0, 1, (size, 1, 1, 1))
        images = level + rng.normal(0, 0.3, (size, 1, 8, 8))
        whole = {"images": torch.from_numpy(images.astype(np.float32)), "level": torch.from_numpy(level).float()}
        return {name: value[part] for name, value in whole.items()}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        return nn.functional.mse_loss(network(batch["images"])[:, 0], batch["level"][:, 0, 0, 0])

    def validate(self, network: nn.Module) -> Validation:
        self.validated += 1
        if self.scores is not None:
            return Validation({"score": self.scores[self.validated - 1]})
        return Validation({"score": float(self.loss(network, self.batch(10**6, 64)).detach())})


def finish(running: Generator[TrainingProgress, None, Trained]) -> tuple[list[TrainingProgress], Trained]:
    steps = []
    while True:
        try:
            steps.append(next(running))
        except StopIteration as finished:
            return steps, finished.value


def timeless(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in figures.items() if name != "seconds"} for figures in history]


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert different == []
