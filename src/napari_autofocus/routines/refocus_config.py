"""What a refocus is told, what it tells while it runs, and what it proposes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.protocol import Frame, Image
from napari_autofocus.routines.sweep_config import SweepConfig

Uneven = Literal["best-plane", "composite", "leave"]
Phase = Literal[
    "shot", "verify", "second", "probe", "edge", "scan", "neighbour", "sweep", "composite", "apart", "again"
]

LEAST_PROBE_UM = LEAST_SECOND_UM = 2.0
"""Of the small moves that a refocus makes to find out something, unless the settings say otherwise (ours)."""


@dataclass(frozen=True, eq=False)
class RefocusConfig:
    """How to refocus, by one shot or by two. All numbers are ours.

    Parameters
    ----------
    optics : ImageOptics or None
        How frames are taken; a model refuses unknown optics unless ``insist``.
    insist : bool
        Use the model for optics that it was not made for; every record then carries a warning.
    region : np.ndarray, shape (Y, X), bool, or None
        Only patches inside count.
    focus_direction : int
        +1 or −1, used where the drive does not know; 0 to find it out by ``probe_um``.
    probe_um : float or None
        Length of the small move that finds out an unknown direction, µm; 0 forbids it, and the run is refused. Two
        shots need a step of their own length then, to either side. None: :data:`LEAST_PROBE_UM`, or half a depth of
        field of the model where that is more, which an estimate can tell from nothing.
    accept_dof : float
        Residual defocus that counts as in focus, in depths of field.
    most_corrections : int
        Moves by an estimate in one run, at most, the first included.
    second_shot_um : float or None
        Where a frame leaves the model unsure, one more is taken so far away from it, µm, sample and objective apart;
        0 forbids it. Where a model of two shots is at hand, that decides instead. None: :data:`LEAST_SECOND_UM`, or a
        depth of field of the model where that is more.
    dz_um : float or None
        Distance of two shots, µm, no farther from the model's own than it bears; None for the model's own.
    sweep : SweepConfig or None
        The sweep that helps where estimates cannot; None: no sweep.
    uneven : {'best-plane', 'composite', 'leave'}
        A field without a single focus is scanned over the predicted range: go to the plane where most of the content
        is sharp, also make an all-in-focus image of the scan, or leave such a field alone.
    neighbours : int
        Neighbouring fields (0 or 4) to look at where a field has no content; their focus is interpolated.
    largest_move_um : float or None
        Total way from the start that estimates may ask for, µm; None for twice the model's range.
    sharpness : {'auto', 'never'}
        Whether falling sharpness on the patches that were read also sends the drive back, where sharpness means focus.
    timeout_s : float
        Time for the whole run by the microscope's clock, s (the way back is not cut short).
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
    probe_um: float | None = None
    accept_dof: float = 0.3
    most_corrections: int = 3
    second_shot_um: float | None = None
    dz_um: float | None = None
    sweep: SweepConfig | None = None
    uneven: Uneven = "best-plane"
    neighbours: int = 0
    largest_move_um: float | None = None
    sharpness: Literal["auto", "never"] = "auto"
    timeout_s: float = 60.0
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        if self.uneven not in get_args(Uneven):
            raise InputError(f"Unknown treatment of uneven fields {self.uneven!r}; use {', '.join(get_args(Uneven))}.")
        if self.neighbours not in (0, 4):
            raise InputError(f"Neighbouring fields to look at: 0 or 4; found {self.neighbours}.")
        if self.most_corrections < 1:
            raise InputError(f"A refocus takes at least one move; found most_corrections = {self.most_corrections}.")
        for name in ("accept_dof", "timeout_s", "same_place_um"):
            self._check(name, getattr(self, name), least=None)
        for name in ("probe_um", "second_shot_um"):
            if (given := getattr(self, name)) is not None:
                self._check(name, given, least=0.0)
        for name in ("largest_move_um", "dz_um"):
            if (given := getattr(self, name)) is not None:
                self._check(name, given, least=None)

    def probe_for(self, dof_um: float) -> float:
        """Length of the move that finds out a direction with optics of this depth of field, µm."""
        return max(LEAST_PROBE_UM, dof_um / 2) if self.probe_um is None else self.probe_um

    def second_shot_for(self, dof_um: float) -> float:
        """How far away a second frame is taken with optics of this depth of field, µm."""
        return max(LEAST_SECOND_UM, dof_um) if self.second_shot_um is None else self.second_shot_um

    def _check(self, name: str, value: float, *, least: float | None) -> None:
        """``least`` None: must be positive."""
        if not (math.isfinite(value) and (value > 0 if least is None else value >= least)):
            kind = "a positive number" if least is None else "zero or a positive number"
            raise InputError(f"{name} of a refocus must be {kind}; found {value}.")


@dataclass(frozen=True, eq=False)
class Composite:
    """All-in-focus image of an uneven field.

    Parameters
    ----------
    image : np.ndarray
        Shape and type of a frame.
    depth_um : np.ndarray, shape (Y, X), float32
        Drive position at which each pixel is sharpest, µm; NaN where that cannot be told.
    z_um : tuple of float
        Drive positions of the planes that were fused, µm.
    shift_px : float
        How far planes had moved sideways, at most, px; that has been taken out.
    """

    image: Image = field(repr=False)
    depth_um: npt.NDArray[np.float32] = field(repr=False)
    z_um: tuple[float, ...]
    shift_px: float = 0.0


@dataclass(frozen=True, eq=False)
class RefocusStep:
    """Progress: one frame has been taken and read.

    Parameters
    ----------
    phase : str
        What the frame was for: ``shot`` (the first), ``verify``, ``second``, ``probe``, ``edge``, ``scan``,
        ``neighbour``, ``sweep``; ``apart``, the first of two shots; ``again``, two shots below focus; ``composite``
        carries the all-in-focus image.
    frame : Frame
        The frame itself, to be shown.
    index : int
        Number of the frame, from 0.
    estimate : FocusEstimate or None
        What the model said of it.
    target_um : float or None
        Where the drive goes next, µm.
    sharpness : float or None
        Of the frame, in a scan or a sweep.
    composite : Composite or None
        All-in-focus image of an uneven field, with its depth.
    first : Frame or None
        The shot that was read together with ``frame``, where a model of two shots did.
    """

    phase: Phase
    frame: Frame = field(repr=False)
    index: int
    estimate: FocusEstimate | None = None
    target_um: float | None = None
    sharpness: float | None = None
    composite: Composite | None = field(default=None, repr=False)
    first: Frame | None = field(default=None, repr=False)

    @property
    def z_um(self) -> float:
        """Where the frame was taken, µm."""
        return self.frame.z_um


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a refocus would do, from one frame; nothing has moved.

    Parameters
    ----------
    frame : Frame
        The frame.
    estimate : FocusEstimate
        What the model said of it.
    target_um : float or None
        Where the drive would go, µm; None where it would not move by this estimate.
    focus_direction : int
        As used for the target; 0 if unknown.
    reason : str
        A sentence.
    """

    frame: Frame = field(repr=False)
    estimate: FocusEstimate
    target_um: float | None
    focus_direction: int
    reason: str
