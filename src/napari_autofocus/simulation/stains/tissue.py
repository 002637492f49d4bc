"""Tissue sections: H&E, and immunohistochemistry with DAB over haematoxylin."""

from __future__ import annotations

import numpy as np

from napari_autofocus.simulation.dyes import DAB, EOSIN, HAEMATOXYLIN, absorbance
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.texture import ease, noise, rough_noise
from napari_autofocus.simulation.view import View

_CROWDS = crowds(dense=Crowd(11.0, 0.7), sparse=Crowd(75.0, 0.7))


def paint_he(view: View, density: str, layer: Layer) -> Paint:
    """Haematoxylin and eosin."""
    tissue, nuclei, _ = _draw(view, density, layer)
    eosin = tissue * (0.5 + 0.1 * rough_noise(view, layer.key("fibres"), 3.0, 3)) / layer.count
    return Paint((tissue > 0.5) | (nuclei > 0.1), absorbance=absorbance({HAEMATOXYLIN: nuclei, EOSIN: eosin}))


def paint_ihc(view: View, density: str, layer: Layer) -> Paint:
    """DAB on some nuclei."""
    tissue, nuclei, brown = _draw(view, density, layer)
    blue = 0.12 * tissue / layer.count + 0.6 * nuclei * (1 - brown)
    return Paint(
        (tissue > 0.5) | (nuclei > 0.1), absorbance=absorbance({HAEMATOXYLIN: blue, DAB: 1.2 * nuclei * brown})
    )


def _draw(view: View, density: str, layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tissue, nuclei, brown = view.blank(), view.blank(), view.blank()
    if density == "empty":
        return tissue, nuclei, brown
    crowd = _CROWDS[density]
    sites = layer.scatter("nucleus", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=30.0)
    if density == "dense":
        tissue = ease(2.5 * (noise(view, layer.key("gaps"), 14.0) + 1.2))
    else:
        body = Outlines.draw_lots(sites, (14.0, 22.0) if density == "sparse" else (8.0, 14.0), stretch=1.5, lobed=0.06)
        for stamp in stamps(view, body):
            stamp.raise_to(tissue, stamp.coverage(0.5))
    outlines = Outlines.draw_lots(sites, (2.6, 4.2), stretch=2.2, lobed=0.03)
    positive = sites.uniform("positive") < 0.4
    for stamp in stamps(view, outlines):
        inside = stamp.coverage(0.4)
        stamp.raise_to(nuclei, inside)
        stamp.raise_to(brown, inside * stamp.pick(positive.astype(float)))
    texture = np.clip(1 + 0.35 * rough_noise(view, layer.key("chromatin"), 1.0, 2), 0.2, 2)
    return tissue, nuclei * texture, brown
