"""When a training has diverged: our own rule, and what is done about it.

A run has diverged as soon as its loss or its score is no number. It has diverged too when it explodes at two
validations in succession, which is either of these:

- the running loss is over three times its lowest, and the score is no better than it ever was before that;
- the score is over three times its best, and over half of what it had gained since the first validation is lost: a
  network that has collapsed into a constant answer has a loss like any other.

Then the run goes back to its best checkpoint (or to its beginning, where nothing has been validated) and on from there
with half the learning rate, twice at most. After that it stops, and nothing is packaged.
"""

from __future__ import annotations

import math

from napari_autofocus.models.learning.records import RunState

EXPLODED = 3.0
"""Times its best that a running loss or a score must reach to count as exploded."""
STRIKES = 2
"""Validations in succession at which it must."""
MOST_RETREATS = 2
"""Times that a run goes back before it gives up."""


def has_exploded(state: RunState) -> bool:
    """Whether the last validation, which is the last of the history, looks like divergence."""
    score, before = state.figures["score"], [figures["score"] for figures in state.history[: -1 - state.strikes]]
    best = min(before, default=math.inf)
    loss = state.loss > EXPLODED * state.best_loss and (not before or score >= best)
    return loss or (bool(before) and score > EXPLODED * best and score > (best + before[0]) / 2)


def has_diverged(state: RunState) -> bool:
    """Whether what has been learned is spoiled."""
    return state.spoiled or state.strikes >= STRIKES


def may_go_back(state: RunState) -> bool:
    """Whether a state that has diverged may go back once more."""
    return state.retreats < MOST_RETREATS


def too_often(state: RunState, rate: float) -> str:
    """Why a run that has diverged once too often ends, in one sentence: what was found, what was tried, what to do.

    Parameters
    ----------
    state : RunState
        As it was when that was noticed.
    rate : float
        Learning rate that the run began with.
    """
    found = f"the loss is {state.loss:.3g}"
    if math.isfinite(state.best_loss):
        found += f", {state.best_loss:.3g} at best"
    return (
        f"Training diverged after {state.step} batches ({found}), though it went back to its best checkpoint"
        f" {MOST_RETREATS} times, halving the learning rate of {rate:.2g} each time; begin anew with a lower learning"
        " rate, or look for labels that are wrong or no numbers."
    )
