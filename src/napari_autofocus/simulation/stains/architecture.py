"""How tissue is built, whatever it is stained with; here what all builds have in common, and the two loose ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, make_key
from napari_autofocus.simulation.stains.nuclei import NucleusInk
from napari_autofocus.simulation.stains.paint import SPARSEST_JITTER, SPARSEST_PITCH_UM
from napari_autofocus.simulation.stains.stroma import FAR_UM, draw_fibres
from napari_autofocus.simulation.texture import ease, noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Architecture:
    """Amounts on the pixels of a view, each of shape (Y, X) and in [0, 1].

    Parameters
    ----------
    tissue : np.ndarray
        Where there is any tissue.
    epithelium : np.ndarray
        Where it is the lining of a gland, or a single cell, not stroma.
    pale : np.ndarray
        Droplets of mucus.
    fibres : np.ndarray
        Strength of the fibres of the stroma.
    lining, marked, stroma : NucleusInk
        Nuclei of the lining without and with the marker of immunohistochemistry, and of the stroma.
    """

    tissue: FloatImage
    epithelium: FloatImage
    pale: FloatImage
    fibres: FloatImage
    lining: NucleusInk
    marked: NucleusInk
    stroma: NucleusInk


def highest(first: FloatImage, *others: FloatImage) -> FloatImage:
    """The largest of several images at each pixel."""
    result = first.copy()
    for other in others:
        np.maximum(result, other, out=result)
    return result


def build_pieces(view: View, layer: Layer) -> Architecture:
    """Frayed pieces of stroma full of nuclei, far apart."""
    sites = layer.scatter_through("piece", view, 150.0, jitter=0.5, reach_um=100.0)
    pieces = Outlines.draw_lots(sites, (28.0, 44.0), stretch=1.9, lobed=0.09)
    depth = view.blank(-FAR_UM)
    for stamp in stamps(view, pieces, beyond_um=8.0):
        stamp.raise_to(depth, stamp.distance_um)
    ragged = np.clip(noise(view, make_key(layer.seed, "ragged"), 5.0), -3, 3)
    frayed = np.asarray(depth + 2.5 * ragged, np.float32)
    tissue = ease(frayed / np.float32(max(1.0, 1.2 * view.pixel_size_um)) + np.float32(0.5)) * (depth > -8)
    lining, marked, stroma = (NucleusInk.none(view) for _ in range(3))
    cells = layer.scatter("piece nucleus", view, 9.0, jitter=0.75, reach_um=12.0)
    cells = cells.keep(pieces.depth_at(cells.x_um, cells.y_um, -5.0) > 3.0)
    _draw_nuclei(view, Outlines.draw_lots(cells, (2.5, 4.0), stretch=2.0, lobed=0.03), stroma, marked)
    tissue = highest(tissue, stroma.coverage, marked.coverage)
    fibres = draw_fibres(view, layer, view.blank(-FAR_UM))
    return Architecture(tissue, view.blank(), view.blank(), fibres, lining, marked, stroma)


def build_cells(view: View, layer: Layer) -> Architecture:
    """Single cells, each with one nucleus, a few in a field."""
    sites = layer.scatter("cell", view, SPARSEST_PITCH_UM, jitter=SPARSEST_JITTER, reach_um=30.0)
    bodies = Outlines.draw_lots(sites, (7.0, 12.0), stretch=1.8, lobed=0.07)
    tissue = view.blank()
    for stamp in stamps(view, bodies):
        stamp.raise_to(tissue, stamp.coverage(0.8))
    lining, marked, stroma = (NucleusInk.none(view) for _ in range(3))
    _draw_nuclei(view, Outlines.draw_lots(sites, (3.2, 4.6), stretch=1.4, lobed=0.03), lining, marked)
    return Architecture(tissue, tissue, view.blank(), view.blank(), lining, marked, stroma)


def _draw_nuclei(view: View, outlines: Outlines, plain: NucleusInk, marked: NucleusInk) -> None:
    carries = outlines.sites.uniform("marker") < 0.4
    dye = outlines.sites.uniform("dye", 0.78, 1.15)
    for ink, mask in ((plain, ~carries), (marked, carries)):
        ink.draw(view, outlines.keep(mask), dye[mask], open_chromatin=0.3)
