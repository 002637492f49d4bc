"""What to simulate: a slide, the optics and the camera in front of it, and how finely to step through focus."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.optics import PRESETS, Objective
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.imaging import Optics
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import DENSITIES, STAINS, Specimen
from napari_autofocus.simulation.topography import Topography

TOPOGRAPHIES = {
    "flat": Topography.flat(),
    "slight": Topography(),
    "tilted": Topography.tilted(),
    "wavy": Topography.wavy(),
    "folded": Topography.folded(),
    "thick": Topography.thick(),
}


@dataclass(frozen=True)
class SimulationSettings:
    """What to simulate; the same settings always give the same files.

    Parameters
    ----------
    stain, density : str
        As spelled in :mod:`napari_autofocus.simulation.specimen`.
    objective : Objective
        Magnification, NA and the camera's pixel.
    fields : int
        Number of z-stacks, each at a random place of one slide.
    range_um, step_um : float
        Planes reach from −range to +range in steps of ``step_um``.
    seed : int
        Decides on the slide, the places, the focus offsets and the noise.
    shape : tuple of int
        Height and width of a field, px.
    even : bool
        Optics that make the same image on both sides of focus: a negative control.
    topography : Topography
        Heights of the slide.
    camera : Camera
        Colour, bit depth and noise.
    start_offsets : bool
        Shift the planes of successive fields by −1/3, 0 and +1/3 step, for a denser set of defocus values (Liao et al.,
        Biomed. Opt. Express 13, 314, 2021).
    focus_direction : {1, -1}
        +1 if a growing z brings sample and objective together.
    """

    stain: str = "he"
    density: str = "dense"
    objective: Objective = PRESETS["20x/0.75"]
    fields: int = 20
    range_um: float = 10.0
    step_um: float = 0.5
    seed: int = 0
    shape: tuple[int, int] = (1024, 1224)
    even: bool = False
    topography: Topography = field(default_factory=Topography)
    camera: Camera = field(default_factory=Camera)
    start_offsets: bool = False
    focus_direction: int = 1

    def __post_init__(self) -> None:
        if self.fields < 1:
            raise InputError(f"At least one field is needed; found {self.fields}.")
        if not 0 < self.step_um <= self.range_um < float("inf"):
            raise InputError(
                f"The range must be finite and at least one positive step; found a range of ±{self.range_um:g} µm and a"
                f" step of {self.step_um:g} µm."
            )
        if self.focus_direction not in (1, -1):
            raise InputError(f"The focus direction is +1 or -1; found {self.focus_direction}.")
        if self.seed < 0:
            raise InputError(f"The seed is a whole number of at least 0; found {self.seed}.")

    @property
    def planes(self) -> int:
        """Number of planes of a stack."""
        return 2 * int(self.range_um / self.step_um + 1e-9) + 1

    def z_um(self, number: int) -> npt.NDArray[np.float64]:
        """Drive positions of the planes of field ``number`` (counted from 0), rising, µm."""
        start_um = (number % 3 - 1) * self.step_um / 3 if self.start_offsets else 0.0
        steps = np.arange(self.planes) - self.planes // 2
        return np.asarray(np.round(steps * self.step_um + start_um, 6), np.float64)

    def rng(self, number: int) -> np.random.Generator:
        """Place, focus offset and noise of field ``number``; no two kinds of slide share them."""
        kind = STAINS.index(self.stain), DENSITIES.index(self.density)
        return np.random.default_rng([self.seed, number, *kind])

    def scene(self) -> Scene:
        """The slide, the optics and the camera that the settings describe."""
        specimen = Specimen(self.stain, self.density, self.seed, self.topography)
        optics = Optics(self.objective, even=self.even)
        return Scene(specimen, optics, self.camera, self.shape)


def choose_topography(
    name: str | None, tilt_um_per_mm: tuple[float, float] | None = None, *, even: bool = False
) -> Topography:
    """A topography by its name in :data:`TOPOGRAPHIES`.

    Parameters
    ----------
    name : str or None
        None for ``slight``, or ``flat`` with even optics, which allow one depth only.
    tilt_um_per_mm : tuple of float, optional
        Slope along x and along y instead of the topography's own.
    even : bool
        Whether the optics are even.

    Raises
    ------
    InputError
        If there is no such topography, or it is not flat though the optics are even.
    """
    name = name or ("flat" if even else "slight")
    if name not in TOPOGRAPHIES:
        raise InputError(f"Unknown topography {name!r}; use one of {', '.join(TOPOGRAPHIES)}.")
    if even and (name != "flat" or tilt_um_per_mm is not None):
        raise InputError("Even optics are a control with one depth only; leave --topography and --tilt away.")
    topography = TOPOGRAPHIES[name]
    if tilt_um_per_mm is None:
        return topography
    return replace(topography, tilt_x_um_per_mm=tilt_um_per_mm[0], tilt_y_um_per_mm=tilt_um_per_mm[1])
