"""The difference image of two shots as a layer: what a model of two shots reads, for the user to see."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_autofocus.errors import InputError
from napari_autofocus.models.difference import difference_image
from napari_autofocus.widgets.estimate.seeing import is_source
from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.parts.colours import DIVERGING

NAME = "Difference of two shots"
_FULL_COLOUR_SHARE = 0.995
_OPACITY = 0.8


def show_difference(viewer: ViewerModel, first: Seen, second: Seen) -> Image | None:
    """Lay the second shot minus the first over the second; one layer, used again. None where they do not match."""
    try:
        pixels = difference_image(first.image, second.image, _full_scale(second))
    except InputError:
        return None
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    reach = max(float(np.quantile(np.abs(grey[::4, ::4]), _FULL_COLOUR_SHARE)), 1e-3)
    where = {"scale": second.scale, "translate": second.translate}
    layers = _layers(viewer)
    if not layers or layers[0].data.shape != grey.shape:
        hide_difference(viewer, remove=True)
        selected = set(viewer.layers.selection)
        made = Image(
            grey,
            name=NAME,
            colormap=DIVERGING,
            opacity=_OPACITY,
            contrast_limits=(-reach, reach),
            metadata={METADATA_KEY: {"overlay": "difference"}},
            units=second.units,
            **where,
        )
        images = [place for place, layer in enumerate(viewer.layers) if is_source(layer)]
        viewer.layers.insert(max(images, default=-1) + 1, made)  # above the images, below what is drawn on them
        viewer.layers.selection = selected
        return made
    shown = layers[0]
    shown.data = grey
    shown.contrast_limits_range = (-reach, reach)
    shown.contrast_limits = (-reach, reach)
    for name, value in where.items():
        setattr(shown, name, value)
    shown.visible = True
    return shown


def hide_difference(viewer: ViewerModel, *, remove: bool = False) -> None:
    """Show it no more."""
    for layer in _layers(viewer):
        if remove:
            viewer.layers.remove(layer)
        else:
            layer.visible = False


def _layers(viewer: ViewerModel) -> list[Image]:
    return [each for each in viewer.layers if each.metadata.get(METADATA_KEY, {}).get("overlay") == "difference"]


def _full_scale(seen: Seen) -> float:
    kind = seen.image.dtype
    if not np.issubdtype(kind, np.integer):
        return 1.0
    return float(2**seen.bit_depth - 1) if seen.bit_depth and kind != np.uint8 else float(np.iinfo(kind).max)
