"""The simulated fields of ``robustness.py``, and all that befalls them: names, strengths and how each is done.

What the optics or the camera do is done by the simulated optics and camera, on the light of one and the same frame;
what befalls a frame afterwards by ``models/disturbed/frames.py``. Slides have seeds from 30,000,000 on; training uses
seeds below 1,000,000, and ``single_shot.py`` others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from napari_autofocus.models.disturbed.frames import KINDS, Disturbance, disturbed_image
from napari_autofocus.models.package import ModelCard
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen, Topography
from napari_autofocus.simulation.content import FieldContent
from napari_autofocus.simulation.layers import has_content

FIRST_SEED = 30_000_000
DENSITIES = ("dense", "sparse", "extremely-sparse")
SHAPE = (1024, 1224)
LEAST_CONTENT_UM2 = 25.0
_PLACES_TRIED = 200
_SLIDE_UM = 3000.0
CLEAN = "clean"

CASES: dict[str, tuple[float | str, ...]] = {
    "jpeg": (95, 90, 85, 75, 60, 50, 40, 30),
    "motion-um": (0.25, 0.5, 1, 1.5, 2, 3, 4),
    "noise": (0.005, 0.01, 0.02, 0.05),
    "full-well": (1 / 4, 1 / 16, 1 / 64),
    "exposure": (1 / 16, 1 / 8, 0.25, 0.5, 0.75, 1.15, 1.3, 1.6, 2, 3),
    "red": (0.7, 0.85, 1.2, 1.4),
    "blue": (0.7, 0.85, 1.2, 1.4),
    "colour": (0.5, 0),
    "dust-shadows": (15, 30, 60),
    "dust-specks": (10, 100, 1000),
    "rotation-deg": (15, 45, 90, 180, 270),
    "mirror": (1,),
    "pixel-percent": (-20, -10, -5, -2, 2, 5, 10, 20),
    "beyond": (1.05, 1.1, 1.25, 1.5, 2, 3),
    "dye-amount": (0.25, 0.5, 2),
    "dye-hue-deg": (60, 120, 180, 240, 300),
    "stain": ("unstained", "fluorescence"),
    "tilt": (5, 10, 20),
}
"""Strengths of each case, besides the clean frame. Rendered anew, and for half of the draws: from ``beyond`` on."""
RENDERED = ("beyond", "dye-amount", "dye-hue-deg", "stain", "tilt")
BY_CAMERA = ("full-well", "exposure", "motion-um", "dust-shadows")
COLOUR_ONLY = ("red", "blue", "colour", "dye-amount", "dye-hue-deg", "stain")
MEANS = {
    "full-well": "full well over the usual 80,000 electrons, hence photons of a picture as bright",
    "exposure": "exposure over the usual one, at which empty ground has 85 % of full scale",
    "motion-um": "way of the sample during the exposure at a random angle, µm (the camera's: noise is not smeared)",
    "dust-shadows": "blurred shadows of dust on the camera; clean frames have 3",
    "beyond": "true defocus, either side, in ranges of the model",
    "dye-amount": "absorbance of every dye over the usual one",
    "dye-hue-deg": "every dye's absorbance turned about the grey axis: a stain of colours that training has not shown",
    "stain": "a kind of specimen that the model was not made for",
    "tilt": "slope of the slide in a random direction, µm/mm; a tilted field's truth is the focus at its centre",
}


@dataclass(frozen=True, order=True)
class Field:
    """A field of view: its density, and its number; stains take turns."""

    density: str
    number: int

    @property
    def seed(self) -> int:
        """Of the slide."""
        return FIRST_SEED + 100_000 * DENSITIES.index(self.density) + self.number


@dataclass(frozen=True)
class Ask:
    """A case at a strength."""

    case: str
    strength: float | str = 0.0

    def __str__(self) -> str:
        if self.case == CLEAN:
            return CLEAN
        return f"{self.case}={self.strength if isinstance(self.strength, str) else format(self.strength, 'g')}"


@dataclass(frozen=True, eq=False)
class Draw:
    """One frame, its true defocus, and that of the field's centre, µm."""

    image: np.ndarray
    true_um: float
    centre_um: float


def asks(cases: list[str], card: ModelCard) -> list[Ask]:
    """The clean frame, then all strengths of some cases that a model's camera can see."""
    possible = [case for case in cases if card.optics.colour == "rgb" or case not in COLOUR_ONLY]
    return [Ask(CLEAN), *(Ask(case, strength) for case in possible for strength in CASES[case])]


def lens_of(card: ModelCard) -> Objective:
    """The objective that frames are taken with, and that the model is told."""
    return replace(card.optics.objective, stated_dof_um=card.dof_um)


@dataclass(frozen=True)
class _Dyed:
    """A specimen whose dyes are more or less of another hue."""

    plain: Specimen
    amount: float
    hue_deg: float

    def field(self, *place: Any, **said: Any) -> FieldContent:
        content = self.plain.field(*place, **said)
        return replace(
            content, sheets=tuple(replace(each, absorbance=self._of(each.absorbance)) for each in content.sheets)
        )

    def _of(self, absorbance: np.ndarray | None) -> np.ndarray | None:
        if absorbance is None:
            return None
        turned = absorbance @ about_grey(self.hue_deg).T
        return np.asarray(np.maximum(turned, 0) * np.float32(self.amount), np.float32)


def about_grey(angle_deg: float) -> np.ndarray:
    """The rotation of (red, green, blue) about (1, 1, 1), after Rodrigues: 120° exchanges the colours in turn."""
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return np.asarray(cosine * np.eye(3) + sine * cross + (1 - cosine) / 3, np.float32)


