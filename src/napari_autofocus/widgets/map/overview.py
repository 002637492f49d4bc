"""The overview below a focus map: where the sample lies, in stage µm, with bare glass shaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils import Colormap
from qtpy.QtCore import QObject, Signal

from napari_autofocus.slide.scout import Overview, tissue_mask
from napari_autofocus.widgets.layers.redraw import remove_in_turn
from napari_autofocus.widgets.map.marks import MAP
from napari_autofocus.widgets.map.picture import spacing_of

OVERVIEW, GLASS = "Overview", "Bare glass"
# Sample stays as it is, glass is darkened.
_SHADE = Colormap([[0.05, 0.1, 0.25, 0.0], [0.05, 0.1, 0.25, 0.45]], name="clear-shade")
Place = tuple[float, float]


def overview_around(middle: Place, image: npt.NDArray[Any], pixel_um: float) -> Overview:
    """An image whose middle lies at a stage position (x, y), µm, with its sample marked; takes a while.

    Raises
    ------
    InputError
        If it is no image.
    """
    height, width = image.shape[:2]
    origin = middle[0] - (width - 1) / 2 * pixel_um, middle[1] - (height - 1) / 2 * pixel_um
    return Overview(image, pixel_um, origin, tissue_mask(image, pixel_um))


class OverviewLayers(QObject):
    """Shows one overview at a time; ``changed`` tells of another.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is shown.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._made: list[Layer] = []
        self.overview: Overview | None = None

    @property
    def has_mask(self) -> bool:
        """Whether it is known where the sample is."""
        return self.overview is not None and self.overview.mask is not None

    def on_sample(self, places: list[Place]) -> list[Place]:
        """Those of stage positions (x, y), µm, that lie on the sample, or of which nothing is known."""
        if self.overview is None or self.overview.mask is None:
            return places
        return self.overview.on_sample(places, spacing_of(places) / 2)[0]

    def show(self, overview: Overview) -> None:
        """Show an overview below everything else, in place of the one before."""
        remove_in_turn(self._viewer, self._standing())
        self.overview = overview
        side = overview.pixel_um
        where: dict[str, Any] = {
            "scale": (side, side),
            "translate": overview.origin_um[::-1],
            "units": ("um", "um"),
            "metadata": MAP,
        }
        self._made = [Image(overview.image, name=OVERVIEW, rgb=overview.image.ndim == 3, **where)]
        if overview.mask is not None:
            seen = True if overview.seen is None else overview.seen
            glass = (~overview.mask & seen).astype(np.float32)
            self._made.append(
                Image(glass, name=GLASS, colormap=_SHADE, contrast_limits=(0, 1), blending="translucent", **where)
            )
        active = self._viewer.layers.selection.active
        for at, layer in enumerate(self._made):
            self._viewer.layers.insert(at, layer)
        if active is not None:
            self._viewer.layers.selection.active = active
        self.changed.emit()

    def redraw(self) -> None:
        """Its image has grown in place."""
        for layer in self._standing()[:1]:
            layer.refresh(extent=False, thumbnail=False)

    def forget(self) -> None:
        """There is no overview any more: another microscope, another slide."""
        self.overview = None
        remove_in_turn(self._viewer, self.let_all_go())
        self.changed.emit()

    @property
    def shown(self) -> list[Layer]:
        """Layers that are in the viewer and to be seen."""
        return [layer for layer in self._standing() if layer.visible]

    def hide(self, hidden: bool) -> None:
        """Take it from view, or bring it back."""
        for layer in self._standing():
            layer.visible = not hidden

    def let_all_go(self) -> list[Layer]:
        """The layers, to be taken out of the viewer."""
        gone, self._made = self._standing(), []
        return gone

    def _standing(self) -> list[Layer]:
        return [layer for layer in self._made if layer in self._viewer.layers]
