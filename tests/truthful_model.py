"""A model that tells the true defocus of a simulated microscope, or what a test makes it say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from made_estimates import made_estimate
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.seeing.optics_check import check_optics
from tiny_models import tiny_card


class TruthfulModel:
    """Refuses optics that are not those of its card, as real models do.

    ``answer`` makes an estimate of the true defocus (µm) and the shape of the frame.
    """

    fingerprint = "f" * 64

    def __init__(self, rig: SimulatedRig) -> None:
        self._rig = rig
        self.card = tiny_card()
        self.name = self.card.name
        self.asked = 0
        self.answer: Callable[[tuple[int, int], float], FocusEstimate] = made_estimate

    def estimate(
        self,
        image: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        warnings = check_optics(self.card, optics, "rgb" if image.ndim == 3 else "mono", insist=insist)
        self.asked += 1
        return replace(self.answer((image.shape[0], image.shape[1]), self._rig.true_defocus_um()), warnings=warnings)
