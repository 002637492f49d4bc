"""What a calibration to one microscope is asked for, and what it will do before anything moves.

Numbers without a source are ours.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import FocusDrive, SlideMicroscope
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.own.split import BEYOND

RANGE_DOF = 10.0
"""A calibrated model answers within so many depths of field to either side, unless asked otherwise."""
STEP_DOF = 0.5
"""Distance of the planes of a stack, in depths of field."""
MARGIN_DOF = 1.0
"""Beyond what is learned from, so that a stack centred a little off still reaches it, in depths of field."""
LEAST_STACKS, MOST_STACKS = 4, 200
ROUNDS = 3
"""Stacks whose focus cannot be trusted are replaced by others, in so many rounds at most, the first included."""
_FRAMES_A_PROOF = 45
_FRAMES_A_SEARCH = 30


@dataclass(frozen=True)
class CalibrationPlan:
    """How to calibrate a model to one microscope.

    Parameters
    ----------
    objective : Objective
        The objective with the size of a pixel in the sample.
    stacks : int
        Z-stacks to learn from and to measure on.
    range_um : float or None
        The model is to answer for defocus within ± this, µm; ten depths of field unless given.
    step_um : float or None
        Distance of the planes of a stack, µm; half a depth of field unless given.
    minutes : float
        Time to teach the model; each fold of the cross-validation takes as long again.
    folds : int
        Models that are taught without some of the stacks, to measure on these; 0 holds a part out once.
    proofs : int
        Live refocus runs against a Brenner sweep in the end.
    base : str or None
        Name or file of the model to begin with; None to begin anew.
    area_um : float
        Fields are taken from the square of twice this side around the place where the stage stands, µm.
    search_um : float or None
        How far from the drive's place the focus of a field is looked for, µm; as far as ``range_um`` unless given.
    focus_direction : int
        Used where the drive does not know it: +1 if a growing z brings sample and objective together, −1, or 0.
    seed : int
        Draws fields and starts, and decides on weights.
    device : str
        That training runs on, as torch names it.
    samples : int
        Patches to show at most, however much time is left.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    objective: Objective
    stacks: int = 8
    range_um: float | None = None
    step_um: float | None = None
    minutes: float = 3.0
    folds: int = 3
    proofs: int = 10
    base: str | None = "brightfield-20x"
    area_um: float = 2000.0
    search_um: float | None = None
    focus_direction: int = 0
    seed: int = 0
    device: str = "cpu"
    samples: int = 10_000_000

    def __post_init__(self) -> None:
        lengths = {"range": self.range_um, "step": self.step_um, "search range": self.search_um, "area": self.area_um}
        for name, value in {**lengths, "time, in minutes,": self.minutes}.items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"The {name} of a calibration must be a positive number; found {value:g}.")
        if not LEAST_STACKS <= self.stacks <= MOST_STACKS:
            raise InputError(f"A calibration takes {LEAST_STACKS} to {MOST_STACKS} stacks; found {self.stacks}.")
        if self.folds == 1 or not 0 <= self.folds <= self.stacks:
            raise InputError(
                f"Folds are 0 (none), or 2 to the number of stacks, which is {self.stacks}; found {self.folds}."
            )
        if self.proofs < 0 or self.seed < 0:
            raise InputError(f"Proofs and seed are at least 0; found {self.proofs} and {self.seed}.")
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        if self.plane_step_um > self.model_range_um / 2:
            raise InputError(
                f"A step of {self.plane_step_um:g} µm is too coarse for a range of ±{self.model_range_um:g} µm; make it"
                " smaller."
            )

    @property
    def dof_um(self) -> float:
        """Depth of field, µm."""
        return self.objective.dof_um

    @property
    def model_range_um(self) -> float:
        """The model answers within ± this, µm."""
        return self.range_um if self.range_um is not None else RANGE_DOF * self.dof_um

    @property
    def plane_step_um(self) -> float:
        """Distance of the planes, µm."""
        return self.step_um if self.step_um is not None else STEP_DOF * self.dof_um

    @property
    def reach_um(self) -> float:
        """How far a stack reaches to either side of its middle, µm."""
        least_um = BEYOND * self.model_range_um + MARGIN_DOF * self.dof_um
        return math.ceil(least_um / self.plane_step_um - 1e-9) * self.plane_step_um

    @property
    def planes(self) -> int:
        """Planes of a stack."""
        return 2 * round(self.reach_um / self.plane_step_um) + 1

    @property
    def looking_um(self) -> float:
        """How far from the drive's place the focus of a field is looked for, µm."""
        return self.search_um if self.search_um is not None else self.model_range_um

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CalibrationPlan:
        """The plan of :meth:`to_json`. Raises InputError, TypeError or KeyError if the values are not one."""
        return cls(**{**values, "objective": Objective(**values["objective"])})


