"""What virtual refocusing works on: two shots of one field as layers or planes of a layer, not read yet. No Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.estimate.seeing import Plane, is_source, objective_of
from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.parts.sentences import signed_um

VIRTUAL = "virtual"
"""Key of our metadata under which a layer says that it was computed, and from what."""
_SAME_SIZE = 0.01


@dataclass(frozen=True, eq=False)
class Shot:
    """One of the two shots.

    Parameters
    ----------
    layer : Image
        Where it is shown.
    plane : Plane
        Its pixels.
    name : str
        What it is called: that of the layer, and the plane's z.
    """

    layer: Image
    plane: Plane
    name: str


@dataclass(frozen=True, eq=False)
class Pair:
    """Two shots of one field, and what is known of them.

    Parameters
    ----------
    name : str
        What both are called together.
    shots : tuple of Shot
        In the order in which they were chosen.
    objective : Objective or None
        As their file names it.
    truth : Shot or None
        The best plane of the stack that both are planes of.
    """

    name: str
    shots: tuple[Shot, Shot]
    objective: Objective | None = None
    truth: Shot | None = None

    @property
    def half_um(self) -> float | None:
        """Half the distance of the two shots, µm; None where their z is not known."""
        first, second = (shot.plane.about.z_um for shot in self.shots)
        return None if first is None or second is None else abs(first - second) / 2

    def optics(self, stated: Objective | None) -> ImageOptics | None:
        """Optics of the shots: the file's objective before the one that is stated; the layer's pixel size counts."""
        lens = self.objective or stated
        if lens is None:
            return None
        pixel_um = self.shots[0].plane.about.pixel_size_um
        return ImageOptics(lens if pixel_um is None else lens.with_pixel_size(pixel_um))


def may_be_shot(layer: Layer) -> bool:
    """Whether a layer may be one of two shots: an image of a camera, not one that was computed by us."""
    return is_source(layer) and VIRTUAL not in layer.metadata.get(stack_layer.METADATA_KEY, {})


def may_be_stack(layer: Layer) -> bool:
    """Whether two planes of a layer may be the shots."""
    return may_be_shot(layer) and stack_layer.is_stack(layer)


def pair_of_layers(viewer: ViewerModel, first: Image | None, second: Image | None) -> Pair:
    """Two layers as a pair; of a layer with more axes, the plane that the slider shows.

    Raises
    ------
    InputError
        If one is missing, both are the same, or their pixels do not have the same size.
    """
    if first is None or second is None:
        raise InputError("Two images are needed: open two shots of one field, one below and one above its focus.")
    if first is second:
        raise InputError("Both shots are the same layer; choose two shots of one field at different heights.")
    shots = _shown(viewer, first), _shown(viewer, second)
    sizes = [shot.plane.about.scale for shot in shots]
    if not np.allclose(*sizes, rtol=_SAME_SIZE):
        raise InputError(
            f"The pixels of {first.name!r} measure {sizes[0][0]:.4g} and those of {second.name!r} {sizes[1][0]:.4g};"
            " take both shots with the same optics, or give both layers the same scale."
        )
    return Pair(f"{first.name}, {second.name}", shots, objective_of(first) or objective_of(second))


def pair_of_planes(layer: Image, first: int, second: int, best: int | None = None) -> Pair:
    """Two planes of a z-stack as a pair.

    Parameters
    ----------
    layer : Image
        Axes Z, Y, X (and colour).
    first, second : int
        Indices of the planes.
    best : int, optional
        Index of the plane in focus, where it is known.

    Raises
    ------
    InputError
        If both are the same plane, the layer has more axes, or nobody knows its z.
    """
    if layer.ndim != 3:
        raise InputError(
            f"Layer {layer.name!r} has {layer.ndim} axes; a z-stack has Z, Y and X: split the channels or time points"
            " (right-click the layer, Split Stack)."
        )
    if first == second:
        raise InputError("Both shots are the same plane; take planes farther apart, or a larger ΔD.")
    z_um = stack_layer.z_positions_um(layer)
    if z_um is None:
        raise InputError(f"Layer {layer.name!r} does not say where its planes lie; set its scale along z in µm.")
    shots = _plane(layer, first, z_um), _plane(layer, second, z_um)
    truth = _plane(layer, best, z_um) if best is not None and best not in (first, second) else None
    low, high = sorted((float(z_um[first]), float(z_um[second])))
    name = f"{layer.name} z {signed_um(low).removesuffix(' µm')} and {signed_um(high)}"
    return Pair(name, shots, objective_of(layer), truth)


def shot_of_layer(viewer: ViewerModel, layer: Image) -> Shot:
    """A layer, or the plane of it that the slider shows."""
    return _shown(viewer, layer)


def _shown(viewer: ViewerModel, layer: Image) -> Shot:
    plane = Plane.shown(viewer, layer)
    return Shot(layer, replace(plane, about=replace(plane.about, bit_depth=_bit_depth(layer))), layer.name)


def _plane(layer: Image, index: int, z_um: np.ndarray) -> Shot:
    about = Seen(
        np.empty((0, 0)),
        layer.name,
        scale=tuple(layer.scale[-2:].tolist()),
        translate=tuple(layer.translate[-2:].tolist()),
        units=tuple(layer.units[-2:]),
        pixel_size_um=stack_layer.pixel_size_um(layer),
        z_um=float(z_um[index]),
        bit_depth=_bit_depth(layer),
        at_s=time.monotonic(),
    )
    plane = Plane(stack_layer.full_resolution(layer), (index,), about)
    return Shot(layer, plane, f"{layer.name}, z {signed_um(float(z_um[index]))}")


def _bit_depth(layer: Image) -> int | None:
    """Bits that the camera really used, where the layer says so."""
    bits = layer.metadata.get(stack_layer.METADATA_KEY, {}).get("bit_depth")
    return None if bits is None else int(bits)
