"""How the sample lies askew under the objective: its slope over a field with the error of it, and the mean of many.

The slope is that of the defocus, so a positive one along x means: the sample rises towards the objective to the right.
Fitting is in ``tilt.py``; here is what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SIGNIFICANT = 4.0
"""A tilt is told that is so many times its error, both axes together (ours): by chance once in 3000 fields."""
LEAST_FIELDS = 3
"""Fields that it takes to speak of the tilt of a stage (ours)."""
MOST_UNLIKE = 3.0
"""Fields see the same tilt whose scatter about the mean is at most so many times what their errors allow (ours)."""
_SIDES = (
    "to the right",
    "to the lower right",
    "downwards",
    "to the lower left",
    "to the left",
    "to the upper left",
    "upwards",
    "to the upper right",
)


@dataclass(frozen=True)
class FieldTilt:
    """The slope of the sample over a field.

    Parameters
    ----------
    x_um_per_mm, y_um_per_mm : float
        How far the sample rises towards the objective along x (right) and y (down) of the image, µm per mm.
    x_error, y_error : float
        Their standard errors, µm per mm.
    width_um, height_um : float
        Of the field.
    fields : int
        How many fields it is the mean of.
    """

    x_um_per_mm: float
    y_um_per_mm: float
    x_error: float
    y_error: float
    width_um: float
    height_um: float
    fields: int = 1

    @property
    def slope_um_per_mm(self) -> float:
        """Along the steepest way, µm per mm."""
        return math.hypot(self.x_um_per_mm, self.y_um_per_mm)

    @property
    def significance(self) -> float:
        """The tilt in units of its error, both axes together."""
        return math.hypot(self.x_um_per_mm / self.x_error, self.y_um_per_mm / self.y_error)

    @property
    def is_significant(self) -> bool:
        """Whether there is a tilt to speak of."""
        return self.significance >= SIGNIFICANT

    @property
    def across_um(self) -> float:
        """Height of the highest corner of the field above the lowest one, µm."""
        return (abs(self.x_um_per_mm) * self.width_um + abs(self.y_um_per_mm) * self.height_um) / 1000

    @property
    def side(self) -> str:
        """Where the sample rises to, in the image: ``to the right``."""
        angle = math.atan2(self.y_um_per_mm, self.x_um_per_mm)
        return _SIDES[round(angle / (math.pi / 4)) % 8]

    def sentence(self, dof_um: float) -> str:
        """What to do about it, for a depth of field in µm; empty where the tilt is not significant."""
        if not self.is_significant:
            return ""
        many = f", seen in {self.fields} fields" if self.fields > 1 else ""
        told = (
            f"The sample rises {self.across_um:.1f} µm {self.side} across the field: {self.slope_um_per_mm:.1f} µm/mm"
            f"{many}"
        )
        if self.across_um < dof_um / 2:
            return f"{told}; within half the depth of field, nothing needs to be done."
        return f"{told}; level the insert."

    def to_json(self) -> dict[str, Any]:
        """The numbers, in types that JSON knows."""
        return {
            **asdict(self),
            "slope_um_per_mm": self.slope_um_per_mm,
            "across_um": self.across_um,
            "side": self.side,
            "significant": self.is_significant,
        }


def mean_tilt(tilts: Sequence[FieldTilt]) -> FieldTilt | None:
    """The tilt that several fields have in common: what the stage does, not the specimen.

    Its error is the larger of what the fields claim and what they scatter.

    Returns
    -------
    FieldTilt or None
        None of fewer than three fields, and where they do not agree: then every field has a slope of its own.
    """
    if len(tilts) < LEAST_FIELDS:
        return None
    along, error, unlike = zip(
        *(
            _mean([getattr(tilt, value) for tilt in tilts], [getattr(tilt, sigma) for tilt in tilts])
            for value, sigma in (("x_um_per_mm", "x_error"), ("y_um_per_mm", "y_error"))
        ),
        strict=True,
    )
    if max(unlike) > MOST_UNLIKE and math.hypot(along[0] / error[0], along[1] / error[1]) < SIGNIFICANT:
        return None
    width, height = (float(np.median([getattr(tilt, side) for tilt in tilts])) for side in ("width_um", "height_um"))
    return FieldTilt(along[0], along[1], error[0], error[1], width, height, len(tilts))


def _mean(values: Sequence[float], errors: Sequence[float]) -> tuple[float, float, float]:
    """Weighted mean, its error, and how much more the values scatter than their errors allow."""
    value, sigma = np.asarray(values, np.float64), np.asarray(errors, np.float64)
    # No field outvotes all others: none counts for more than twice as sure as the median one.
    weight = 1 / np.maximum(sigma, np.median(sigma) / 2) ** 2
    mean = float(np.average(value, weights=weight))
    claimed = float(1 / math.sqrt(weight.sum()))
    chi = math.sqrt(float(np.sum(weight * (value - mean) ** 2)) / (len(value) - 1))
    return mean, claimed * max(chi, 1.0), chi
