"""The numbers behind a decision: how patches are pooled, what separates the verdicts, and the calibration of a model.

They travel with a model's package; ``decision.py`` uses them, ``calibration.py`` and ``response_fit.py`` fit them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.response import ResponseCurve

Pooling = Literal["median", "mean", "weighted_median", "weighted_mean", "weighted_huber"]


@dataclass(frozen=True)
class Calibration:
    """How patch predictions become a field's uncertainty and the probability of its direction.

    Fitted on fields whose defocus is known (``calibration.py``); the defaults claim little. The form is ours. A
    field's variance is ``floor² + patch_scale² · s² · (shared + (1 - shared) / n) + scatter_scale² · r² / n``, with s
    the median uncertainty that its n patches state and r the robust scatter of their predictions. Patches have part of
    their error in common (aberrations, stain), which more patches do not average out. The log-odds that the direction
    is right are ``direction_scale · e + direction_offset``, with e the mean of the patches' log-odds: a mean, not a
    sum, because patches of one field share their doubt.

    Parameters
    ----------
    floor_um : float
        Uncertainty that is left with the best patches, µm.
    patch_scale : float
        Factor on the uncertainty that the patches state.
    shared : float
        Share of the patches' variance that they have in common, in [0, 1].
    scatter_scale : float
        Factor on the scatter of the patches' predictions.
    interval90 : float
        Half width of the interval that holds 90 % of the errors, in standard uncertainties.
    direction_scale : float
        Factor on the mean log-odds; not negative.
    direction_offset : float
        Not positive: without evidence the direction is a coin toss at best.

    Raises
    ------
    InputError
        If a coefficient is not finite or outside its range.
    """

    floor_um: float = 0.05
    patch_scale: float = 1.0
    shared: float = 0.3
    scatter_scale: float = 1.0
    interval90: float = 1.645
    direction_scale: float = 1.0
    direction_offset: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            lowest, highest = {"direction_offset": (-math.inf, 0.0), "shared": (0.0, 1.0)}.get(
                each.name, (0.0, math.inf)
            )
            if not (math.isfinite(value) and lowest <= value <= highest):
                raise InputError(
                    f"The calibration's {each.name} must lie between {lowest:g} and {highest:g}; found {value}."
                )
        if self.floor_um == self.patch_scale == 0:
            raise InputError("A calibration without floor_um and patch_scale would claim errors of zero; fit it again.")


@dataclass(frozen=True)
class DecisionSettings:
    """What separates one verdict from another.

    Parameters
    ----------
    dof_um : float
        Depth of field of the optics the model was made for, µm.
    range_um : float
        The model answers for defocus within ± this, µm.
    pooling : {'median', 'mean', 'weighted_median', 'weighted_mean', 'weighted_huber'}
        How patches become a field: the median (SparseFocus), the mean (Liao et al.), either weighted by importance
        over variance, or Huber's location, between the two (weights and Huber are ours).
    least_direction : float
        Probability of the direction below which a field out of focus is ``unsure`` (ours).
    largest_sigma_dof, largest_sigma_share : float
        A move is a guess where the standard uncertainty exceeds both this many depths of field and this share of the
        defocus (ours).
    least_plane_patches : int
        Patches it takes to speak of a tilt (ours).
    calibration : Calibration
        From patches to a field.
    response : ResponseCurve or None
        From what the network reads in a patch to its defocus; None where the reading is taken as it is. Belongs to the
        weights that it was fitted to.

    Raises
    ------
    InputError
        If a number lies outside its range or the pooling is unknown.
    """

    dof_um: float
    range_um: float
    pooling: Pooling = "median"
    least_direction: float = 0.95
    largest_sigma_dof: float = 1.0
    largest_sigma_share: float = 0.3
    least_plane_patches: int = 6
    calibration: Calibration = Calibration()
    response: ResponseCurve | None = None

    def __post_init__(self) -> None:
        for name in ("dof_um", "range_um", "largest_sigma_dof", "largest_sigma_share"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"The setting {name} must be a positive number; found {value}.")
        if self.pooling not in get_args(Pooling):
            raise InputError(f"Unknown pooling {self.pooling!r}; use one of {', '.join(get_args(Pooling))}.")
        if not 0.5 <= self.least_direction < 1:
            raise InputError(f"least_direction lies between 0.5 and 1; found {self.least_direction}.")
        if self.least_plane_patches < 4:
            raise InputError(f"A plane with a residual takes four patches; found {self.least_plane_patches}.")
