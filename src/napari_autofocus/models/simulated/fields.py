"""Simulated slides to learn from: stains, densities, optics and cameras drawn at random around a preset.

Every field is a pure function of its seed. The optics of fields are drawn once for each run of seeds, because making
the transfer functions of new optics costs more than imaging a field.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.samples import FieldSample, FloatArray, importance_from_planes
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen, Topography
from napari_autofocus.simulation.layers import has_content

OpticsKind = Literal["nominal", "off_nominal", "even"]
Colour = Literal["rgb", "mono"]

#: A cover glass of this refractive index, thicker by t µm than the design, adds W040 = t·(n² − 1)/(8·n³)·NA⁴.
COVER_GLASS_INDEX = 1.515
FRAME = (1024, 1224)
#: Fields of neighbouring seeds that share their drawn optics.
FIELDS_OF_ONE_OPTICS = 96
_PLACES_TRIED = 8
#: NA and pixel size of even optics over the preset's; what lies between is left to measure with.
_EVEN_NA = ((0.6, 0.733), (1.0, 1.0), (1.067, 1.2))
_EVEN_PIXEL = ((0.77, 1.046), (1.385, 1.54))


@dataclass(frozen=True)
class SimulatedFields:
    """What to draw fields from.

    Parameters
    ----------
    objective : str
        The preset around which optics vary.
    stains, densities : tuple of str
        Drawn evenly, and with ``density_shares``.
    density_shares : tuple of float
        Share of the fields of each density.
    range_um : float
        Planes lie within ± this defocus, µm; somewhat more than the range the model is for.
    planes : int
        Planes a field: one in focus, the others one in each of as many equal parts of the range.
    shape : tuple of int
        Height and width of a field, px.
    patch_px, stride_px : int
        The patch grid.
    even_share, off_nominal_share : float
        Share of the fields imaged with even optics (negatives for the direction), and with optics off the preset.
    colour : {'rgb', 'mono'}
        What the camera sees; a monochrome one gives 16 bit.
    dimmest : float or None
        Exposures reach from this share of the usual one up to it, drawn by their logarithm; None for usual ones.
    """

    objective: str = "20x/0.75"
    stains: tuple[str, ...] = ("he", "ihc", "cytology", "blood")
    densities: tuple[str, ...] = ("dense", "sparse", "extremely-sparse", "empty")
    density_shares: tuple[float, ...] = (0.38, 0.32, 0.25, 0.05)
    range_um: float = 12.0
    planes: int = 13
    shape: tuple[int, int] = (512, 512)
    patch_px: int = 128
    stride_px: int = 64
    even_share: float = 0.12
    off_nominal_share: float = 0.25
    colour: Colour = "rgb"
    dimmest: float | None = None


def cover_glass_waves(thicker_by_um: float, na: float, wavelength_um: float = 0.54) -> float:
    """Primary spherical aberration W040, in waves, of a cover glass thicker than the design by so many µm."""
    n = COVER_GLASS_INDEX
    return thicker_by_um * (n**2 - 1) / (8 * n**3) * na**4 / wavelength_um


def simulate_fields(settings: SimulatedFields, seeds: Iterable[int]) -> Iterator[FieldSample]:
    """Fields with their truth, one for each seed.

    Parameters
    ----------
    settings : SimulatedFields
        What to draw from.
    seeds : iterable of int
        One slide each.
    """
    for seed in seeds:
        yield simulate_field(settings, seed)


def simulate_field(settings: SimulatedFields, seed: int) -> FieldSample:
    """The field of one seed: slide, place, optics, camera and planes are all drawn from it."""
    rng = np.random.default_rng([seed, 20])
    kind = _kind(settings, rng)
    optics = _optics(settings.objective, kind, seed // FIELDS_OF_ONE_OPTICS)
    density = str(rng.choice(settings.densities, p=settings.density_shares))
    stain = str(rng.choice(settings.stains))
    specimen = Specimen(stain, density, seed, drawn_topography(rng))
    scene = Scene(specimen, optics, _seen_by(drawn_camera(rng), settings), settings.shape)
    place = drawn_place(scene, rng)
    grid = PatchGrid(settings.shape, settings.patch_px, settings.stride_px)
    focus = patch_focus(scene, place, grid)
    axial = scene.best_focus_um(*place) + _planes(settings, rng)
    exposure_ms = scene.camera.default_exposure_ms * drawn_exposure(scene.camera, rng, settings.dimmest)
    frames = tuple(scene.stack(*place, axial, rng, exposure_ms=exposure_ms))
    defocus = (axial[:, None, None] - focus).astype(np.float32)
    importance = importance_from_planes(frames, defocus, grid, optics.objective.dof_um)
    return FieldSample(frames, grid, defocus, importance, kind != "even", f"simulated-{seed}", stain, density)


def simulate_frames(
    settings: SimulatedFields,
    seeds: Iterable[int],
    draws: int,
    range_um: float,
    *,
    shape: tuple[int, int] = FRAME,
    kind: OpticsKind = "nominal",
) -> Iterator[KnownFrame]:
    """Frames of whole fields through the usual camera, to calibrate with and to measure on.

    Parameters
    ----------
    settings : SimulatedFields
        Stains and densities; empty slides are left out.
    seeds : iterable of int
        One slide each.
    draws : int
        Frames of each field, at random defocus.
    range_um : float
        Within ± this, µm.
    shape : tuple of int
        Height and width of a frame, px.
    kind : {'nominal', 'off_nominal', 'even'}
        The preset's own optics, or drawn anew for every run of seeds.
    """
    shares = np.array(
        [0.0 if d == "empty" else s for d, s in zip(settings.densities, settings.density_shares, strict=True)]
    )
    for seed in seeds:
        optics = _optics(settings.objective, kind, seed // FIELDS_OF_ONE_OPTICS)
        rng = np.random.default_rng([seed, 21])
        density = str(rng.choice(settings.densities, p=shares / shares.sum()))
        stain = str(rng.choice(settings.stains))
        camera = _seen_by(Camera(), settings)
        scene = Scene(Specimen(stain, density, seed, drawn_topography(rng)), optics, camera, shape)
        place = drawn_place(scene, rng)
        for defocus_um in rng.uniform(-range_um, range_um, draws):
            light = 1.0 if settings.dimmest is None else drawn_exposure(camera, rng, settings.dimmest)
            axial_um, exposure_ms = scene.best_focus_um(*place) + defocus_um, light * camera.default_exposure_ms
            image = scene.snap(*place, axial_um, exposure_ms=exposure_ms, rng=rng)
            name = f"simulated-{seed}"
            known = ImageOptics(optics.objective)
            yield KnownFrame(image, float(defocus_um), name, name, stain, density, known, kind != "even")


def _kind(settings: SimulatedFields, rng: np.random.Generator) -> OpticsKind:
    chance = rng.random()
    if chance < settings.even_share:
        return "even"
    return "off_nominal" if chance < settings.even_share + settings.off_nominal_share else "nominal"


@lru_cache(maxsize=8)
def _optics(objective: str, kind: OpticsKind, run: int) -> Optics:
    """The optics of a kind in one run of seeds."""
    lens = Objective.parse(objective)
    rng = np.random.default_rng([run, ("nominal", "off_nominal", "even").index(kind), 75])
    if kind == "nominal":
        return Optics(lens)
    if kind == "off_nominal":
        return off_nominal(lens, rng)
    na, pixel_um = lens.na * _from_bands(_EVEN_NA, rng), lens.pixel_size_um * _from_bands(_EVEN_PIXEL, rng)
    return Optics(replace(lens, na=na, stated_dof_um=lens.stated_dof_um).with_pixel_size(pixel_um), even=True)


def off_nominal(lens: Objective, rng: np.random.Generator) -> Optics:
    """Optics as a preset's next copy may have them: NA ± 3 %, cover glass ± 5 µm, chromatic shift ± 20 %, each even."""
    actual = replace(lens, na=lens.na * rng.uniform(0.97, 1.03))
    usual = Optics(actual)
    red, green, blue = (shift * rng.uniform(0.8, 1.2) for shift in usual.colour_offsets_um)
    waves = usual.spherical_waves + cover_glass_waves(rng.uniform(-5, 5), lens.na)
    return Optics(actual, spherical_waves=waves, chromatic_shift_um=(red, green, blue))


