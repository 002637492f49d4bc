"""The calibration curve of a tunable lens: by how many µm each value of a device property shifts the focus.

Liao et al. (Biomed. Opt. Express 13, 314, 2021) focus by a lens at the camera port instead of a stage, along a curve of
its current against defocus. How it is measured stands in ``routines/lens_calibration.py``, how it is fitted in
``lens_fit.py``.
"""

from __future__ import annotations

import builtins
import json
import math
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt

Float = npt.NDArray[np.float64]

LEAST_POINTS = 4
"""Fewer measured values make no curve with residuals."""
_FORMAT = "napari-autofocus lens curve"
_ROUNDING = 1e-6


@dataclass(frozen=True)
class LensPoint:
    """One measured value of the lens.

    Parameters
    ----------
    value : float
        Of the property, in its own unit.
    shift_um : float
        Focal shift there, µm.
    uncertainty_um : float or None
        Its standard uncertainty; None where nobody knows.
    """

    value: float
    shift_um: float
    uncertainty_um: float | None = None


@dataclass(frozen=True)
class LensFacts:
    """What a curve belongs to, and how its lens wants to be driven.

    Parameters
    ----------
    device, property : str
        Label of the device and name of its property, as the core knows them.
    unit : str
        Of the property's values: ``mA``; empty where nobody says.
    focus_direction : int
        +1 if a growing shift brings sample and objective together, −1 if apart, 0 if nobody knows.
    objective : str
        Behind which the curve was measured; empty where nobody says.
    date : str
        Of the measurement, ISO 8601.
    settle_s : float
        How long the lens takes to come to rest after a new value, s.
    overshoot : float
        How far below each value the lens is first set, in the property's unit, so that its hysteresis is always taken
        up from the same side; 0 for a lens without.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    device: str
    property: str
    unit: str = ""
    focus_direction: int = 1
    objective: str = ""
    date: str = ""
    settle_s: float = 0.0
    overshoot: float = 0.0

    def __post_init__(self) -> None:
        for name in ("device", "property"):
            if not (isinstance(getattr(self, name), str) and getattr(self, name)):
                raise InputError(f"A lens curve belongs to a {name} of the core; found {getattr(self, name)!r}.")
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1 or 0 for unknown; found {self.focus_direction}.")
        for name in ("settle_s", "overshoot"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value < math.inf):
                raise InputError(f"{name} of a lens must be a number not below 0; found {value}.")

    @builtins.property
    def name(self) -> str:
        """Device and property: ``Lens Current-mA``."""
        return f"{self.device} {self.property}"


@dataclass(frozen=True, eq=False)
class LensCurve:
    """Focal shift of a tunable lens against its value; made by ``lens_fit.py`` or read from a file.

    Parameters
    ----------
    facts : LensFacts
        Whose curve it is.
    points : tuple of LensPoint
        What was measured, by growing value.
    fitted_um : tuple of float
        The curve at these values, µm; rising or falling throughout. Between them it is monotone too (PCHIP).
    """

    facts: LensFacts
    points: tuple[LensPoint, ...]
    fitted_um: tuple[float, ...] = field(repr=False)

    def __post_init__(self) -> None:
        values, fitted = self.values, np.asarray(self.fitted_um, np.float64)
        steps = np.diff(fitted)
        if len(values) < LEAST_POINTS or fitted.shape != values.shape:
            raise InputError(f"A lens curve needs {LEAST_POINTS} values at least, each fitted; found {len(values)}.")
        if not (np.isfinite(values).all() and np.isfinite(fitted).all() and (np.diff(values) > 0).all()):
            raise InputError("The values of a lens curve must be finite numbers that grow; measure it again.")
        if not ((steps > 0).all() or (steps < 0).all()):
            raise InputError("The fitted curve of a lens neither rises nor falls throughout; measure it again.")

    @property
    def values(self) -> Float:
        """Values that were measured, shape (N,), ascending, in the property's unit."""
        return np.array([point.value for point in self.points], np.float64)

    @property
    def measured_um(self) -> Float:
        """Shift that was measured at each, shape (N,), µm."""
        return np.array([point.shift_um for point in self.points], np.float64)

    @property
    def residuals_um(self) -> Float:
        """Measured less fitted shift at each value, shape (N,), µm."""
        return np.asarray(self.measured_um - np.asarray(self.fitted_um), np.float64)

    @property
    def rms_um(self) -> float:
        """Root mean square of the residuals, µm."""
        return float(np.sqrt(np.mean(self.residuals_um**2)))

    @property
    def value_range(self) -> tuple[float, float]:
        """Lowest and highest value that was measured."""
        return self.points[0].value, self.points[-1].value

    @property
    def range_um(self) -> tuple[float, float]:
        """Lowest and highest shift that the curve reaches, µm."""
        first, last = self.fitted_um[0], self.fitted_um[-1]
        return min(first, last), max(first, last)

    @property
    def slope_sign(self) -> int:
        """+1 if the shift grows with the value, −1 if it falls."""
        return 1 if self.fitted_um[-1] > self.fitted_um[0] else -1

    @property
    def overshoot_um(self) -> float:
        """The overshoot in µm of shift, where the curve is steepest: it takes up the hysteresis everywhere."""
        steepest = float(np.abs(self._slope(np.linspace(*self.value_range, 257))).max())
        return min(self.facts.overshoot * steepest, self.range_um[1] - self.range_um[0])

    def shift_um(self, value: float) -> float:
        """Focal shift at a value, µm. Raises InputError for a value outside of the measured ones, or NaN."""
        low, high = self.value_range
        slack = _ROUNDING * (high - low)
        if not low - slack <= value <= high + slack:
            raise InputError(
                f"{self.facts.name} was measured from {low:g} to {high:g} {self.facts.unit}".rstrip()
                + f", so nobody knows where it focuses at {value:g}; choose a value inside, or calibrate farther."
            )
        return float(self._fit(min(max(value, low), high)))

    def value_at(self, shift_um: float) -> float:
        """The value that shifts the focus so far. Raises InputError for a shift beyond the curve, or NaN."""
        low, high = self.range_um
        slack = _ROUNDING * (high - low)
        if not low - slack <= shift_um <= high + slack:
            raise InputError(self.beyond_words(shift_um))
        fitted = np.asarray(self.fitted_um) * self.slope_sign
        wanted = min(max(shift_um * self.slope_sign, fitted[0]), fitted[-1])
        right = int(np.clip(np.searchsorted(fitted, wanted), 1, len(fitted) - 1))
        left, value = self.values[right - 1], self.values[right]
        if wanted in (fitted[right - 1], fitted[right]):
            return float(left if wanted == fitted[right - 1] else value)
        return float(brentq(lambda v: float(self._fit(v)) * self.slope_sign - wanted, left, value))

    def beyond_words(self, shift_um: float) -> str:
        """Why a shift beyond the curve is refused."""
        low, high = self.range_um
        return (
            f"{shift_um:.2f} µm lies beyond the curve of {self.facts.name} ({low:.2f} to {high:.2f} µm); bring the"
            " sample nearer to focus with the stage, or calibrate the lens farther."
        )

    def extended_um(self, value: float) -> float:
        """As :meth:`shift_um`, and beyond the curve straight on along its last step: to be shown, never to be used."""
        low, high = self.value_range
        inside = min(max(value, low), high)
        ends = (0, 1) if value < low else (-2, -1)
        (v0, v1), (s0, s1) = ([each[end] for end in ends] for each in (self.values, self.fitted_um))
        return float(self._fit(inside) + (value - inside) * (s1 - s0) / (v1 - v0))

    def sampled(self, count: int = 129) -> tuple[Float, Float]:
        """The curve for a plot: values, and the shift at each, µm; both of shape (count,)."""
        values = np.linspace(*self.value_range, count)
        return values, np.asarray(self._fit(values), np.float64)

    @cached_property
    def _fit(self) -> PchipInterpolator:
        return PchipInterpolator(self.values, np.asarray(self.fitted_um))

    @cached_property
    def _slope(self) -> PchipInterpolator:
        return self._fit.derivative()

    # files

    def to_json(self) -> str:
        """The curve as one JSON object."""
        points = [asdict(point) for point in self.points]
        return json.dumps(
            {"format": _FORMAT, "version": 1, **asdict(self.facts), "points": points, "fitted_um": self.fitted_um},
            indent=1,
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> LensCurve:
        """The curve that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            found: dict[str, Any] = read_plain_json(text)
            if found["format"] != _FORMAT or found["version"] != 1:
                raise InputError(f"it is of the form {found['format']!r}, version {found['version']}")
            facts = rebuilt(LensFacts, {each.name: found[each.name] for each in fields(LensFacts)})
            points = tuple(rebuilt(LensPoint, point) for point in found["points"])
            return cls(facts, points, tuple(map(float, found["fitted_um"])))
        except (*UNUSABLE, InputError) as error:
            raise InputError(f"This is not the curve of a tunable lens: {error}. Calibrate the lens again.") from error

    def save(self, path: Path) -> None:
        """Write the curve to a file, whole or not at all. Raises InputError where that cannot be."""
        with replacing(path) as part:
            part.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> LensCurve:
        """Read a file that :meth:`save` wrote. Raises InputError if there is none, or it is something else."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The curve of the lens cannot be read from {path}: {error}.") from error
        return cls.from_json(text)
