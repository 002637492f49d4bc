"""Tissue sections: H&E, and immunohistochemistry with DAB over haematoxylin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.dyes import DAB, EOSIN, HAEMATOXYLIN, absorbance
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains.architecture import Architecture, build_cells, build_pieces, highest
from napari_autofocus.simulation.stains.glands import build_glands
from napari_autofocus.simulation.stains.nuclei import chromatin
from napari_autofocus.simulation.stains.paint import Paint
from napari_autofocus.simulation.texture import rough_noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]

_BUILDS = {"dense": build_glands, "sparse": build_pieces, "extremely-sparse": build_cells}


def paint_he(view: View, density: str, layer: Layer) -> Paint:
    """Haematoxylin makes nuclei blue-purple; eosin makes fibres and cytoplasm pink."""
    if density == "empty":
        return _nothing(view)
    tissue = _BUILDS[density](view, layer)
    ground, cytoplasm = _ground(tissue, layer), _cytoplasm(view, layer)
    lining = tissue.epithelium * cytoplasm
    eosin = ground * ((1 - tissue.epithelium) * (0.16 + 0.75 * tissue.fibres) + 0.4 * lining)
    nuclei = highest(tissue.lining.dye, tissue.marked.dye, tissue.stroma.dye)
    blue = np.maximum(0.2 * ground * lining, 1.35 * nuclei * chromatin(view, layer))
    return _stained(tissue, {HAEMATOXYLIN: blue, EOSIN: eosin})


def paint_ihc(view: View, density: str, layer: Layer) -> Paint:
    """DAB makes the nuclei that carry the marker brown; haematoxylin makes all others pale blue."""
    if density == "empty":
        return _nothing(view)
    tissue = _BUILDS[density](view, layer)
    ground, cytoplasm = _ground(tissue, layer), _cytoplasm(view, layer)
    grain = chromatin(view, layer)
    haze = ground * cytoplasm * (0.07 + 0.08 * tissue.fibres * (1 - tissue.epithelium) + 0.04 * tissue.epithelium)
    blue = np.maximum(haze, 0.8 * np.maximum(tissue.stroma.dye, tissue.lining.dye) * grain)
    brown = 1.5 * tissue.marked.dye * (0.4 + 0.6 * grain) + 0.06 * ground * cytoplasm * tissue.epithelium
    return _stained(tissue, {HAEMATOXYLIN: blue, DAB: brown})


def _nothing(view: View) -> Paint:
    return Paint(np.zeros(view.shape, bool), absorbance=view.blank(channels=3))


def _stained(tissue: Architecture, dyes: dict[tuple[float, float, float], FloatImage]) -> Paint:
    return Paint(np.asarray(tissue.tissue > 0.5), absorbance=absorbance(dyes))


def _ground(tissue: Architecture, layer: Layer) -> FloatImage:
    """Cytoplasm and fibres, divided among the layers; mucus takes hardly any dye."""
    return np.asarray(tissue.tissue * (1 - 0.8 * tissue.pale) / layer.count, np.float32)


def _cytoplasm(view: View, layer: Layer) -> FloatImage:
    """Texture of cytoplasm, about 1."""
    return np.asarray(np.clip(1 + 0.25 * rough_noise(view, layer.key("cytoplasm"), 2.4, 3), 0.3, 1.8), np.float32)
