"""What is labelled: a folder with its annotator, or a single layer that is open in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.label.annotator import remember_annotator, remembered_annotator
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.parts.forms import button, choice, connect_while_alive, label, refill, row

_NAME_WIDTH_PX = 92


class SourceSection(QWidget):
    """Chooses a folder by a button, a layer from a list.

    Signals: ``folder_wanted`` (path of a folder, or of a stack in it), ``folder_left``, ``layer_chosen``,
    ``save_wanted`` (path of the file of the layer), ``annotator_changed`` (name) and ``failed``.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are offered.
    """

    folder_wanted = Signal(object)
    folder_left = Signal()
    layer_chosen = Signal()
    save_wanted = Signal(object)
    annotator_changed = Signal(str)
    failed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._in_folder = False
        self._chosen: Image | None = None
        self.open_button = button("Open folder…", "Choose a folder of z-stacks to label; or drop one here")
        self.leave_button = button("Close", "Put the folder away; whatever was said is kept")
        self.folder_label = label("")
        self.annotator_edit = QLineEdit(remembered_annotator())
        self.annotator_edit.setToolTip("Your name, as it stands beside your labels; Return takes it")
        self.layer_box = choice([], "The z-stack to label: any image layer with a z axis")
        self.save_button = button(
            "Save labels…", "Open the folder of this stack's file, where labels are kept, and store there what you said"
        )
        self._arrange()
        self._connect()
        self.show_folder(None)
        self._on_layers_changed()

    def _arrange(self) -> None:
        self.folder_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._layer_name, self._annotator_name = label("Stack"), label("by")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.annotator_edit.setMaximumWidth(_NAME_WIDTH_PX)
        opening = row(self.open_button, self.folder_label, self._annotator_name, self.annotator_edit, self.leave_button)
        opening.setStretch(1, 1)
        choosing = row(self._layer_name, self.layer_box, self.save_button)
        choosing.setStretch(1, 1)
        column.addLayout(opening)
        column.addLayout(choosing)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._on_open_clicked)
        self.leave_button.clicked.connect(self.folder_left)
        self.annotator_edit.editingFinished.connect(self._on_annotator_edited)
        self.annotator_edit.returnPressed.connect(self.annotator_edit.clearFocus)
        self.layer_box.currentIndexChanged.connect(self._on_layer_chosen)
        self.save_button.clicked.connect(self._on_save_clicked)
        viewer = self._viewer
        connect_while_alive(
            self,
            [
                (viewer.layers.events.inserted, self._on_layers_changed),
                (viewer.layers.events.removed, self._on_layers_changed),
                (viewer.layers.selection.events.active, self._on_active_changed),
            ],
        )

    # the folder

    @property
    def annotator(self) -> str:
        """Who labels."""
        return self.annotator_edit.text().strip() or remembered_annotator()

    def show_folder(self, folder: Path | None) -> None:
        """Show which folder is being worked on; None for single layers."""
        self._in_folder = folder is not None
        self.folder_label.setText("" if folder is None else folder.name or str(folder))
        self.folder_label.setToolTip("" if folder is None else str(folder))
        for part in (self.leave_button, self.annotator_edit, self._annotator_name):
            part.setVisible(self._in_folder)
        for part in (self.layer_box, self.save_button, self._layer_name):
            part.setVisible(not self._in_folder)

    def _on_open_clicked(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "A folder of z-stacks to label")
        if name:
            self.folder_wanted.emit(Path(name))

    def _on_annotator_edited(self) -> None:
        name = self.annotator
        self.annotator_edit.setText(name)
        if name == remembered_annotator():
            return
        try:
            remember_annotator(name)
        except InputError as error:
            self.failed.emit(error)
        self.annotator_changed.emit(name)

    # the layer

    @property
    def layer(self) -> Image | None:
        """The single layer that is chosen."""
        chosen = self.layer_box.currentData()
        return chosen if chosen in self._viewer.layers else None

    def _on_layers_changed(self, *_: object) -> None:
        if self._in_folder:
            return
        stacks = [layer for layer in self._viewer.layers if stack_layer.is_stack(layer)]
        refill(self.layer_box, [(layer.name, layer) for layer in stacks], self.layer_box.currentData())
        # Overlays come and go too: drawing them again here would put back what napari is taking away as it closes.
        if self.layer is not self._chosen:
            self._on_layer_chosen()

    def _on_active_changed(self, *_: object) -> None:
        active = self._viewer.layers.selection.active
        for index in range(self.layer_box.count()):
            if self.layer_box.itemData(index) is active:
                self.layer_box.setCurrentIndex(index)

    def _on_layer_chosen(self, *_: object) -> None:
        layer = self._chosen = self.layer
        self.save_button.setEnabled(layer is not None and file_of(layer) is not None)
        if not self._in_folder:
            self.layer_chosen.emit()

    def refresh(self) -> None:
        """Offer the layers that there are now."""
        self._on_layers_changed()
        self._on_layer_chosen()

    def _on_save_clicked(self) -> None:
        layer = self.layer
        path = file_of(layer) if layer is not None else None
        if path is not None:
            self.save_wanted.emit(path)


def file_of(layer: Image) -> Path | None:
    """The file that a layer was read from; None where there is none on this computer."""
    named: Any = layer.metadata.get(stack_layer.METADATA_KEY, {}).get("source") or layer.source.path
    path = Path(named) if named else None
    return path if path is not None and path.exists() and path.parent != path else None


def dropped_path(event: QDropEvent) -> Path | None:
    """The one file or folder that is being dropped; None for anything else."""
    urls = event.mimeData().urls()
    return Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
