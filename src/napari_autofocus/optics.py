"""Objectives and what follows from them: depth of field, resolution, and whether the camera samples finely enough.

Nothing here knows images or hardware. Lengths are in µm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from napari_autofocus.errors import InputError

DEFAULT_WAVELENGTH_UM = 0.55
DEFAULT_CAMERA_PIXEL_UM = 6.5
IMMERSION_INDEX = {"air": 1.0, "water": 1.333, "glycerol": 1.47, "silicone": 1.406, "oil": 1.515}

_SPELLING = re.compile(r"^\s*(?P<mag>\d+(?:\.\d+)?)\s*x\s*/\s*(?P<na>\d+(?:\.\d+)?)\s*(?P<immersion>[a-z]*)\s*$", re.I)


@dataclass(frozen=True)
class Objective:
    """An objective with the camera behind it.

    Parameters
    ----------
    magnification, na : float
        Nominal magnification and numerical aperture.
    immersion : str
        ``air``, ``water``, ``glycerol``, ``silicone`` or ``oil``.
    camera_pixel_um : float
        Pitch of the camera's pixels, µm (not divided by the magnification).
    stated_dof_um : float or None
        Depth of field as the maker or the paper states it, µm; None to compute it.

    Raises
    ------
    InputError
        If a value is not positive and finite, the immersion is unknown, or the NA exceeds its refractive index.
    """

    magnification: float
    na: float
    immersion: str = "air"
    camera_pixel_um: float = DEFAULT_CAMERA_PIXEL_UM
    stated_dof_um: float | None = None

    def __post_init__(self) -> None:
        if self.immersion not in IMMERSION_INDEX:
            raise InputError(f"Unknown immersion {self.immersion!r}; use one of {', '.join(IMMERSION_INDEX)}.")
        lengths = {"magnification": self.magnification, "NA": self.na, "camera pixel": self.camera_pixel_um}
        if self.stated_dof_um is not None:
            lengths["depth of field"] = self.stated_dof_um
        for name, value in lengths.items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"The {name} of an objective must be a positive number; found {value}.")
        if self.na >= self.immersion_index:
            raise InputError(
                f"NA {self.na:g} is impossible in {self.immersion} (refractive index {self.immersion_index:g});"
                " name the immersion, as in '100x/1.4 oil'."
            )

    @classmethod
    def parse(cls, text: str, *, pixel_size_um: float | None = None) -> Objective:
        """Read ``20x/0.75`` or ``100x/1.4 oil``; a preset supplies the depth of field that the papers state.

        Parameters
        ----------
        text : str
            Magnification, NA and, unless air or a preset, the immersion.
        pixel_size_um : float, optional
            Size of a pixel in the sample, µm; otherwise the preset's camera.

        Raises
        ------
        InputError
            If the text cannot be read as an objective.
        """
        match = _SPELLING.match(text)
        if match is None:
            raise InputError(f"Cannot read {text!r} as an objective; write it as 20x/0.75 or '100x/1.4 oil'.")
        magnification, na = float(match["mag"]), float(match["na"])
        immersion = match["immersion"].lower()
        objective = _preset(magnification, na, immersion) or cls(magnification, na, immersion or "air")
        return objective if pixel_size_um is None else objective.with_pixel_size(pixel_size_um)

    @property
    def name(self) -> str:
        """Spelling that :meth:`parse` reads: ``20x/0.75``, ``100x/1.4 oil``."""
        suffix = "" if self.immersion == "air" else f" {self.immersion}"
        return f"{self.magnification:g}x/{self.na:g}{suffix}"

    @property
    def immersion_index(self) -> float:
        """Refractive index of the immersion medium."""
        return IMMERSION_INDEX[self.immersion]

    @property
    def pixel_size_um(self) -> float:
        """Size of a camera pixel in the sample, µm."""
        return self.camera_pixel_um / self.magnification

    @property
    def dof_um(self) -> float:
        """Depth of field, µm: as stated, otherwise :meth:`computed_dof_um` at 0.55 µm."""
        return self.stated_dof_um if self.stated_dof_um is not None else self.computed_dof_um()

    def computed_dof_um(self, wavelength_um: float = DEFAULT_WAVELENGTH_UM) -> float:
        """Wave-optical and detector depth of field: λ·n/NA² + n·e/(M·NA), µm (e: camera pixel)."""
        n = self.immersion_index
        return wavelength_um * n / self.na**2 + n * self.camera_pixel_um / (self.magnification * self.na)

    def airy_radius_um(self, wavelength_um: float = DEFAULT_WAVELENGTH_UM) -> float:
        """Radius of the first dark ring of the in-focus point image: 0.61 λ/NA, µm."""
        return 0.61 * wavelength_um / self.na

    def nyquist_pixel_um(self, wavelength_um: float = DEFAULT_WAVELENGTH_UM) -> float:
        """Largest pixel that records every detail the objective passes in incoherent light: λ/(4·NA), µm."""
        return wavelength_um / (4 * self.na)

    def with_pixel_size(self, pixel_size_um: float) -> Objective:
        """The same objective in front of a camera whose pixels measure ``pixel_size_um`` in the sample."""
        return replace(self, camera_pixel_um=pixel_size_um * self.magnification)


PRESETS: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(4, 0.13),
        Objective(5, 0.15),
        Objective(10, 0.3, stated_dof_um=10.0),
        Objective(10, 0.45),
        Objective(20, 0.5),
        Objective(20, 0.75, stated_dof_um=1.0),
        Objective(40, 0.75),
        Objective(40, 0.95),
        Objective(40, 1.15, "water"),
        Objective(40, 1.3, "oil"),
        Objective(60, 1.2, "water"),
        Objective(60, 1.4, "oil"),
        Objective(63, 1.4, "oil"),
        Objective(100, 1.4, "oil"),
    )
}


def _preset(magnification: float, na: float, immersion: str) -> Objective | None:
    """The preset of that magnification and NA; the immersion may be left out where only one preset fits."""
    fitting = [p for p in PRESETS.values() if p.magnification == magnification and p.na == na]
    fitting = [p for p in fitting if not immersion or p.immersion == immersion]
    return fitting[0] if len(fitting) == 1 else None
