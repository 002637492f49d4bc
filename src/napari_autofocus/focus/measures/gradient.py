"""Measures that add up differences of neighbouring pixels: first derivatives and Laplacians.

All are means over the terms of the published sum, so that regions of different size, or with pixels left out, can be
compared; the published sum is the mean times the number of terms.
"""

from __future__ import annotations

from napari_autofocus.focus.measures.base import FloatArray, Measure, Region

_BRENNER = "Brenner et al. 1976, J. Histochem. Cytochem. 24(1):100-111"


def brenner_vertical(region: Region) -> FloatArray:
    """Mean of [s(i+2, j) − s(i, j)]², i the row (Brenner et al. 1976)."""
    return region.squared_differences(2, 0).mean


def brenner_horizontal(region: Region) -> FloatArray:
    """Mean of [s(i, j+2) − s(i, j)]², j the column (Brenner et al. 1976)."""
    return region.squared_differences(0, 2).mean


def brenner(region: Region) -> FloatArray:
    """Mean of [s(i+2, j) − s(i, j)]² and [s(i, j+2) − s(i, j)]² over all pairs (Brenner et al. 1976)."""
    return (region.squared_differences(2, 0) + region.squared_differences(0, 2)).mean


GRADIENT_MEASURES = (
    Measure("brenner", "Brenner", "maximum", "counts²", 2, _BRENNER, brenner),
    Measure("brenner-vertical", "Brenner, vertical", "maximum", "counts²", 2, _BRENNER, brenner_vertical),
    Measure("brenner-horizontal", "Brenner, horizontal", "maximum", "counts²", 2, _BRENNER, brenner_horizontal),
)
