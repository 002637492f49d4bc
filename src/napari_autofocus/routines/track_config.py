"""What a hold of focus is told, and what it tells while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.protocol import Frame

Average = Literal["mean", "median"]
HoldState = Literal["holding", "corrected", "missed", "paused", "resumed", "stopped"]

DEAD_BAND_DOF = 0.2
"""Default dead band, in depths of field."""
LEAST_CORRECTION_UM, LEAST_DRIFT_UM, MOST_DRIFT_DOF = 2.0, 20.0, 5.0
"""One round may move so far, and so much is drift, unless the settings say: at least, µm, and in depths of field."""


@dataclass(frozen=True, eq=False)
class TrackConfig:
    """How to hold focus. All numbers are ours.

    Parameters
    ----------
    optics, insist, region
        How frames are taken, whether to use a model for optics that it was not made for, and the part of the field that
        counts (shape (Y, X), bool): as for a refocus.
    focus_direction : int
        +1 or −1, used where the drive does not know; 0: unknown, and the hold is refused.
    interval_s : float
        Time between two looks, s.
    window : int
        Estimates that the running average is taken of; no move before two of them, or ``window`` if that is one.
    average : {'mean', 'median'}
        How; a median ignores a single wild estimate, a mean is a little steadier.
    dead_band_um : float or None
        The drive moves only if average best focus lies farther away than this, µm; None: a fifth of the depth of field.
    largest_correction_um : float or None
        Longest way that one round may move the drive, µm; None: 2, or a depth of field where that is more.
    most_drift_um : float or None
        Best focus that has moved farther than this is no drift any more: the hold stops, µm; None: 20, or five depths
        of field where that is more.
    misses : int
        So many rounds in a row without an estimate to trust stop the hold. Near focus a model may not know the side:
        as long as such a frame is as sharp as those in focus, it moves nothing and does not count.
    least_sharpness : float
        Share of the best sharpness in focus (on the same patches, relative to their brightness) below which a frame
        contradicts a model that claims focus; ``misses`` such frames in a row stop the hold. 0: never.
    rest_s : float
        After a person has moved the stage, it must have stood still for so long before the hold goes on, s.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    optics: ImageOptics | None = None
    insist: bool = False
    region: npt.NDArray[np.bool_] | None = None
    focus_direction: int = 0
    interval_s: float = 5.0
    window: int = 5
    average: Average = "mean"
    dead_band_um: float | None = None
    largest_correction_um: float | None = None
    most_drift_um: float | None = None
    misses: int = 5
    least_sharpness: float = 0.5
    rest_s: float = 3.0
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        if self.average not in ("mean", "median"):
            raise InputError(f"Unknown running average {self.average!r}; use mean or median.")
        for name in ("window", "misses"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a hold must be at least 1; found {getattr(self, name)}.")
        if not 0 <= self.least_sharpness < 1:
            raise InputError(f"least_sharpness of a hold is a share from 0 to below 1; found {self.least_sharpness}.")
        for name in ("interval_s", "dead_band_um", "largest_correction_um", "most_drift_um", "rest_s", "same_place_um"):
            self._check_positive(name, getattr(self, name))

    def _check_positive(self, name: str, value: float | None) -> None:
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of a hold must be a positive number; found {value}.")

    def dead_band_for(self, dof_um: float) -> float:
        """The dead band with optics of this depth of field, µm."""
        return DEAD_BAND_DOF * dof_um if self.dead_band_um is None else self.dead_band_um

    def largest_correction_for(self, dof_um: float) -> float:
        """Longest way of one round with optics of this depth of field, µm."""
        given = self.largest_correction_um
        return max(LEAST_CORRECTION_UM, dof_um) if given is None else given

    def most_drift_for(self, dof_um: float) -> float:
        """What counts as drift with optics of this depth of field, µm."""
        return max(LEAST_DRIFT_UM, MOST_DRIFT_DOF * dof_um) if self.most_drift_um is None else self.most_drift_um


@dataclass(frozen=True, eq=False)
class TrackStep:
    """Progress: one round is done.

    Parameters
    ----------
    index : int
        Number of the round, from 0.
    at_s : float
        Since the hold began, by the microscope's clock.
    state : str
        ``holding`` (inside the dead band), ``corrected`` (has moved), ``missed`` (no estimate to trust), ``paused`` (a
        person moves the stage), ``resumed`` (the stage rests: its new place counts from now on) or ``stopped``.
    wait_s : float
        Time that the caller lets pass before the next round; anybody may use the microscope meanwhile.
    z_um : float
        Drive position read back, µm, after the move if there was one.
    sentence : str
        What happened, in words and numbers.
    frame : Frame or None
        The frame, to be shown; None where none could be taken.
    estimate : FocusEstimate or None
        What the model said of it.
    best_z_um, drift_um : float or None
        Running average of best focus, and how far it has moved since the start or the last pause, µm of drive position.
    moved_um : float
        Way that the drive was moved, µm.
    """

    index: int
    at_s: float
    state: HoldState
    wait_s: float
    z_um: float
    sentence: str
    frame: Frame | None = field(default=None, repr=False)
    estimate: FocusEstimate | None = field(default=None, repr=False)
    best_z_um: float | None = None
    drift_um: float | None = None
    moved_um: float = 0.0
