"""Slides of the simulated microscope: the form that describes one, and loading it while it stays connected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.simulation.cameras import usual_colour
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import DENSITIES, STAINS
from napari_autofocus.widgets.choices import SlideChoice, stain_name
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import button, choice, columns_form, number, row
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.widgets.stand.watching import MicroscopeWatch

_LETTERS = 6
_CAMERAS = (("Usual", None), ("Colour", "rgb"), ("Grey, 16 bit", "mono"))


class SlideForm(QWidget):
    """Describes a slide; ``first`` is a further row of the left column."""

    def __init__(self, *first: tuple[str, QWidget]) -> None:
        super().__init__()
        self.stain_box = choice([(stain_name(stain), stain) for stain in STAINS], "Kind of specimen")
        self.density_box = choice(
            [(d.replace("-", " ").capitalize(), d) for d in DENSITIES], "Share of the field's area that carries content"
        )
        self.tilt_box = number(
            1, 0, 20, 0.5, "µm/mm", "Slope of the slide: µm of height for each mm", decimals=1, width_px=112
        )
        self.seed_box = number(
            7, 0, 99_999, 1, "", "Which slide of this kind (a number, no unit)", decimals=0, width_px=112
        )
        self.camera_box = choice(
            list(_CAMERAS), "What looks at it (no unit). Usual: grey for what is unstained or shines, otherwise colour"
        )
        for box in (self.stain_box, self.density_box, self.camera_box, *(box for _, box in first)):
            box.setMinimumContentsLength(_LETTERS)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.addLayout(columns_form(("Stain", self.stain_box), ("Density", self.density_box), *first), 1)
        columns.addLayout(columns_form(("Tilt", self.tilt_box), ("Seed", self.seed_box), ("Camera", self.camera_box)))

    def slide(self) -> SlideChoice:
        """What is described."""
        return SlideChoice(
            self.stain_box.currentData(),
            self.density_box.currentData(),
            self.tilt_box.value(),
            int(self.seed_box.value()),
            self.camera_box.currentData(),
        )

    def show_slide(self, slide: SlideChoice) -> None:
        """Describe this one."""
        for box, data in (
            (self.stain_box, slide.stain),
            (self.density_box, slide.density),
            (self.camera_box, slide.camera),
        ):
            box.setCurrentIndex(max(box.findData(data), 0))
        self.tilt_box.setValue(slide.tilt_um_per_mm)
        self.seed_box.setValue(slide.seed)


class SlideSection(Fold):
    """Puts another slide under the simulated microscope; hidden for any other."""

    said = Signal(str)

    def __init__(self, session: Session, watch: MicroscopeWatch) -> None:
        self._session = session
        self._watch = watch
        self._rig: SimulatedRig | None = None
        self.form = SlideForm()
        self.load_button = button(
            "Load slide", "Put this slide under the objective; the stages stay, live mode goes on"
        )
        super().__init__(
            "Slide",
            "Stain, density, tilt and seed of the simulated slide, and the camera",
            self.form,
            row(1, self.load_button),
        )
        self.load_button.clicked.connect(self._on_load_clicked)
        self.hide()

    def show_connection(self, connection: Connection | None) -> None:
        """A simulated microscope says which slide it has; any other takes none of ours."""
        self._rig = connection.rig if connection else None
        slide = slide_of(connection)
        self.setVisible(slide is not None)
        if slide is not None:
            self.form.show_slide(slide)
            self.set_title(f"Slide: {slide.name}")
        self.load_button.setEnabled(True)

    def _on_load_clicked(self) -> None:
        rig, slide = self._rig, self.form.slide()
        if rig is None:
            return
        self.load_button.setEnabled(False)
        self.said.emit(f"Making the slide: {slide.name}…")
        self._session.analysis.call(
            lambda: _made(rig, slide), done=self._on_made, failed=self._session.failed.emit, ended=self._on_making_ended
        )

    def _on_made(self, made: _Made) -> None:
        if made.rig is self._rig:  # or it was let go of while the slide was made
            self._session.ask(lambda _: made.put(), done=self._on_loaded)

    def _on_making_ended(self) -> None:
        self.load_button.setEnabled(True)

    def _on_loaded(self, made: _Made) -> None:
        if made.rig is not self._rig:
            return
        self.set_title(f"Slide: {made.slide.name}")
        self.said.emit("")
        if not self._session.is_live:
            self._session.snap()


@dataclass(frozen=True, eq=False)
class _Made:
    """A slide that is ready, and the rig it was made for."""

    rig: SimulatedRig
    slide: SlideChoice
    scene: Scene
    first: Any

    def put(self) -> _Made:
        """Put it under the objective."""
        self.rig.load(self.scene, self.first)
        return self


def slide_of(connection: Connection | None) -> SlideChoice | None:
    """The slide of a simulated microscope; None for any other, and where what it looks at is no slide."""
    scene = connection.rig.scene if connection and connection.rig else None
    if not isinstance(scene, Scene):
        return None
    specimen = scene.specimen
    tilt = math.hypot(specimen.topography.tilt_x_um_per_mm, specimen.topography.tilt_y_um_per_mm)
    colour = scene.camera.colour
    camera = None if colour == usual_colour(specimen.stain) else colour
    return SlideChoice(specimen.stain, specimen.density, round(tilt, 3), specimen.seed, camera)


def _made(rig: SimulatedRig, slide: SlideChoice) -> _Made:
    """Runs on the analysis thread; the field under the objective is drawn for the first time, which takes longest."""
    scene = slide.scene(rig.scene.objective, rig.scene.shape)
    return _Made(rig, slide, scene, rig.first_frame(scene))
