"""Transparent specimens in partially coherent light: weak-object transfer functions (Streibl 1985, eqs. 17 to 19).

For a weak object of transmission exp(−A/2 + iφ) under a condenser disc S, with pupil P, the intensity is
1 − H_A ⊗ A + H_φ ⊗ φ. Both functions are overlaps of S with P and the shifted P; H_φ is odd in defocus when the lens
has no aberration and H_A is even. A specimen that slows light (φ > 0) looks bright when sample and objective are too
far apart and dark when they are too close.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.psf import Optics, pupil_path_um
from napari_autofocus.simulation.transfer import FREQUENCIES, STEP, AxialTable

FloatArray = npt.NDArray[np.float64]
Kind = Literal["phase", "absorption"]

#: Frequencies at which the overlap is integrated; the table is interpolated from them.
_COMPUTED_FREQUENCIES = 256
_NODES_ACROSS = 8


@lru_cache(maxsize=32)
def weak_object_transfer(optics: Optics, wavelength_um: float, largest_frequency: float, kind: Kind) -> AxialTable:
    """Table of H_φ (``phase``) or H_A (``absorption``) over radial frequency and axial position.

    Parameters
    ----------
    largest_frequency : float
        The table's ``FREQUENCIES`` values run evenly from 0 to this, cycles/µm.
    """
    cutoff = (1 + optics.condenser_ratio) * optics.objective.na / wavelength_um
    wanted = np.linspace(0, largest_frequency, FREQUENCIES) / cutoff * (1 + optics.condenser_ratio)
    shifts = np.linspace(0, 1 + optics.condenser_ratio, _COMPUTED_FREQUENCIES)

    def compute(axial_um: float) -> FloatArray:
        overlap = pupil_overlap(optics, wavelength_um, shifts, axial_um)
        curve = -2 * overlap.imag if kind == "phase" else overlap.real
        return np.interp(wanted, shifts, curve, right=0.0)

    return AxialTable(compute, STEP * optics.axial_scale_um, optics.largest_axial_um)


def pupil_overlap(
    optics: Optics, wavelength_um: float, shifts: FloatArray, axial_um: float
) -> npt.NDArray[np.complex128]:
    """∫ S(ξ) P*(ξ) P(ξ + u) dξ over ∫ S |P|² dξ, for shifts u in units of NA/λ.

    Parameters
    ----------
    shifts : np.ndarray, shape (F,)
        Spatial frequencies in units of NA/λ.

    Returns
    -------
    np.ndarray, shape (F,), complex
    """
    sigma = optics.condenser_ratio
    along, weights_along = _nodes(24 + int(10 * abs(axial_um) / optics.axial_scale_um))
    across, weights_across = _nodes(_NODES_ACROSS)
    low, high = -sigma, np.minimum(sigma, 1 - shifts)
    width = np.maximum(high - low, 0)[:, None]
    x = low + width * along
    moved = x + shifts[:, None]
    half = np.sqrt(np.clip(np.minimum(sigma**2 - x**2, 1 - moved**2), 0, None))
    y2 = (half[:, :, None] * across) ** 2
    path = _path_at(optics, moved[:, :, None] ** 2 + y2, axial_um) - _path_at(optics, x[:, :, None] ** 2 + y2, axial_um)
    waves = np.exp(2j * np.pi / wavelength_um * path) @ weights_across
    total = (waves * half * weights_along).sum(axis=1) * width[:, 0]
    return np.asarray(2 * total / (np.pi * sigma**2))


def _nodes(count: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _path_at(optics: Optics, rho_squared: FloatArray, axial_um: float) -> FloatArray:
    return pupil_path_um(optics, np.sqrt(np.minimum(rho_squared, 1)), axial_um)
