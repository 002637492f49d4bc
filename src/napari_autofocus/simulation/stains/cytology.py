"""A liquid-based Pap smear: squamous cells in blue-green, pink and orange with dark nuclei."""

from __future__ import annotations

import numpy as np

from napari_autofocus.simulation.dyes import EOSIN, HAEMATOXYLIN, LIGHT_GREEN, ORANGE_G, Dye, absorbance
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.texture import noise, rough_noise
from napari_autofocus.simulation.view import View

_CROWDS = crowds(dense=Crowd(44.0, 0.8), sparse=Crowd(96.0, 0.8))
_SIZES_UM = {"dense": (18.0, 29.0), "sparse": (18.0, 28.0), "extremely-sparse": (11.0, 18.0)}


def paint_cytology(view: View, density: str, layer: Layer) -> Paint:
    """Thin cells that overlap; the stain of each goes by chance."""
    cells = view.blank()
    amounts: dict[Dye, np.ndarray] = {dye: view.blank() for dye in (LIGHT_GREEN, EOSIN, ORANGE_G, HAEMATOXYLIN)}
    if density != "empty":
        crowd = _CROWDS[density]
        sites = layer.scatter("cell", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=60.0)
        kind = sites.uniform("kind")
        bodies = Outlines.draw_lots(sites, _SIZES_UM[density], stretch=1.6, lobed=0.05)
        nuclei = Outlines.draw_lots(sites, (3.4, 5.0), stretch=1.4, lobed=0.03)
        for stamp in stamps(view, bodies):
            body = stamp.coverage(0.5)
            stamp.raise_to(cells, body)
            stamp.add(amounts[LIGHT_GREEN], body * stamp.pick(np.where(kind < 0.6, 0.4, 0.05)))
            stamp.add(amounts[EOSIN], body * stamp.pick(np.where((kind >= 0.6) & (kind < 0.9), 0.35, 0.05)))
            stamp.add(amounts[ORANGE_G], body * stamp.pick(np.where(kind >= 0.9, 0.5, 0.02)))
        folds = np.clip(1 + 0.12 * rough_noise(view, layer.key("cytoplasm"), 3.0, 2), 0.5, 1.6)
        for dye in (LIGHT_GREEN, EOSIN, ORANGE_G):
            amounts[dye] *= folds
        for stamp in stamps(view, nuclei):
            stamp.raise_to(amounts[HAEMATOXYLIN], stamp.coverage(0.4))
        amounts[HAEMATOXYLIN] *= np.clip(1.4 + 0.35 * noise(view, layer.key("chromatin"), 0.8), 0.4, 3)
    return Paint(cells > 0.5, absorbance=absorbance(amounts))
