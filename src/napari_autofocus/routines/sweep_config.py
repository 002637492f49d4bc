"""What a sweep is told and what it tells while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, get_args

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import Polarity
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.routines.searches import SEARCHES

Roi = tuple[int, int, int, int]


@dataclass(frozen=True)
class SweepConfig:
    """How to search.

    Parameters
    ----------
    method : str
        Name of a search of ``routines.searches``. Those that follow the greatest sharpness serve no specimen whose
        contrast is least in focus (unstained cells); ``uniform`` and ``coarse-to-fine`` do.
    range_um : float
        How far to search on either side of the start, µm.
    step_um : float or None
        Spacing that resolves a peak, µm; None for one depth of field.
    dof_um : float or None
        Depth of field of the objective, µm; needed unless ``step_um`` is given.
    furthest_um : float or None
        How far from the start the range may be extended where the peak lies at its edge, µm; None for three times
        ``range_um``. The limits of the drive hold in any case.
    timeout_s : float
        Time for the whole run by the microscope's clock, s (the way back is not cut short).
    early_stop : bool
        End a scan once a maximum is clearly passed; takes effect where maxima are looked for, so not with
        polarity ``auto`` of ``uniform`` and ``coarse-to-fine``.
    measure : str
        Name of a focus measure of ``focus.sharpness``.
    polarity : str
        ``max``, ``min`` (phase objects) or ``auto``.
    roi : tuple of int or None
        (y, x, height, width) in px of the part of the frame that counts; None for the whole frame.
    noise_frames : int
        Frames taken at the start, to learn how much sharpness varies by itself.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm; more means that somebody
        else moved it.

    Raises
    ------
    InputError
        If a value makes no sense, or the method cannot serve the polarity.
    """

    method: str = "coarse-to-fine"
    range_um: float = 10.0
    step_um: float | None = None
    dof_um: float | None = None
    furthest_um: float | None = None
    timeout_s: float = 60.0
    early_stop: bool = True
    measure: str = "brenner"
    polarity: Polarity = "auto"
    roi: Roi | None = None
    noise_frames: int = 3
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if self.method not in SEARCHES:
            raise InputError(f"Unknown method {self.method!r}; use one of {', '.join(SEARCHES)}.")
        if self.polarity not in get_args(Polarity):
            raise InputError(f"Unknown polarity {self.polarity!r}; use one of {', '.join(get_args(Polarity))}.")
        if self.step_um is None and self.dof_um is None:
            raise InputError("A sweep needs a step in µm, or the depth of field of the objective to derive it from.")
        if self.polarity == "min" and SEARCHES[self.method].follows_maximum:
            raise InputError(
                f"{self.method} follows the greatest sharpness and cannot find the least;"
                " use uniform or coarse-to-fine."
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name in ("range_um", "step_um", "dof_um", "furthest_um", "timeout_s", "noise_frames", "same_place_um"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} of a sweep must be a positive number; found {value}.")
        if self.fine_step_um > self.range_um:
            raise InputError(
                f"A step of {self.fine_step_um:g} µm does not fit into a range of ±{self.range_um:g} µm;"
                " widen the range or give a smaller step."
            )
        if self.furthest_um is not None and self.furthest_um < self.range_um:
            raise InputError(
                f"furthest_um ({self.furthest_um:g}) must not be less than range_um ({self.range_um:g});"
                " make them equal to forbid any extension."
            )

    @classmethod
    def for_objective(cls, objective: Objective, **settings: Any) -> SweepConfig:
        """Settings whose step is the objective's depth of field unless another is given."""
        return cls(**{"dof_um": objective.dof_um, **settings})

    @property
    def fine_step_um(self) -> float:
        """Spacing that resolves a peak: as given, otherwise the depth of field, µm."""
        step = self.step_um if self.step_um is not None else self.dof_um
        assert step is not None  # checked when made
        return step

    @property
    def reach_um(self) -> float:
        """How far from the start the run may ever look, µm."""
        return 3 * self.range_um if self.furthest_um is None else self.furthest_um

    @property
    def follows_maximum(self) -> bool:
        """Whether only maxima are looked for."""
        return self.polarity == "max" or SEARCHES[self.method].follows_maximum


@dataclass(frozen=True)
class SweepStep:
    """Progress: one frame has been taken and measured.

    Parameters
    ----------
    z_um, sharpness : float
        Where the drive stood (read back, µm) and how sharp the frame is.
    index : int
        Number of the frame, from 0.
    planned : int or None
        Frames expected in all; None while nobody knows. An early stop or an extension changes it.
    phase : str
        What the frame was for: ``start``, the search's own phases, ``verify``.
    frame : Frame
        The frame itself, to be shown.
    """

    z_um: float
    sharpness: float
    index: int
    planned: int | None
    phase: str
    frame: Frame = field(repr=False, compare=False)
