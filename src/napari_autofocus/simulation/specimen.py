"""Seeded slides of unlimited extent, in micrometres, so that every objective sees the same slide.

A specimen is a stain at a density on a topography. What is drawn where follows from the seed and the place alone, so
neighbouring fields agree where they overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains import PAINTERS
from napari_autofocus.simulation.topography import FloatImage, Topography
from napari_autofocus.simulation.view import View

STAINS = ("he", "ihc", "cytology", "blood", "unstained", "fluorescence", "beads")
DENSITIES = ("dense", "sparse", "extremely-sparse", "empty")
# The sheet that folds over comes from elsewhere on the slide, as far as anybody can tell.
_FOLD_SEED = 0x666F6C64


@dataclass(frozen=True)
class Specimen:
    """A slide.

    Parameters
    ----------
    stain : str
        One of ``STAINS``.
    density : str
        One of ``DENSITIES``: over 40 %, 5 to 40 %, under 5 % (one to ten objects in 400 x 330 µm) or none of the area
        carries stain or signal.
    seed : int
        Another seed, another slide; not negative.
    topography : Topography
        Heights of the slide.

    Raises
    ------
    InputError
        If stain or density is unknown, or the seed is negative.
    """

    stain: str = "he"
    density: str = "dense"
    seed: int = 0
    topography: Topography = field(default_factory=Topography)

    def __post_init__(self) -> None:
        if self.stain not in STAINS:
            raise InputError(f"Unknown stain {self.stain!r}; use one of {', '.join(STAINS)}.")
        if self.density not in DENSITIES:
            raise InputError(f"Unknown density {self.density!r}; use one of {', '.join(DENSITIES)}.")
        if self.seed < 0:
            raise InputError(f"The seed of a specimen must not be negative; found {self.seed}.")

    def field(
        self, x_um: float, y_um: float, shape: tuple[int, int], pixel_size_um: float, margin_px: int = 0
    ) -> FieldContent:
        """What stands in front of an objective at one stage position.

        Parameters
        ----------
        x_um, y_um : float
            Centre of the field in slide coordinates, µm; x grows with the column, y with the row.
        shape : tuple of int
            Rows and columns of the field, without margin.
        pixel_size_um : float
            Size of a pixel in the sample, µm.
        margin_px : int
            Pixels to add on each side.

        Returns
        -------
        FieldContent
            One sheet for each layer, the lowest first, and one more where a fold is in view.
        """
        if margin_px < 0:
            raise InputError(f"The margin of a field must not be negative; found {margin_px} px.")
        view = View(x_um, y_um, (shape[0] + 2 * margin_px, shape[1] + 2 * margin_px), pixel_size_um)
        base_um = self.topography.height_um(view, self.seed)
        sheets = (*self._layers(view, base_um), *self._fold(view, base_um))
        return FieldContent(sheets, PAINTERS[self.stain][1], pixel_size_um, margin_px)

    def _layers(self, view: View, base_um: FloatImage | float) -> list[ContentSheet]:
        paint, _ = PAINTERS[self.stain]
        heights_um = self.topography.layer_heights_um
        return [
            paint(view, self.density, Layer(self.seed, index, len(heights_um))).at(_raised(base_um, height_um))
            for index, height_um in enumerate(heights_um)
        ]

    def _fold(self, view: View, base_um: FloatImage | float) -> list[ContentSheet]:
        coverage = self.topography.fold_coverage(view, self.seed)
        if coverage is None or self.density == "empty":
            return []
        paint, _ = PAINTERS[self.stain]
        folded = paint(view, self.density, Layer(self.seed ^ _FOLD_SEED)).under(coverage)
        return [folded.at(_raised(base_um, self.topography.fold_um))]


def _raised(base_um: FloatImage | float, by_um: float) -> FloatImage | float:
    return base_um + by_um if isinstance(base_um, float) else np.asarray(base_um + by_um, np.float32)
