"""Fluorescent beads of 0.1 to 1 µm on glass, single or in clumps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from napari_autofocus.simulation.boxes import boxes
from napari_autofocus.simulation.scatter import Layer, Sites
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.view import View

FloatStack = npt.NDArray[np.float32]

COLOUR = np.array([0.30, 1.0, 0.25], np.float32)
# Light of a bead reaches this far beyond it even in focus; that much around a bead counts as its signal, µm.
HALO_UM = 0.5
_RADIUS_UM = (0.05, 0.5)
# Light of the faintest beads, in µm² of a surface as bright as a nucleus.
_FAINTEST = 0.2
_CROWDS = crowds(dense=Crowd(1.8, 0.9), sparse=Crowd(4.6, 0.9))
_CLUMP = 6
_LARGEST_CLUMP_UM = 4.0


def paint_beads(view: View, density: str, layer: Layer) -> Paint:
    """Beads as bright as their area, none fainter than a quarter of the largest."""
    emission, reached = view.blank(), view.blank()
    if density != "empty":
        sites = _place(view, density, layer)
        radius = sites.uniform("radius", *_RADIUS_UM)
        strength = np.maximum(np.pi * radius**2, _FAINTEST) / view.pixel_size_um**2
        for group in boxes(view, sites.x_um, sites.y_um, 1.5 * radius + HALO_UM):
            x, y, width = group.dx_um, group.dy_um, group.pick(0.6 * radius)
            share_x, share_y = (_share(offset, width, view.pixel_size_um) for offset in (x, y))
            group.add(emission, share_x * (group.pick(strength) * share_y))
            group.raise_to(reached, group.pick((radius + HALO_UM) ** 2) - (x * x + y * y))
    return Paint(reached > 0, emission=emission[..., None] * COLOUR)


def _share(offset_um: FloatStack, width_um: FloatStack, pixel_size_um: float) -> FloatStack:
    """Share of a Gaussian's light that falls on each pixel along one axis."""
    scale = np.float32(2**-0.5) / width_um
    half = np.float32(pixel_size_um / 2)
    return np.asarray((erf((offset_um + half) * scale) - erf((offset_um - half) * scale)) / 2, np.float32)


def _place(view: View, density: str, layer: Layer) -> Sites:
    crowd = _CROWDS[density]
    sites = layer.scatter("bead", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=_LARGEST_CLUMP_UM + 2)
    if density != "extremely-sparse":
        return sites
    return _clumps(sites)


def _clumps(sites: Sites) -> Sites:
    """One to six beads at each site, close together."""
    beads, parent, number = sites.children(_CLUMP)
    size = np.floor(sites.uniform("clump", 1, _CLUMP + 1))[parent]
    away = np.where(number == 0, 0.0, beads.uniform("away", 0.8, _LARGEST_CLUMP_UM / 2))
    turn = beads.uniform("turn", 0, 2 * np.pi)
    return beads.moved(away * np.cos(turn), away * np.sin(turn)).keep(number < size)
