"""What tests of several rooms build simulated rigs of; a module of its own, since every folder may have a conftest."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated import SimulatedRig

RigMaker = Callable[..., SimulatedRig]


class TextureScene:
    """Random texture that blurs evenly with defocus: quick, and in focus at ``best_um`` everywhere."""

    pixel_size_um = 0.325

    def __init__(self, shape: tuple[int, int] = (64, 80), best_um: float = 1.5, noise: float = 1.0) -> None:
        self.shape = shape
        self.best_um = best_um
        self.noise = noise
        self._texture = np.random.default_rng(1).random((*shape, 3), dtype=np.float32)

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return self.best_um

    def snap(
        self, x_um: float, y_um: float, axial_um: float, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> Image:
        blurred = cv2.GaussianBlur(self._texture, (0, 0), 0.4 + 0.5 * min(abs(axial_um - self.best_um), 40.0))
        noisy = 20 + 200 * blurred + self.noise * rng.normal(size=blurred.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)
