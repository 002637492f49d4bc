"""Simulated slides to check a model on: seen through its optics, stained as it knows them, by a camera like its own.

Slides have seeds from :data:`FIRST_SEED` on, far from all that models learn from and are measured on elsewhere. Every
frame follows from the settings, the density and the number of its field alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.disturbed.frames import Disturbance
from napari_autofocus.models.evaluation import Known, KnownFrame, KnownPair
from napari_autofocus.models.package import CardOptics
from napari_autofocus.models.simulated.fields import FRAME, drawn_exposure, drawn_topography
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.specimen import DENSITIES, STAINS

FIRST_SEED = 20_000_000
_SEEDS_A_CHECK, _SEEDS_A_DENSITY = 1_000_000, 100_000
LEAST_CONTENT_UM2 = {"beads": 1.0}
"""A place is drawn again until the field holds that much content; of other stains :data:`USUAL_CONTENT_UM2`."""
USUAL_CONTENT_UM2 = 25.0
"""About a small nucleus."""
DIMMEST = {"fluorescence": 0.02, "beads": 0.02, "unstained": 0.3}
"""How much dimmer than usual a stain is taken: exposures reach from this share of the usual one up to it."""
_PLACES_TRIED, _SLIDE_UM = 200, 3000.0
_WITH_CONTENT = DENSITIES[:3]


class CheckedCard(Protocol):
    """What is asked of a model's card."""

    @property
    def stains(self) -> tuple[str, ...]: ...

    @property
    def optics(self) -> CardOptics: ...

    @property
    def dof_um(self) -> float: ...

    @property
    def range_um(self) -> float: ...

    @property
    def dz_um(self) -> float | None: ...


@dataclass(frozen=True)
class CheckSettings:
    """Which simulated slides, and how many frames of them.

    Parameters
    ----------
    fields : int
        Of each density, each of a slide of its own; stains in turn.
    draws : int
        Frames (or pairs) of each field, at random defocus within the model's range.
    seed : int
        Another seed, other slides.
    densities : tuple of str
        As the simulation spells them.
    stains : tuple of str
        Instead of the model's own.
    lens : Objective or None
        Instead of the model's own.
    insist : bool
        Ask although the optics are not the model's.
    disturbances : tuple of Disturbance
        What befalls every frame before the model sees it.
    shape : tuple of int
        Height and width of a frame, px.

    Raises
    ------
    InputError
        If there is nothing to be done, or a density or stain is unknown.
    """

    fields: int = 8
    draws: int = 4
    seed: int = 0
    densities: tuple[str, ...] = DENSITIES[:3]
    stains: tuple[str, ...] = ()
    lens: Objective | None = None
    insist: bool = False
    disturbances: tuple[Disturbance, ...] = ()
    shape: tuple[int, int] = FRAME

    def __post_init__(self) -> None:
        for what, value, most in (("fields", self.fields, _SEEDS_A_DENSITY), ("draws", self.draws, 10_000)):
            if not 1 <= value <= most:
                raise InputError(f"The number of {what} lies between 1 and {most:,}; found {value}.")
        if self.seed < 0:
            raise InputError(f"The seed is a whole number of at least 0; found {self.seed}.")
        for known, names in ((DENSITIES, self.densities), (STAINS, self.stains)):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise InputError(f"{unknown[0]!r} cannot be simulated; choose among {', '.join(known)}.")

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Density and number of each field."""
        return tuple((density, number) for density in self.densities for number in range(self.fields))

    @property
    def frames(self) -> int:
        """Number of frames in all."""
        return len(self.places) * self.draws

    def slide_seed(self, density: str, number: int) -> int:
        """Of the slide of a field; no two fields share it."""
        return FIRST_SEED + self.seed * _SEEDS_A_CHECK + DENSITIES.index(density) * _SEEDS_A_DENSITY + number


def check_stains(card: CheckedCard, settings: CheckSettings) -> tuple[str, ...]:
    """The stains to simulate: those asked for, otherwise the model's.

    Raises
    ------
    InputError
        If nobody names one that can be simulated.
    """
    stains = settings.stains or tuple(stain for stain in card.stains if stain in STAINS)
    if not stains:
        named = f"the model was made for {', '.join(card.stains)}" if card.stains else "the model's card names no stain"
        raise InputError(
            f"Which slides to simulate is unknown: {named}; choose with --stain, among {', '.join(STAINS)}."
        )
    return stains


def check_lens(card: CheckedCard, settings: CheckSettings | None = None) -> Objective:
    """The objective to simulate, with the model's depth of field unless another objective is asked for."""
    if settings is not None and settings.lens is not None:
        return settings.lens
    return replace(card.optics.objective, stated_dof_um=card.dof_um)


