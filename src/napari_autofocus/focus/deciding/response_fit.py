"""Fit a model's response curve on fields whose defocus is known: the curve with which their pooled values come right.

Pooled values are weighted means of patches, so that they are linear in the curve's knots, and the fit is one of least
squares. The form and every number here are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.pooling import FloatArray
from napari_autofocus.focus.deciding.response import ResponseCurve

FEWEST_FRAMES = 400
LEAST_SLOPE, MOST_SLOPE = 0.3, 6.0
"""Of the curve, so that it can neither level out nor blow noise up."""
STIFFNESS = 0.1
"""How much a bend costs against an error, for 3,000 frames."""
STEADY_DOF = 0.05
"""Errors beyond count by their size, no more by its square: a stray field bends nothing."""
_ROUNDS = 4
_KNOTS_DOF = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Readings to either side of focus at which the curve is held, in depths of field. At the last and beyond it a reading
is taken as it is: farther out, errors differ from one density to another, and no one curve mends them.
"""
_HELD = 1e3
"""Weight of the ends of the curve in the fit."""


@dataclass(frozen=True, eq=False)
class KnownReading:
    """What a network reads in the patches of one field, before any curve, and the field's true defocus.

    Parameters
    ----------
    reading_um : np.ndarray, shape (N,)
        Defocus read in each patch, µm.
    share : np.ndarray, shape (N,)
        Part of each patch in the field's pooled value; they add up to 1.
    true_um : float
        Defocus of the field, µm.
    """

    reading_um: FloatArray
    share: FloatArray
    true_um: float


def fit_response(fields: list[KnownReading], dof_um: float) -> ResponseCurve:
    """Fit the curve.

    Parameters
    ----------
    fields : list of KnownReading
        Of slides that were not trained on, at least :data:`FEWEST_FRAMES`, close together around focus.
    dof_um : float
        Depth of field of the model, µm.

    Raises
    ------
    InputError
        If there are too few fields.
    """
    if len(fields) < FEWEST_FRAMES:
        raise InputError(
            f"A response curve takes at least {FEWEST_FRAMES} frames of known defocus; found {len(fields)}."
        )
    side = np.array(_KNOTS_DOF) * dof_um
    knots = np.concatenate([-side[:0:-1], side])
    parts, beyond = zip(*(_parts(each, knots) for each in fields), strict=True)
    system, wanted = np.array(parts), np.array([each.true_um for each in fields]) - np.array(beyond)
    held, ends = _bent_and_held(knots, STIFFNESS * dof_um * np.sqrt(len(fields) / 3000))
    # Unknown are the first value and the steps to the next, whose slopes are bounded.
    to_values = np.tril(np.ones((knots.size, knots.size)))
    bounds = [np.concatenate([[end], slope * np.diff(knots)]) for end, slope in _BOUNDS]
    weight, values = np.ones(wanted.size), knots
    for _ in range(_ROUNDS):
        equations = np.vstack([weight[:, None] * system, held]) @ to_values
        target = np.concatenate([weight * wanted, ends])
        few = np.linalg.qr(np.column_stack([equations, target])).R  # as many as unknowns, of the same solution
        values = np.cumsum(lsq_linear(few[:, :-1], few[:, -1], bounds=bounds).x)
        error = np.abs(wanted - system @ values)
        weight = np.sqrt(STEADY_DOF * dof_um / np.maximum(error, STEADY_DOF * dof_um))
    return ResponseCurve(
        tuple(knots.round(6).tolist()), (float(knots[0]), *values[1:-1].round(6).tolist(), float(knots[-1]))
    )


_BOUNDS = ((-np.inf, LEAST_SLOPE), (np.inf, MOST_SLOPE))


def _bent_and_held(knots: FloatArray, stiffness: float) -> tuple[FloatArray, FloatArray]:
    """Equations that keep the curve from bending and its ends where they are, shape (K, K), and what they come to."""
    slopes = np.diff(np.eye(knots.size), axis=0) / np.diff(knots)[:, None]
    bends, ends = stiffness * np.diff(slopes, axis=0), _HELD * np.eye(knots.size)[[0, -1]]
    return np.vstack([bends, ends]), np.concatenate([np.zeros(knots.size - 2), ends @ knots])


def _parts(field: KnownReading, knots: FloatArray) -> tuple[FloatArray, float]:
    """Part of each knot in the field's pooled value, shape (K,), and what lies beyond the last knots, µm."""
    inside = np.clip(field.reading_um, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside) - 1, 0, knots.size - 2)
    along = (inside - knots[left]) / (knots[left + 1] - knots[left])
    parts = np.zeros(knots.size)
    np.add.at(parts, left, field.share * (1 - along))
    np.add.at(parts, left + 1, field.share * along)
    return parts, float(field.share @ (field.reading_um - inside))