def _from_bands(bands: tuple[tuple[float, float], ...], rng: np.random.Generator) -> float:
    return float(rng.uniform(*bands[rng.integers(len(bands))]))


def drawn_topography(rng: np.random.Generator) -> Topography:
    """A tilt of up to 2 µm/mm in any direction; one slide in ten is badly clamped, with 5 µm/mm."""
    angle = rng.uniform(0, 2 * math.pi)
    slope = 5.0 if rng.random() < 0.1 else rng.uniform(0, 2)
    return Topography(slope * math.cos(angle), slope * math.sin(angle))


def drawn_camera(rng: np.random.Generator) -> Camera:
    """Half of the cameras as they come, half with other wells, gain, shading, dust and motion."""
    if rng.random() < 0.5:
        return Camera(dust_seed=int(rng.integers(1000)))
    return Camera(
        full_well_e=float(np.exp(rng.uniform(np.log(20_000), np.log(150_000)))),
        read_noise_e=float(rng.uniform(3, 9)),
        gain=float(rng.uniform(0.8, 1.15)),
        vignetting=float(rng.uniform(0, 0.15)),
        dust=int(rng.integers(0, 6)),
        dust_seed=int(rng.integers(1000)),
        motion_blur_px=float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0,
        motion_angle_deg=float(rng.uniform(0, 180)),
    )


def drawn_exposure(camera: Camera, rng: np.random.Generator, dimmest: float | None = None) -> float:
    """Exposure relative to the default that saturates nothing, down to the dimmest where light is scarce."""
    most = min(1.15, 1.15 / camera.gain)
    if dimmest is None:
        return float(rng.uniform(0.8, most))
    return float(np.exp(rng.uniform(np.log(dimmest), np.log(most))))


def _seen_by(camera: Camera, settings: SimulatedFields) -> Camera:
    return camera if settings.colour == "rgb" else replace(camera, colour="mono", bit_depth=16)


def drawn_place(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """A place on the slide, with content if the slide is not empty and a few tries find any."""
    place = (0.0, 0.0)
    for _ in range(_PLACES_TRIED):
        place = (float(rng.uniform(-3000, 3000)), float(rng.uniform(-3000, 3000)))
        if scene.specimen.density == "empty" or has_content(scene.content_at(*place)).mean() > 0.001:
            break
    return place


def patch_focus(scene: Scene, place: tuple[float, float], grid: PatchGrid) -> FloatArray:
    """True best focus of each patch: the mean over its content, or over all of it where it has none, µm."""
    focus = scene.best_focus_map(*place)
    weight = has_content(scene.content_at(*place)).astype(np.float32) + np.float32(1e-4)
    return np.asarray(grid.block_sum(focus * weight) / grid.block_sum(weight), np.float32)


def _planes(settings: SimulatedFields, rng: np.random.Generator) -> FloatArray:
    """Defocus of the planes, µm: the first in focus, the others one in each part of the range, in any order."""
    edges = np.linspace(-settings.range_um, settings.range_um, settings.planes)
    spread = rng.uniform(edges[:-1], edges[1:])
    return np.concatenate([[0.0], rng.permutation(spread)]).astype(np.float32)