@dataclass(frozen=True)
class Undertaking:
    """What a calibration will do, told before anything moves.

    Parameters
    ----------
    here_um : float
        Where the drive stands, µm.
    low_um, high_um : float
        Between these places the drive will move, all overshoot included, µm.
    limits_um : tuple of float
        The limits of the drive, µm.
    x_um, y_um, area_um : float
        The stage moves within ± ``area_um`` of this place, µm.
    stacks, planes, proofs : int
        Stacks, planes of each, and live runs in the end.
    frames : int
        Frames to expose, about.
    minutes : float
        Time to compute, about; taking the frames comes on top.
    begun_um : float or None
        Where the drive stood when a calibration that is gone on with was begun, µm, if that is too far from here for
        the focus to be looked for from here.
    """

    here_um: float
    low_um: float
    high_um: float
    limits_um: tuple[float, float]
    x_um: float
    y_um: float
    area_um: float
    stacks: int
    planes: int
    proofs: int
    frames: int
    minutes: float
    begun_um: float | None = None

    def sentences(self) -> tuple[str, ...]:
        """For a person who has to agree."""
        low, high = (f"{value:.1f}".replace("-", "−") for value in (self.low_um, self.high_um))
        first, last = (f"{value:g}".replace("-", "−") for value in self.limits_um)
        here = f"{self.here_um:.1f}".replace("-", "−")
        place = f"x {self.x_um:.0f}, y {self.y_um:.0f}".replace("-", "−")
        return (
            *self._strayed(here),
            f"The focus drive, now at {here} µm, will move between {low} and {high} µm; its limits are {first} to"
            f" {last} µm and are never left.",
            f"The stage will move within ±{self.area_um:g} µm of {place} µm. Both go home in the end.",
            f"{self.stacks} z-stacks of {self.planes} planes are taken, and {self.proofs} live runs prove the model:"
            f" about {self.frames} frames, and about {self.minutes:.0f} min of computing.",
        )

    def _strayed(self, here: str) -> tuple[str, ...]:
        """That a calibration was killed far from its focus, which is not looked for so far away."""
        if self.begun_um is None:
            return ()
        begun = f"{self.begun_um:.1f}".replace("-", "−")
        return (
            f"This calibration was begun with the focus drive at {begun} µm, and it stands at {here} µm now, too far to"
            " find the same focus from here: unless you have focused anew, say no, move the drive back there and start"
            " again.",
        )


def undertaking(
    plan: CalibrationPlan, microscope: SlideMicroscope, begun: tuple[float, float, float] | None = None
) -> Undertaking:
    """What the calibration will do with this microscope; asks it where it is, and moves nothing.

    Parameters
    ----------
    plan : CalibrationPlan
        What is asked for.
    microscope : SlideMicroscope
        Which stands where it is to begin.
    begun : tuple of float, optional
        Where stage and drive stood (x, y, z) when a calibration that is gone on with was begun, µm: fields are taken
        around there, otherwise around here.

    Raises
    ------
    InputError
        If it cannot be done here: no stage, limits that leave no room for a stack, an unknown focus direction.
    HardwareError
        If the microscope does not answer.
    """
    drive, here_um = microscope.focus, microscope.focus.position_um()
    here = _stage(microscope)
    x_um, y_um = here if begun is None else begun[:2]
    begun_um = None if begun is None or abs(begun[2] - here_um) <= plan.looking_um else begun[2]
    _check_direction(drive, plan)
    low, high = drive.limits_um
    if high - low < 2 * plan.reach_um or not low <= here_um <= high:
        raise InputError(
            f"A stack of this calibration is {2 * plan.reach_um:.4g} µm long, and {drive.label} at {here_um:.2f} µm has"
            f" the limits {low:g} to {high:g} µm; widen them, bring the drive inside, or make the range smaller."
        )
    away_um = plan.looking_um + plan.reach_um
    return Undertaking(
        here_um=here_um,
        low_um=max(low, here_um - away_um),
        high_um=min(high, here_um + away_um),
        limits_um=(low, high),
        x_um=x_um,
        y_um=y_um,
        area_um=plan.area_um,
        stacks=plan.stacks,
        planes=plan.planes,
        proofs=plan.proofs,
        frames=plan.stacks * (plan.planes + _FRAMES_A_SEARCH) + plan.proofs * _FRAMES_A_PROOF,
        minutes=plan.minutes * (1 + plan.folds),
        begun_um=begun_um,
    )


def _stage(microscope: SlideMicroscope) -> tuple[float, float]:
    place = microscope.xy_um() if isinstance(microscope, SlideMicroscope) else (math.nan, math.nan)
    if any(math.isnan(value) for value in place):
        raise InputError(
            "This microscope has no XY stage to bring fresh fields with, and a model learned from one field serves no"
            " other; take stacks by hand (acquire) and train with them (train)."
        )
    return place


def _check_direction(drive: FocusDrive, plan: CalibrationPlan) -> None:
    if not (drive.focus_direction or plan.focus_direction):
        raise InputError(
            f"Nobody knows whether a growing z of {drive.label} brings sample and objective together; state the focus"
            " direction, +1 if it does, -1 if it moves them apart."
        )


def direction_of(drive: FocusDrive, plan: CalibrationPlan) -> int:
    """+1 or −1: as the drive says, otherwise as the plan says."""
    return drive.focus_direction or plan.focus_direction
