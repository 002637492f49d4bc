"""Estimates made by hand, and a predictor that gives them, for tests of what shows and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.focus.patches import PatchGrid

WARNING = "The optics are not those the model was made for; you insisted."


def made_patches(
    shape: tuple[int, int], defocus_um: float, *, every: int = 3, size: int = 32
) -> tuple[PatchPrediction, ...]:
    """Half-overlapping patches, every so many-th of them chosen and read, a few hundredths of a µm apart."""
    places = enumerate(PatchGrid(shape, size, size // 2))
    return tuple(
        PatchPrediction(y, x, size, 0.9, True, defocus_um + 0.01 * (i % 5), 0.2, float(defocus_um > 0))
        if i % every == 0
        else PatchPrediction(y, x, size, 0.05 + 0.2 * (i % 2))
        for i, (y, x) in places
    )


def made_estimate(shape: tuple[int, int], defocus_um: float = 3.42, **others: Any) -> FocusEstimate:
    """A trusted estimate of a flat field."""
    settings: dict[str, Any] = {
        "defocus_um": defocus_um,
        "uncertainty_um": 0.1,
        "interval90_um": (defocus_um - 0.16, defocus_um + 0.16),
        "direction_probability": 0.999,
        "reasons": ("The patches agree within 0.04 µm.", "The depth of field is 1 µm."),
        "spread_um": 0.04,
        "patches": made_patches(shape, defocus_um),
        "model": "made",
    }
    return FocusEstimate("flat", **settings | others)


def empty_estimate(shape: tuple[int, int]) -> FocusEstimate:
    """What a field without sample gets."""
    patches = tuple(PatchPrediction(y, x, 32, 0.02) for y, x in PatchGrid(shape, 32, 16))
    return FocusEstimate("no_content", reasons=("No patch tells about focus.",), patches=patches, model="made")


@dataclass(frozen=True)
class MadeCard:
    """A model at 20x/0.75."""

    dof_um: float = 1.0
    range_um: float = 10.0


class MadePredictor:
    """Says +3.42 µm of every frame with content, and refuses every pixel size but 0.325 µm unless one insists."""

    name, card = "made", MadeCard()

    def estimate(
        self,
        image: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
    ) -> FocusEstimate:
        lens = optics.objective if optics else None
        fits = lens is not None and abs(lens.pixel_size_um - 0.325) < 0.02
        if not (fits or insist):
            raise InputError("These optics are not those of the model; calibrate, or insist.")
        shape = image.shape[0], image.shape[1]
        if image.std() < 5:
            return empty_estimate(shape)
        return made_estimate(shape, warnings=() if fits else (WARNING,))
