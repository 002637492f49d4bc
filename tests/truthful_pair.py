"""A model of two shots that tells the true defocus of a simulated microscope."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from made_estimates import made_estimate
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.package.card import PairCard
from tiny_models import tiny_card


class TruthfulPair:
    """Of layers, which no rig stands behind, it tells ``layer_um``."""

    name = "truthful-pair"
    fingerprint = "e" * 64
    layer_um = -1.5

    def __init__(self, rig: SimulatedRig | None = None) -> None:
        self._rig = rig
        self.card = PairCard.from_dict(tiny_card(kind="two-shot", dz_um=2.0, name=self.name).to_dict())
        self.asked_um: list[float] = []

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
        self.asked_um.append(dz_um)
        shape = (second.shape[0], second.shape[1])
        return made_estimate(shape, self.layer_um if self._rig is None else self._rig.true_defocus_um())
