"""Glands in stroma: rings of upright nuclei around a lumen, with droplets of mucus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, Sites, make_key
from napari_autofocus.simulation.stains.architecture import Architecture, highest
from napari_autofocus.simulation.stains.nuclei import NucleusInk
from napari_autofocus.simulation.stains.stroma import FAR_UM, draw_clefts, draw_fibres, draw_nuclei
from napari_autofocus.simulation.texture import ease, noise, noise_at
from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]

_PITCH_UM = 98.0
_RADIUS_UM = (27.0, 39.0)
_WALL_UM = 18.0
_CELLS = 80
_APART_UM = 5.2
_DROPLETS = 20
# Depth of the lumen's edge that is worked out, either way, µm.
_EDGE_UM = 6.0


def build_glands(view: View, layer: Layer) -> Architecture:
    """Glands in stroma, on the pixels of a view."""
    sites = layer.scatter_through("gland", view, _PITCH_UM, jitter=0.35, reach_um=60.0 + FAR_UM)
    glands = Outlines.draw_lots(sites, _RADIUS_UM, stretch=1.8, lobed=0.06)
    wall_um = sites.uniform("wall", 0.85, 1.15) * _WALL_UM
    depth, lumen = _lay_out(view, layer, glands, wall_um)
    epithelium = ease(depth / np.float32(max(1.0, 1.2 * view.pixel_size_um)) + np.float32(0.5))
    tissue = (1 - lumen) * (1 - draw_clefts(view, layer) * (1 - epithelium))
    lining, marked, stroma = (NucleusInk.none(view) for _ in range(3))
    _draw_ring(view, layer, glands, lining, marked)
    draw_nuclei(view, layer, glands, stroma)
    pale = _draw_droplets(view, glands, wall_um) * (1 - np.maximum(lining.coverage, marked.coverage))
    tissue = highest(tissue, lining.coverage, marked.coverage, stroma.coverage)
    return Architecture(tissue, epithelium, pale, draw_fibres(view, layer, depth), lining, marked, stroma)


def _lay_out(view: View, layer: Layer, glands: Outlines, wall_um: FloatArray) -> tuple[FloatImage, FloatImage]:
    """Depth inside the nearest gland, µm, and where its lumen is (1) or not (0); both (Y, X)."""
    depth, opening = view.blank(-FAR_UM), view.blank(-_EDGE_UM)
    for stamp in stamps(view, glands, beyond_um=FAR_UM):
        stamp.raise_to(depth, stamp.distance_um)
        stamp.raise_to(opening, np.minimum(stamp.distance_um - stamp.pick(wall_um), np.float32(_EDGE_UM)))
    ragged = 0.9 * noise(view, make_key(layer.seed, "ragged"), 2.5) + 1.2 * noise(
        view, make_key(layer.seed, "uneven"), 9.0
    )
    width = np.float32(max(1.0, 1.2 * view.pixel_size_um))
    return depth, ease((opening + np.clip(ragged, -5, 5) * (opening > -_EDGE_UM)) / width + np.float32(0.5))


def _draw_ring(view: View, layer: Layer, glands: Outlines, lining: NucleusInk, marked: NucleusInk) -> None:
    """Nuclei along the foot of the lining; those that carry the marker go to an ink of their own."""
    outlines = _ring(glands)
    outlines = outlines.keep(np.isin(outlines.sites.identity, layer.deal(outlines.sites).identity))
    sites = outlines.sites
    region = noise_at(sites.x_um, sites.y_um, make_key(layer.seed, "marker"), 60.0)
    carries = sites.uniform("marker") < np.clip(0.45 + 0.35 * region, 0.05, 0.95)
    dye = sites.uniform("dye", 0.72, 1.02)
    for ink, mask in ((lining, ~carries), (marked, carries)):
        ink.draw(view, outlines.keep(mask), dye[mask], open_chromatin=0.35)


def _ring(glands: Outlines) -> Outlines:
    """Oval outlines that stand upright on the foot of each gland's lining."""
    cells, parent, number = glands.sites.children(_CELLS)
    count = np.floor(np.pi * (glands.long_um + glands.short_um) / _APART_UM)[parent]
    theta = 2 * np.pi * (number + cells.uniform("theta", -0.25, 0.25)) / count
    dx, dy, outwards = glands.along(parent, theta, cells.uniform("inset", 4.2, 9.0))
    shapes = Outlines.draw_lots(cells.moved(dx, dy), (2.7, 3.5), lobed=0.03)
    stretch = np.sqrt(cells.uniform("upright", 1.3, 2.2))
    angle = outwards + cells.normal("lean", 0, 0.15)
    return Outlines(shapes.sites, shapes.long_um * stretch, shapes.short_um / stretch, angle, shapes.lobes).keep(
        number < count
    )


def _draw_droplets(view: View, glands: Outlines, wall_um: FloatArray) -> FloatImage:
    """Mucus towards the lumen, shape (Y, X): in some glands many droplets, in others few."""
    pale = view.blank()
    for stamp in stamps(view, _droplets(glands, wall_um)):
        stamp.raise_to(pale, stamp.coverage(1.0))
    return pale


def _droplets(glands: Outlines, wall_um: FloatArray) -> Outlines:
    drops, parent, number = Sites(glands.sites.identity ^ np.uint64(1), glands.sites.x_um, glands.sites.y_um).children(
        _DROPLETS
    )
    theta = 2 * np.pi * (number + drops.uniform("theta", -0.3, 0.3)) / _DROPLETS
    dx, dy, outwards = glands.along(parent, theta, wall_um[parent] * drops.uniform("inset", 0.68, 0.8))
    size = drops.uniform("size", 2.0, 3.1)
    ovals = Outlines(drops.moved(dx, dy), size * 1.25, size * 0.85, outwards, np.zeros((len(drops), 4)))
    return ovals.keep(drops.uniform("droplet") < glands.sites.uniform("mucus", 0, 0.9)[parent])
