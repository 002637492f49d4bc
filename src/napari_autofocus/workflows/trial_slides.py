"""The simulated slides that trials run on: one for all of them, or another for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_autofocus.optics import Objective
from napari_autofocus.simulation.cameras import usual_camera
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.scene import Scene

MIXED = "mixed"
MIXED_DENSITIES = ("dense", "sparse", "extremely-sparse")
LEAST_CONTENT_UM2 = 25.0
"""A field holds content from so much stained (or bright) area on: about a small nucleus."""


@dataclass(frozen=True)
class TrialSlide:
    """A slide for some trials, with the names it was made of."""

    stain: str
    density: str
    scene: Scene
    trials: int

    def serves(self, place: tuple[float, float]) -> bool:
        """Whether the field at a place, µm, is what the slide's density promises: not empty unless it says so."""
        if self.density == "empty":
            return True
        content_px = int(has_content(self.scene.content_at(*place)).sum())
        return content_px * self.scene.pixel_size_um**2 >= LEAST_CONTENT_UM2


@dataclass(frozen=True)
class TrialSlides:
    """Which slides.

    Parameters
    ----------
    stain, density : str
        As a specimen spells them, or ``mixed``: drawn for each trial, the density from those with content.
    objective : Objective
        Seen through this.
    seed : int
        Same seed, same slides.
    shape : tuple of int
        Height and width of a field, px.
    exposure_ms : float
        The lamp is set so that frames of this exposure time are well exposed.
    stains : tuple of str
        What ``mixed`` draws stains from.
    camera : {'rgb', 'mono'} or None
        None for the one that is usual for each stain.
    """

    stain: str
    density: str
    objective: Objective
    seed: int
    shape: tuple[int, int]
    exposure_ms: float
    stains: tuple[str, ...] = ("he", "ihc", "cytology", "blood")
    camera: str | None = None

    def slides(self, trials: int) -> Iterator[TrialSlide]:
        """One slide for all trials, or one for each where anything is mixed. Raises InputError for an unknown name."""
        if MIXED not in (self.stain, self.density):
            yield self._slide(self.stain, self.density, self.seed, trials)
            return
        rng = np.random.default_rng([self.seed, 1])
        for _ in range(trials):
            stain = str(rng.choice(self.stains)) if self.stain == MIXED else self.stain
            density = str(rng.choice(MIXED_DENSITIES)) if self.density == MIXED else self.density
            yield self._slide(stain, density, int(rng.integers(2**31)), 1)

    def _slide(self, stain: str, density: str, seed: int, trials: int) -> TrialSlide:
        camera = usual_camera(stain, self.camera, exposure_ms=self.exposure_ms)
        scene = Scene.build(stain, density, self.objective, seed=seed, shape=self.shape, camera=camera)
        return TrialSlide(stain, density, scene, trials)
