"""How wrong a model of one's own will be on fresh fields, told from its own stacks: each is held out once.

The folds are taught in ``own_models.py``; here stand what they gave and what follows from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from napari_autofocus.models.evaluation import Evaluation


@dataclass(frozen=True)
class ErrorEstimate:
    """What a model says about its own error on fields it has never seen.

    Parameters
    ----------
    mae_um : float
        Expected mean absolute error, µm.
    low_um, high_um : float
        90 % interval of it, µm.
    dof_um : float
        Depth of field, µm.
    direction : float or None
        Share of the held-out frames beyond half a depth of field whose direction was right; None where there are none.
    stacks, frames : int
        Held out in all.
    works : bool
        Whether the model may be trusted on this microscope.
    reasons : tuple of str
        Why not, or what to keep in mind; a sentence each.
    """

    mae_um: float
    low_um: float
    high_um: float
    dof_um: float
    direction: float | None
    stacks: int
    frames: int
    works: bool
    reasons: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "reasons": list(self.reasons)}


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What models taught without a stack said about it, for every stack.

    Parameters
    ----------
    evaluation : Evaluation
        Every answer beside its truth; each stack was judged by a model that had not seen it.
    estimate : ErrorEstimate
        What follows for the model that learned from all of them.
    folds : int
        Number of models.
    """

    evaluation: Evaluation
    estimate: ErrorEstimate
    folds: int
