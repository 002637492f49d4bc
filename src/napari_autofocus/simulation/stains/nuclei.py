"""Cell nuclei: an outline with a darker rim, chromatin granules and nucleoli."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import HashArray, Layer
from napari_autofocus.simulation.texture import noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]
RIM_UM = 0.7


@dataclass(frozen=True, eq=False)
class NucleusInk:
    """Where nuclei lie and how much dye they hold.

    Parameters
    ----------
    coverage : np.ndarray, shape (Y, X)
        1 in nuclei, 0 elsewhere.
    dye : np.ndarray, shape (Y, X)
        Amount of dye, without the texture of chromatin.
    """

    coverage: FloatImage
    dye: FloatImage

    @classmethod
    def none(cls, view: View) -> NucleusInk:
        """No nuclei yet."""
        return cls(view.blank(), view.blank())

    def draw(
        self, view: View, outlines: Outlines, amount: npt.NDArray[np.float64], *, open_chromatin: float = 0.3
    ) -> None:
        """Add nuclei.

        Parameters
        ----------
        amount : np.ndarray, shape (N,)
            Dye at the rim of each.
        open_chromatin : float
            How much less dye lies inside the rim, as a fraction.
        """
        for stamp in stamps(view, outlines):
            inside = stamp.coverage(0.4)
            stamp.raise_to(self.coverage, inside)
            within = 1 - np.float32(open_chromatin) * stamp.coverage(0.9, inset_um=RIM_UM)
            stamp.raise_to(self.dye, inside * within * stamp.pick(amount))


def chromatin(view: View, layer: Layer, strength: float = 1.0) -> FloatImage:
    """Amount of DNA relative to a nucleus's mean: granules of 0.5 to 1.5 µm and a nucleolus here and there."""
    key = layer.key("chromatin")
    granules = 0.16 * noise(view, key, 0.55) + 0.24 * noise(view, _next(key), 1.1)
    nucleoli = np.clip(noise(view, _next(_next(key)), 1.5) - 1.3, 0, 1)
    return np.asarray(np.clip(1 + strength * (granules + 0.7 * nucleoli), 0.25, 2.2), np.float32)


def _next(key: HashArray) -> HashArray:
    return np.asarray(key + np.uint64(1), np.uint64)
