"""What an estimate is to be made of: a camera frame, or the plane of an image layer on which the slider stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusPredictor, ImageOptics, PairPredictor
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.focus_state import BoolImage, Estimated, FocusState, Seen
from napari_autofocus.widgets.layers import stack_layer

CAMERA = "Camera"
# What array libraries raise where a file is gone, cut short or not what it was.
_UNREADABLE = (OSError, ValueError, KeyError, IndexError, RuntimeError)


def is_source(layer: Layer) -> bool:
    """Whether estimates can be made of a layer: an image that is no overlay of ours."""
    return isinstance(layer, Image) and "overlay" not in layer.metadata.get(stack_layer.METADATA_KEY, {})


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane of a layer, not read yet: that may take long and is not for the GUI thread.

    Parameters
    ----------
    pixels : array
        All of the layer at full resolution: NumPy, or anything lazy that is indexed alike.
    index : tuple of int
        Where on each leading axis.
    about : Seen
        Everything but the pixels.
    """

    pixels: Any
    index: tuple[int, ...]
    about: Seen

    @classmethod
    def shown(cls, viewer: ViewerModel, layer: Image) -> Plane:
        """The plane that the dims slider shows."""
        index = index_shown(viewer, layer)
        about = Seen(
            np.empty((0, 0)),
            layer.name,
            scale=tuple(layer.scale[-2:].tolist()),
            translate=tuple(layer.translate[-2:].tolist()),
            units=tuple(layer.units[-2:]),
            pixel_size_um=stack_layer.pixel_size_um(layer),
            z_um=_z_um(layer, index),
            at_s=time.monotonic(),
        )
        return cls(stack_layer.full_resolution(layer), index, about)

    def read(self) -> Seen:
        """The plane with its pixels. Raises InputError if they cannot be read."""
        try:
            image = np.asarray(self.pixels[self.index])
        except _UNREADABLE as error:
            raise InputError(
                f"The plane of layer {self.about.source!r} cannot be read ({error}); open its file again."
            ) from error
        return replace(self.about, image=image)


@dataclass(frozen=True, eq=False)
class FrameSeen:
    """A frame that the camera has just delivered."""

    frame: Frame

    def read(self) -> Seen:
        """The frame where it lies in the viewer."""
        frame = self.frame
        scale = frame.pixel_size_um or 1.0
        return Seen(
            frame.image,
            CAMERA,
            scale=(scale, scale),
            units=("um", "um") if frame.pixel_size_um else ("pixel", "pixel"),
            pixel_size_um=frame.pixel_size_um,
            z_um=frame.z_um,
            bit_depth=frame.bit_depth,
            at_s=time.monotonic(),
        )


@dataclass(frozen=True, eq=False)
class Question:
    """An estimate to be made, with the settings as they were when it was asked for; answered on any thread."""

    what: Plane | FrameSeen
    model: Callable[[], FocusPredictor]
    optics: ImageOptics | None
    insist: bool
    region: BoolImage | None

    @classmethod
    def of(
        cls,
        what: Plane | FrameSeen,
        model: Callable[[], FocusPredictor],
        state: FocusState,
        stated: Objective | None = None,
    ) -> Question:
        """Take the settings down; ``stated`` is the objective that the image's own file names."""
        pixel_size_um = what.about.pixel_size_um if isinstance(what, Plane) else what.frame.pixel_size_um
        return cls(what, model, _optics_of(pixel_size_um, state, stated), state.insist, state.region)

    def answer(self) -> Estimated:
        """Read the image and estimate. Raises InputError if either cannot be done."""
        seen = self.what.read()
        region = self.region if self.region is not None and self.region.shape == seen.image.shape[:2] else None
        estimate = self.model().estimate(
            seen.image, optics=self.optics, insist=self.insist, region=region, bit_depth=seen.bit_depth
        )
        return Estimated(seen, estimate)


