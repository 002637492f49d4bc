"""The ways in which a whole frame may be disturbed: what a name and a strength do to its light.

Light is (Y, X, C), float32, full scale at 1. ``frames.py`` applies them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.models.disturbed.disturbances import as_jpeg, in_motion
from napari_autofocus.simulation import Camera

Float32 = npt.NDArray[np.float32]

FULL_WELL_E = 80_000.0
"""Electrons that fill a pixel of the camera whose light is taken away, as the simulated camera has them."""
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


_Way = Callable[[Float32, float, np.random.Generator], Float32]


@dataclass(frozen=True)
class Kind:
    """One way to disturb a frame.

    Parameters
    ----------
    befall : callable
        Light (Y, X, C) in [0, 1], strength and a generator in; disturbed light out. A length comes in px.
    least, most : float
        Allowed strengths.
    none : float or None
        The strength that changes nothing, if there is one.
    says : str
        What the strength is, for help and messages.
    is_length, needs_colour : bool
        Whether strengths are lengths in the sample, µm; whether a grey frame has nothing of the kind.
    random_light : bool
        Whether two shots of one field get it drawn apart, as noise is; a stage moves and dust lies alike in both.
    whole : bool
        Whether strengths are whole numbers.
    """

    befall: _Way
    least: float
    most: float
    none: float | None
    says: str
    is_length: bool = False
    needs_colour: bool = False
    random_light: bool = False
    whole: bool = False


def with_colours(light: npt.NDArray[Any]) -> Float32:
    """Light as (Y, X, C), whatever OpenCV made of a single colour."""
    return np.asarray(light if light.ndim == 3 else light[..., None], np.float32)


def _pixels_larger(light: Float32, percent: float) -> Float32:
    """The frame as a camera with larger pixels in the sample sees it."""
    height, width = light.shape[:2]
    size = max(round(width / (1 + percent / 100)), 1), max(round(height / (1 + percent / 100)), 1)
    return with_colours(cv2.resize(light, size, interpolation=cv2.INTER_AREA if percent > 0 else cv2.INTER_CUBIC))


def _turned(light: Float32, angle_deg: float) -> Float32:
    """Quarter turns are exact; between them the frame is interpolated and its corners are filled by reflection."""
    quarters, rest = divmod(angle_deg, 90)
    light = np.ascontiguousarray(np.rot90(light, int(quarters)))
    if rest == 0:
        return light
    height, width = light.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rest, 1.0)
    flags = cv2.INTER_CUBIC
    return with_colours(cv2.warpAffine(light, turn, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101))


def _mirrored(light: Float32, wanted: float) -> Float32:
    return np.ascontiguousarray(light[:, ::-1]) if wanted else light


def _moved(light: Float32, way_px: float, rng: np.random.Generator) -> Float32:
    """Noise is smeared together with the sample, which a moving stage does not do."""
    return in_motion(light, way_px, rng.uniform(0, 180))


def _shaded(light: Float32, count: float, rng: np.random.Generator) -> Float32:
    """Dust far from the sensor: faint, blurred shadows, as the simulated camera has them."""
    camera = Camera(vignetting=0.0, dust=int(count), dust_seed=int(rng.integers(1 << 30)))
    return light * camera.shading((light.shape[0], light.shape[1]))[..., None]


def _specked(light: Float32, count: float, rng: np.random.Generator) -> Float32:
    """Dust on the sensor: sharp dark specks of 2 to 8 px across that let through 20 to 60 % of the light."""
    height, width = light.shape[:2]
    passing = np.ones((height, width), np.float32)
    for _ in range(int(count)):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        cv2.ellipse(passing, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.2, 0.6), -1, cv2.LINE_8)
    return light * passing[..., None]


def _less_colour(light: Float32, share: float) -> Float32:
    grey = (light @ _GREY)[..., None]
    return np.asarray(grey + np.float32(share) * (light - grey), np.float32)


def _redder(light: Float32, gain: float) -> Float32:
    return light * np.array([gain, 1, 1], np.float32)


def _bluer(light: Float32, gain: float) -> Float32:
    return light * np.array([1, 1, gain], np.float32)


def _exposed(light: Float32, factor: float) -> Float32:
    return light * np.float32(factor)


def _dimmed(light: Float32, share: float, rng: np.random.Generator) -> Float32:
    """As bright as before from a share of the photons: the missing ones' shot noise is added."""
    variance = np.maximum(light, 0) * np.float32((1 / share - 1) / FULL_WELL_E)
    return np.asarray(light + np.sqrt(variance) * rng.standard_normal(light.shape, np.float32), np.float32)


def _noisier(light: Float32, sigma: float, rng: np.random.Generator) -> Float32:
    return light + np.float32(sigma) * rng.standard_normal(light.shape, np.float32)


def _through_file(light: Float32, quality: float) -> Float32:
    return as_jpeg(light, int(quality))


def _surely(way: Callable[[Float32, float], Float32]) -> _Way:
    """A way in which nothing is drawn."""
    return lambda light, strength, _: way(light, strength)


#: By name, in the order in which they befall a frame on its way from the sample to a file.
KINDS: dict[str, Kind] = {
    "pixel-percent": Kind(_surely(_pixels_larger), -50, 100, 0, "pixels larger by so many per cent than stated"),
    "rotation-deg": Kind(_surely(_turned), -360, 360, 0, "the frame turned by so many degrees"),
    "mirror": Kind(_surely(_mirrored), 0, 1, 0, "1: the frame mirrored left to right", whole=True),
    "motion-um": Kind(_moved, 0, 100, 0, "way of the sample during the exposure, in µm", is_length=True),
    "dust-shadows": Kind(_shaded, 0, 1000, 0, "number of blurred shadows of dust", whole=True),
    "dust-specks": Kind(_specked, 0, 10_000, 0, "number of sharp specks of dust", whole=True),
    "colour": Kind(_surely(_less_colour), 0, 1, 1, "share of the colour that is left", needs_colour=True),
    "red": Kind(_surely(_redder), 0.01, 100, 1, "gain of red", needs_colour=True),
    "blue": Kind(_surely(_bluer), 0.01, 100, 1, "gain of blue", needs_colour=True),
    "light": Kind(_dimmed, 1e-4, 1, 1, "share of the photons, the picture as bright as before", random_light=True),
    "exposure": Kind(_surely(_exposed), 1e-3, 100, 1, "factor on the brightness; what exceeds full scale is clipped"),
    "noise": Kind(_noisier, 0, 1, 0, "standard deviation of added noise; full scale is 1", random_light=True),
    "jpeg": Kind(
        _surely(_through_file), 1, 100, None, "quality of the JPEG file that the frame went through", whole=True
    ),
}
