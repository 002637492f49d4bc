"""Simulated slides for virtual refocusing: places in focus and in pairs of shots either side of it, without noise.

Every field is a pure function of its seed. As in Li et al. (arXiv:2003.06630) the middle of the two shots misses focus
by an error of N(0, 1) µm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from napari_autofocus.models.refocus.evaluation import KnownShots
from napari_autofocus.models.refocus.samples import FULL_SCALE, RefocusSample
from napari_autofocus.models.simulated.fields import FIELDS_OF_ONE_OPTICS, drawn_place, off_nominal
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Optics, Scene, Specimen, Topography
from napari_autofocus.simulation.camera import WELL_EXPOSED
from napari_autofocus.simulation.layers import has_content

UInt16 = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class SimulatedPlaces:
    """What to draw places from.

    Parameters
    ----------
    objective : str
        The preset around which optics vary.
    stains, densities : tuple of str
        Drawn evenly, and with ``density_shares``.
    density_shares : tuple of float
        Share of the fields of each density.
    shape : tuple of int
        Height and width of a field, px.
    side_px, places : int
        Side of a stored place, and how many of a field, the likelier the more content they have.
    pairs, astray : int
        Pairs of shots of each field; in so many of them the middle lies anywhere within ``astray_um`` of focus, so that
        both shots may be far off on one side: the network learns to say that it is unsure.
    half_um : tuple of float
        Range of half the distance between two shots, µm.
    error_um : float
        Standard deviation of the middle from focus, µm.
    astray_um : float
        See ``astray``.
    off_nominal_share : float
        Share of the fields imaged with optics off the preset.
    """

    objective: str = "20x/0.75"
    stains: tuple[str, ...] = ("he", "cytology", "blood")
    densities: tuple[str, ...] = ("dense", "sparse", "extremely-sparse")
    density_shares: tuple[float, ...] = (0.6, 0.3, 0.1)
    shape: tuple[int, int] = (768, 768)
    side_px: int = 192
    places: int = 6
    pairs: int = 6
    astray: int = 1
    half_um: tuple[float, float] = (0.3, 3.3)
    error_um: float = 1.0
    astray_um: float = 7.0
    off_nominal_share: float = 0.3


def simulate_places(settings: SimulatedPlaces, seeds: Iterable[int]) -> Iterator[RefocusSample]:
    """Places with their truth, several for each seed."""
    for seed in seeds:
        yield from _simulate_field(settings, seed)


def simulate_shots(
    settings: SimulatedPlaces, seeds: Iterable[int], half_um: Sequence[float], *, shape: tuple[int, int] | None = None
) -> Iterator[KnownShots]:
    """Pairs of shots of whole fields through the preset's optics and the usual camera, to measure on.

    Parameters
    ----------
    settings : SimulatedPlaces
        Stains, densities, and how far the middle of the shots misses focus.
    seeds : iterable of int
        One slide each.
    half_um : sequence of float
        Half the distance of the two shots: one pair for each, all with the field's own error, µm.
    shape : tuple of int, optional
        Height and width of a shot, px; that of the settings unless given.
    """
    optics = Optics(Objective.parse(settings.objective))
    for seed in seeds:
        rng = np.random.default_rng([seed, 32])
        density = str(rng.choice(settings.densities, p=settings.density_shares))
        stain = str(rng.choice(settings.stains))
        scene = Scene(Specimen(stain, density, seed, _tilted(rng)), optics, shape=shape or settings.shape)
        at = drawn_place(scene, rng)
        focus, error = scene.best_focus_um(*at), float(rng.normal(0, settings.error_um))
        truth = scene.snap(*at, focus, rng=rng)
        shading = scene.camera.shading(scene.shape)[..., None]
        light = np.minimum(scene.render(*at, focus) * shading * np.float32(WELL_EXPOSED), 1)
        for half in half_um:
            first, second = (scene.snap(*at, focus + error + side * half, rng=rng) for side in (-1, 1))
            yield KnownShots(first, second, truth, light, half, error, f"simulated-{seed}", stain, density)


def _simulate_field(settings: SimulatedPlaces, seed: int) -> Iterator[RefocusSample]:
    rng = np.random.default_rng([seed, 30])
    scene, stain = _scene(settings, seed, rng)
    at = drawn_place(scene, rng)
    focus = scene.best_focus_um(*at)
    half = rng.uniform(*settings.half_um, settings.pairs).astype(np.float32)
    error = (rng.standard_normal(settings.pairs) * settings.error_um).astype(np.float32)
    error[: settings.astray] = rng.uniform(-settings.astray_um, settings.astray_um, settings.astray)
    corners = list(_corners(scene, at, settings, rng))
    parts = [(slice(y, y + settings.side_px), slice(x, x + settings.side_px)) for y, x in corners]

    def seen(axial_um: float) -> list[UInt16]:
        light = scene.render(*at, axial_um) * np.float32(WELL_EXPOSED * FULL_SCALE)
        stored = np.clip(light + 0.5, 0, FULL_SCALE).astype(np.uint16)
        return [stored[part] for part in parts]

    truths = seen(focus)
    shots = [[seen(focus + e - h), seen(focus + e + h)] for e, h in zip(error, half, strict=True)]
    for number, truth in enumerate(truths):
        own = np.stack([np.stack([low[number], high[number]]) for low, high in shots])
        yield RefocusSample(truth, own, half, error, False, f"simulated-{seed}", stain)


def _scene(settings: SimulatedPlaces, seed: int, rng: np.random.Generator) -> tuple[Scene, str]:
    nominal = rng.random() >= settings.off_nominal_share
    optics = _optics(settings.objective, nominal, seed // FIELDS_OF_ONE_OPTICS)
    density = str(rng.choice(settings.densities, p=settings.density_shares))
    stain = str(rng.choice(settings.stains))
    return Scene(Specimen(stain, density, seed, _tilted(rng)), optics, shape=settings.shape), stain


def _tilted(rng: np.random.Generator) -> Topography:
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 1.5)
    return Topography(slope * math.cos(angle), slope * math.sin(angle))


@lru_cache(maxsize=4)
def _optics(objective: str, nominal: bool, run: int) -> Optics:
    lens = Objective.parse(objective)
    return Optics(lens) if nominal else off_nominal(lens, np.random.default_rng([run, 31]))


def _corners(
    scene: Scene, at: tuple[float, float], settings: SimulatedPlaces, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Upper left corners of places that do not overlap, px."""
    content, side = has_content(scene.content_at(*at)), settings.side_px
    rows, columns = (size // side for size in settings.shape)
    inside = content[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3)).ravel()
    chance = inside + 0.01
    count = min(settings.places, chance.size)
    for index in rng.choice(chance.size, count, replace=False, p=chance / chance.sum()):
        yield int(index) // columns * side, int(index) % columns * side
