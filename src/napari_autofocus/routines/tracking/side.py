"""On which side of focus a held field lies, where the model alone does not know: where focus was before tells."""

from __future__ import annotations

import math

from napari_autofocus.focus.estimate import FocusEstimate, refocus_z_um

SPREAD_DOF = 0.3
"""How far best focus is expected to lie from its running average, in depths of field (ours)."""
LEAST_LIKELY = 0.85
"""Probability of a side that model and history together must reach for a frame near focus to count (ours)."""


def likely_defocus_um(
    z_um: float, estimate: FocusEstimate, known_um: float | None, direction: int, dof_um: float
) -> float | None:
    """Defocus on the side that the model and what is known of best focus agree on, µm; None where they do not.

    Parameters
    ----------
    z_um : float
        Where the frame was taken, µm.
    estimate : FocusEstimate
        Whose distance counts, and whose side counts as far as it is sure.
    known_um : float or None
        Best focus as known before, µm.
    direction : int
        Focus direction of the drive, +1 or −1.
    dof_um : float
        Depth of field, µm.
    """
    if known_um is None:
        return None
    value_um = estimate.defocus_um or 0.0
    said_um, other_um = (refocus_z_um(z_um, side_um, direction) for side_um in (value_um, -value_um))
    history = ((other_um - known_um) ** 2 - (said_um - known_um) ** 2) / (2 * (SPREAD_DOF * dof_um) ** 2)
    odds = _log_odds(estimate.direction_probability) + history
    if abs(odds) < _log_odds(LEAST_LIKELY):
        return None
    return math.copysign(value_um, odds * value_um)


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 0.5), 0.999)
    return math.log(inside / (1 - inside))
