"""Which microscope to connect: the form, and what it takes to make one (away from the GUI thread)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import DENSITIES, STAINS
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.widgets.forms import button, choice, columns_form, label, number, row
from napari_autofocus.widgets.session import Connection

OBJECTIVES = ("10x/0.3", "20x/0.5", "20x/0.75", "40x/0.95")
_STAIN_NAMES = {"he": "H&E tissue", "ihc": "IHC (DAB)", "unstained": "Unstained cells", "fluorescence": "Fluorescence"}


@dataclass(frozen=True)
class SimulatedChoice:
    """A simulated microscope and its slide.

    Parameters
    ----------
    stain, density, objective : str
        As :meth:`Scene.build` knows them.
    tilt_um_per_mm : float
        Slope of the slide, µm of height for each mm.
    seed : int
        Which slide of that kind.
    """

    stain: str = "he"
    density: str = "dense"
    objective: str = "20x/0.75"
    tilt_um_per_mm: float = 1.0
    seed: int = 7
    shape: tuple[int, int] = (1024, 1224)

    def connect(self) -> Connection:
        """Build it; takes a second or two."""
        tilt = Topography(0.8 * self.tilt_um_per_mm, -0.6 * self.tilt_um_per_mm)
        scene = Scene.build(self.stain, self.density, self.objective, seed=self.seed, shape=self.shape, topography=tilt)
        rig = simulated_rig(scene, seed=self.seed)
        name = f"Simulated {self.objective}: {_stain_name(self.stain)}, {self.density.replace('-', ' ')}"
        return Connection(
            name, rig.microscope, rig.close, dof_um=scene.objective.dof_um, objective=scene.objective, rig=rig
        )


@dataclass(frozen=True)
class ConfigurationChoice:
    """A Micro-Manager configuration file."""

    path: str = ""

    def connect(self) -> Connection:
        """Load it into a core of our own. Raises InputError, HardwareError."""
        microscope = CoreMicroscope.connect(self.path)
        return Connection(Path(self.path).name, microscope, microscope.close)


class ConnectForm(QWidget):
    """Lets the user choose a microscope, and asks for it to be connected or let go."""

    wanted = Signal(object)
    unwanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.source_box = choice(
            (("Simulated microscope", 0), ("Micro-Manager .cfg", 1)), "Which microscope to connect"
        )
        self.connect_button = button("Connect", "Connect the chosen microscope, or let go of it")
        self.summary = label("", wrap=True, tip="The microscope that is connected")
        self._pages = QStackedWidget()
        self._pages.addWidget(self._simulated_page())
        self._pages.addWidget(self._configuration_page())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        top = row(self.source_box, self.summary, self.connect_button)
        top.setStretch(0, 1)
        top.setStretch(1, 1)
        layout.addLayout(top)
        layout.addWidget(self._pages)
        self.source_box.currentIndexChanged.connect(self._pages.setCurrentIndex)
        self.connect_button.clicked.connect(self._on_connect_clicked)
        self.browse_button.clicked.connect(self._on_browse_clicked)
        self.set_connected(None)

    def _simulated_page(self) -> QWidget:
        self.stain_box = choice([(_stain_name(stain), stain) for stain in STAINS], "Kind of specimen")
        self.density_box = choice(
            [(d.replace("-", " ").capitalize(), d) for d in DENSITIES], "Share of the field's area that carries content"
        )
        self.objective_box = choice([(o, o) for o in OBJECTIVES], "Magnification / numerical aperture")
        self.objective_box.setCurrentText("20x/0.75")
        self.tilt_box = number(
            1, 0, 20, 0.5, "µm/mm", "Slope of the slide: µm of height for each mm", decimals=1, width_px=118
        )
        self.seed_box = number(
            7, 0, 99_999, 1, "", "Which slide of this kind (a number, no unit)", decimals=0, width_px=118
        )
        page = QWidget()
        columns = QHBoxLayout(page)
        columns.setContentsMargins(0, 0, 0, 0)
        left = ("Stain", self.stain_box), ("Density", self.density_box), ("Objective", self.objective_box)
        columns.addLayout(columns_form(*left), 1)
        columns.addLayout(columns_form(("Tilt", self.tilt_box), ("Seed", self.seed_box)))
        return page

    def _configuration_page(self) -> QWidget:
        self.path_edit = QLineEdit()
        self.path_edit.setPlaceholderText("microscope.cfg")
        self.path_edit.setToolTip("Configuration file as Micro-Manager's hardware wizard writes it")
        self.browse_button = button("Browse…", "Choose the configuration file")
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row(self.path_edit, self.browse_button))
        layout.addStretch(1)
        return page

    def choice(self) -> SimulatedChoice | ConfigurationChoice:
        """What is chosen."""
        if self.source_box.currentData() == 1:
            return ConfigurationChoice(self.path_edit.text().strip())
        return SimulatedChoice(
            self.stain_box.currentData(),
            self.density_box.currentData(),
            self.objective_box.currentData(),
            self.tilt_box.value(),
            int(self.seed_box.value()),
        )

    def set_connected(self, connection: Connection | None) -> None:
        """Say what is connected in place of the choices, or offer them again."""
        self._connected = connection is not None
        self.connect_button.setText("Disconnect" if self._connected else "Connect")
        self.source_box.setVisible(not self._connected)
        self._pages.setVisible(not self._connected)
        self.summary.setVisible(self._connected)
        self.summary.setText(connection.name if connection else "")

    def set_busy(self, busy: bool) -> None:
        """While a microscope is being connected."""
        self.connect_button.setEnabled(not busy)
        if busy:
            self.connect_button.setText("Connecting…")

    def _on_connect_clicked(self) -> None:
        if self._connected:
            self.unwanted.emit()
        else:
            self.wanted.emit(self.choice())

    def _on_browse_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Micro-Manager configuration", "", "Configuration (*.cfg)")
        if path:
            self.path_edit.setText(path)


def _stain_name(stain: str) -> str:
    return _STAIN_NAMES.get(stain, stain.capitalize())
