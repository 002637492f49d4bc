"""What the stacks of an acquisition are like, and which folder they go to, as the Acquire panel asks it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.routines.acquire_config import AcquireConfig
from napari_autofocus.widgets.parts.forms import button, choice, label, number, row

_FOCUS = (("Sweep", "sweep"), ("Model in use", "model"), ("Nothing", "here"))
_PARENT = "autofocus stacks"


class StackForm(QWidget):
    """Range, step and centre of the stacks; ``changed`` tells of every change."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        tip = "Planes reach from minus to plus this around the field's focus, µm"
        self.range_box = number(10, 0.1, 500, 1, "µm", tip, decimals=1, width_px=98)
        self.range_box.setPrefix("±")
        self.step_box = number(0.5, 0.02, 50, 0.1, "µm", "Distance of neighbouring planes, µm", width_px=98)
        self.planes_label = label("", tip="Planes in each stack (a number)")
        self.focus_box = choice(
            _FOCUS,
            "What finds each field's focus before its stack is taken (µm of drive): a sweep, the model of the Autofocus"
            " panel, or nothing: all stacks then lie around where the drive stands",
        )
        self.offsets_box = QCheckBox("Shift starts")
        self.offsets_box.setToolTip("Shift the planes of successive stacks by −1/3, 0 and +1/3 step (µm)")
        self.offsets_box.setChecked(True)
        self.empty_box = QCheckBox("Skip empty")
        self.empty_box.setToolTip("Leave out fields in which nothing changes with focus, such as glass (no unit)")
        self.empty_box.setChecked(True)
        self._arrange()
        for signal in (self.range_box.valueChanged, self.step_box.valueChanged, self.focus_box.currentIndexChanged):
            signal.connect(self._on_changed)
        for box in (self.offsets_box, self.empty_box):
            box.toggled.connect(self._on_changed)
        self._on_changed()

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.range_box, label("every"), self.step_box, self.planes_label, 1))
        column.addLayout(row(label("Focus by"), self.focus_box, self.offsets_box, self.empty_box))

    @property
    def focus(self) -> str:
        """What finds focus: ``sweep``, ``model`` or ``here``."""
        return str(self.focus_box.currentData())

    @property
    def planes(self) -> int:
        """Planes of a stack."""
        return 2 * int(self.range_box.value() / self.step_box.value() + 1e-9) + 1

    def config(self) -> AcquireConfig:
        """The settings. Raises InputError if range and step do not go together."""
        return AcquireConfig(
            range_um=self.range_box.value(),
            step_um=self.step_box.value(),
            alternate_starts=self.offsets_box.isChecked(),
            centre="here" if self.focus == "here" else "find",
            skip_empty=self.empty_box.isChecked(),
        )

    def _on_changed(self, *_: object) -> None:
        self.planes_label.setText(f"{self.planes} planes")
        self.changed.emit()


class FolderRow(QWidget):
    """Where the stacks go."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path.home() / _PARENT / f"{datetime.now():%Y-%m-%d %H%M}"
        self.name_label = label("", tip="Folder for the stacks, one OME-Zarr a field")
        self.choose_button = button("Choose…", "Choose the folder for the stacks; one that was begun is gone on with")
        self.setLayout(row(label("Folder"), self.name_label, 1, self.choose_button))
        self.choose_button.clicked.connect(self._on_choose_clicked)
        self.choose(self.folder)

    def choose(self, folder: Path) -> None:
        """Put the stacks there."""
        self.folder = folder
        self.name_label.setText(_shortened(folder))
        self.name_label.setToolTip(f"{folder}\nFolder for the stacks, one OME-Zarr a field")
        self.changed.emit()

    def _on_choose_clicked(self) -> None:
        near = next((parent for parent in (self.folder, *self.folder.parents) if parent.is_dir()), Path.home())
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the stacks", str(near))
        if chosen:
            self.choose(Path(chosen))


def _shortened(folder: Path) -> str:
    """The last parts of a path, as many as a narrow panel has room for."""
    text = str(Path(*folder.parts[-2:])) if len(folder.parts) > 2 else str(folder)
    return text if len(text) <= 34 else f"…{text[-33:]}"
