"""The simulated fields of ``single_shot.py``: which slide, place, optics, camera and defocus each of them has.

Every field is a pure function of its subject (the model that it is for), case, density and number. Slides have seeds
from 10,000,000 on; training uses seeds below 1,000,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.simulated.checks import LEAST_CONTENT_UM2, USUAL_CONTENT_UM2, place_with_content
from napari_autofocus.models.simulated.fields import cover_glass_waves, drawn_exposure, off_nominal
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.topography import Topography
from single_shot_subjects import BRIGHTFIELD_20X, CASES, DENSITIES, Subject

FIRST_SEED = 10_000_000
STAINS = BRIGHTFIELD_20X.stains
SHAPE = (1024, 1224)
RANGE_UM = BRIGHTFIELD_20X.range_um
PRESET = BRIGHTFIELD_20X.objective
OPTICS_SETS = 24
"""Off-nominal optics are drawn so many times and dealt to the fields: new optics cost more time than a field."""
EVEN = BRIGHTFIELD_20X.even


@dataclass(frozen=True, order=True)
class Field:
    """Which field: of what case and density, its number, and the model that it is for."""

    case: str
    density: str
    number: int
    subject: Subject = BRIGHTFIELD_20X

    @property
    def stain(self) -> str:
        """Stains in turn."""
        return self.subject.stains[self.number % len(self.subject.stains)]

    @property
    def seed(self) -> int:
        """Of the slide; no two fields share it."""
        kind = CASES.index(self.case) * 4 + (*DENSITIES, "empty").index(self.density)
        return FIRST_SEED + 100_000 * kind + self.number

    @property
    def optics_set(self) -> int:
        """Which of the drawn (or even) optics it is seen through."""
        sets = {"off-nominal": OPTICS_SETS, "even": len(self.subject.even)}.get(self.case, 1)
        return self.number // len(self.subject.stains) % sets


@dataclass(frozen=True, eq=False)
class Draw:
    """One frame of a field with its true defocus, µm."""

    image: np.ndarray
    true_um: float


def fields_of(case: str, count: int, subject: Subject = BRIGHTFIELD_20X) -> list[Field]:
    """The fields of a case: ``count`` of each density, of the even case in all."""
    if case == "empty":
        return [Field(case, "empty", number, subject) for number in range(count)]
    if case == "even":
        return [Field(case, DENSITIES[number % len(DENSITIES)], number, subject) for number in range(count)]
    return [Field(case, density, number, subject) for density in DENSITIES for number in range(count)]


def told_optics(field: Field) -> ImageOptics:
    """What the predictor is told of the optics: nobody knows how far a copy is off its nominal values."""
    subject = field.subject
    return ImageOptics(subject.even[field.optics_set] if field.case == "even" else subject.objective)


def content_share(field: Field) -> float:
    """Share of the field's area that carries content."""
    scene, place = placed(field)
    return float(has_content(scene.content_at(*place)).mean())


def draws_of(field: Field, count: int) -> Iterator[Draw]:
    """Frames of a field at defocus values drawn evenly within the model's range of its true focus."""
    scene, place = placed(field)
    rng, light = np.random.default_rng([field.seed, 2]), np.random.default_rng([field.seed, 4])
    focus_um, dimmest, camera = scene.best_focus_um(*place), field.subject.dimmest(field.stain), scene.camera
    for true_um in rng.uniform(-field.subject.range_um, field.subject.range_um, count):
        share = 1.0 if dimmest is None else drawn_exposure(camera, light, dimmest)
        image = scene.snap(*place, focus_um + true_um, exposure_ms=share * camera.default_exposure_ms, rng=rng)
        yield Draw(image, float(true_um))


@lru_cache(maxsize=1)
def placed(field: Field) -> tuple[Scene, tuple[float, float]]:
    """The scene and a place on its slide that holds content, if any field of it does."""
    rng = np.random.default_rng([field.seed, 1])
    even = field.case == "even"
    specimen = Specimen(field.stain, field.density, field.seed, Topography.flat() if even else Topography())
    scene = Scene(specimen, _optics(field.subject, field.case, field.optics_set), _camera(field, rng), SHAPE)
    return scene, place_with_content(scene, rng)


def _camera(field: Field, rng: np.random.Generator) -> Camera:
    camera = Camera(dust_seed=int(rng.integers(1 << 30)))
    if field.subject.colour == "mono":
        camera = replace(camera, colour="mono", bit_depth=16)
    return replace(camera, gain=float(rng.uniform(0.8, 1.15))) if field.case == "off-nominal" else camera


@lru_cache(maxsize=2)
def _optics(subject: Subject, case: str, number: int) -> Optics:
    if case == "even":
        return Optics(subject.even[number], even=True)
    if case == "off-nominal":
        return off_nominal(subject.objective, np.random.default_rng([FIRST_SEED, 3, number]))
    return Optics(subject.objective)


def describe(subject: Subject = BRIGHTFIELD_20X) -> dict[str, Any]:
    """The facts behind the fields, for the result file."""
    return {
        "shape": list(SHAPE),
        "first_seed": FIRST_SEED,
        "off_nominal": {
            "na": "±3 %",
            "cover_glass_um": "±5",
            "cover_glass_waves": f"±{cover_glass_waves(5, subject.objective.na):.3f}",
            "chromatic_shift": "±20 % of each colour",
            "camera_gain": "0.8 to 1.15",
            "sets_drawn": OPTICS_SETS,
        },
        "least_content_um2": {stain: LEAST_CONTENT_UM2.get(stain, USUAL_CONTENT_UM2) for stain in subject.stains},
        **subject.describe(),
    }
