"""A Giemsa-stained blood smear: red cells with a pale centre, now and then a white cell."""

from __future__ import annotations

import numpy as np

from napari_autofocus.simulation.dyes import EOSIN, METHYL_BLUE, ORANGE_G, absorbance
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, Sites
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.texture import rough_noise
from napari_autofocus.simulation.view import View

_CROWDS = crowds(dense=Crowd(7.6, 0.5), sparse=Crowd(16.0, 0.9))


def paint_blood(view: View, density: str, layer: Layer) -> Paint:
    """Red cells, white cells."""
    red, purple, cells = view.blank(), view.blank(), view.blank()
    if density != "empty":
        crowd = _CROWDS[density]
        sites = layer.scatter("cell", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=12.0)
        white = sites.uniform("kind") < 0.02
        _draw_red(view, sites.keep(~white), red, cells)
        _draw_white(view, sites.keep(white), purple, cells)
        purple *= np.clip(1 + 0.25 * rough_noise(view, layer.key("chromatin"), 1.2, 2), 0.3, 2)
    dyes = {EOSIN: 0.45 * red + 0.5 * purple, ORANGE_G: 0.12 * red, METHYL_BLUE: 1.2 * purple}
    return Paint(cells > 0.5, absorbance=absorbance(dyes))


def _draw_red(view: View, sites: Sites, red: np.ndarray, cells: np.ndarray) -> None:
    outlines = Outlines.draw_lots(sites, (3.4, 4.0), stretch=1.25, lobed=0.015)
    for stamp in stamps(view, outlines):
        stamp.add(red, stamp.coverage(0.4) * (1 - 0.55 * stamp.coverage(2.0, inset_um=2.2)))
        stamp.raise_to(cells, stamp.coverage())


def _draw_white(view: View, sites: Sites, purple: np.ndarray, cells: np.ndarray) -> None:
    bodies = Outlines.draw_lots(sites, (5.5, 7.0), stretch=1.2, lobed=0.03)
    nuclei = Outlines.draw_lots(sites, (3.5, 4.6), stretch=1.6, lobed=0.12)
    for stamp in stamps(view, bodies):
        stamp.raise_to(purple, 0.12 * stamp.coverage(0.5))
        stamp.raise_to(cells, stamp.coverage())
    for stamp in stamps(view, nuclei):
        stamp.raise_to(purple, stamp.coverage(0.4))
