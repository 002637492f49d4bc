"""What a depth map says, in a panel: a switch, its colours in µm, and the way into files."""

from __future__ import annotations

import re
from pathlib import Path

from napari.layers import Image
from napari.utils.colormaps import ensure_colormap
from qtpy.QtWidgets import QCheckBox, QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.widgets.layers.depth import FusedShown, show_fused
from napari_autofocus.widgets.overlay.legend import Legend
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.fusing import depth_path

_SUFFIXES = "OME-TIFF (*.ome.tif *.tif);;PNG (*.png)"
_NOT_IN_NAMES = re.compile(r"[^\w.+−-]+")


class DepthRow(QWidget):
    """Shows the newest all-in-focus image and its depth map; hidden while there is none.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session, self._viewer = session, session.viewer
        self._fused: FusedShown | None = None
        self.layers: tuple[Image, Image] | None = None
        self.depth_box = QCheckBox("Depth map")
        self.depth_box.setToolTip("Colour each part by the z at which it is sharpest, µm; clear where none can be told")
        self.legend = Legend(ensure_colormap("viridis"), theme)
        self.legend.setToolTip("Colours of the depth map: position of the focus drive, µm")
        self.save_button = button("Save…", "Write the image and, beside it, the depth map in µm, as OME-TIFF")
        self.message = Message(theme)
        self._arrange()
        self.depth_box.toggled.connect(self._on_toggled)
        self.save_button.clicked.connect(self._on_save_clicked)
        connect_while_alive(self, [(session.viewer.layers.events.removed, self._on_layer_removed)])
        self.hide()

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row(self.depth_box, self.legend, 1, self.save_button))
        column.addWidget(self.message)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.legend, self.message):
            part.set_theme(theme)

    def show_fused(self, fused: FusedShown) -> tuple[Image, Image]:
        """Put an all-in-focus image and its depth map into the viewer, and tell of them here."""
        self._fused = fused
        self.layers = show_fused(self._viewer, fused, depth_visible=self.depth_box.isChecked())
        self.legend.set_range(*fused.reach_um, "µm")
        self.message.say(
            "" if fused.told >= 0.01 else "No depth can be told: no part is sharper in one plane.", "warning"
        )
        self.depth_box.setEnabled(True)
        self.show()
        return self.layers

    def clear(self) -> None:
        """There is nothing to tell of any more; the layers stay."""
        self._fused = self.layers = None
        self.hide()

    def save(self, path: Path) -> None:
        """Write image and depth map, beside the GUI."""
        fused = self._fused
        if fused is not None:
            self.message.say(f"Saving {path.name}…")
            self._session.analysis.call(
                lambda: fused.write(path, depth_path(path)),
                done=lambda _: self.message.say(f"Saved as {path.name} and {depth_path(path).name}."),
                failed=self.message.fail,
            )

    def _on_save_clicked(self) -> None:
        if self._fused is None:
            return
        suggested = _NOT_IN_NAMES.sub("_", self._fused.name).strip("_") + ".ome.tif"
        name, _ = QFileDialog.getSaveFileName(self, "Save the all-in-focus image", suggested, _SUFFIXES)
        if name:
            self.save(Path(name))

    def _on_toggled(self, wanted: bool) -> None:
        if self.layers is not None and self.layers[1] in self._viewer.layers:
            self.layers[1].visible = wanted

    def _on_layer_removed(self, *_: object) -> None:
        if self.layers is None:
            return
        self.depth_box.setEnabled(self.layers[1] in self._viewer.layers)
        if not any(layer in self._viewer.layers for layer in self.layers):
            self.clear()
