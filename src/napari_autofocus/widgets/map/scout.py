"""An overview of the slide for a focus map: from a file, laid where its middle is said to lie."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.io.frames import Frame, open_frame
from napari_autofocus.slide.scout import Overview
from napari_autofocus.widgets.map.overview import OverviewLayers, overview_around
from napari_autofocus.widgets.map.words import Place
from napari_autofocus.widgets.parts.forms import Message, button, label, number, row, snug
from napari_autofocus.widgets.session import Session

_FARTHEST_UM = 1_000_000.0


class OverviewSection(QWidget):
    """Opens an overview; ``shown`` tells that there is another.

    Parameters
    ----------
    session : Session
        What the panels share; files are read on its analysis thread.
    layers : OverviewLayers
        Where it is shown.
    theme : str
        Id of the napari theme whose colours are used.
    """

    shown = Signal()

    def __init__(self, session: Session, layers: OverviewLayers, theme: str) -> None:
        super().__init__()
        self._session, self._layers = session, layers
        self._build(theme)
        self._arrange()
        self.open_button.clicked.connect(self._on_open_clicked)
        self.lay_button.clicked.connect(self._on_lay_clicked)
        self.refresh()

    def _build(self, theme: str) -> None:
        self.open_button = button("Open an image…", "An image of the whole slide, to draw the area on")
        tip = "Size of a pixel of the overview in the sample, µm"
        self.pixel_box = number(5, 0.01, 1000, 1, "µm", tip, decimals=3, width_px=112)
        tip = "Stage position of the overview's middle along"
        self.x_box = number(0, -_FARTHEST_UM, _FARTHEST_UM, 100, "µm", f"{tip} x, µm", decimals=0, width_px=92)
        self.y_box = number(0, -_FARTHEST_UM, _FARTHEST_UM, 100, "µm", f"{tip} y, µm", decimals=0, width_px=92)
        self.lay_button = button("Lay it there", "Take this pixel size and this middle (µm)")
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.open_button, 1, label("pixel"), self.pixel_box))
        self._place_row = QWidget()
        self._place_row.setLayout(row(label("Middle x"), self.x_box, label("y"), self.y_box, 1, self.lay_button))
        column.addWidget(self._place_row)
        column.addWidget(self.message)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    def refresh(self) -> None:
        """Where an overview lies can be said once there is one."""
        self._place_row.setVisible(self._layers.overview is not None)

    # what happens

    def _on_open_clicked(self) -> None:
        kinds = "Images (*.tif *.tiff *.png *.jpg *.jpeg *.bmp)"
        name, _ = QFileDialog.getOpenFileName(self, "An overview of the slide", "", kinds)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Show an image as the overview; the file's own pixel size counts where it has one."""
        self.message.say(f"Opening {path.name}…")
        middle, pixel_um = self._middle, self.pixel_box.value()
        call = self._session.analysis.call
        call(lambda: _opened(path, middle, pixel_um), done=self._on_opened, failed=self._on_failed)

    @property
    def _middle(self) -> Place:
        return self.x_box.value(), self.y_box.value()

    def _on_opened(self, found: tuple[Frame, Overview]) -> None:
        frame, overview = found
        self.pixel_box.setValue(overview.pixel_um)
        self._lay(overview)
        size = "as the file says" if frame.pixel_size_um else "which the file does not state: check it"
        name = Path(frame.source).name
        self.message.say(f"{name}: {self._extent()}, pixels of {overview.pixel_um:g} µm, {size}.")

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _on_lay_clicked(self) -> None:
        overview = self._layers.overview
        if overview is not None:
            middle, pixel_um, image = self._middle, self.pixel_box.value(), overview.image
            work = self._session.analysis.call
            work(lambda: overview_around(middle, image, pixel_um), done=self._on_laid, failed=self._on_failed)

    def _on_laid(self, overview: Overview) -> None:
        self._lay(overview)
        self.message.say(f"The overview covers {self._extent()}.")

    def _lay(self, overview: Overview) -> None:
        self._layers.show(overview)
        self.refresh()
        self.shown.emit()

    def _extent(self) -> str:
        overview = self._layers.overview
        assert overview is not None
        height, width = (side * overview.pixel_um / 1000 for side in overview.image.shape[:2])
        return f"{width:.1f} × {height:.1f} mm"


def _opened(path: Path, middle: Place, pixel_um: float) -> tuple[Frame, Overview]:
    """Runs beside the GUI."""
    frame = open_frame(path)
    return frame, overview_around(middle, frame.image, frame.pixel_size_um or pixel_um)
