"""Living cells without stain: they delay light instead of absorbing it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, Stamp, stamps
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.stains.paint import Crowd, Paint, crowds
from napari_autofocus.simulation.texture import noise, rough_noise
from napari_autofocus.simulation.view import View

FloatImage = npt.NDArray[np.float32]

_RADIUS_UM = (10.0, 17.0)
_CROWDS = crowds(dense=Crowd(27.0, 0.7), sparse=Crowd(58.0, 0.8))
# Path of the thickest cytoplasm and, on top of it, of a nucleus, µm.
CELL_PATH_UM = 0.10
NUCLEUS_PATH_UM = 0.07


def paint_unstained(view: View, density: str, layer: Layer) -> Paint:
    """Flat cells with a bulging nucleus, granules and a rim; path at most about 0.25 µm."""
    path, cells = view.blank(), view.blank()
    if density != "empty":
        crowd = _CROWDS[density]
        sites = layer.scatter("cell", view, crowd.pitch_um, jitter=crowd.jitter, reach_um=40.0)
        bodies = Outlines.draw_lots(sites, _RADIUS_UM, stretch=2.2, lobed=0.08)
        nuclei = Outlines.draw_lots(sites, (4.0, 6.0), stretch=1.5, lobed=0.02)
        for stamp in stamps(view, bodies):
            stamp.raise_to(path, np.float32(CELL_PATH_UM) * _dome(stamp, 5.0))
            stamp.raise_to(cells, stamp.coverage())
        inner = cells * (1 + _organelles(view, layer))
        path *= inner
        for stamp in stamps(view, nuclei):
            stamp.add(path, np.float32(NUCLEUS_PATH_UM) * _dome(stamp, 2.5))
        _draw_nucleoli(view, nuclei, path)
    return Paint(cells > 0.5, optical_path_um=np.clip(path, 0, 0.25))


def _dome(stamp: Stamp, slope_um: float) -> FloatImage:
    """Thickness across a cell: steep at the rim, level in the middle."""
    depth = np.clip(stamp.distance_um / np.float32(slope_um), 0, 1)
    return np.asarray(stamp.coverage(0.4) * (0.35 + 0.65 * np.sqrt(depth)), np.float32)


def _organelles(view: View, layer: Layer) -> FloatImage:
    granules = np.clip(rough_noise(view, layer.key("granules"), 0.7, 2) - 1.2, 0, 1.5)
    return np.asarray(0.5 * granules + 0.08 * noise(view, layer.key("cytoplasm"), 2.5), np.float32)


def _draw_nucleoli(view: View, nuclei: Outlines, path: FloatImage) -> None:
    children, parent, _ = nuclei.sites.children(2)
    away, turn = children.uniform("away", 0, 0.45) * nuclei.short_um[parent], children.uniform("turn", 0, 2 * np.pi)
    nucleoli = Outlines.draw_lots(children.moved(away * np.cos(turn), away * np.sin(turn)), (0.7, 1.2), stretch=1.3)
    for stamp in stamps(view, nucleoli):
        stamp.add(path, 0.03 * stamp.coverage(0.6))
