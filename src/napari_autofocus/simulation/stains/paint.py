"""What a painter hands back for one layer, and what painters share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.content import ContentSheet
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]

# One object stands in each 190 µm square, at most 47 µm from its middle: a field of 400 x 330 µm holds 1 to 9 of them.
SPARSEST_PITCH_UM = 190.0
SPARSEST_JITTER = 0.5


@dataclass(frozen=True, eq=False)
class Paint:
    """One layer's light-changing structure.

    Parameters
    ----------
    content : np.ndarray, shape (Y, X), bool
        Where there is stain, signal or phase structure.
    absorbance, emission : np.ndarray, shape (Y, X, 3), float32, or None
        As in ContentSheet.
    optical_path_um : np.ndarray, shape (Y, X), float32, or None
        As in ContentSheet.
    """

    content: npt.NDArray[np.bool_]
    absorbance: FloatImage | None = None
    optical_path_um: FloatImage | None = None
    emission: FloatImage | None = None

    def under(self, coverage: FloatImage) -> Paint:
        """The same, where ``coverage``, shape (Y, X), is 1, and nothing where it is 0."""

        def cut(image: FloatImage | None) -> FloatImage | None:
            if image is None:
                return None
            return np.asarray(image * (coverage if image.ndim == 2 else coverage[..., None]), np.float32)

        return Paint(
            self.content & (coverage > 0.5), cut(self.absorbance), cut(self.optical_path_um), cut(self.emission)
        )

    def at(self, height_um: FloatImage | float) -> ContentSheet:
        """The sheet that this layer makes at a height, µm."""
        return ContentSheet(height_um, self.content, self.absorbance, self.optical_path_um, self.emission)


class Painter(Protocol):
    """Draws one layer of one stain at one density on the pixels of a view."""

    def __call__(self, view: View, density: str, layer: Layer) -> Paint: ...


@dataclass(frozen=True)
class Crowd:
    """How close objects stand: spacing of their lattice, µm, and jitter in spacings."""

    pitch_um: float
    jitter: float


def crowds(dense: Crowd, sparse: Crowd) -> Mapping[str, Crowd]:
    """The crowding of each density that has objects."""
    return {"dense": dense, "sparse": sparse, "extremely-sparse": Crowd(SPARSEST_PITCH_UM, SPARSEST_JITTER)}
