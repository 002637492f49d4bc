"""The layers of a recovered image: the image itself, which says that it was computed, and the maps that go with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils import Colormap

from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.layers.redraw import remove_in_turn
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.virtual.pair import VIRTUAL
from napari_autofocus.widgets.virtual.words import FULL_COLOUR_SHARE
from napari_autofocus.widgets.virtual.work import Recovered

# Clear where all is well, so that the image stays to be seen.
_CLEAR_ORANGE = Colormap(
    [[0.96, 0.72, 0.3, 0], [0.96, 0.62, 0.2, 0.45], [0.92, 0.36, 0.05, 0.85], [0.6, 0.05, 0.2, 1]],
    name="clear-orange-red",
)
_UNCERTAINTY, _ERROR = "uncertainty", "error"


class ResultLayers:
    """Puts recovered images beside their shots; a pair that is recovered again by the same model fills its own layer.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._maps: dict[str, Image] = {}
        self.recovered: Recovered | None = None
        self._image: Image | None = None

    @property
    def image(self) -> Image | None:
        """The layer of the newest recovered image; None where the user has removed it."""
        return self._standing(self._image)

    @property
    def uncertainty(self) -> Image | None:
        """The map of uncertainty."""
        return self._standing(self._maps.get(_UNCERTAINTY))

    @property
    def error(self) -> Image | None:
        """The map of what differs from the true image."""
        return self._standing(self._maps.get(_ERROR))

    def _standing(self, layer: Image | None) -> Image | None:
        return layer if layer is not None and layer in self._viewer.layers else None

    def show(self, recovered: Recovered) -> Image:
        """Show a recovered image; its uncertainty is visible at once where it is doubtful."""
        self.recovered = recovered
        self.forget_error()
        first, image = recovered.seen[0], recovered.image
        layer = self._fill_image(recovered)
        self._image = layer
        self._fill_map(_UNCERTAINTY, image.uncertainty, first, visible=image.verdict == "doubtful")
        self._viewer.layers.selection.active = layer
        return layer

    def show_error(self, error: npt.NDArray[np.float32]) -> Image | None:
        """Lay the map of errors over the recovered image, shape (Y, X), shares of full scale."""
        if self.recovered is None:
            return None
        self._fill_map(_ERROR, error, self.recovered.seen[0], visible=True)
        return self.error

    def forget_error(self) -> None:
        """The map of errors is of another image: it is not shown any more."""
        if self.error is not None:
            self.error.visible = False

    def remove_maps(self) -> None:
        """Take the maps out of the viewer; recovered images stay, they are the user's."""
        maps = [layer for layer in (self.uncertainty, self.error) if layer is not None]
        self._maps.clear()
        remove_in_turn(self._viewer, maps)

    def _fill_image(self, recovered: Recovered) -> Image:
        name, pixels = layer_name(recovered), recovered.image.image
        about = {METADATA_KEY: origin(recovered)}
        for layer in self._viewer.layers:
            if layer.name == name and _is_virtual(layer) and layer.data.shape == pixels.shape:
                layer.data = pixels
                layer.metadata = about
                layer.visible = True
                self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))
                return layer
        shot = recovered.pair.shots[0].layer
        layer = Image(pixels, name=name, metadata=about, **_place(recovered.seen[0]), **_look(shot, pixels))
        self._viewer.add_layer(layer)
        return layer

    def _fill_map(self, kind: str, values: npt.NDArray[np.float32], seen: Seen, *, visible: bool) -> None:
        layer = self._standing(self._maps.get(kind))
        if layer is None:
            layer = Image(
                values,
                name=f"virtual: {kind}",
                colormap=_CLEAR_ORANGE,
                contrast_limits=(0.0, FULL_COLOUR_SHARE),
                blending="translucent",
                interpolation2d="nearest",
                visible=visible,
                metadata={METADATA_KEY: {"overlay": f"virtual {kind}"}},
                **_place(seen),
            )
            self._maps[kind] = layer
            selected = set(self._viewer.layers.selection)
            self._viewer.add_layer(layer)
            self._viewer.layers.selection = selected
            return
        layer.data = values
        for name, value in _place(seen).items():
            setattr(layer, name, value)
        layer.visible = visible
        self._viewer.layers.move(self._viewer.layers.index(layer), len(self._viewer.layers))


def layer_name(recovered: Recovered) -> str:
    """What the layer of a recovered image is called: that it is virtual comes first."""
    return f"virtual: {recovered.pair.name} ({recovered.image.model})"


def origin(recovered: Recovered) -> dict[str, Any]:
    """Metadata of a recovered image: that no camera took it, and what it was made of."""
    image, first = recovered.image, recovered.seen[0]
    lens = recovered.objective
    return {
        VIRTUAL: {
            "model": image.model,
            "fingerprint": recovered.fingerprint,
            "inputs": [shot.name for shot in recovered.pair.shots],
            "z_um": [seen.z_um for seen in recovered.seen],
            "shift_px": [float(value) for value in image.shift_px],
            "sharper": image.sharper,
            "verdict": image.verdict,
            "reasons": list(image.reasons),
            "warnings": list(image.warnings),
        },
        "pixel_size_um": first.pixel_size_um,
        "objective": lens.name if lens else None,
    }


def _is_virtual(layer: Layer) -> bool:
    return isinstance(layer, Image) and VIRTUAL in layer.metadata.get(METADATA_KEY, {})


def _place(seen: Seen) -> dict[str, Any]:
    return {"scale": seen.scale, "translate": seen.translate, "units": seen.units}


def _look(shot: Image, pixels: npt.NDArray[Any]) -> dict[str, Any]:
    """Colours as those of the shot, so that both can be compared."""
    if pixels.ndim == 3:
        return {"rgb": True}
    return {
        "rgb": False,
        "colormap": shot.colormap,
        "contrast_limits": tuple(shot.contrast_limits),
        "gamma": shot.gamma,
    }
