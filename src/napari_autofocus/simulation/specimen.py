"""Seeded slides of unlimited extent, in micrometres, so that every objective sees the same slide.

A specimen is a stain at a density on a topography. What is drawn where follows from the seed and the place alone, so
neighbouring fields agree where they overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.scatter import Layer, make_key
from napari_autofocus.simulation.stains import PAINTERS
from napari_autofocus.simulation.texture import ease, noise
from napari_autofocus.simulation.topography import FloatImage, Topography
from napari_autofocus.simulation.view import View

STAINS = tuple(PAINTERS)
DENSITIES = ("dense", "sparse", "extremely-sparse", "empty")
# The sheet that folds over comes from elsewhere on the slide, as far as anybody can tell.
_FOLD_SEED = 0x666F6C64
GRAIN_SPACINGS = 1.5
"""Width of the grains of a smooth random field, in spacings of its lattice."""


@dataclass(frozen=True)
class Specimen:
    """A slide.

    Parameters
    ----------
    stain : str
        One of those in ``stains``.
    density : str
        One of ``DENSITIES``: over 40 %, 5 to 40 %, under 5 % (one to ten objects in 400 x 330 µm) or none of the area
        carries stain or signal.
    seed : int
        Another seed, another slide; not negative.
    topography : Topography
        Heights of the slide.
    bare : float
        Share of the slide that is bare glass, in holes and bays between islands of sample; in [0, 1].
    bare_um : float
        How wide these holes are, µm.

    Raises
    ------
    InputError
        If stain or density is unknown, the seed is negative, or the bare share is none.
    """

    stain: str = "he"
    density: str = "dense"
    seed: int = 0
    topography: Topography = field(default_factory=Topography)
    bare: float = 0.0
    bare_um: float = 1000.0

    def __post_init__(self) -> None:
        if self.stain not in PAINTERS:
            raise InputError(f"Unknown stain {self.stain!r}; use one of {', '.join(PAINTERS)}.")
        if self.density not in DENSITIES:
            raise InputError(f"Unknown density {self.density!r}; use one of {', '.join(DENSITIES)}.")
        if self.seed < 0:
            raise InputError(f"The seed of a specimen must not be negative; found {self.seed}.")
        if not 0 <= self.bare <= 1:
            raise InputError(f"The share of a slide that is bare lies between 0 and 1; found {self.bare}.")
        if not 0 < self.bare_um < math.inf:
            raise InputError(f"Bare places are a positive number of µm wide; found {self.bare_um}.")

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
        covered = self._covered(view)
        density = self.density if covered is None or covered.any() else "empty"
        paints = [paint(view, density, Layer(self.seed, index, len(heights_um))) for index in range(len(heights_um))]
        if covered is not None and density != "empty" and not covered.all():
            paints = [each.under(covered) for each in paints]
        return [each.at(_raised(base_um, height_um)) for each, height_um in zip(paints, heights_um, strict=True)]

    def _covered(self, view: View) -> FloatImage | None:
        """Share of each pixel that is not bare glass, shape (Y, X), in [0, 1]; None where none of the slide is bare."""
        if self.bare == 0:
            return None
        # A smooth field of standard deviation 1 (nearly normal) lies below this level over that share of the slide.
        level = float(ndtri(self.bare))
        height = noise(view, make_key(self.seed, "bare glass"), self.bare_um / GRAIN_SPACINGS)
        if not math.isfinite(level):
            return view.blank()
        edge = max(view.pixel_size_um, 1.0) * GRAIN_SPACINGS / self.bare_um
        return ease((height - np.float32(level)) / np.float32(edge) + np.float32(0.5))

    def _fold(self, view: View, base_um: FloatImage | float) -> list[ContentSheet]:
        coverage = self.topography.fold_coverage(view, self.seed)
        if coverage is None or self.density == "empty":
            return []
        paint, _ = PAINTERS[self.stain]
        covered = self._covered(view)
        coverage = coverage if covered is None else np.asarray(coverage * covered, np.float32)
        folded = paint(view, self.density, Layer(self.seed ^ _FOLD_SEED)).under(coverage)
        return [folded.at(_raised(base_um, self.topography.fold_um))]


def _raised(base_um: FloatImage | float, by_um: float) -> FloatImage | float:
    return base_um + by_um if isinstance(base_um, float) else np.asarray(base_um + by_um, np.float32)
