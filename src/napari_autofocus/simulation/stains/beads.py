"""Fluorescent beads of 0.1 to 1 µm on glass, single or in clumps."""

from __future__ import annotations

import numpy as np

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, Sites
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.view import View

COLOUR = np.array([0.30, 1.0, 0.25], np.float32)
# Light of a bead reaches this far beyond it even in focus; that much around a bead counts as its signal, µm.
HALO_UM = 0.5
_RADIUS_UM = (0.05, 0.5)
_CROWDS = crowds(dense=Crowd(2.1, 0.8), sparse=Crowd(4.6, 0.9))
_CLUMP = 6
_LARGEST_CLUMP_UM = 4.0


def paint_beads(view: View, density: str, layer: Layer) -> Paint:
    """Beads, each as bright as its area and never fainter than a quarter of the largest."""
    emission = view.blank()
    signal = view.blank()
    if density != "empty":
        beads = Outlines.draw_lots(_place(view, density, layer), _RADIUS_UM)
        for stamp in stamps(view, beads, beyond_um=HALO_UM + view.pixel_size_um):
            radius = stamp.pick(beads.long_um)
            from_centre = radius - stamp.distance_um
            width = np.maximum(radius * 0.6, 0.55 * view.pixel_size_um)
            light = np.maximum(radius**2 * np.float32(np.pi), np.float32(0.2)) / (2 * np.pi * width**2)
            stamp.add(emission, light * np.exp(-0.5 * (from_centre / width) ** 2))
            stamp.raise_to(signal, stamp.coverage(inset_um=-HALO_UM))
    return Paint(signal > 0.5, emission=emission[..., None] * COLOUR)


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
