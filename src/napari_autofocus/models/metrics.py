"""What an estimator's answers are worth where the truth is known: errors, direction, stated intervals, refusals.

Accuracy is counted over the frames with an answer; refusals are counted apart, as a share of all frames, together with
the error they would have had. Metrics as in SparseFocus (Zhai et al., arXiv 2502.06452): mean absolute error, share
within the depth of field, direction success; the remaining ones are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

REFUSALS = ("no_content", "unsure", "out_of_range")
"""Verdicts that are no answer; they are counted apart."""
UNKNOWN = "unknown"
_BINS_A_SIDE = 5


@dataclass(frozen=True)
class FieldResult:
    """What was said about one frame, beside the truth.

    Parameters
    ----------
    source : str
        The stack's path, or another name of the frame.
    slide : str
        Which slide it is of.
    stain, density : str or None
        As spelled by the simulation; None where nobody says it.
    true_um : float
        True defocus, µm; positive: sample and objective are too close.
    estimate_um : float or None
        Estimated defocus, µm; None where nothing could be said, not even a guess.
    sigma_um : float or None
        Stated standard uncertainty, µm.
    interval90_um : tuple of float or None
        Stated interval that holds the truth with 90 % probability, µm.
    direction_probability : float
        Stated probability that the sign of ``estimate_um`` is right, 0.5 to 1.
    verdict : str
        Of the estimate.
    chosen : int
        Number of patches that the estimate rests on.
    seconds : float or None
        Time the estimate took.
    dz_um : float or None
        Of two shots: defocus of the second minus the first's, µm.
    """

    source: str
    slide: str
    stain: str | None
    density: str | None
    true_um: float
    estimate_um: float | None
    sigma_um: float | None = None
    interval90_um: tuple[float, float] | None = None
    direction_probability: float = 0.5
    verdict: str = "flat"
    chosen: int = 0
    seconds: float | None = None
    dz_um: float | None = None

    @property
    def refused(self) -> bool:
        """Whether no answer was given: one of :data:`REFUSALS`, or no number at all."""
        return self.verdict in REFUSALS or self.estimate_um is None

    @property
    def error_um(self) -> float | None:
        """Estimate minus truth, µm; of a refused frame what it would have been."""
        return None if self.estimate_um is None else self.estimate_um - self.true_um


@dataclass(frozen=True)
class Accuracy:
    """How far off a set of estimates is; a figure is None where no frame of the set can tell it.

    Parameters
    ----------
    fields : int
        Number of frames counted.
    mae_um, sd_um, bias_um : float or None
        Mean and standard deviation of the absolute error, mean of the signed error, µm.
    mae_dof : float or None
        Mean absolute error over the depth of field.
    p95_um, worst_um : float or None
        95th percentile and largest of the absolute error, µm.
    within_half_dof, within_dof : float or None
        Share of absolute errors of at most that.
    direction_success : float or None
        Share of right signs among frames whose true defocus exceeds half the depth of field.
    directed_fields : int
        Number of those frames.
    interval90_coverage : float or None
        Share of stated 90 % intervals that hold the truth.
    """

    fields: int
    mae_um: float | None
    sd_um: float | None
    bias_um: float | None
    mae_dof: float | None
    p95_um: float | None
    worst_um: float | None
    within_half_dof: float | None
    within_dof: float | None
    direction_success: float | None
    directed_fields: int
    interval90_coverage: float | None


def accuracy(results: Sequence[FieldResult], dof_um: float) -> Accuracy:
    """How far off the estimates are; frames without any number are left out.

    Parameters
    ----------
    results : sequence of FieldResult
        Refused or not: what is given is counted.
    dof_um : float
        Depth of field, µm.
    """
    told = [(r, r.estimate_um) for r in results if r.estimate_um is not None]
    true, estimate = np.array([r.true_um for r, _ in told]), np.array([value for _, value in told])
    error, size = estimate - true, np.abs(estimate - true)
    directed = np.abs(true) > dof_um / 2
    inside = [r.interval90_um[0] <= r.true_um <= r.interval90_um[1] for r, _ in told if r.interval90_um is not None]
    return Accuracy(
        fields=len(told),
        mae_um=_mean(size),
        sd_um=float(np.std(size)) if size.size else None,
        bias_um=_mean(error),
        mae_dof=_mean(size / dof_um),
        p95_um=float(np.quantile(size, 0.95)) if size.size else None,
        worst_um=float(size.max()) if size.size else None,
        within_half_dof=_mean(size <= dof_um / 2),
        within_dof=_mean(size <= dof_um),
        direction_success=_mean(np.sign(estimate[directed]) == np.sign(true[directed])),
        directed_fields=int(directed.sum()),
        interval90_coverage=_mean(np.array(inside)),
    )


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None


def summary(results: Sequence[FieldResult], dof_um: float) -> dict[str, Any]:
    """One row of a table: accuracy of the answers, refusals and what those would have been, as JSON has it.

    Parameters
    ----------
    results : sequence of FieldResult
        Any frames.
    dof_um : float
        Depth of field, µm.

    Returns
    -------
    dict
        ``fields`` counts all frames, ``answered`` those the figures rest on; ``refused`` holds the share of each
        refusal and of all, ``uneven`` that of frames whose answer is a range to scan (their number counts as an
        answer); ``if_refused_had_answered`` the accuracy of refused frames.
    """
    answered = [r for r in results if not r.refused]
    refused = [r for r in results if r.refused]
    figures = asdict(accuracy(answered, dof_um))
    verdicts = Counter(r.verdict for r in results)
    counted = max(len(results), 1)
    times = np.array([r.seconds for r in results if r.seconds is not None])
    return {
        **figures,
        "fields": len(results),
        "answered": len(answered),
        "refused": {"all": len(refused) / counted, **{name: verdicts[name] / counted for name in REFUSALS}},
        "uneven": verdicts["uneven"] / counted,
        "verdicts": dict(sorted(verdicts.items())),
        "if_refused_had_answered": asdict(accuracy(refused, dof_um)) if refused else None,
        "median_seconds": float(np.median(times)) if times.size else None,
    }


def grouped(
    results: Sequence[FieldResult], dof_um: float, key: Callable[[FieldResult], str | None]
) -> dict[str, dict[str, Any]]:
    """:func:`summary` of each group of frames, in order of the groups' names; None is :data:`UNKNOWN`."""
    groups: dict[str, list[FieldResult]] = {}
    for result in results:
        groups.setdefault(key(result) or UNKNOWN, []).append(result)
    return {name: summary(groups[name], dof_um) for name in sorted(groups)}


def by_defocus(results: Sequence[FieldResult], dof_um: float, range_um: float) -> list[dict[str, Any]]:
    """:func:`summary` in ten equal bins of true defocus over ±range, each with its limits; what lies beyond, in none.

    Parameters
    ----------
    range_um : float
        The model's range, µm.
    """
    edges = np.linspace(-range_um, range_um, 2 * _BINS_A_SIDE + 1)
    true = np.array([r.true_um for r in results])
    rows = []
    for index, (low, high) in enumerate(pairwise(edges)):
        last = index == edges.size - 2
        inside = (true >= low) & ((true <= high) if last else (true < high))
        chosen = [r for r, wanted in zip(results, inside, strict=True) if wanted]
        rows.append({"from_um": float(low), "to_um": float(high), **summary(chosen, dof_um)})
    return rows
