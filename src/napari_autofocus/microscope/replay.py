"""Planes rendered beforehand, or recorded, as a scene for the simulated camera: frames at full rate."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated_camera import SceneLike


class PlaneReplay:
    """One field at a few axial positions; a frame is the plane nearest to where the stage is.

    The same plane comes twice in the same bits, so a microscope that replays is made with ``reject_repeats=False``.

    Parameters
    ----------
    planes : np.ndarray, shape (Z, Y, X) or (Z, Y, X, 3)
        The frames.
    axial_um : np.ndarray, shape (Z,)
        Axial position of each, ascending, µm.
    pixel_size_um : float
        Size of a pixel in the sample.
    best_focus_um : float
        Axial position of best focus.

    Raises
    ------
    InputError
        There is no plane, or planes and positions do not agree.
    """

    def __init__(self, planes: Image, axial_um: npt.ArrayLike, *, pixel_size_um: float, best_focus_um: float) -> None:
        self._planes = planes
        self._axial_um = np.asarray(axial_um, dtype=float)
        if planes.ndim not in (3, 4) or self._axial_um.shape != planes.shape[:1] or not planes.size:
            raise InputError(
                f"Planes to replay are (Z, Y, X) or (Z, Y, X, 3) with one axial position each; found {planes.shape} and"
                f" {self._axial_um.shape}."
            )
        if not np.all(np.diff(self._axial_um) > 0):
            raise InputError("The axial positions of planes to replay must ascend.")
        self.pixel_size_um = pixel_size_um
        self._best_focus_um = best_focus_um

    @classmethod
    def of(
        cls,
        scene: SceneLike,
        axial_um: npt.ArrayLike,
        *,
        x_um: float = 0.0,
        y_um: float = 0.0,
        exposure_ms: float | None = None,
        rng: np.random.Generator,
    ) -> Self:
        """Render a scene at these axial positions (µm, ascending) once and for all."""
        positions = np.asarray(axial_um, dtype=float)
        planes = np.stack([scene.snap(x_um, y_um, z, exposure_ms=exposure_ms, rng=rng) for z in positions])
        best_um = scene.best_focus_um(x_um, y_um)
        return cls(planes, positions, pixel_size_um=scene.pixel_size_um, best_focus_um=best_um)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame, px."""
        return self._planes.shape[1], self._planes.shape[2]

    def best_focus_um(self, x_um: float, y_um: float) -> float:  # noqa: ARG002
        """Axial position of best focus, µm; the field is the same everywhere."""
        return self._best_focus_um

    def snap(
        self,
        x_um: float,  # noqa: ARG002
        y_um: float,  # noqa: ARG002
        axial_um: float,
        *,
        exposure_ms: float | None = None,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Image:
        """The plane nearest to an axial position; a view, not a copy."""
        plane: Image = self._planes[int(np.argmin(np.abs(self._axial_um - axial_um)))]
        return plane
