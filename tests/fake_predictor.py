"""A predictor whose answers a test can foresee."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics


@dataclass(frozen=True)
class FakeCard:
    dof_um: float = 1.0
    range_um: float = 4.0


@dataclass
class FakePredictor:
    """Answers by the frame alone; refuses unknown optics, as real ones do."""

    answer: Callable[[npt.NDArray[Any]], FocusEstimate]
    name: str = "fake"
    card: FakeCard = FakeCard()
    fingerprint: str = "f" * 64

    def estimate(
        self,
        image: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        if (optics is None or optics.objective is None) and not insist:
            raise InputError("The optics are unknown; give them, or insist.")
        return self.answer(image)
