"""Microscopes and slides that can be chosen, and what it takes to make them (away from the GUI thread)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.microscope.controls import reported_z_um, set_focus_limits
from napari_autofocus.microscope.mmcore import DEFAULT_RANGE_UM, CoreMicroscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.cameras import usual_camera
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.widgets.preferences import preferences
from napari_autofocus.widgets.session import Connection

_STAIN_NAMES = {"he": "H&E tissue", "ihc": "IHC (DAB)", "unstained": "Unstained cells", "fluorescence": "Fluorescence"}


@dataclass(frozen=True)
class SlideChoice:
    """A simulated slide.

    Parameters
    ----------
    stain, density : str
        As :meth:`Scene.build` knows them.
    tilt_um_per_mm : float
        Slope of the slide, µm of height for each mm.
    seed : int
        Which slide of that kind.
    camera : {'rgb', 'mono'} or None
        What looks at it; None for the usual one: monochrome for what is unstained or shines.
    """

    stain: str = "he"
    density: str = "dense"
    tilt_um_per_mm: float = 1.0
    seed: int = 7
    camera: str | None = None

    @property
    def name(self) -> str:
        """What the user calls it."""
        return f"{stain_name(self.stain)}, {self.density.replace('-', ' ')}"

    def scene(self, objective: str | Objective, shape: tuple[int, int]) -> Scene:
        """The slide under an objective, with frames of this shape, px; takes a second or two."""
        tilt = Topography(0.8 * self.tilt_um_per_mm, -0.6 * self.tilt_um_per_mm)
        camera = usual_camera(self.stain, self.camera)
        return Scene.build(
            self.stain, self.density, objective, seed=self.seed, shape=shape, topography=tilt, camera=camera
        )


@dataclass(frozen=True)
class SimulatedChoice:
    """A simulated microscope and its slide.

    Parameters
    ----------
    stain, density, tilt_um_per_mm, seed, camera
        As :class:`SlideChoice`.
    objective : str
        As :meth:`Objective.parse` reads it.
    shape : tuple of int
        Height and width of a frame, px.
    """

    stain: str = "he"
    density: str = "dense"
    objective: str = "20x/0.75"
    tilt_um_per_mm: float = 1.0
    seed: int = 7
    shape: tuple[int, int] = (1024, 1224)
    camera: str | None = None

    @property
    def slide(self) -> SlideChoice:
        """The slide by itself."""
        return SlideChoice(self.stain, self.density, self.tilt_um_per_mm, self.seed, self.camera)

    def connect(self) -> Connection:
        """Build it; takes a second or two."""
        scene = self.slide.scene(self.objective, self.shape)
        rig = simulated_rig(scene, seed=self.seed)
        lens = scene.objective
        return Connection(f"Simulated {lens.name}", rig.microscope, rig.close, lens.dof_um, lens, rig)


@dataclass(frozen=True)
class ConfigurationChoice:
    """A Micro-Manager configuration file."""

    path: str = ""

    def connect(self) -> Connection:
        """Load it into a core of our own. Raises InputError, HardwareError."""
        wish = preferences()
        microscope = CoreMicroscope.connect(self.path, largest_step_um=wish.largest_step_um)
        _allow(microscope, wish.travel_um)
        return Connection(Path(self.path).name, microscope, microscope.close)


@dataclass(frozen=True, eq=False)
class RunningChoice:
    """The core that another plugin runs; None where there is none."""

    core: Any = None

    def connect(self) -> Connection:
        """Use it as it is; nothing of it is ever unloaded. Raises InputError, HardwareError."""
        if self.core is None:
            raise InputError(
                "No other plugin runs a Micro-Manager core with a camera and a z stage; load a configuration there"
                " (napari-micromanager, say), or choose another microscope."
            )
        wish = preferences()
        microscope = CoreMicroscope(self.core, largest_step_um=wish.largest_step_um)
        _allow(microscope, wish.travel_um)
        return Connection(f"Running core: {self.core.getCameraDevice()}", microscope, microscope.close)


Choice = SimulatedChoice | ConfigurationChoice | RunningChoice


def _allow(microscope: CoreMicroscope, travel_um: float) -> None:
    """Let the drive go so far to either side of where it stands, as far as its own travel reaches."""
    if travel_um == DEFAULT_RANGE_UM:
        return
    try:
        (low_um, high_um), here_um = microscope.focus.travel_um, reported_z_um(microscope)
        set_focus_limits(microscope, max(low_um, here_um - travel_um), min(high_um, here_um + travel_um))
    except AutofocusError:
        microscope.close()
        raise


def stain_name(stain: str) -> str:
    """What a user calls a stain."""
    return _STAIN_NAMES.get(stain, stain.capitalize())
