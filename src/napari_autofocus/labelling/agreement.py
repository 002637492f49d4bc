"""How well annotators agree with each other and with Brenner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

import numpy as np

from napari_autofocus.labelling.opinions import BRENNER, Opinion, Verdict


@dataclass(frozen=True)
class Agreement:
    """How two annotators agree on the stacks that both judged; what one of them skipped does not count.

    Parameters
    ----------
    first, second : str
        Their names; Brenner, if one of them, comes second.
    stacks : int
        How many stacks both judged.
    mean_abs_um, mean_abs_dof : float or None
        Mean distance of their positions where both call the stack sharp, in µm and in depths of field; None without
        such a stack, the latter also where no depth of field is known.
    within_half_dof : float or None
        Share of these stacks on which they lie within half a depth of field.
    same_verdict : float
        Share of the stacks on which their verdicts are the same.
    kappa : float or None
        Cohen's kappa of the verdicts (Cohen 1960, doi:10.1177/001316446002000104): 1 for full agreement, 0 for what
        chance gives; None where both gave one and the same verdict throughout, which chance would too.
    sharp_stacks : int
        On how many stacks the positions were compared.
    """

    first: str
    second: str
    stacks: int
    mean_abs_um: float | None
    mean_abs_dof: float | None
    within_half_dof: float | None
    same_verdict: float
    kappa: float | None
    sharp_stacks: int = 0


def agreement(
    opinions: Mapping[str, Sequence[Opinion]], dof_um: Callable[[str], float | None]
) -> tuple[Agreement, ...]:
    """Every pair of annotators with a stack in common, persons first.

    Parameters
    ----------
    opinions : mapping of str to sequence of Opinion
        By stack, one of each annotator.
    dof_um : callable
        Depth of field of a stack, µm; None where it is unknown.
    """
    by_name: dict[str, dict[str, Opinion]] = {}
    for stack, said in opinions.items():
        for opinion in said:
            if opinion.verdict != "skip":
                by_name.setdefault(BRENNER if opinion.is_brenner else opinion.annotator, {})[stack] = opinion
    names = sorted(by_name, key=lambda name: (name == BRENNER, name))
    pairs = ((one, other, sorted(by_name[one].keys() & by_name[other].keys())) for one, other in combinations(names, 2))
    return tuple(
        _pair(one, other, [(by_name[one][stack], by_name[other][stack], stack) for stack in shared], dof_um)
        for one, other, shared in pairs
        if shared
    )


def _pair(
    first: str, second: str, judged: Sequence[tuple[Opinion, Opinion, str]], dof_um: Callable[[str], float | None]
) -> Agreement:
    apart = [
        (abs(one.best_z_um - other.best_z_um), dof_um(stack))
        for one, other, stack in judged
        if one.verdict == other.verdict == "sharp" and one.best_z_um is not None and other.best_z_um is not None
    ]
    in_dof = [distance / dof for distance, dof in apart if dof]
    verdicts = [(one.verdict, other.verdict) for one, other, _ in judged]
    return Agreement(
        first,
        second,
        len(judged),
        _mean([distance for distance, _ in apart]),
        _mean(in_dof),
        _mean([distance <= 0.5 for distance in in_dof]),
        float(np.mean([one == other for one, other in verdicts])),
        cohens_kappa(verdicts),
        len(apart),
    )


def cohens_kappa(pairs: Iterable[tuple[Verdict, Verdict]]) -> float | None:
    """Agreement of two judges beyond chance, (p_o − p_e)/(1 − p_e); None where chance alone gives full agreement."""
    kinds = get_args(Verdict)
    table = np.zeros((len(kinds), len(kinds)))
    for one, other in pairs:
        table[kinds.index(one), kinds.index(other)] += 1
    shares = table / max(table.sum(), 1)
    by_chance = float(shares.sum(axis=0) @ shares.sum(axis=1))
    if not table.any() or by_chance >= 1:
        return None
    return (float(np.trace(shares)) - by_chance) / (1 - by_chance)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