def check_field(card: CheckedCard, settings: CheckSettings, density: str, number: int) -> Iterator[Known]:
    """The frames of one field with their truth; pairs of frames for a model of two shots.

    Parameters
    ----------
    card : CheckedCard
        Says what to simulate.
    settings : CheckSettings
        Which slides.
    density, number
        One of the settings' places.
    """
    seed = settings.slide_seed(density, number)
    stains, lens = check_stains(card, settings), check_lens(card, settings)
    stain = stains[(number + DENSITIES.index(density)) % len(stains)]
    scene, place, rng = _slide(card, lens, stain, density, seed, settings.shape)
    focus_um, dz_um = scene.best_focus_um(*place), card.dz_um
    said = f"simulated-{seed}", f"simulated-{seed}", stain, density, ImageOptics(lens)
    for true_um in rng.uniform(-card.range_um, card.range_um, settings.draws):
        exposure_ms, axial_um = _exposure_ms(scene, rng), focus_um + float(true_um)
        frame = scene.snap(*place, axial_um, exposure_ms=exposure_ms, rng=rng)
        if dz_um is None:
            yield KnownFrame(frame, float(true_um), *said)
        else:
            first = scene.snap(*place, axial_um - dz_um, exposure_ms=exposure_ms, rng=rng)
            yield KnownPair(first, frame, dz_um, float(true_um), *said)


def focal_series(
    card: CheckedCard, number: int, seed: int, defocus_um: Sequence[float], *, shape: tuple[int, int] = FRAME
) -> Iterator[KnownFrame]:
    """One field at several defocus values, for a model of one shot; densities and the model's stains take turns.

    Parameters
    ----------
    card : CheckedCard
        Says through which optics, by what camera.
    number : int
        Of the field in its series.
    seed : int
        Of the slide.
    defocus_um : sequence of float
        In this order, µm.
    shape : tuple of int
        Height and width of a frame, px.
    """
    lens, (turn, which) = check_lens(card), divmod(number, len(_WITH_CONTENT))
    stain, density = card.stains[turn % len(card.stains)], _WITH_CONTENT[which]
    scene, place, rng = _slide(card, lens, stain, density, seed, shape)
    focus_um, name = scene.best_focus_um(*place), f"simulated-{seed}"
    for true_um in map(float, defocus_um):
        frame = scene.snap(*place, focus_um + true_um, exposure_ms=_exposure_ms(scene, rng), rng=rng)
        yield KnownFrame(frame, true_um, name, name, stain, density, ImageOptics(lens))


def _slide(
    card: CheckedCard, lens: Objective, stain: str, density: str, seed: int, shape: tuple[int, int]
) -> tuple[Scene, tuple[float, float], np.random.Generator]:
    """A slide under the model's optics and camera, a place on it with content, and the chance that goes on from it."""
    rng = np.random.default_rng([seed, 60])
    camera = camera_of(card.optics.colour, int(rng.integers(1 << 30)))
    scene = Scene(Specimen(stain, density, seed, drawn_topography(rng)), Optics(lens), camera, shape)
    return scene, place_with_content(scene, rng), rng


def _exposure_ms(scene: Scene, rng: np.random.Generator) -> float:
    stain, camera = scene.specimen.stain, scene.camera
    light = drawn_exposure(camera, rng, DIMMEST[stain]) if stain in DIMMEST else 1.0
    return light * camera.default_exposure_ms


def camera_of(colour: str, dust_seed: int) -> Camera:
    """The usual camera: 8 bit in colour, 16 bit without."""
    if colour == "rgb":
        return Camera(dust_seed=dust_seed)
    return Camera(dust_seed=dust_seed, colour="mono", bit_depth=16)


def place_with_content(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """A random place on a slide, µm, that holds content unless the slide is empty.

    Raises
    ------
    InputError
        If no such place is found.
    """
    specimen = scene.specimen
    least_um2 = LEAST_CONTENT_UM2.get(specimen.stain, USUAL_CONTENT_UM2)
    least = least_um2 / (scene.shape[0] * scene.shape[1] * scene.pixel_size_um**2)
    for _ in range(_PLACES_TRIED):
        place = (float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)), float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)))
        if specimen.density == "empty" or has_content(scene.content_at(*place)).mean() >= least:
            return place
    raise InputError(
        f"No place with content was found on a slide of {specimen.stain}, {specimen.density}, in {_PLACES_TRIED} tries;"
        " choose a larger field, or another density."
    )