class Place:
    """A field seen by the camera of a model: its frames, clean and disturbed, each a function of the seeds alone.

    Parameters
    ----------
    field : Field
        Which.
    card : ModelCard
        Whose objective, camera and stains.
    """

    def __init__(self, field: Field, card: ModelCard) -> None:
        self.field, self.card = field, card
        self.stain = card.stains[field.number % len(card.stains)]
        self.lens, self.range_um = lens_of(card), card.decision.range_um
        self.plain = Specimen(self.stain, field.density, field.seed)
        self._scene, self.where = self._placed()
        self._lights: dict[float, np.ndarray] = {}

    def draws(self, ask: Ask, first: int, count: int) -> Iterator[Draw]:
        """Frames ``first`` to ``count`` so disturbed; defocus, noise and angles are alike at every strength."""
        scene = self._scene if ask.case not in RENDERED else self._other_scene(ask)
        focus = scene.best_focus_um(*self.where)
        height, width = SHAPE
        centre = float(scene.best_focus_map(*self.where)[height // 2, width // 2])
        for number, true_um in list(enumerate(self._defocus(ask, count)))[first:]:
            light = self._light(scene, float(focus + true_um))
            yield Draw(self._taken(light, ask, number), float(true_um), float(focus + true_um - centre))

    def _light(self, scene: Scene, axial_um: float) -> np.ndarray:
        """Without noise; kept where it serves many cases."""
        if scene is not self._scene:
            return scene.render(*self.where, axial_um)
        if axial_um not in self._lights:
            self._lights[axial_um] = scene.render(*self.where, axial_um)
        return self._lights[axial_um]

    def _placed(self) -> tuple[Scene, tuple[float, float]]:
        """A place on the slide that holds content."""
        rng = np.random.default_rng([self.field.seed, 1])
        camera = Camera(dust_seed=int(rng.integers(1 << 30)))
        if self.card.optics.colour == "mono":
            camera = replace(camera, colour="mono", bit_depth=16)
        scene = Scene(self.plain, _optics(self.lens), camera, SHAPE)
        least = LEAST_CONTENT_UM2 / (SHAPE[0] * SHAPE[1] * scene.pixel_size_um**2)
        for _ in range(_PLACES_TRIED):
            place = (float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)), float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)))
            if has_content(scene.content_at(*place)).mean() >= least:
                return scene, place
        raise RuntimeError(f"{self.field}: no place with content found in {_PLACES_TRIED} tries")

    def _other_scene(self, ask: Ask) -> Scene:
        if ask.case == "beyond":
            return self._scene
        return Scene(self._other_specimen(ask), self._scene.optics, self._scene.camera, SHAPE)  # type: ignore[arg-type]

    def _other_specimen(self, ask: Ask) -> Specimen | _Dyed:
        if ask.case == "stain":
            return replace(self.plain, stain=str(ask.strength))
        strength = float(ask.strength)
        if ask.case == "tilt":
            angle = np.random.default_rng([self.field.seed, 4]).uniform(0, 2 * math.pi)
            return replace(self.plain, topography=Topography(strength * math.cos(angle), strength * math.sin(angle)))
        return _Dyed(self.plain, *((strength, 0.0) if ask.case == "dye-amount" else (1.0, strength)))

    def _defocus(self, ask: Ask, count: int) -> np.ndarray:
        rng = np.random.default_rng([self.field.seed, 2])
        if ask.case == "beyond":
            side = np.where((np.arange(count) + self.field.number) % 2, 1.0, -1.0)
            return side * float(ask.strength) * self.range_um
        return rng.uniform(-self.range_um, self.range_um, count)

    def _taken(self, light: np.ndarray, ask: Ask, number: int) -> np.ndarray:
        rng = np.random.default_rng([self.field.seed, 3, number])
        camera, relative = self._camera(ask, number)
        image = camera.expose(light, exposure_ms=relative * camera.default_exposure_ms, rng=rng)
        if ask.case in BY_CAMERA or ask.case not in KINDS:
            return image
        wanted = [Disturbance(ask.case, float(ask.strength))]
        return disturbed_image(image, wanted, pixel_um=self.lens.pixel_size_um, seed=(self.field.seed, number))

    def _camera(self, ask: Ask, number: int) -> tuple[Camera, float]:
        """The camera and the relative exposure of a case."""
        camera = self._scene.camera
        if ask.case == "full-well":
            return replace(camera, full_well_e=camera.full_well_e * float(ask.strength)), 1.0
        if ask.case == "dust-shadows":
            return replace(camera, dust=int(ask.strength)), 1.0
        if ask.case == "motion-um":
            angle = float(np.random.default_rng([self.field.seed, 5, number]).uniform(0, 180))
            way_px = float(ask.strength) / self.lens.pixel_size_um
            return replace(camera, motion_blur_px=way_px, motion_angle_deg=angle), 1.0
        return camera, float(ask.strength) if ask.case == "exposure" else 1.0


@lru_cache(maxsize=2)
def _optics(lens: Objective) -> Optics:
    return Optics(lens)


def describe(card: ModelCard) -> dict[str, Any]:
    """The facts behind the fields, for the result file."""
    return {
        "objective": card.optics.objective.name,
        "pixel_um": card.optics.pixel_size_um,
        "range_um": card.decision.range_um,
        "stains": list(card.stains),
        "shape": list(SHAPE),
        "first_seed": FIRST_SEED,
        "meaning": {case: MEANS[case] if case in MEANS else KINDS[case].says for case in CASES},
    }
