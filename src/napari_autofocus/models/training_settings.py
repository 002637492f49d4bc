"""How a network is taught: how much is shown, how fast it learns, when it is checked and when it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from napari_autofocus.errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is taught.

    Parameters
    ----------
    samples : int
        Patches (or overviews) to show in all; more than there are shows them again, turned and mirrored.
    batch : int
        Samples a step.
    learning_rate, weight_decay : float
        Of AdamW, at the height of the schedule.
    warmup : float
        Share of the run over which the learning rate rises from 0.
    hold : float
        Share of the run after which it falls by a cosine to 0. A run that goes on with more ``samples`` is held longer.
    averaging : float
        Decay of the exponential moving average of the weights, which is what is validated and kept.
    validate_every : int
        Samples between validations.
    patience : int
        Validations without a better score after which training stops early; 0 to never.
    minutes : float or None
        Time to spend; the schedule then follows the clock, ``samples`` is the most that is shown, and a run cannot be
        repeated exactly.
    seed : int
        Of the batches.
    device : str
        As torch names it.
    checkpoint_minutes : float
        A checkpoint is written at least so often, besides at every validation; infinity for those only.
    """

    samples: int = 600_000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.02
    hold: float = 0.5
    averaging: float = 0.998
    validate_every: int = 25_600
    patience: int = 0
    minutes: float | None = None
    seed: int = 0
    device: str = "cpu"
    checkpoint_minutes: float = 1.0

    def __post_init__(self) -> None:
        if min(self.samples, self.batch, self.validate_every) < 1 or self.patience < 0:
            raise InputError("Samples, batch size and distance of validations must be positive numbers.")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"Training takes a positive number of minutes; found {self.minutes}.")
        if not self.checkpoint_minutes >= 0:
            raise InputError(f"The minutes between checkpoints must not be negative; found {self.checkpoint_minutes}.")
        if not (0 < self.learning_rate < 1 and 0 <= self.averaging < 1 and 0 <= self.warmup <= self.hold <= 1):
            raise InputError(
                "Learning rate and averaging lie between 0 and 1, and warm-up ends before the hold; found"
                f" {self.learning_rate}, {self.averaging}, {self.warmup} and {self.hold}."
            )

    def unchangeable(self) -> dict[str, Any]:
        """What a run that goes on must have begun with; samples, time and device may change.

        Returns
        -------
        dict
            Plain values by the words that a user is told; the rest of the schedule is one fingerprint.
        """
        schedule = f"{self.weight_decay!r} {self.warmup!r} {self.hold!r} {self.averaging!r}"
        return {
            "seed": self.seed,
            "batch": self.batch,
            "learning rate": self.learning_rate,
            "schedule": f"{crc32(schedule.encode()):08x}",
        }

    @property
    def steps(self) -> int:
        """Number of batches in all."""
        return math.ceil(self.samples / self.batch)

    def share(self, step: int, seconds: float) -> float:
        """Share of the run that is over after so many batches and seconds."""
        shown = step / self.steps
        return shown if self.minutes is None else max(shown, seconds / (60 * self.minutes))

    def rate_at(self, share: float) -> float:
        """Learning rate where such a share of the run is over: a linear rise, a plateau, half a cosine."""
        if share < self.warmup:
            return self.learning_rate * share / self.warmup
        if share <= self.hold or self.hold == 1:
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * min(1.0, (share - self.hold) / (1 - self.hold)))) / 2
