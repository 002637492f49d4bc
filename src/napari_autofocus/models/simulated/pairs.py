"""Simulated slides for two shots: fields seen at z and at z + Δ, through optics of either sign of aberration, and even.

Direction has to be learned from what changes between the shots, not from what tells it in one of them: a good part of
the optics are even or mirrored. Every field is a pure function of its seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.evaluation import KnownPair
from napari_autofocus.models.samples import FieldSample, FloatArray, importance_from_planes
from napari_autofocus.models.simulated.fields import (
    FIELDS_OF_ONE_OPTICS,
    FRAME,
    drawn_camera,
    drawn_exposure,
    drawn_place,
    drawn_topography,
    off_nominal,
    patch_focus,
)
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Optics, Scene, Specimen

PairOptics = Literal["nominal", "off_nominal", "even", "mirrored"]
_KINDS: tuple[PairOptics, ...] = ("nominal", "off_nominal", "even", "mirrored")


@dataclass(frozen=True)
class SimulatedPairs:
    """What to draw fields from.

    Parameters
    ----------
    objective : str
        The preset around which optics vary.
    stains, densities : tuple of str
        Drawn evenly, and with ``density_shares``.
    density_shares : tuple of float
        Share of the fields of each density.
    dz_um : float
        Defocus of the second shot minus the first's, µm.
    dz_error_um : float
        Standard deviation of what the stage really moves, µm.
    range_um : float
        Second shots lie within ± this defocus, µm; somewhat more than the range the model is for.
    pairs : int
        Pairs a field, one in each of as many equal parts of the range.
    shape : tuple of int
        Height and width of a field, px.
    patch_px, stride_px : int
        The patch grid.
    optics_shares : tuple of float
        Share of the fields seen through the preset's optics, some off the preset, even ones and mirrored ones.
    """

    objective: str = "20x/0.75"
    stains: tuple[str, ...] = ("he", "cytology", "blood")
    densities: tuple[str, ...] = ("dense", "sparse", "extremely-sparse")
    density_shares: tuple[float, ...] = (0.5, 0.3, 0.2)
    dz_um: float = 2.0
    dz_error_um: float = 0.03
    range_um: float = 11.0
    pairs: int = 8
    shape: tuple[int, int] = (512, 512)
    patch_px: int = 128
    stride_px: int = 64
    optics_shares: tuple[float, float, float, float] = (0.45, 0.25, 0.18, 0.12)


def simulate_pair_fields(settings: SimulatedPairs, seeds: Iterable[int]) -> Iterator[FieldSample]:
    """Fields with their truth, one for each seed: frames of six channels, the first shot's colours before the second's.

    Labels are the defocus of the second shot.
    """
    for seed in seeds:
        yield _simulate_field(settings, seed)


def _simulate_field(settings: SimulatedPairs, seed: int) -> FieldSample:
    rng = np.random.default_rng([seed, 40])
    kind = _KINDS[int(rng.choice(4, p=settings.optics_shares))]
    optics = pair_optics(settings.objective, kind, seed // FIELDS_OF_ONE_OPTICS)
    density = str(rng.choice(settings.densities, p=settings.density_shares))
    stain = str(rng.choice(settings.stains))
    scene = Scene(Specimen(stain, density, seed, drawn_topography(rng)), optics, drawn_camera(rng), settings.shape)
    place = drawn_place(scene, rng)
    grid = PatchGrid(settings.shape, settings.patch_px, settings.stride_px)
    focus = patch_focus(scene, place, grid)
    exposure_ms = scene.camera.default_exposure_ms * drawn_exposure(scene.camera, rng)
    second = scene.best_focus_um(*place) + _seconds(settings, rng)
    first = second - settings.dz_um - rng.normal(0, settings.dz_error_um, second.shape)
    axial = np.concatenate([[scene.best_focus_um(*place)], first, second])
    frames = tuple(scene.stack(*place, axial, rng, exposure_ms=exposure_ms))
    importance = importance_from_planes(frames, _defocus(axial, focus), grid, optics.objective.dof_um)
    firsts, seconds = frames[1 : 1 + settings.pairs], frames[1 + settings.pairs :]
    both = tuple(np.concatenate([low, high], axis=2) for low, high in zip(firsts, seconds, strict=True))
    return FieldSample(both, grid, _defocus(second, focus), importance, True, f"simulated-{seed}", stain, density)


def simulate_pairs(
    settings: SimulatedPairs,
    seeds: Iterable[int],
    draws: int,
    range_um: float,
    *,
    shape: tuple[int, int] = FRAME,
    kind: PairOptics = "nominal",
) -> Iterator[KnownPair]:
    """Pairs of frames of whole fields through the usual camera, to calibrate with and to measure on.

    Parameters
    ----------
    settings : SimulatedPairs
        Stains, densities and Δ.
    seeds : iterable of int
        One slide each.
    draws : int
        Pairs of each field, at random defocus.
    range_um : float
        Second shots within ± this, µm.
    shape : tuple of int
        Height and width of a frame, px.
    kind : {'nominal', 'off_nominal', 'even', 'mirrored'}
        Optics; those off the preset are drawn anew for every run of seeds.
    """
    for seed in seeds:
        rng = np.random.default_rng([seed, 41])
        optics = pair_optics(settings.objective, kind, seed // FIELDS_OF_ONE_OPTICS)
        density = str(rng.choice(settings.densities, p=settings.density_shares))
        stain = str(rng.choice(settings.stains))
        scene = Scene(Specimen(stain, density, seed, drawn_topography(rng)), optics, shape=shape)
        place = drawn_place(scene, rng)
        focus = scene.best_focus_um(*place)
        for defocus_um in rng.uniform(-range_um, range_um, draws):
            first = scene.snap(*place, focus + defocus_um - settings.dz_um, rng=rng)
            second = scene.snap(*place, focus + defocus_um, rng=rng)
            name, known = f"simulated-{seed}", ImageOptics(optics.objective)
            yield KnownPair(first, second, settings.dz_um, float(defocus_um), name, name, stain, density, known)


@lru_cache(maxsize=8)
def pair_optics(objective: str, kind: PairOptics, run: int) -> Optics:
    """The optics of a kind in one run of seeds; mirrored: off the preset, with all aberrations of the other sign."""
    lens = Objective.parse(objective)
    if kind == "nominal":
        return Optics(lens)
    if kind == "even":
        return Optics(lens, even=True)
    drawn = off_nominal(lens, np.random.default_rng([run, 42]))
    if kind == "off_nominal":
        return drawn
    red, green, blue = (-shift for shift in drawn.colour_offsets_um)
    return replace(drawn, spherical_waves=-drawn.spherical_waves, chromatic_shift_um=(red, green, blue))


def _defocus(axial_um: FloatArray, focus_um: FloatArray) -> FloatArray:
    return np.asarray(axial_um[:, None, None] - focus_um, np.float32)


def _seconds(settings: SimulatedPairs, rng: np.random.Generator) -> FloatArray:
    edges = np.linspace(-settings.range_um, settings.range_um, settings.pairs + 1)
    return rng.permutation(rng.uniform(edges[:-1], edges[1:])).astype(np.float32)
