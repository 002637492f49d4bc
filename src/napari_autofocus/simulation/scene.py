"""A slide under an objective with a camera: images of any place at any focus, with their truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.content import FieldContent
from napari_autofocus.simulation.imaging import ImageFormation
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.specimen import Specimen
from napari_autofocus.simulation.topography import Topography

FloatImage = npt.NDArray[np.float32]

_FIELDS_KEPT = 4
_LARGEST_MARGIN_PX = 160


class Scene:
    """A specimen seen through optics by a camera.

    Positions ``x_um``, ``y_um`` are field centres in slide coordinates; ``axial_um`` grows as sample and objective come
    together.

    Parameters
    ----------
    specimen : Specimen
        The slide; anything with its ``field`` method serves.
    optics : Optics
        The lens and the light.
    camera : Camera
        The camera.
    shape : tuple of int
        Height and width of an image, px.
    """

    def __init__(
        self, specimen: Specimen, optics: Optics, camera: Camera | None = None, shape: tuple[int, int] = (1024, 1224)
    ) -> None:
        if len(shape) != 2 or min(shape) < 16:
            raise InputError(f"An image needs at least 16 x 16 px; found {shape}.")
        self.specimen = specimen
        self.optics = optics
        self.camera = camera or Camera()
        self._shape = (int(shape[0]), int(shape[1]))
        self._formation = ImageFormation(optics)
        self._fields: dict[tuple[float, float], FieldContent] = {}
        self._lit: tuple[tuple[float, float, float], FloatImage] | None = None

    @classmethod
    def build(
        cls,
        stain: str = "he",
        density: str = "dense",
        objective: str | Objective = "20x/0.75",
        *,
        seed: int = 0,
        shape: tuple[int, int] = (1024, 1224),
        even: bool = False,
        topography: Topography | None = None,
        bare: float = 0.0,
        camera: Camera | None = None,
        **optics: Any,
    ) -> Scene:
        """A scene from names and numbers.

        Parameters
        ----------
        stain, density, seed, topography, bare
            Of the specimen.
        objective : str or Objective
            As :meth:`Objective.parse` reads it.
        even : bool
            Even optics: the negative control.
        **optics
            Further settings of :class:`Optics`.
        """
        lens = Objective.parse(objective) if isinstance(objective, str) else objective
        more: dict[str, Any] = {"topography": topography} if topography else {}
        slide = Specimen(stain=stain, density=density, seed=seed, bare=bare, **more)
        return cls(slide, Optics(lens, even=even, **optics), camera, shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to another process without its kept fields."""
        return Scene, (self.specimen, self.optics, self.camera, self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of an image, px."""
        return self._shape

    @property
    def objective(self) -> Objective:
        """The objective."""
        return self.optics.objective

    @property
    def pixel_size_um(self) -> float:
        """Size of a pixel in the sample, µm."""
        return self.objective.pixel_size_um

    @property
    def margin_px(self) -> int:
        """Neighbourhood from which blur reaches into the field at 10 µm or four depths of field, px."""
        radius = self.optics.blur_radius_um(max(10.0, 4 * self.objective.dof_um)) / self.pixel_size_um
        return min(math.ceil(radius) + 8, _LARGEST_MARGIN_PX)

    def content_at(self, x_um: float, y_um: float) -> FieldContent:
        """What stands in front of the objective there; the last fields are kept."""
        place = (float(x_um), float(y_um))
        if place not in self._fields:
            _check_finite(x_um=x_um, y_um=y_um)
            field = self.specimen.field(*place, self.shape, self.pixel_size_um, margin_px=self.margin_px)
            self._fields = dict([*self._fields.items()][1 - _FIELDS_KEPT :]) | {place: field}
        return self._fields[place]

    def best_focus_map(self, x_um: float, y_um: float) -> FloatImage:
        """The truth for each pixel: its axial position of best focus, µm, shape (Y, X)."""
        return self._formation.best_focus_map(self.content_at(x_um, y_um))

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        """The truth for the field: median over its content, or over the whole field where it has none, µm."""
        focus, mask = self.best_focus_map(x_um, y_um), has_content(self.content_at(x_um, y_um))
        return float(np.median(focus[mask] if mask.any() else focus))

    def render(self, x_um: float, y_um: float, axial_um: float) -> FloatImage:
        """Relative intensity without noise, shape (Y, X, 3)."""
        _check_finite(axial_um=axial_um)
        return self._formation.render(self.content_at(x_um, y_um), axial_um)

    def snap(
        self, x_um: float, y_um: float, axial_um: float, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> npt.NDArray[Any]:
        """A camera image, shape (Y, X, 3) or (Y, X), uint8 or uint16; quicker while nothing moves."""
        return self.camera.expose(self._light(x_um, y_um, axial_um), exposure_ms=exposure_ms, rng=rng)

    def _light(self, *place: float) -> FloatImage:
        """What reaches the camera; kept until stage or drive move."""
        kept = self._lit
        if kept is None or kept[0] != place:
            kept = self._lit = ((place[0], place[1], place[2]), self.render(*place))
        return kept[1]

    def stack(
        self,
        x_um: float,
        y_um: float,
        axial_um: Iterable[float],
        rng: np.random.Generator,
        *,
        exposure_ms: float | None = None,
    ) -> Iterator[npt.NDArray[Any]]:
        """Camera images of one field at several axial positions, one at a time."""
        for position in axial_um:
            yield self.snap(x_um, y_um, position, exposure_ms=exposure_ms, rng=rng)


def _check_finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(f"{name} must be a finite number of micrometres; found {value}.")
