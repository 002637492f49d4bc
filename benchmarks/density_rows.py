"""What ``densities.py`` makes of the answers: a row for each group of fields and method, and who beats whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from napari_autofocus.models.metrics import FieldResult, summary

Answers = dict[tuple[str, str], list[dict[str, Any]]]
"""By group and method: results as JSON has them, each with its frames (and outcome, of a sweep)."""
_NAMES = tuple(field.name for field in fields(FieldResult))


def result_in(answer: Mapping[str, Any]) -> FieldResult:
    """The result in an answer."""
    interval = answer["interval90_um"]
    values = {name: answer[name] for name in _NAMES}
    return FieldResult(**{**values, "interval90_um": None if interval is None else tuple(interval)})


def left_um(result: FieldResult) -> float:
    """How far out of focus a method leaves the field, µm: its error, or where it gives no answer the whole defocus."""
    error_um = None if result.refused else result.error_um
    return abs(result.true_um if error_um is None else error_um)


def row_of(answers: Sequence[Mapping[str, Any]], dof_um: float) -> dict[str, Any]:
    """All figures of one method on one group of fields.

    Returns
    -------
    dict
        What :func:`~napari_autofocus.models.metrics.summary` tells; ``all``: over every start, one without an answer
        counted as left where it was, with the standard error over fields (whose starts go together); ``starts`` and
        ``slides`` counted; ``frames`` used on average; of sweeps their ``outcomes`` and ``virtual_seconds``.
    """
    results = [result_in(answer) for answer in answers]
    left = np.array([left_um(result) for result in results])
    slides = [r.slide for r in results]
    row = {
        **summary(results, dof_um),
        "all": {
            "mae_um": float(left.mean()),
            "standard_error_um": _standard_error(left, slides),
            "median_um": float(np.median(left)),
            "p95_um": float(np.quantile(left, 0.95)),
            "within_half_dof": float((left <= dof_um / 2).mean()),
            "within_dof": float((left <= dof_um).mean()),
        },
        "starts": len(results),
        "slides": len(set(slides)),
        "frames": float(np.mean([answer["frames"] for answer in answers])),
    }
    if "outcome" in answers[0]:
        row["outcomes"] = dict(Counter(str(answer["outcome"]) for answer in answers))
        row["virtual_seconds"] = float(np.mean([answer["virtual_seconds"] for answer in answers]))
    return row


def _standard_error(left: np.ndarray, slides: Sequence[str]) -> float | None:
    """Of the mean, from the means of the slides; None with fewer than two."""
    names, place = np.unique(slides, return_inverse=True)
    if names.size < 2:
        return None
    means = np.bincount(place, left) / np.bincount(place)
    return float(means.std(ddof=1) / np.sqrt(names.size))


def compared(
    answers: Mapping[str, Sequence[Mapping[str, Any]]], ours: str, additions: Sequence[str], sweeps: Sequence[str]
) -> dict[str, Any]:
    """Our error over that of the best baselines on one group of fields, over all starts that both were asked from.

    Parameters
    ----------
    answers : mapping
        By method.
    ours : str
        Name of the model.
    additions : sequence of str
        Single-frame methods that are told apart, since they are our own.
    sweeps : sequence of str
        Names of the methods that take many frames.

    Returns
    -------
    dict
        ``best_single_frame``, ``best_of_all`` and one for each addition: method, its frames, the number of starts, the
        mean errors of both as `MAE all` has them, and their ratio.
    """
    if not answers.get(ours):
        return {}
    others = [name for name in answers if answers[name] and name != ours and name not in additions]
    found = {}
    for key, names in (
        ("best_single_frame", [name for name in others if name not in sweeps]),
        ("best_of_all", others),
        *((name, [name]) for name in additions if answers.get(name)),
    ):
        if names:
            best = min(names, key=lambda name: float(np.mean([*_left_by_start(answers[name]).values()])))
            found[key] = {"method": best, **_against(answers[ours], answers[best])}
    return found


def _against(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own, other = _left_by_start(ours), _left_by_start(theirs)
    both = [start for start in own if start in other]
    own_um, other_um = (float(np.mean([left[start] for start in both])) if both else None for left in (own, other))
    return {
        "frames": float(np.mean([answer["frames"] for answer in theirs])),
        "starts": len(both),
        "ours_mae_um": own_um,
        "mae_um": other_um,
        "ratio": own_um / other_um if own_um is not None and other_um else None,
    }


def _left_by_start(answers: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {answer["source"]: left_um(result_in(answer)) for answer in answers}


COLUMNS = (
    ("starts", "starts"),
    ("frames", "frames"),
    ("MAE", "mae_um"),
    ("MAE all", "all.mae_um"),
    ("± s.e.", "all.standard_error_um"),
    ("median", "all.median_um"),
    ("DOF/2", "all.within_half_dof"),
    ("DOF", "all.within_dof"),
    ("direction", "direction_success"),
    ("refused", "refused.all"),
)


def print_table(rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
    """A block for each group, a line for each method."""
    for group, by_method in rows.items():
        print(f"\n{group:<38}" + "".join(f"{heading:>10}" for heading, _ in COLUMNS))
        for method, row in by_method.items():
            print(f"{method:<38}" + "".join(f"{_cell(row, figure):>10}" for _, figure in COLUMNS))


def _cell(row: Mapping[str, Any], figure: str) -> str:
    value: Any = row
    for key in figure.split("."):
        value = value[key]
    if value is None:
        return ""
    if figure.endswith("_um"):
        return f"{value:.3f}"
    return f"{value:g}" if figure in ("starts", "frames") else f"{100 * value:.1f} %"
