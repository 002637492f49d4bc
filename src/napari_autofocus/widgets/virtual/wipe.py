"""Comparing two images by a wipe: one to the left of a line, the other to the right of it; a slider moves the line."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.virtual.blink import restore

NAME = "Wipe: shot | recovered"
_LINE_PX = 2


class Wipe:
    """Shows the shot left of a line and the recovered image right of it; everything is as before once it ends.

    napari cannot show a part of a 2-D layer, so that a layer of its own is filled column by column; what is on either
    side of a line that has not moved is not touched.

    Parameters
    ----------
    viewer : ViewerModel
        Where both are.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._visible: dict[Layer, bool] = {}
        self._layer: Image | None = None
        self._left: npt.NDArray[Any] | None = None
        self._right: npt.NDArray[Any] | None = None
        self.share = 0.5

    @property
    def is_on(self) -> bool:
        """Whether the comparison is on."""
        return self._layer is not None

    @property
    def layer(self) -> Image | None:
        """The layer that shows both."""
        return self._layer

    def start(self, shot: npt.NDArray[Any], image: Image) -> None:
        """Show nothing but the wipe.

        Parameters
        ----------
        shot : np.ndarray, shape (Y, X) or (Y, X, 3)
            The pixels on the left.
        image : Image
            The layer whose pixels are on the right, and where both lie.

        Raises
        ------
        InputError
            If the two differ in size.
        """
        self.stop()
        left, right = np.asarray(shot), np.asarray(image.data)
        if left.shape[:2] != right.shape[:2]:
            raise InputError(f"A wipe compares images of one size; found {left.shape[:2]} and {right.shape[:2]} px.")
        self._left, self._right = _alike(left, right)
        self._visible = {layer: bool(layer.visible) for layer in self._viewer.layers}
        for layer in self._visible:
            layer.visible = False
        self._layer = self._made(image)
        selected = set(self._viewer.layers.selection)
        self._viewer.add_layer(self._layer)
        self._viewer.layers.selection = selected & set(self._viewer.layers)

    def _made(self, image: Image) -> Image:
        pixels = self._drawn()
        look: dict[str, Any] = {"rgb": True}
        if pixels.ndim == 2:
            limits = tuple(image.contrast_limits)
            look = {"rgb": False, "colormap": image.colormap, "contrast_limits": limits, "gamma": image.gamma}
        return Image(
            pixels,
            name=NAME,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            metadata={METADATA_KEY: {"overlay": "wipe"}},
            **look,
        )

    def move_to(self, share: float) -> None:
        """Bring the line to this share of the width."""
        self.share = min(max(share, 0.0), 1.0)
        if self._layer is not None and self._layer in self._viewer.layers:
            self._layer.data = self._drawn()

    def stop(self) -> None:
        """Show what was shown before."""
        layer, self._layer = self._layer, None
        self._left = self._right = None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        restore(self._viewer, self._visible)
        self._visible = {}

    def _drawn(self) -> npt.NDArray[Any]:
        """Left part, line, right part."""
        assert self._left is not None
        assert self._right is not None
        column = round(self.share * self._left.shape[1])
        pixels = self._right.copy()
        pixels[:, :column] = self._left[:, :column]
        if 0 < column < pixels.shape[1]:
            top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else pixels.max()
            pixels[:, max(column - _LINE_PX // 2, 0) : column + _LINE_PX // 2] = top
        return pixels


def _alike(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both of the recovered image's type and number of colours, so that one layer can hold them."""
    if left.ndim == 2 and right.ndim == 3:
        left = np.repeat(left[..., None], right.shape[2], axis=2)
    elif left.ndim == 3 and right.ndim == 2:
        right = np.repeat(right[..., None], left.shape[2], axis=2)
    return left[..., : right.shape[2]].astype(right.dtype) if right.ndim == 3 else left.astype(right.dtype), right