@dataclass(frozen=True, eq=False)
class PairQuestion:
    """An estimate to be made of two planes, ``dz_um`` apart; that of the second is answered, on any thread."""

    first: Plane
    second: Plane
    model: PairPredictor
    dz_um: float
    optics: ImageOptics | None
    insist: bool
    region: BoolImage | None

    @classmethod
    def of(cls, viewer: ViewerModel, layer: Image, model: PairPredictor, state: FocusState) -> PairQuestion:
        """The plane that the slider shows of a layer, and the first shot that the user has named for it.

        Raises
        ------
        InputError
            If no other layer is named and the layer has no plane so far away.
        """
        second, wished_um = Plane.shown(viewer, layer), model.card.dz_um if state.dz_um is None else state.dz_um
        direction = state.focus_direction or 1
        if isinstance(state.first_shot, Image) and state.first_shot is not layer:
            first = Plane.shown(viewer, state.first_shot)
            dz_um = _apart_um(first, second, direction) or wished_um
        else:
            first = _plane_apart(layer, second, direction * wished_um)
            dz_um = _apart_um(first, second, direction) or wished_um
        optics = _optics_of(second.about.pixel_size_um, state, objective_of(layer))
        return cls(first, second, model, dz_um, optics, state.insist, state.region)

    def answer(self) -> Estimated:
        """Read both planes and estimate. Raises InputError if either cannot be done."""
        first, second = self.first.read(), self.second.read()
        region = self.region if self.region is not None and self.region.shape == second.image.shape[:2] else None
        estimate = self.model.estimate_pair(
            first.image,
            second.image,
            dz_um=self.dz_um,
            optics=self.optics,
            insist=self.insist,
            region=region,
            bit_depth=second.bit_depth,
        )
        return Estimated(second, estimate, first)


def _optics_of(pixel_size_um: float | None, state: FocusState, stated: Objective | None) -> ImageOptics | None:
    """How an image was taken: by its own file where that says, otherwise by the user; its own pixel size goes first."""
    if stated is None:
        return state.optics_of(pixel_size_um)
    return ImageOptics(stated if pixel_size_um is None else stated.with_pixel_size(pixel_size_um))


def _apart_um(first: Plane, second: Plane, direction: int) -> float | None:
    """Defocus of the second plane minus the first's, µm; None where their z is not known."""
    if first.about.z_um is None or second.about.z_um is None:
        return None
    return direction * (second.about.z_um - first.about.z_um)


def _plane_apart(layer: Image, plane: Plane, way_um: float) -> Plane:
    """The plane of the same layer that lies so far below, µm."""
    z_um = stack_layer.z_positions_um(layer) if plane.index else None
    if z_um is None or plane.about.z_um is None:
        raise InputError(
            f"Two shots are needed, and layer {layer.name!r} has one, or does not say where its planes lie; choose the"
            " layer of the first shot."
        )
    nearest = int(np.argmin(np.abs(z_um - (plane.about.z_um - way_um))))
    about = replace(plane.about, z_um=float(z_um[nearest]))
    return Plane(plane.pixels, (*plane.index[:-1], nearest), about)


def objective_of(layer: Image) -> Objective | None:
    """The objective that the layer's file names; None where it names none that can be read."""
    name = layer.metadata.get(stack_layer.METADATA_KEY, {}).get("objective")
    if name:
        with suppress(InputError):
            return Objective.parse(str(name))
    return None


def index_shown(viewer: ViewerModel, layer: Image) -> tuple[int, ...]:
    """Where the dims slider stands on each leading axis of a layer, kept inside it."""
    leading = layer.ndim - 2
    if not leading:
        return ()
    at = layer.world_to_data(viewer.dims.point)[:leading]
    last = np.asarray(stack_layer.full_resolution(layer).shape[:leading]) - 1
    return tuple(np.clip(np.round(at), 0, last).astype(int).tolist())


def _z_um(layer: Image, index: tuple[int, ...]) -> float | None:
    """z of a plane; None where the layer does not say, or says it of another number of planes."""
    if index:
        with suppress(InputError):
            positions = stack_layer.z_positions_um(layer)
            return None if positions is None else float(positions[index[-1]])
    return None
