"""The fibrous tissue between glands: wavy bundles of fibres, the nuclei that lie along them, and clefts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines
from napari_autofocus.simulation.scatter import Layer, Sites, make_key
from napari_autofocus.simulation.stains.nuclei import NucleusInk
from napari_autofocus.simulation.texture import ease, noise, noise_at, threads
from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]

# Beyond this distance from a gland the fibres do not turn along it, µm.
FAR_UM = 28.0
_BEND_SPACING_UM = 55.0
_BEND_UM = 22.0
_PITCH_UM = 8.6
_STEP_UM = 2.0


def draw_fibres(view: View, layer: Layer, depth_um: FloatImage) -> FloatImage:
    """Strength of the fibres, shape (Y, X), in [0, 1].

    Parameters
    ----------
    depth_um : np.ndarray, shape (Y, X)
        How deep inside a gland each pixel lies (negative: outside), µm.
    """
    bend = noise(view, make_key(layer.seed, "bend"), _BEND_SPACING_UM)
    across = _across(view.columns_um[None, :], view.rows_um[:, None], layer, bend, depth_um)
    across += 0.6 * noise(view, layer.key("ripple"), 7.0)
    coarse = threads(across / 3.4, layer.key("bundles"))
    fine = threads(across / 1.3, layer.key("fibrils"))
    strength = np.clip(0.5 + 0.35 * noise(view, layer.key("fibre strength"), 11.0), 0.05, 1)
    return np.asarray(
        ease(np.float32(0.96) * coarse + np.float32(0.64) * fine - np.float32(0.3)) * strength, np.float32
    )


def draw_clefts(view: View, layer: Layer) -> FloatImage:
    """White cracks where the section shrank, shape (Y, X), 1 in a crack."""
    line = np.abs(noise(view, make_key(layer.seed, "clefts"), 26.0))
    where = noise(view, make_key(layer.seed, "cleft places"), 60.0)
    return ease((np.float32(0.16) * np.clip(where, 0, 1.5) - line) / np.float32(0.06))


def draw_nuclei(view: View, layer: Layer, glands: Outlines, ink: NucleusInk) -> None:
    """Spindle nuclei of fibroblasts along the fibres, and round lymphocytes, in places many."""
    sites = layer.scatter("stroma nucleus", view, _PITCH_UM, jitter=0.8, reach_um=12.0)
    depth = glands.depth_at(sites.x_um, sites.y_um, -FAR_UM)
    crowd = noise_at(sites.x_um, sites.y_um, make_key(layer.seed, "inflammation"), 60.0)
    chance = sites.uniform("kind")
    is_round = (depth < -3.5) & (chance < 0.12 + 0.35 * np.clip(crowd, 0, 1.5))
    is_spindle = (depth < -2.5) & ~is_round & (chance > 0.68)
    lymphocytes = Outlines.draw_lots(sites.keep(is_round), (2.5, 3.2), stretch=1.2, lobed=0.02)
    ink.draw(view, lymphocytes, lymphocytes.sites.uniform("dye", 1.0, 1.3), open_chromatin=0.15)
    fibroblasts = _spindles(sites.keep(is_spindle), layer, glands)
    ink.draw(view, fibroblasts, fibroblasts.sites.uniform("dye", 0.75, 1.1), open_chromatin=0.25)


def _spindles(sites: Sites, layer: Layer, glands: Outlines) -> Outlines:
    """Long thin outlines that lie along the fibres."""
    x, y = sites.x_um, sites.y_um
    here = _across_at(x, y, layer, glands)
    right = _across_at(x + _STEP_UM, y, layer, glands) - here
    down = _across_at(x, y + _STEP_UM, layer, glands) - here
    shapes = Outlines.draw_lots(sites, (1.0, 1.0), lobed=0.04)
    short = sites.uniform("short", 1.1, 1.8)
    return Outlines(sites, short * sites.uniform("ratio", 2.4, 4.5), short, np.arctan2(right, -down), shapes.lobes)


def _across_at(x: FloatArray, y: FloatArray, layer: Layer, glands: Outlines) -> FloatArray:
    bend = noise_at(x, y, make_key(layer.seed, "bend"), _BEND_SPACING_UM)
    return _across(x, y, layer, bend, glands.depth_at(x, y, -FAR_UM))


def _across(
    x: FloatArray, y: FloatArray, layer: Layer, bend: npt.NDArray[np.floating], depth_um: npt.NDArray[np.floating]
) -> FloatArray:
    """The coordinate across the fibres, µm: straight, bent by noise and turned along the foot of a gland."""
    direction = float(make_key(layer.seed, "fibre direction")[0] % np.uint64(1000)) * np.pi / 1000
    near = np.clip(1 + depth_um / FAR_UM, 0, 1)
    turned = _BEND_UM * bend + 1.4 * FAR_UM * near * near
    return np.asarray(x * np.cos(direction) + y * np.sin(direction) + turned, np.float64)
