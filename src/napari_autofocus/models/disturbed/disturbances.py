"""What befalls a patch between the slide and the network: files, motion, noise, the colour of the lamp.

Training shows patches so disturbed, so that a network answers alike. Nothing here changes where focus is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.camera import motion_kernel

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Disturbances:
    """How patches are varied when they are shown; by default their colours only, a little.

    Parameters
    ----------
    jpeg, motion, noise, dim : float
        Share of the patches, in [0, 1], that pass through a JPEG file, are blurred by a moving stage, become noisier,
        are exposed too short.
    quality : tuple of int
        Range of the files' quality.
    darkest : float
        Short exposures are drawn, by their logarithm, from this share of the usual one up.
    longest_motion_px : float
        Ways of the sample during the exposure are drawn evenly up to this, px.
    strongest_noise : float
        Standard deviations of added noise are drawn evenly up to this; full scale is 1.
    gain_jitter : float
        Each colour is brightened by a random factor within 1 ± this.

    Raises
    ------
    InputError
        If a value is outside its range.
    """

    jpeg: float = 0.0
    motion: float = 0.0
    noise: float = 0.0
    dim: float = 0.0
    quality: tuple[int, int] = (30, 95)
    darkest: float = 0.25
    longest_motion_px: float = 5.0
    strongest_noise: float = 0.02
    gain_jitter: float = 0.05

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("jpeg", "motion", "noise", "dim", "gain_jitter")}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(f"The share {name} lies between 0 and 1; found {share}.")
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise InputError(f"JPEG quality lies between 1 and 100; found {self.quality}.")
        if not 0 < self.darkest <= 1:
            raise InputError(f"The shortest exposure is a share over 0 of the usual one; found {self.darkest}.")
        if min(self.longest_motion_px, self.strongest_noise) < 0:
            raise InputError(
                f"Motion and noise are not negative; found {self.longest_motion_px} px and {self.strongest_noise}."
            )

    @property
    def any(self) -> bool:
        """Whether more than colours varies."""
        return max(self.jpeg, self.motion, self.noise, self.dim) > 0

    def befall(self, patch: Float32, rng: np.random.Generator) -> Float32:
        """A patch (Y, X, C) in [0, 1] as it may have come: moved while it was taken, noisier, out of a file.

        Colours vary apart from this.
        """
        if rng.random() < self.motion:
            patch = in_motion(patch, rng.uniform(0, self.longest_motion_px), rng.uniform(0, 180))
        if rng.random() < self.dim:
            patch = patch * np.float32(np.exp(rng.uniform(np.log(self.darkest), 0)))
        if rng.random() < self.noise:
            sigma = np.float32(rng.uniform(0, self.strongest_noise))
            patch = np.clip(patch + sigma * rng.standard_normal(patch.shape, np.float32), 0, 1)
        if rng.random() < self.jpeg:
            patch = as_jpeg(patch, int(rng.integers(*self.quality, endpoint=True)))
        return patch


def in_motion(image: Float32, way_px: float, angle_deg: float) -> Float32:
    """An image (Y, X, C) that moved by so many px while it was taken; 0° is along rows."""
    if way_px <= 0:
        return image
    blurred = cv2.filter2D(image, -1, motion_kernel(way_px, angle_deg), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(image.shape)


def as_jpeg(image: Float32, quality: int) -> Float32:
    """An image (Y, X, C) in [0, 1] after it was written to a JPEG file and read again."""
    plain = np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
    swap: Callable[[UInt8], UInt8] = lambda colours: colours[..., ::-1] if colours.shape[-1] == 3 else colours  # noqa: E731
    _, written = cv2.imencode(".jpg", np.ascontiguousarray(swap(plain)), [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = np.asarray(cv2.imdecode(written, cv2.IMREAD_UNCHANGED), np.uint8).reshape(plain.shape)
    return np.asarray(swap(read), np.float32) / np.float32(255)
