"""The lens: its aberrations, and the image of a point at every distance from focus, from Gibson and Lanni's model.

The axial position grows as sample and objective come together. A cover glass thicker than the objective was made for
(``spherical_waves`` > 0) bends marginal rays to a focus farther from the objective than the paraxial one: sharp bright
rings then surround a point when sample and objective are too far apart (negative axial positions), and a core with a
diffuse halo when they are too close. Nothing here knows images; see ``transfer.py`` for what is made of a point image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import psfmodels

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective

FloatArray = npt.NDArray[np.float64]

#: Weights of red, green and blue in luminance: those of OpenCV's RGB2GRAY (Rec. 601).
LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)
#: Axial positions at which red, green and blue focus, against green, in units of the wave-optical depth λ·n/NA²: blue
#: focuses nearest to the objective, red farthest, by about as much as a plan fluorite. Chosen so that the two sides of
#: focus look different while a stain's colour pulls a luminance Brenner peak by less than 0.05 µm at 20x/0.75.
DEFAULT_CHROMATIC_SHIFT = (-0.25, 0.0, 1.04)

_COVER_GLASS_INDEX = 1.515
_COVER_GLASS_UM = 170.0
_IMMERSION_LAYER_UM = 150.0
#: Radial samples of a point image per λ/NA: a little finer than its band limit demands.
_SAMPLES_PER_RESOLUTION = 5.0
#: Radius kept around the geometric blur, in λ/NA; an Airy pattern has 0.5 % of its energy beyond.
_TAIL_RESOLUTIONS = 20.0
#: Defocus beyond this many wave-optical depths looks the same as there: featureless.
_LARGEST_DEPTHS = 40.0


@dataclass(frozen=True)
class Optics:
    """An objective with its faults, the light, and the condenser.

    Parameters
    ----------
    objective : Objective
        Sets NA, immersion and pixel size.
    spherical_waves : float
        Primary spherical aberration W040 at 0.54 µm, in waves, from a cover glass (or immersion oil) that is not the
        design's and from the objective's own residue. Positive: as from too thick a glass.
    chromatic_shift_um : tuple of float, or None
        Axial position at which red, green and blue focus, before the common zero is set, µm; None for
        ``DEFAULT_CHROMATIC_SHIFT`` times λ·n/NA².
    wavelengths_um : tuple of float
        Wavelengths of red, green and blue, µm.
    condenser_ratio : float
        NA of the condenser over that of the objective; serves phase contrast from transparent specimens.
    vectorial : bool
        Whether polarisation is taken into account (psfmodels' vectorial model) or not (scalar).
    even : bool
        No aberration, no chromatic shift, no phase, one depth: images at +d and −d are the same. A negative control.

    Raises
    ------
    InputError
        If a value is not finite or out of range.
    """

    objective: Objective
    spherical_waves: float = 0.25
    chromatic_shift_um: tuple[float, float, float] | None = None
    wavelengths_um: tuple[float, float, float] = (0.62, 0.54, 0.46)
    condenser_ratio: float = 0.6
    vectorial: bool = True
    even: bool = False

    def __post_init__(self) -> None:
        if not abs(self.spherical_waves) <= 2:
            raise InputError(f"Spherical aberration must lie within ±2 waves; found {self.spherical_waves}.")
        if not 0.05 <= self.condenser_ratio <= 1:
            raise InputError(f"The condenser ratio must lie in 0.05 to 1; found {self.condenser_ratio}.")
        if len(self.wavelengths_um) != 3 or not all(0.2 <= w <= 2 for w in self.wavelengths_um):
            raise InputError(f"Three wavelengths of 0.2 to 2 µm are needed; found {self.wavelengths_um}.")
        shift = self.chromatic_shift_um
        if shift is not None and (len(shift) != 3 or not all(math.isfinite(s) for s in shift)):
            raise InputError(f"The chromatic shift must be three finite lengths in µm; found {shift}.")

    @property
    def axial_scale_um(self) -> float:
        """Wave-optical depth λ·n/NA² in green, µm: the natural unit along the axis."""
        return self.wavelengths_um[1] * self.objective.immersion_index / self.objective.na**2

    @property
    def colour_offsets_um(self) -> tuple[float, float, float]:
        """Chromatic shift of red, green and blue in effect, µm."""
        if self.even:
            return (0.0, 0.0, 0.0)
        if self.chromatic_shift_um is not None:
            return self.chromatic_shift_um
        red, green, blue = (share * self.axial_scale_um for share in DEFAULT_CHROMATIC_SHIFT)
        return (red, green, blue)

    @property
    def spherical_um(self) -> float:
        """Primary spherical aberration W040 in effect, µm of path."""
        return 0.0 if self.even else self.spherical_waves * 0.54

    @property
    def largest_axial_um(self) -> float:
        """Distance beyond which the image no longer changes, µm."""
        return _LARGEST_DEPTHS * self.axial_scale_um

    def blur_radius_um(self, axial_um: float) -> float:
        """Radius of the geometric blur disc at that distance from focus, µm."""
        return abs(axial_um) * math.tan(math.asin(self.objective.na / self.objective.immersion_index))


@lru_cache(maxsize=64)
def layers_of(optics: Optics) -> dict[str, float]:
    """Thicknesses (µm) and refractive indices between sample and lens, as psfmodels names them.

    A dry or water objective is given a cover glass that is too thick or too thin; with glycerol, silicone or oil, where
    glass does little, the index of the immersion is off instead. The amount is scaled to give ``spherical_um``.
    """
    index = optics.objective.immersion_index
    layers = {
        "NA": optics.objective.na,
        "ni": index,
        "ni0": index,
        "ng": _COVER_GLASS_INDEX,
        "ng0": _COVER_GLASS_INDEX,
        "ns": _COVER_GLASS_INDEX,
        "tg": _COVER_GLASS_UM,
        "tg0": _COVER_GLASS_UM,
        "ti0": _IMMERSION_LAYER_UM,
    }
    name, unit = ("tg", 1.0) if index < 1.4 else ("ni", 1e-3)
    spoiled = layers | {name: layers[name] + unit}
    amount = optics.spherical_um / _spherical_coefficient(spoiled) * unit
    return layers | {name: layers[name] + amount}


def pupil_path_um(optics: Optics, rho: FloatArray, axial_um: float) -> FloatArray:
    """Optical path from an on-axis point to the pupil, against the design's: Gibson and Lanni's phase, in µm.

    Parameters
    ----------
    rho : np.ndarray
        Pupil radius, 1 at the rim.
    axial_um : float
        Axial position, before the common zero is set.
    """
    return _path(layers_of(optics), rho, axial_um)


def radial_psf(optics: Optics, wavelength_um: float, axial_um: float, radius_um: float, step_um: float) -> FloatArray:
    """Intensity of the image of a point along a radius, not normalised.

    Parameters
    ----------
    axial_um : float
        Axial position for that wavelength, before the common zero and the chromatic shift.
    radius_um, step_um : float
        Where to end and how finely to sample, µm.

    Returns
    -------
    np.ndarray, shape (R,)
        At radii 0, step, 2·step, …
    """
    half = math.ceil(radius_um / step_um)
    image = psfmodels.make_psf(
        np.array([axial_um]),
        2 * half + 1,
        dxy=step_um,
        wvl=wavelength_um,
        model="vectorial" if optics.vectorial else "scalar",
        oversample_factor=1,
        normalize=False,
        **_model_arguments(optics),
    )
    return np.asarray(image[0, half, half:], np.float64)


def sampling_of(optics: Optics, wavelength_um: float, axial_um: float) -> tuple[float, float]:
    """Radius and step, µm, that hold the point image at that distance from focus: the support grows with defocus."""
    resolution = wavelength_um / optics.objective.na
    radius = _TAIL_RESOLUTIONS * resolution + 1.1 * optics.blur_radius_um(axial_um)
    return radius, resolution / _SAMPLES_PER_RESOLUTION


def radial_weights(samples: int, step_um: float) -> FloatArray:
    """Quadrature weights of ∫ f(r) 2πr dr; the one at r = 0 is the end correction of the trapezium rule."""
    weights = 2 * np.pi * step_um**2 * np.arange(samples, dtype=np.float64)
    weights[0] = 2 * np.pi * step_um**2 / 12
    return np.asarray(weights, np.float64)


def _model_arguments(optics: Optics) -> dict[str, Any]:
    return dict(layers_of(optics))


def _path(layers: dict[str, float], rho: FloatArray, axial_um: float) -> FloatArray:
    """Aguet et al. 2009, eq. 3, for a point at the cover glass; the immersion is refocused paraxially."""
    s2 = (layers["NA"] * rho) ** 2
    ni, ni0, ng, ng0 = layers["ni"], layers["ni0"], layers["ng"], layers["ng0"]
    immersion = ni * (layers["tg0"] / ng0 + layers["ti0"] / ni0 - layers["tg"] / ng) - axial_um
    return np.asarray(
        immersion * np.sqrt(ni**2 - s2)
        + layers["tg"] * np.sqrt(ng**2 - s2)
        - layers["tg0"] * np.sqrt(ng0**2 - s2)
        - layers["ti0"] * np.sqrt(ni0**2 - s2)
    )


def _spherical_coefficient(layers: dict[str, float]) -> float:
    """W040 in µm: six times the coefficient of Zernike's primary spherical, whose r⁴ term it is."""
    t = (np.arange(2000) + 0.5) / 2000
    zernike = 6 * t**2 - 6 * t + 1
    path = _path(layers, np.sqrt(t), 0.0)
    return float(6 * np.sum(path * zernike) / np.sum(zernike**2))
