"""Which microscope to connect: the form that lets the user choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from napari_autofocus.microscope.cores import shared_core
from napari_autofocus.widgets.choices import Choice, ConfigurationChoice, RunningChoice, SimulatedChoice
from napari_autofocus.widgets.parts.forms import button, choice, label, row
from napari_autofocus.widgets.session import Connection
from napari_autofocus.widgets.stand.slide import SlideForm

__all__ = ["ConfigurationChoice", "ConnectForm", "RunningChoice", "SimulatedChoice"]

OBJECTIVES = ("10x/0.3", "20x/0.5", "20x/0.75", "40x/0.95")
SIMULATED, CONFIGURATION, RUNNING = range(3)
_SOURCES = (
    ("Simulated microscope", SIMULATED),
    ("Micro-Manager .cfg", CONFIGURATION),
    ("Running core of another plugin", RUNNING),
)


class ConnectForm(QWidget):
    """Lets the user choose a microscope, and asks for it to be connected or let go.

    Parameters
    ----------
    offered : callable
        What other plugins offer as the core they run, asked when the user wants to connect to it.
    """

    wanted = Signal(object)
    unwanted = Signal()

    def __init__(self, offered: Callable[[], Sequence[object]] = tuple) -> None:
        super().__init__()
        self._offered = offered
        self._connected = False
        self.source_box = choice(_SOURCES, "Which microscope to connect")
        self.connect_button = button("Connect", "Connect the chosen microscope, or let go of it")
        self.summary = label("", wrap=True, tip="The microscope that is connected")
        self._pages = QStackedWidget()
        for page in (self._simulated_page(), self._configuration_page(), _running_page()):
            self._pages.addWidget(page)
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
        self.objective_box = choice([(o, o) for o in OBJECTIVES], "Magnification / numerical aperture")
        self.objective_box.setCurrentText("20x/0.75")
        self.slide_form = SlideForm(("Objective", self.objective_box))
        return self.slide_form

    def _configuration_page(self) -> QWidget:
        self.path_edit = QLineEdit()
        self.path_edit.setPlaceholderText("microscope.cfg")
        self.path_edit.setToolTip("Configuration file as Micro-Manager's hardware wizard writes it")
        self.browse_button = button("Browse…", "Choose the configuration file")
        return _page(row(self.path_edit, self.browse_button))

    def choice(self) -> Choice:
        """What is chosen."""
        source = self.source_box.currentData()
        if source == CONFIGURATION:
            return ConfigurationChoice(self.path_edit.text().strip())
        if source == RUNNING:
            return RunningChoice(shared_core(self._offered()))
        slide = self.slide_form.slide()
        return SimulatedChoice(
            slide.stain,
            slide.density,
            self.objective_box.currentData(),
            slide.tilt_um_per_mm,
            slide.seed,
            camera=slide.camera,
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


def _running_page() -> QWidget:
    text = "Shares the core that another plugin, such as napari-micromanager, has loaded. It stays that plugin's own."
    return _page(row(label(text, wrap=True)))


def _page(controls: object) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addLayout(controls)
    layout.addStretch(1)
    return page
