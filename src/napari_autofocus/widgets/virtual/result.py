"""What came of a pair: the verdict, its reasons, the map of uncertainty, and the way into a file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.layers import ResultLayers
from napari_autofocus.widgets.virtual.saving import SUFFIXES, save_recovered, suggested_name
from napari_autofocus.widgets.virtual.words import result_words, verdict_words


class ResultSection(QWidget):
    """Tells what came of the newest pair; hidden while there is nothing to tell.

    Parameters
    ----------
    session : Session
        What the panels share.
    layers : ResultLayers
        Where the recovered image is shown.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, layers: ResultLayers, theme: str) -> None:
        super().__init__()
        self._session, self._layers = session, layers
        self.verdict, self.reasons, self.saved = Message(theme), Message(theme), Message(theme)
        self.uncertainty_box = QCheckBox("Uncertainty")
        self.uncertainty_box.setToolTip(
            "Map of where the network may have invented: standard deviation of a pixel; full colour: 10 % of full scale"
        )
        self.save_button = button(
            "Save…",
            "Write the recovered image as OME-TIFF (px, µm); the file says that it is virtual, and of which shots",
        )
        self._arrange()
        self.uncertainty_box.toggled.connect(self._on_uncertainty_toggled)
        self.save_button.clicked.connect(self._on_save_clicked)
        events = session.viewer.layers.events
        connect_while_alive(self, [(events.removed, self._on_layer_removed)])
        self.hide()

    def _arrange(self) -> None:
        snug(self.verdict, self.reasons, self.saved)
        self.reasons.setTextFormat(Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for part in (self.verdict, self.reasons):
            column.addWidget(part)
        column.addLayout(row(self.uncertainty_box, 1, self.save_button))
        column.addWidget(self.saved)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.verdict, self.reasons, self.saved):
            part.set_theme(theme)

    def show_result(self) -> None:
        """Tell of the newest recovered image."""
        recovered = self._layers.recovered
        self.setVisible(recovered is not None)
        self.saved.say("")
        if recovered is None:
            return
        self.verdict.say(*verdict_words(recovered.image))
        self.reasons.say(result_words(recovered.image))
        uncertainty = self._layers.uncertainty
        self.uncertainty_box.setChecked(uncertainty is not None and bool(uncertainty.visible))
        self._on_layer_removed()

    def save(self, path: Path) -> None:
        """Write the recovered image, beside the GUI."""
        recovered = self._layers.recovered
        if recovered is not None:
            self.saved.say(f"Saving {path.name}…")
            self._session.analysis.call(
                lambda: save_recovered(path, recovered), done=self._on_saved, failed=self.saved.fail
            )

    def _on_saved(self, path: Path) -> None:
        self.saved.say(f"Saved as {path}.")

    def _on_save_clicked(self) -> None:
        recovered = self._layers.recovered
        if recovered is None:
            return
        name, _ = QFileDialog.getSaveFileName(self, "Save the recovered image", suggested_name(recovered), SUFFIXES)
        if name:
            self.save(Path(name))

    def _on_uncertainty_toggled(self, wanted: bool) -> None:
        if self._layers.uncertainty is not None:
            self._layers.uncertainty.visible = wanted

    def _on_layer_removed(self, *_: object) -> None:
        self.uncertainty_box.setEnabled(self._layers.uncertainty is not None)
