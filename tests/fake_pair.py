"""A model of two shots whose answers a test can foresee."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics


@dataclass(frozen=True)
class FakePairCard:
    dof_um: float = 1.0
    range_um: float = 8.0
    dz_um: float = 2.0


@dataclass
class FakePair:
    """Answers by the two frames and what it is told of their distance; refuses unknown optics, as real ones do."""

    answer: Callable[[npt.NDArray[Any], npt.NDArray[Any], float], FocusEstimate]
    name: str = "fake-pair"
    card: FakePairCard = FakePairCard()
    fingerprint: str = "e" * 64
    distances_um: list[float] = field(default_factory=list)

    def estimate_pair(
        self,
        first: npt.NDArray[Any],
        second: npt.NDArray[Any],
        *,
        dz_um: float,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        if (optics is None or optics.objective is None) and not insist:
            raise InputError("The optics are unknown; give them, or insist.")
        self.distances_um.append(dz_um)
        return self.answer(first, second, dz_um)
