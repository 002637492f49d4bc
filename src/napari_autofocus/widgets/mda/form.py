"""How acquisitions are to be focused: by what, how often, in which light, and what happens where it fails."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.microscope.channels import channels
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, button, choice, label, number, refill, row
from napari_autofocus.workflows.mda import FocusChannel, MapHeight, MdaFocusConfig
from napari_autofocus.workflows.mda.maps import read_map_height

MODEL, SWEEP = "model", "sweep"
_FINDERS = (("The model in use", MODEL), ("A sweep", SWEEP))
_OCCASIONS = (
    ("As the acquisition plans", ()),
    ("At every position", ("p",)),
    ("At every position and time point", ("t", "p")),
    ("At every time point", ("t",)),
)
_POLICIES = (
    ("keep the last focus", "keep"),
    ("use the focus map", "map"),
    ("leave its frames out", "skip"),
    ("stop the acquisition", "stop"),
)
_AS_ACQUIRED = "as acquired"
_NAME_PX = 66


class MdaForm(QWidget):
    """Choices for focusing acquisitions; tells ``changed`` on every change.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.height: MapHeight | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self._on_changed()

    def _build(self, theme: str) -> None:
        self.finder_box = choice(_FINDERS, "What focuses each field")
        self.range_box = number(10, 1, 200, 1, "µm", "How far a sweep looks to either side, µm", decimals=0)
        self.range_box.setPrefix("±")
        tip = "When to focus; an acquisition with an autofocus plan of its own keeps to that plan"
        self.occasion_box = choice(_OCCASIONS, tip)
        self.policy_box = choice(_POLICIES, "What is done where a field cannot be focused; it is recorded either way")
        self.map_button = button("Map…", "Read a focus map from its file (.json)")
        self.map_line = Message(theme)
        tip = "Focus at every so many time points (a number); in between, places follow the drift"
        self.every_box = number(1, 1, 1000, 1, "", tip, decimals=0, width_px=60)
        self.first_box = QCheckBox("Each place once only")
        self.first_box.setToolTip("Focus each place at its first turn only")
        self.needed_box = QCheckBox("Only where a frame is off by")
        self.needed_box.setToolTip(
            "Read the acquired frames with the model, and focus only where they are out of focus"
        )
        self.needed_um_box = number(0.5, 0.05, 50, 0.1, "µm", "Defocus from which a place is focused again, µm")
        self.channel_box = choice([(_AS_ACQUIRED, "")], "Light to focus in: a preset of the channel group")
        self.exposure_box = number(25, 0.1, 60_000, 5, "ms", "Exposure time while focusing, ms", decimals=1)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.range_row = QWidget()
        self.range_row.setLayout(row(_name("Looking"), self.range_box, 1))
        column.addLayout(_wide(row(_name("Focus by"), self.finder_box)))
        column.addWidget(self.range_row)
        column.addLayout(_wide(row(_name("When"), self.occasion_box)))
        column.addLayout(_wide(row(_name("If it fails"), self.policy_box, self.map_button)))
        column.addWidget(self.map_line)
        more = Fold(
            "How often, in which light",
            "Fewer autofocus runs, and a channel of its own to focus in",
            row(label("Every"), self.every_box, label("time points"), 1),
            self.first_box,
            row(self.needed_box, self.needed_um_box, 1),
            row(label("Light"), self.channel_box, self.exposure_box, 1),
        )
        column.addWidget(more)

    def _connect(self) -> None:
        for box in (self.finder_box, self.occasion_box, self.policy_box, self.channel_box):
            box.currentIndexChanged.connect(self._on_changed)
        for spin in (self.range_box, self.every_box, self.needed_um_box, self.exposure_box):
            spin.valueChanged.connect(self._on_changed)
        for tick in (self.first_box, self.needed_box):
            tick.toggled.connect(self._on_changed)
        self.map_button.clicked.connect(self._on_map_clicked)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.map_line.set_theme(theme)

    # what was chosen

    @property
    def finder(self) -> str:
        """``model`` or ``sweep``."""
        return str(self.finder_box.currentData())

    def config(self, group: str) -> MdaFocusConfig:
        """What was chosen, the channel from that group of presets. Raises InputError."""
        preset = str(self.channel_box.currentData() or "")
        return MdaFocusConfig(
            on_failure=self.policy_box.currentData(),
            axes=tuple(self.occasion_box.currentData()),
            every_n=int(self.every_box.value()),
            first_only=self.first_box.isChecked(),
            when="needed" if self.needed_box.isChecked() and self.needed_box.isEnabled() else "plan",
            needed_um=self.needed_um_box.value(),
            channel=FocusChannel(group, preset, self.exposure_box.value()) if preset else None,
        )

    def show_channels(self, microscope: CoreMicroscope | None) -> str:
        """Offer the presets of the microscope's channel group; returns the group's name."""
        found = None if microscope is None else channels(microscope.core)
        presets = () if found is None else found.presets
        items = [*((preset, preset) for preset in presets), (_AS_ACQUIRED, "")]
        refill(self.channel_box, items, self.channel_box.currentData())
        self._on_changed()
        return "" if found is None else found.group

    def use_map(self, path: Path) -> None:
        """Fall back on the focus map of a file."""
        try:
            self.height = read_map_height(path)
        except AutofocusError as error:
            self.map_line.fail(error)
            return
        self.map_line.say(f"Focus map: {path.name}")
        self.changed.emit()

    def _on_map_clicked(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a focus map", "", "Focus maps (*.json)")
        if name:
            self.use_map(Path(name))

    def _on_changed(self, *_: object) -> None:
        by_model = self.finder == MODEL
        self.range_row.setVisible(not by_model)
        self.needed_box.setEnabled(by_model)
        self.needed_um_box.setEnabled(by_model and self.needed_box.isChecked())
        self.map_button.setVisible(self.policy_box.currentData() == "map")
        self.exposure_box.setEnabled(bool(self.channel_box.currentData()))
        self.changed.emit()


def _name(text: str) -> QLabel:
    """The name in front of a row; names stand below each other."""
    made = label(text)
    made.setFixedWidth(_NAME_PX)
    return made


def _wide(layout: QHBoxLayout) -> QHBoxLayout:
    """A row whose choice takes the room that is left."""
    layout.setStretch(1, 1)
    return layout
