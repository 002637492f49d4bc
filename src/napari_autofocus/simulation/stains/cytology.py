"""A liquid-based Pap smear: squamous cells in blue-green, pink and orange with dark nuclei, and a few white cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.dyes import EOSIN, HAEMATOXYLIN, LIGHT_GREEN, ORANGE_G, Dye, absorbance
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, Sites
from napari_autofocus.simulation.stains.nuclei import NucleusInk, chromatin
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.stains.whitecells import REACH_UM, WhiteCells
from napari_autofocus.simulation.texture import ease, noise, rough_noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]

_CROWDS = crowds(dense=Crowd(43.0, 0.85), sparse=Crowd(94.0, 0.85))
_RADIUS_UM = {"dense": (18.0, 29.0), "sparse": (17.0, 28.0), "extremely-sparse": (10.0, 17.0)}
_WHITE_PITCH_UM = {"dense": 62.0, "sparse": 110.0}
# Amounts of light green, eosin and orange G, and the share of cells: intermediate, superficial, keratinised.
_KINDS = ((0.60, (0.38, 0.04, 0.03)), (0.32, (0.03, 0.40, 0.04)), (0.08, (0.02, 0.14, 0.55)))
_CYTOPLASM: tuple[Dye, ...] = (LIGHT_GREEN, EOSIN, ORANGE_G)


def paint_cytology(view: View, density: str, layer: Layer) -> Paint:
    """Thin cells that lie over one another; their dyes add."""
    cells, nuclei = view.blank(), NucleusInk.none(view)
    amounts: dict[Dye, FloatImage] = {dye: view.blank() for dye in _CYTOPLASM}
    if density != "empty":
        crowd = _CROWDS[density]
        sites = layer.scatter("cell", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=60.0)
        _draw_bodies(
            view, Outlines.draw_lots(sites, _RADIUS_UM[density], stretch=1.5, lobed=0.035, orders=6), cells, amounts
        )
        wrinkles = _wrinkles(view, layer)
        for amount in amounts.values():
            amount *= wrinkles
        _draw_nuclei(view, sites, nuclei)
        _draw_white(view, density, layer, nuclei, amounts)
    dark = 1.5 * nuclei.dye * chromatin(view, layer)
    content = (cells > 0.5) | (nuclei.coverage > 0.5)
    return Paint(content, absorbance=absorbance({**amounts, HAEMATOXYLIN: dark}))


def _draw_bodies(view: View, bodies: Outlines, cells: FloatImage, amounts: dict[Dye, FloatImage]) -> None:
    dyes = _dyes(bodies.sites)
    for stamp in stamps(view, bodies):
        inside = stamp.coverage(0.6)
        brim = inside - stamp.coverage(1.2, inset_um=1.2)
        thickness = 0.72 * inside + 0.25 * brim + 0.28 * stamp.coverage(14.0, inset_um=9.0)
        stamp.raise_to(cells, stamp.coverage())
        for dye, amount in zip(_CYTOPLASM, dyes, strict=True):
            stamp.add(amounts[dye], thickness * stamp.pick(amount))


def _dyes(sites: Sites) -> npt.NDArray[np.float64]:
    """Amount of each dye of the cytoplasm in each cell, shape (3, N)."""
    limits = np.cumsum([share for share, _ in _KINDS])
    kind = np.minimum(np.searchsorted(limits, sites.uniform("kind")), len(_KINDS) - 1)
    table = np.array([amounts for _, amounts in _KINDS])
    return np.asarray(table[kind].T * sites.uniform("depth of colour", 0.7, 1.2), np.float64)


def _wrinkles(view: View, layer: Layer) -> FloatImage:
    """Texture of thin cytoplasm, about 1: mottle and fine creases."""
    crease = ease((np.float32(0.09) - np.abs(noise(view, layer.key("creases"), 8.0))) / np.float32(0.09))
    where = np.clip(noise(view, layer.key("crease places"), 15.0), 0, 1)
    mottle = 0.10 * rough_noise(view, layer.key("mottle"), 2.2, 3)
    return np.asarray(np.clip(1 + mottle + 0.55 * crease * where, 0.5, 1.9), np.float32)


def _draw_nuclei(view: View, sites: Sites, nuclei: NucleusInk) -> None:
    """Small and dense in superficial cells, larger and open in intermediate ones."""
    shapes = Outlines.draw_lots(sites, (0.9, 1.15), stretch=1.4, lobed=0.03)
    intermediate = sites.uniform("kind") < _KINDS[0][0]
    size = np.where(intermediate, 4.0, 2.7)
    outlines = Outlines(sites, shapes.long_um * size, shapes.short_um * size, shapes.angle, shapes.lobes)
    for mask, dye, openness in ((intermediate, 0.85, 0.3), (~intermediate, 1.2, 0.05)):
        nuclei.draw(view, outlines.keep(mask), np.full(int(mask.sum()), dye), open_chromatin=openness)


def _draw_white(view: View, density: str, layer: Layer, nuclei: NucleusInk, amounts: dict[Dye, FloatImage]) -> None:
    """Neutrophils, which few smears are without; none where cells are to be counted on one hand."""
    if density not in _WHITE_PITCH_UM:
        return
    sites = layer.scatter("white", view, _WHITE_PITCH_UM[density], jitter=1.0, reach_um=REACH_UM)
    whites = WhiteCells.at(sites, scale=0.8)
    cytoplasm = view.blank()
    whites.draw_bodies(view, cytoplasm)
    whites.draw_nuclei(view, nuclei)
    amounts[LIGHT_GREEN] += np.float32(0.10) * cytoplasm
