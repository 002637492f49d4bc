"""What the fields of ``single_shot.py`` are made of for each model: its optics, stains, colour and range.

All of it follows from the model's card, so that a model of one's own is measured alike. What a model is to reach is
known for those that ship.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.simulated.checks import DIMMEST, CheckSettings, check_lens, check_stains
from napari_autofocus.models.simulated.fields import Colour
from napari_autofocus.optics import PRESETS, Objective

DENSITIES = ("dense", "sparse", "extremely-sparse")
CASES = ("nominal", "off-nominal", "empty", "even")
_EVEN_NA = (0.8, 0.7 / 0.75)
_EVEN_PIXEL = (0.37 / 0.325, 0.40 / 0.325)
_PHASE = ("unstained",)
Target = tuple[str, str, str, float]


@dataclass(frozen=True, order=True)
class Subject:
    """A model as its card describes it.

    Parameters
    ----------
    name : str
        Of the model.
    objective : Objective
        With its camera's pixel and the depth of field that errors are counted in.
    stains : tuple of str
        In turn.
    colour : {'rgb', 'mono'}
        What the camera sees: 8 bit in colour, 16 bit without.
    range_um : float
        Defocus is drawn within ± this, µm.
    """

    name: str
    objective: Objective
    stains: tuple[str, ...]
    colour: Colour
    range_um: float

    @property
    def even(self) -> tuple[Objective, ...]:
        """NA and pixel sizes of even optics that training does not use; none for phase objects, which they hide."""
        if set(self.stains) & set(_PHASE):
            return ()
        lens = self.objective
        return tuple(
            Objective(lens.magnification, round(lens.na * na, 4), lens.immersion).with_pixel_size(
                round(lens.pixel_size_um * pixel, 4)
            )
            for na, pixel in zip(_EVEN_NA, _EVEN_PIXEL, strict=True)
        )

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that make sense."""
        return CASES if self.even else CASES[:-1]

    def dimmest(self, stain: str) -> float | None:
        """Exposures reach from this share of the usual one up to it; None for usual ones."""
        return DIMMEST.get(stain) if self.colour == "mono" else None

    def describe(self) -> dict[str, Any]:
        """The facts, for the result file."""
        dim = {stain: self.dimmest(stain) for stain in self.stains if self.dimmest(stain) is not None}
        return {
            "objective": self.objective.name,
            "pixel_um": self.objective.pixel_size_um,
            "range_um": self.range_um,
            "stains": list(self.stains),
            "camera": "8 bit, colour" if self.colour == "rgb" else "16 bit, monochrome",
            **({"exposures_from": dim} if dim else {}),
            "even": [f"{lens.name} at {lens.pixel_size_um:g} µm a pixel" for lens in self.even],
        }


BRIGHTFIELD_20X = Subject("brightfield-20x", PRESETS["20x/0.75"], ("he", "ihc", "cytology", "blood"), "rgb", 10.0)


def subject_of(card: ModelCard) -> Subject:
    """What a card describes.

    Raises
    ------
    InputError
        If it names no stain that can be simulated.
    """
    optics = card.optics
    return Subject(card.name, check_lens(card), check_stains(card, CheckSettings()), optics.colour, card.range_um)


def targets_of(name: str) -> list[Target]:
    """What a model that ships is to reach: row, figure, how to compare, value; nothing for others."""
    return _TARGETS.get(name, [])


_COVERED: list[Target] = [
    *[(f"nominal {density}", "interval90_coverage", ">=", 0.85) for density in DENSITIES],
    *[(f"nominal {density}", "interval90_coverage", "<=", 0.95) for density in DENSITIES],
]
_REFUSED: list[Target] = [
    ("nominal dense", "refused.all", "<=", 0.02),
    ("nominal sparse", "refused.all", "<=", 0.05),
    ("nominal extremely-sparse", "refused.all", "<=", 0.10),
    *[(f"nominal {density}", "refused.no_content", "<=", 0.01) for density in DENSITIES],
    ("empty", "refused.all", ">=", 0.99),
]
_EVEN_ROWS: list[Target] = [("even", "unsure", ">=", 0.95), ("even", "no_direction_claimed", ">=", 0.95)]
_GREY: list[Target] = [
    *[(f"nominal {density}", "within_half_dof", ">=", 0.95) for density in DENSITIES],
    *[(f"nominal {density}", "direction_success", ">=", 0.99) for density in DENSITIES],
]
_TARGETS: dict[str, list[Target]] = {
    "brightfield-20x": [
        ("nominal dense", "mae_um", "<=", 0.07),
        ("nominal dense", "within_half_dof", ">=", 0.99),
        ("nominal dense", "within_dof", ">=", 0.999),
        ("nominal dense", "direction_success", ">=", 0.998),
        ("nominal sparse", "mae_um", "<=", 0.10),
        ("nominal sparse", "within_half_dof", ">=", 0.98),
        ("nominal sparse", "direction_success", ">=", 0.995),
        ("nominal extremely-sparse", "mae_um", "<=", 0.15),
        ("nominal extremely-sparse", "within_half_dof", ">=", 0.95),
        ("nominal extremely-sparse", "direction_success", ">=", 0.995),
        *_REFUSED,
        *_COVERED,
        *[(f"off-nominal {density}", "mae_um", "<=", 0.25) for density in DENSITIES],
        *_EVEN_ROWS,
    ],
    "brightfield-10x": [
        *[(f"nominal {density}", "mae_um", "<=", 0.5) for density in DENSITIES],
        *[(f"nominal {density}", "direction_success", ">=", 0.99) for density in DENSITIES],
        *_REFUSED,
        *_COVERED,
        *_EVEN_ROWS,
    ],
    "fluorescence-20x": [*_GREY, *_REFUSED, *_COVERED, *_EVEN_ROWS],
    "unstained-20x": [*_GREY, *_REFUSED, *_COVERED],
}
