"""An all-in-focus image and the depth of its parts as two layers, lying where the stack or the frame lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_autofocus.io.fused import FusedOrigin, write_depth, write_fused_image
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.parts.sentences import plain_um

DEPTH = "depth"
_COLOURS = "viridis"
_OPACITY = 0.7
_LEAST_SPAN_UM = 0.1
_REACH_QUANTILES = (0.02, 0.98)


@dataclass(frozen=True, eq=False)
class FusedShown:
    """What is shown of a scan that was fused.

    Parameters
    ----------
    name : str
        What the layer of the image is called.
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        Sharp everywhere.
    depth_um : np.ndarray, shape (Y, X), float32
        Drive position at which each pixel is sharpest, µm; NaN where that cannot be told.
    origin : FusedOrigin
        What it was made of.
    place : mapping
        ``scale``, ``translate`` and ``units`` of both layers.
    pixel_size_um, objective
        How it was taken; None where nobody says.
    """

    name: str
    image: npt.NDArray[Any] = field(repr=False)
    depth_um: npt.NDArray[np.float32] = field(repr=False)
    origin: FusedOrigin
    place: dict[str, Any]
    pixel_size_um: float | None = None
    objective: Objective | None = None

    @property
    def told(self) -> float:
        """Share of the pixels whose depth is told."""
        return float(np.isfinite(self.depth_um).mean())

    @property
    def reach_um(self) -> tuple[float, float]:
        """Where the colours begin and end, µm: all depths but the outermost 2 %."""
        known = self.depth_um[np.isfinite(self.depth_um)]
        low, high = (
            np.quantile(known, _REACH_QUANTILES) if known.size else (min(self.origin.z_um), max(self.origin.z_um))
        )
        spare = max(_LEAST_SPAN_UM - (high - low), 0.0) / 2
        return float(low - spare), float(high + spare)

    def write(self, path: Any, depth: Any) -> None:
        """Write image and depth map. Raises InputError if a file cannot hold them or be written."""
        about: dict[str, Any] = {"pixel_size_um": self.pixel_size_um, "objective": self.objective}
        write_fused_image(path, self.image, self.origin, **about)
        write_depth(depth, self.depth_um, self.origin, **about)


def show_fused(viewer: ViewerModel, fused: FusedShown, *, depth_visible: bool = False) -> tuple[Image, Image]:
    """Add both layers, the depth above the image; each is the user's to keep.

    Returns
    -------
    image, depth : Image
    """
    about = {
        "fused": {
            "source": fused.origin.source,
            "z_um": list(fused.origin.z_um),
            "largest_shift_px": fused.origin.largest_shift_px,
        },
        "pixel_size_um": fused.pixel_size_um,
        "objective": fused.objective.name if fused.objective else None,
    }
    image = Image(
        fused.image, name=fused.name, rgb=fused.image.ndim == 3, metadata={METADATA_KEY: about}, **fused.place
    )
    low, high = fused.reach_um
    depth = Image(
        fused.depth_um,
        name=f"Depth of focus, {plain_um(low)} to {plain_um(high)}",
        rgb=False,
        colormap=_COLOURS,
        contrast_limits=(low, high),
        opacity=_OPACITY,
        blending="translucent",
        interpolation2d="nearest",
        visible=depth_visible,
        metadata={METADATA_KEY: {"overlay": DEPTH, "unit": "um", **about}},
        **fused.place,
    )
    for layer in (image, depth):
        viewer.add_layer(layer)
    viewer.layers.selection.active = image
    return image, depth


def is_depth(layer: Layer) -> bool:
    """Whether a layer is a depth map of ours."""
    return layer.metadata.get(METADATA_KEY, {}).get("overlay") == DEPTH
