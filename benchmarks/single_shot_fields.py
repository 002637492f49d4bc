"""The simulated fields of ``single_shot.py``: which slide, place, optics, camera and defocus each of them has.

Every field is a pure function of its case, density and number. Slides have seeds from 10,000,000 on; training uses
seeds below 1,000,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.simulated_fields import cover_glass_waves, off_nominal
from napari_autofocus.optics import PRESETS, Objective
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.topography import Topography

FIRST_SEED = 10_000_000
STAINS = ("he", "ihc", "cytology", "blood")
DENSITIES = ("dense", "sparse", "extremely-sparse")
CASES = ("nominal", "off-nominal", "empty", "even")
SHAPE = (1024, 1224)
RANGE_UM = 10.0
PRESET = PRESETS["20x/0.75"]
OPTICS_SETS = 24
"""Off-nominal optics are drawn so many times and dealt to the fields: new optics cost more time than a field."""
EVEN = (Objective(20, 0.6).with_pixel_size(0.37), Objective(20, 0.7).with_pixel_size(0.40))
"""NA and pixel sizes of even optics that training does not use."""
LEAST_CONTENT_UM2 = 25.0
"""A place is drawn again until the field holds that much content: about a small nucleus."""
_PLACES_TRIED = 200
_SLIDE_UM = 3000.0


@dataclass(frozen=True, order=True)
class Field:
    """Which field: of what case and density, and its number."""

    case: str
    density: str
    number: int

    @property
    def stain(self) -> str:
        """Stains in turn."""
        return STAINS[self.number % len(STAINS)]

    @property
    def seed(self) -> int:
        """Of the slide; no two fields share it."""
        kind = CASES.index(self.case) * 4 + (*DENSITIES, "empty").index(self.density)
        return FIRST_SEED + 100_000 * kind + self.number

    @property
    def optics_set(self) -> int:
        """Which of the drawn (or even) optics it is seen through."""
        sets = {"off-nominal": OPTICS_SETS, "even": len(EVEN)}.get(self.case, 1)
        return self.number // len(STAINS) % sets


@dataclass(frozen=True, eq=False)
class Draw:
    """One frame of a field with its true defocus, µm."""

    image: np.ndarray
    true_um: float


def fields_of(case: str, count: int) -> list[Field]:
    """The fields of a case: ``count`` of each density, of the even case in all."""
    if case == "empty":
        return [Field(case, "empty", number) for number in range(count)]
    if case == "even":
        return [Field(case, DENSITIES[number % len(DENSITIES)], number) for number in range(count)]
    return [Field(case, density, number) for density in DENSITIES for number in range(count)]


def told_optics(field: Field) -> ImageOptics:
    """What the predictor is told of the optics: nobody knows how far a copy is off its nominal values."""
    return ImageOptics(EVEN[field.optics_set] if field.case == "even" else PRESET)


def content_share(field: Field) -> float:
    """Share of the field's area that carries content."""
    scene, place = placed(field)
    return float(has_content(scene.content_at(*place)).mean())


def draws_of(field: Field, count: int) -> Iterator[Draw]:
    """Frames of a field at defocus values drawn evenly within ±10 µm of its true focus."""
    scene, place = placed(field)
    rng = np.random.default_rng([field.seed, 2])
    focus_um = scene.best_focus_um(*place)
    for true_um in rng.uniform(-RANGE_UM, RANGE_UM, count):
        yield Draw(scene.snap(*place, focus_um + true_um, rng=rng), float(true_um))


@lru_cache(maxsize=1)
def placed(field: Field) -> tuple[Scene, tuple[float, float]]:
    """The scene and a place on its slide that holds content, if any field of it does."""
    rng = np.random.default_rng([field.seed, 1])
    even = field.case == "even"
    specimen = Specimen(field.stain, field.density, field.seed, Topography.flat() if even else Topography())
    scene = Scene(specimen, _optics(field.case, field.optics_set), _camera(field, rng), SHAPE)
    least = LEAST_CONTENT_UM2 / (SHAPE[0] * SHAPE[1] * scene.pixel_size_um**2)
    for _ in range(_PLACES_TRIED):
        place = (float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)), float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)))
        if field.density == "empty" or has_content(scene.content_at(*place)).mean() >= least:
            return scene, place
    raise RuntimeError(f"{field}: no place with content found in {_PLACES_TRIED} tries")


def _camera(field: Field, rng: np.random.Generator) -> Camera:
    if field.case != "off-nominal":
        return Camera(dust_seed=int(rng.integers(1 << 30)))
    return Camera(dust_seed=int(rng.integers(1 << 30)), gain=float(rng.uniform(0.8, 1.15)))


@lru_cache(maxsize=2)
def _optics(case: str, number: int) -> Optics:
    if case == "even":
        return Optics(EVEN[number], even=True)
    if case == "off-nominal":
        return off_nominal(PRESET, np.random.default_rng([FIRST_SEED, 3, number]))
    return Optics(PRESET)


def describe() -> dict[str, Any]:
    """The facts behind the fields, for the result file."""
    return {
        "shape": list(SHAPE),
        "objective": PRESET.name,
        "pixel_um": PRESET.pixel_size_um,
        "range_um": RANGE_UM,
        "stains": list(STAINS),
        "first_seed": FIRST_SEED,
        "off_nominal": {
            "na": "±3 %",
            "cover_glass_um": "±5",
            "cover_glass_waves": f"±{cover_glass_waves(5, PRESET.na):.3f}",
            "chromatic_shift": "±20 % of each colour",
            "camera_gain": "0.8 to 1.15",
            "sets_drawn": OPTICS_SETS,
        },
        "even": [f"{lens.name} at {lens.pixel_size_um:g} µm a pixel" for lens in EVEN],
        "least_content_um2": LEAST_CONTENT_UM2,
    }
