"""What every room's tests share: a small simulated rig on a virtual clock, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig

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


@pytest.fixture
def texture_scene() -> TextureScene:
    return TextureScene()


@pytest.fixture
def make_rig(texture_scene: TextureScene) -> Iterator[RigMaker]:
    """Make simulated rigs, by default of the texture scene on a virtual clock; they are closed in the end."""
    rigs: list[SimulatedRig] = []

    def make(scene: Any = texture_scene, **settings: Any) -> SimulatedRig:
        rigs.append(simulated_rig(scene, **{"clock": VirtualClock(), **settings}))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: RigMaker) -> SimulatedRig:
    return make_rig()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of public stacks that tests on real data read; those tests are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NAPARI_AUTOFOCUS_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name their folder in NAPARI_AUTOFOCUS_REAL_DATA")
    return folder
