"""Nuclei stained with a green DNA dye, over the dim haze of medium and cytoplasm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains.nuclei import chromatin
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.texture import noise
from napari_autofocus.simulation.view import View

COLOUR = np.array([0.12, 1.0, 0.35], np.float32)
BACKGROUND = 0.02
_RADIUS_UM = (5.0, 8.5)
_CROWDS = crowds(dense=Crowd(14.6, 0.6), sparse=Crowd(30.0, 0.85))


def paint_fluorescence(view: View, density: str, layer: Layer) -> Paint:
    """Nuclei with bright chromatin and dark nucleoli; the haze varies slowly and is no content."""
    light, nuclei = view.blank(BACKGROUND / layer.count), view.blank()
    if density != "empty":
        light *= 1 + 0.25 * noise(view, layer.key("haze"), 70.0)
        _draw_nuclei(view, density, layer, light, nuclei)
    return Paint(nuclei > 0.5, emission=light[..., None] * COLOUR)


def _draw_nuclei(
    view: View, density: str, layer: Layer, light: npt.NDArray[np.float32], nuclei: npt.NDArray[np.float32]
) -> None:
    crowd = _CROWDS[density]
    sites = layer.scatter("nucleus", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=14.0)
    outlines = Outlines.draw_lots(sites, _RADIUS_UM, stretch=1.7, lobed=0.03)
    brightness = sites.uniform("brightness", 0.45, 0.85)
    shine = view.blank()
    for stamp in stamps(view, outlines):
        inside = stamp.coverage(0.5)
        stamp.raise_to(nuclei, inside)
        stamp.raise_to(shine, inside * stamp.pick(brightness) * (0.8 + 0.2 * stamp.coverage(4.0, inset_um=2.0)))
    light += shine * np.clip(chromatin(view, layer, 0.9), 0, 1.3)
