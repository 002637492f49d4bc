"""A Giemsa-stained blood smear: red cells with a pale centre, now and then a white cell, platelets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.dyes import EOSIN, METHYL_BLUE, ORANGE_G, absorbance
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer, Sites, make_key
from napari_autofocus.simulation.stains.nuclei import NucleusInk, chromatin
from napari_autofocus.simulation.stains.paint import SPARSEST_JITTER, SPARSEST_PITCH_UM, Paint
from napari_autofocus.simulation.stains.whitecells import REACH_UM, WhiteCells
from napari_autofocus.simulation.texture import noise_at, rough_noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]

_PITCH_UM = {"dense": 7.4, "sparse": 16.0}
_JITTER = {"dense": 0.62, "sparse": 0.95}
_WHITE_PITCH_UM = {"dense": 115.0, "sparse": 190.0}
_CLUMP = 4
_CLEARANCE_UM = 2.5


def paint_blood(view: View, density: str, layer: Layer) -> Paint:
    """Red cells in one layer, overlapping here and there; each white cell has room to itself."""
    red, cytoplasm, platelets = view.blank(), view.blank(), view.blank()
    nuclei = NucleusInk.none(view)
    if density != "empty":
        white, whole, small = _place(view, density, layer)
        whites = WhiteCells.at(white)
        _draw_red(view, whole.keep(whites.bodies.depth_at(whole.x_um, whole.y_um, -9.0) < -_CLEARANCE_UM - 4), red)
        whites.draw_bodies(view, cytoplasm)
        whites.draw_nuclei(view, nuclei)
        for stamp in stamps(view, Outlines.draw_lots(small, (0.8, 1.4), stretch=1.4)):
            stamp.raise_to(platelets, stamp.coverage(0.8))
    grain = chromatin(view, layer, 1.3)
    speck = np.clip(1 + 0.35 * rough_noise(view, layer.key("granules"), 0.8, 2), 0, 2)
    purple = 0.85 * nuclei.dye * grain + 0.4 * platelets * speck
    dyes = {
        EOSIN: 0.34 * red + 0.85 * purple + 0.10 * cytoplasm * speck,
        ORANGE_G: 0.16 * red,
        METHYL_BLUE: 0.05 * red + purple + 0.10 * cytoplasm,
    }
    content = (red > 0.2) | (cytoplasm > 0.5) | (platelets > 0.5)
    return Paint(content, absorbance=absorbance(dyes))


def _place(view: View, density: str, layer: Layer) -> tuple[Sites, Sites, Sites]:
    """Where white cells, red cells and platelets lie."""
    if density == "extremely-sparse":
        return _place_few(view, layer)
    white = layer.scatter("white", view, _WHITE_PITCH_UM[density], jitter=0.9, reach_um=2 * REACH_UM)
    red = layer.scatter("red", view, _PITCH_UM[density], jitter=_JITTER[density], reach_um=REACH_UM)
    plasma = noise_at(red.x_um, red.y_um, make_key(layer.seed, "plasma"), 16.0)
    red = red.keep(red.uniform("plasma") < 1.05 + 0.5 * plasma)
    return white, red, layer.scatter("platelet", view, 48.0, jitter=1.0, reach_um=3.0)


def _place_few(view: View, layer: Layer) -> tuple[Sites, Sites, Sites]:
    """One white cell, or a clump of one to four red ones, at each place."""
    places = layer.scatter("place", view, SPARSEST_PITCH_UM, jitter=SPARSEST_JITTER, reach_um=3 * REACH_UM)
    is_white = places.uniform("white") < 0.3
    clumps = places.keep(~is_white)
    cells, parent, number = clumps.children(_CLUMP)
    turn = clumps.uniform("turn", 0, 2 * np.pi)[parent] + number * 2.1
    away = np.where(number == 0, 0.0, cells.uniform("away", 6.2, 7.2))
    members = number < np.floor(clumps.uniform("members", 1, _CLUMP + 1))[parent]
    red = cells.moved(away * np.cos(turn), away * np.sin(turn)).keep(members)
    return places.keep(is_white), red, places.keep(np.zeros(len(places), bool))


def _draw_red(view: View, sites: Sites, red: FloatImage) -> None:
    """Discs with a pale middle and a slightly darker brim."""
    outlines = Outlines.draw_lots(sites, (3.4, 4.0), stretch=1.3, lobed=0.018)
    pallor = sites.uniform("pallor", 0.4, 0.7)
    density = sites.uniform("density", 0.85, 1.15)
    for stamp in stamps(view, outlines):
        hollow = 1 - stamp.pick(pallor) * stamp.coverage(2.4, inset_um=2.0)
        stamp.add(red, stamp.coverage(0.5) * hollow * stamp.pick(density))
