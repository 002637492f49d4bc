"""How wrong a model of one's own will be on fresh fields, told from its own stacks: each is held out once.

The folds are taught in ``own_models.py``; here stand what they gave and what follows from it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from napari_autofocus.errors import InputError
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

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the package."""
        return {"folds": self.folds, **self.estimate.to_json()}


def estimate_error(evaluation: Evaluation) -> ErrorEstimate:
    """What models that had not seen a stack said about it, as a statement on the model that learned from all.

    The mean absolute error of each stack is one observation: frames of a stack share its content and its label. The
    interval joins Student's for their mean with how far models that were taught alike differ from each other
    (``_MODELS_DIFFER``, as the benchmark found). That each fold saw fewer stacks makes it a little cautious. Ours.

    Parameters
    ----------
    evaluation : Evaluation
        Every answer, given by a model that had not seen the frame's stack. Refused frames do not count, but too many
        of them are a reason not to trust the model.
    """
    errors = _errors_by_stack(evaluation)
    if len(errors) < _FEWEST_STACKS:  # it refused nearly all, as the verdict tells: its guesses are all there is
        errors = _errors_by_stack(evaluation, guesses=True)
    if len(errors) < _FEWEST_STACKS:
        raise InputError(
            f"An error estimate takes answers on at least {_FEWEST_STACKS} stacks; {len(errors)} have any: take more"
            " stacks, with content."
        )
    each = np.array([np.mean(found) for found in errors.values()])
    mae_um = float(np.mean(each))
    share = float(student_t.ppf(0.95, each.size - 1) * np.std(each, ddof=1) / math.sqrt(each.size) / mae_um)
    reach = math.hypot(share, _MODELS_DIFFER)
    figures = evaluation.figures()
    estimate = ErrorEstimate(
        mae_um=mae_um,
        low_um=mae_um * max(0.0, 1 - reach),
        high_um=mae_um * (1 + reach),
        dof_um=evaluation.dof_um,
        direction=figures["direction_success"],
        stacks=len(errors),
        frames=len(evaluation.results),
        works=True,
    )
    return replace(estimate, **_verdict(estimate, figures))


_FEWEST_STACKS = 3
_MODELS_DIFFER = 0.35  # of the error


def _errors_by_stack(evaluation: Evaluation, *, guesses: bool = False) -> dict[str, list[float]]:
    errors: dict[str, list[float]] = {}
    for result in evaluation.results:
        if result.error_um is not None and (guesses or not result.refused):
            errors.setdefault(result.source, []).append(abs(result.error_um))
    return errors


LARGEST_MAE_DOF = 0.5
LEAST_DIRECTION = 0.99
LARGEST_REFUSED = 0.25
WIDEST_INTERVAL = 0.5


def _verdict(estimate: ErrorEstimate, figures: dict[str, Any]) -> dict[str, Any]:
    """Whether the model may be trusted, and why not."""
    reasons: list[str] = []
    mae_dof, high_dof = estimate.mae_um / estimate.dof_um, estimate.high_um / estimate.dof_um
    if mae_dof > LARGEST_MAE_DOF:
        reasons.append(f"The expected error is {mae_dof:.2f} depths of field; up to {LARGEST_MAE_DOF:g} is asked for.")
    if estimate.direction is None or estimate.direction < LEAST_DIRECTION:
        told = "cannot be told" if estimate.direction is None else f"was right in {100 * estimate.direction:.1f} %"
        reasons.append(f"The direction {told}; {100 * LEAST_DIRECTION:g} % is asked for.")
    refused = float(figures["refused"]["all"])
    if refused > LARGEST_REFUSED:
        reasons.append(f"It refused {100 * refused:.0f} % of the frames.")
    works = not reasons
    if high_dof - mae_dof > WIDEST_INTERVAL * mae_dof:
        reasons.append(
            f"The stacks differ so much that the error may be up to {high_dof:.2f} depths of field; more stacks make"
            " the estimate narrower."
        )
    return {"works": works, "reasons": tuple(reasons)}
