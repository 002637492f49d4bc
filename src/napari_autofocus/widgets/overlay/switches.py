"""What is drawn over the image, how strongly, and which part of it counts."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QSlider, QVBoxLayout, QWidget

from napari_autofocus.widgets.overlay.layers import FULL_COLOUR_DOF
from napari_autofocus.widgets.overlay.legend import Legend
from napari_autofocus.widgets.overlay.region import RegionTool
from napari_autofocus.widgets.overlays import FocusOverlays
from napari_autofocus.widgets.parts.colours import CLEAR_DIVERGING
from napari_autofocus.widgets.parts.forms import NAME_PX, Message, button, label, row

_OPACITY = 60
_SLIDER_PX = 48


class OverlaySwitches(QWidget):
    """Switches for the overlays, and buttons for the region.

    Parameters
    ----------
    overlays : FocusOverlays
        What is switched.
    region : RegionTool
        What draws the region.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, overlays: FocusOverlays, region: RegionTool, theme: str) -> None:
        super().__init__()
        self._theme = theme
        self.note = Message(theme)
        self.overlays = overlays
        self.region = region
        self._build()
        self._arrange()
        self._connect()
        self._show()

    def _build(self) -> None:
        self.importance_box = _check("Importance", "Colour patches by how much their content tells about focus, 0 to 1")
        self.defocus_box = _check("Defocus", "Colour the patches that were read by their defocus, in depths of field")
        self.patches_box = _check("Patches", "Outline the patches that were read, with their defocus in µm")
        self.importance_box.setChecked(True)
        self.patches_box.setChecked(True)
        self.opacity_slider = QSlider(Qt.Orientation.Horizontal)
        self.opacity_slider.setRange(0, 100)
        self.opacity_slider.setValue(_OPACITY)
        self.opacity_slider.setFixedWidth(_SLIDER_PX)
        self.opacity_slider.setToolTip("Opacity of the colours, %")
        self.draw_button = button("Draw", "Draw rectangles: only patches inside count")
        self.exclude_button = button("Exclude", "Click a patch in the image to leave it out", checkable=True)
        self.clear_button = button("Clear", "Let the whole image count again")
        self.legend = Legend(CLEAR_DIVERGING, self._theme)
        self.legend.set_reach(FULL_COLOUR_DOF, "DOF")
        self.legend.setToolTip("Colours of defocus, in depths of field: blue is too far apart, orange too close")

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        names = label("Overlay"), label("Region")
        for name in names:
            name.setFixedWidth(NAME_PX)
        switches = (self.importance_box, self.defocus_box, self.patches_box)
        column.addLayout(row(names[0], *switches, 1, self.opacity_slider))
        column.addLayout(row(names[1], self.draw_button, self.exclude_button, self.clear_button, 1, self.legend))
        column.addWidget(self.note)

    def _connect(self) -> None:
        overlays = self.overlays
        self.importance_box.toggled.connect(overlays.show_importance)
        self.defocus_box.toggled.connect(overlays.show_defocus)
        self.defocus_box.toggled.connect(self.legend.setVisible)
        self.patches_box.toggled.connect(overlays.show_patches)
        self.opacity_slider.valueChanged.connect(self._on_opacity_changed)
        self.draw_button.clicked.connect(self._on_draw_clicked)
        self.exclude_button.toggled.connect(self.region.set_excluding)
        self.clear_button.clicked.connect(self._on_clear_clicked)
        self.region.said.connect(self.note.say)

    def _show(self) -> None:
        self.overlays.show_importance(self.importance_box.isChecked())
        self.overlays.show_defocus(self.defocus_box.isChecked())
        self.legend.setVisible(self.defocus_box.isChecked())
        self.overlays.show_patches(self.patches_box.isChecked())
        self._on_opacity_changed(self.opacity_slider.value())

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.note.set_theme(theme)
        self.legend.set_theme(theme)

    def _on_opacity_changed(self, per_cent: int) -> None:
        self.overlays.set_opacity(per_cent / 100)

    def _on_draw_clicked(self) -> None:
        self.exclude_button.setChecked(False)
        self.region.draw()

    def _on_clear_clicked(self) -> None:
        self.exclude_button.setChecked(False)
        self.region.clear()


def _check(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    return box
