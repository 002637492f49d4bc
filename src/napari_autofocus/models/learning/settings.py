"""How a network is taught: how much is shown, how fast it learns, when it is checked and when it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from napari_autofocus.errors import InputError

MOMENTUM = 0.9
LEAST_SHARE = 1e-9
"""Shares of a run that differ by less are the same."""


@dataclass(frozen=True)
class Leg:
    """How a network is taught over a part of a run: what population-based training finds, a leg a generation.

    Parameters
    ----------
    until : float
        Share of the run at which the leg ends, in (0, 1].
    learning_rate, momentum, weight_decay : float
        Of AdamW, instead of the run's own; the learning rate is the height of the schedule, which stays.
    dropout : float
        Share of the last features left out, instead of the network's own.

    Raises
    ------
    InputError
        If a value is outside its range.
    """

    until: float
    learning_rate: float
    momentum: float
    weight_decay: float
    dropout: float

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise InputError(f"A leg ends at a share of the run over 0, 1 at most; found {self.until}.")
        if not (0 < self.learning_rate < 1 and 0 <= self.momentum < 1 and 0 <= self.dropout < 1):
            raise InputError(
                "Learning rate, momentum and dropout of a leg lie between 0 and 1; found"
                f" {self.learning_rate}, {self.momentum} and {self.dropout}."
            )
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"The weight decay of a leg must not be negative; found {self.weight_decay}.")


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
    momentum : float
        Of AdamW: decay of its mean of the gradients, beta 1.
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
    course : tuple of Leg
        What replaces learning rate, momentum, weight decay and dropout on the way, leg by leg up to the whole run;
        empty to keep them.
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
    momentum: float = MOMENTUM
    course: tuple[Leg, ...] = ()

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
        if not 0 <= self.momentum < 1:
            raise InputError(f"Momentum lies between 0 and 1; found {self.momentum}.")
        ends = [leg.until for leg in self.course]
        if ends != sorted(set(ends)):
            raise InputError(f"The legs of a course end one after the other; found {ends}.")

    def unchangeable(self) -> dict[str, Any]:
        """What a run that goes on must have begun with; samples, time and device may change.

        Returns
        -------
        dict
            Plain values by the words that a user is told; the rest of the schedule is one fingerprint.
        """
        schedule = f"{self.weight_decay!r} {self.warmup!r} {self.hold!r} {self.averaging!r}"
        if self.momentum != MOMENTUM:  # checkpoints that know of none began with this
            schedule += f" {self.momentum!r}"
        if self.course:
            schedule += f" {self.course!r}"
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

    def leg_at(self, share: float) -> Leg | None:
        """The leg on which such a share of the run is over, the last one beyond all; None without a course."""
        legs = (leg for leg in self.course if share <= leg.until + LEAST_SHARE)
        return next(legs, self.course[-1] if self.course else None)

    def rate_at(self, share: float) -> float:
        """Learning rate where such a share of the run is over: a linear rise, a plateau, half a cosine."""
        leg = self.leg_at(share)
        height = self.learning_rate if leg is None else leg.learning_rate
        if share < self.warmup:
            return height * share / self.warmup
        if share <= self.hold or self.hold == 1:
            return height
        return height * (1 + math.cos(math.pi * min(1.0, (share - self.hold) / (1 - self.hold)))) / 2
