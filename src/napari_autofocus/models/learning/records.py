"""What training tells while it runs, what it remembers from run to run, and what it gives in the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn


@dataclass(frozen=True, eq=False)
class Pairs:
    """Truth and answer of a validation, one entry a sample.

    Parameters
    ----------
    true_um, found_um : np.ndarray, shape (N,)
        Defocus, µm.
    """

    true_um: npt.NDArray[np.float32]
    found_um: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gains:
    """What virtual refocusing was worth in a validation, one entry a pair of shots.

    Parameters
    ----------
    half_um : np.ndarray, shape (N,)
        Half the distance of the two shots, µm.
    gain_db : np.ndarray, shape (N,)
        PSNR over the sharper shot's, dB.
    """

    half_um: npt.NDArray[np.float32]
    gain_db: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Validation:
    """What a task found on samples that are not trained on.

    Parameters
    ----------
    figures : dict
        ``score`` among them, the lower the better.
    pairs : Pairs, Gains or None
        Truth and answer for some of the samples, or what the answer was worth, where the task has such.
    """

    figures: dict[str, float]
    pairs: Pairs | Gains | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """Where training stands.

    Parameters
    ----------
    samples, total : int
        Shown so far, and in all.
    loss : float
        Running mean.
    learning_rate : float
        Of the last step.
    seconds : float
        Spent training, over all runs.
    seconds_left : float
        At the present speed.
    figures : dict
        Of the last validation; empty before the first.
    validated : bool
        Whether that validation is new.
    pairs : Pairs, Gains or None
        Of each sample of the last validation, where the task has such; for a scatter.
    history : tuple of dict
        Figures of every validation so far, those of earlier runs too, each with its ``samples``, ``seconds``, ``loss``
        and ``learning_rate``; for curves.
    retreats : int
        How often the run diverged, went back to its best checkpoint and halved its learning rate.
    """

    samples: int
    total: int
    loss: float
    learning_rate: float
    seconds: float
    seconds_left: float
    figures: dict[str, float]
    validated: bool
    pairs: Pairs | Gains | None = None
    history: tuple[dict[str, float], ...] = ()
    retreats: int = 0


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Parameters
    ----------
    network : nn.Module
        With the averaged weights, in evaluation mode.
    samples : int
        Shown.
    seconds : float
        Spent.
    history : list of dict
        Figures of every validation.
    retreats : int
        How often the run diverged and went on from its best checkpoint with half the learning rate.
    """

    network: nn.Module
    samples: int
    seconds: float
    history: list[dict[str, float]]
    retreats: int = 0


@dataclass
class RunState:
    """All that a checkpoint holds besides tensors.

    Parameters
    ----------
    step : int
        Batches learned from.
    seconds : float
        Spent, over all runs.
    loss, best_loss : float
        Running mean, and its lowest so far.
    history : list of dict
        Figures of every validation.
    strikes : int
        Validations in succession at which the run seemed to diverge.
    retreats : int
        How often it went back for that.
    began_with : dict
        What a run that goes on must share with this one.
    spoiled : bool
        Whether the last loss or score was no number; such a state is never written.
    """

    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    best_loss: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    strikes: int = 0
    retreats: int = 0
    began_with: dict[str, Any] = field(default_factory=dict)
    spoiled: bool = False

    @property
    def figures(self) -> dict[str, float]:
        """Of the last validation; empty before the first."""
        return self.history[-1] if self.history else {}

    def learned(self, loss: float, seconds: float) -> None:
        """Count a batch, its loss, and the time until now."""
        self.step += 1
        self.seconds = seconds
        self.loss = loss if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss
        self.best_loss = min(self.best_loss, self.loss)
        self.spoiled = not math.isfinite(self.loss)

    def validated(self, figures: dict[str, float]) -> bool:
        """Note a validation; whether its score is the best so far."""
        best = min((earlier["score"] for earlier in self.history), default=math.inf)
        self.history.append(figures)
        self.spoiled = not math.isfinite(figures["score"])
        return figures["score"] < best

    def stale(self) -> int:
        """Validations since the best one."""
        scores = [figures["score"] for figures in self.history]
        return len(scores) - 1 - scores.index(min(scores)) if scores else 0
