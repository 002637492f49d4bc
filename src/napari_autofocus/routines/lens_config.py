"""What the calibration of a tunable lens is told, what it tells while it runs, and what it leaves behind."""

from __future__ import annotations

import builtins
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LEAST_POINTS, LensCurve
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt
from napari_autofocus.routines.running.end import RunEnd
from napari_autofocus.routines.sweep_config import SweepConfig

Phase = Literal["search", "reading"]

MOST_VALUES = 1000


class LensKnob(Protocol):
    """The property of a device that bends the lens."""

    device: str
    name: str
    unit: str
    limits: tuple[float, float]
    """Lowest and highest value that the device takes; infinite where it does not say."""

    def value(self) -> float:
        """The value now. Raises HardwareError."""

    def set(self, value: float) -> float:
        """Set a value, wait until the lens rests, and return what it reads then. Raises InputError, HardwareError."""


@dataclass(frozen=True)
class LensConfig:
    """How the curve of a lens is measured.

    For each value of the lens, the stage looks for the sharpest plane (Brenner's gradient, as Liao et al. did).

    Parameters
    ----------
    low, high, step : float
        Values to measure, in the property's own unit; Liao et al. went from −120 mA in steps of 10 mA.
    zero : float
        The value at which the shift is called 0; the nearest measured one counts where it lies outside.
    dof_um : float
        Depth of field of the objective, µm: half of it is the finest step of the stage.
    range_um : float
        How far to either side of where the stage stands the first value's focus is looked for, µm; three times as far
        where it lies at the edge. Later values are looked for near where the ones before point to.
    focus_direction : int
        For a stage that does not tell its own: +1, −1, or 0 for unknown.
    settle_s : float
        How long the lens takes to come to rest after a new value, s; kept with the curve.
    overshoot : float
        How far below each value the lens is set first, in the property's unit, so that hysteresis is always taken up
        from the same side; kept with the curve. 0 for none.
    most_misses : int
        After so many values in a row without a focus to trust the run ends.
    objective, date : str
        Kept with the curve.
    timeout_s : float
        Time for the search at each value, s.
    same_place_um : float
        Readings of the stage that differ by no more than this count as the same place, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    low: float = -120.0
    high: float = 120.0
    step: float = 10.0
    zero: float = 0.0
    dof_um: float = 1.0
    range_um: float = 20.0
    focus_direction: int = 0
    settle_s: float = 0.05
    overshoot: float = 0.0
    most_misses: int = 3
    objective: str = ""
    date: str = ""
    timeout_s: float = 60.0
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"The lens is measured from a lower to a higher value; found {self.low} to {self.high}.")
        if not 0 < self.step < math.inf:
            raise InputError(f"The step of the lens must be a positive number; found {self.step}.")
        count = (self.high - self.low) / self.step
        if not LEAST_POINTS - 1 <= count + 1e-9 < MOST_VALUES:
            raise InputError(
                f"Steps of {self.step:g} from {self.low:g} to {self.high:g} make {int(count) + 1} values; a curve takes"
                f" {LEAST_POINTS} to {MOST_VALUES}."
            )
        for name in ("settle_s", "overshoot"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} of a lens must be a number not below 0; found {getattr(self, name)}.")
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1 or 0 for unknown; found {self.focus_direction}.")
        if not math.isfinite(self.zero) or self.most_misses < 1:
            raise InputError("zero of a lens must be a finite number, and most_misses at least 1.")
        if not 0 < self.dof_um < math.inf:
            raise InputError(f"The depth of field must be a positive number of µm; found {self.dof_um}.")
        self.search(None)

    @property
    def values(self) -> tuple[float, ...]:
        """Values to measure, ascending; the last one may be short of ``high`` by less than a step."""
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(round(self.low + index * self.step, 9) for index in range(count))

    @property
    def near_um(self) -> float:
        """How far around the expected place later values are looked for, µm."""
        return min(3.0 * self.dof_um, self.range_um)

    def search(self, expected_um: float | None) -> SweepConfig:
        """How the stage looks for the focus of one value: near the expected place, or far where there is none."""
        return SweepConfig(
            range_um=self.range_um if expected_um is None else self.near_um,
            furthest_um=3 * self.range_um,
            step_um=self.dof_um / 2,
            dof_um=self.dof_um,
            polarity="max",
            early_stop=expected_um is None,
            timeout_s=self.timeout_s,
            same_place_um=self.same_place_um,
        )


@dataclass(frozen=True)
class LensReading:
    """What was found at one value of the lens.

    Parameters
    ----------
    value : float
        Of the lens, in its property's unit.
    best_z_um, uncertainty_um : float or None
        Position of the stage that is sharpest, and its standard uncertainty, µm; None where none can be trusted,
        or none took part.
    shift_um : float or None
        Focal shift, µm, by the stage's focus direction; relative to the first reading until all are there.
    verdict : str
        On the focus curve.
    reason : str
        Why there is no focus; empty where there is one.
    """

    value: float
    best_z_um: float | None = None
    uncertainty_um: float | None = None
    shift_um: float | None = None
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True)
class LensStep:
    """Progress: a frame has been taken (``search``), or a value has been settled (``reading``).

    Parameters
    ----------
    phase : str
        ``search`` or ``reading``.
    number, values : int
        Which value, from 0, out of how many.
    value : float
        The value itself.
    z_um : float
        Where the stage stands, or the height of the slide's step, µm.
    frame : Frame or None
        The frame just taken.
    sharpness : float or None
        Of that frame.
    reading : LensReading or None
        What was found at this value.
    curve : LensCurve or None
        The curve of the readings so far; None where they make none yet.
    """

    phase: Phase
    number: int
    values: int
    value: float
    z_um: float
    frame: Frame | None = field(default=None, repr=False, compare=False)
    sharpness: float | None = None
    reading: LensReading | None = None
    curve: LensCurve | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class LensRecord:
    """What a calibration leaves behind.

    Parameters
    ----------
    outcome : str
        ``done``; ``done_in_part`` (a curve, but some values found no focus); or what ended it.
    reasons : tuple of str
        Sentences.
    device, property, unit : str
        What was measured.
    readings : tuple of LensReading
        Every value that was tried, in order.
    start_value, end_value : float
        Of the lens, before and after.
    start_um, end_um : float or None
        Of the stage, before and after, µm; None where none took part.
    frames, moves : int
        Frames exposed, moves of the drive that looked for focus.
    seconds : float
        By the microscope's clock.
    curve : LensCurve or None
        What came of it.
    """

    outcome: RunEnd
    reasons: tuple[str, ...]
    device: str
    property: str
    unit: str
    readings: tuple[LensReading, ...]
    start_value: float
    end_value: float
    start_um: float | None
    end_um: float | None
    frames: int
    moves: int
    seconds: float
    curve: LensCurve | None = None

    @builtins.property
    def largest_residual_um(self) -> float | None:
        """How far the worst reading lies from the curve, µm."""
        return None if self.curve is None else float(np.abs(self.curve.residuals_um).max())

    def to_json(self) -> str:
        """The record as one JSON object, its curve included."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told["readings"] = [asdict(reading) for reading in self.readings]
        told["curve"] = None if self.curve is None else json.loads(self.curve.to_json())
        return json.dumps(told, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> LensRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            told: dict[str, Any] = read_plain_json(text)
            curve = told.pop("curve")
            readings = tuple(rebuilt(LensReading, reading) for reading in told.pop("readings"))
            told["reasons"] = tuple(told["reasons"])
            return cls(**told, readings=readings, curve=curve and LensCurve.from_json(json.dumps(curve)))
        except UNUSABLE as error:
            raise InputError(f"This is not the record of a lens calibration: {error}.") from error
