"""A number that a device of a core can be set to, such as the current of a tunable lens: found, set, read back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from pymmcore_plus import CMMCorePlus, DeviceType, PropertyType

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.edge import connect_directly, translated, wait_until_idle
from napari_autofocus.microscope.protocol import Clock

_NUMBERS = (PropertyType.Float, PropertyType.Integer)
_NOT_A_LENS = (DeviceType.Camera, DeviceType.Stage, DeviceType.XYStage, DeviceType.Core, DeviceType.Shutter)
_LIKELY = re.compile("lens|current|focus|dioptr|etl", re.I)
_UNITS = ("mA", "A", "mV", "V", "dpt", "diopter", "diopters", "um", "µm", "%")
_TAKEN_SHARE = 0.01
"""A lens has taken a value if it reads back within this share of the way that it was asked to go (or of its size)."""


@dataclass(frozen=True)
class LensProperty:
    """A property that might be a lens's: device, name, unit ("" where the name does not say) and limits."""

    device: str
    name: str
    unit: str
    limits: tuple[float, float]


def lens_properties(core: CMMCorePlus) -> list[LensProperty]:
    """Every number with limits that can be set on a device which is neither camera nor stage nor shutter.

    Those whose names speak of a current, a lens or a focus stand first. Raises HardwareError.
    """
    found = []
    with translated("The core does not tell its properties"):
        for device in core.getLoadedDevices():
            if core.getDeviceType(device) in _NOT_A_LENS:
                continue
            found += [each for name in core.getDevicePropertyNames(device) if (each := _as_lens(core, device, name))]
    return sorted(found, key=lambda each: not _LIKELY.search(f"{each.device} {each.name}"))


def _as_lens(core: CMMCorePlus, device: str, name: str) -> LensProperty | None:
    settable = not (core.isPropertyReadOnly(device, name) or core.isPropertyPreInit(device, name))
    if not (settable and core.getPropertyType(device, name) in _NUMBERS and core.hasPropertyLimits(device, name)):
        return None
    if list(core.getAllowedPropertyValues(device, name)):
        return None
    limits = float(core.getPropertyLowerLimit(device, name)), float(core.getPropertyUpperLimit(device, name))
    return LensProperty(device, name, unit_of(name), limits)


def unit_of(name: str) -> str:
    """The unit that a property's name ends with: mA of ``Current-mA``; empty where there is none."""
    last = re.split(r"[\s\-_(\[]+", name.rstrip(")] "))[-1]
    return last if last in _UNITS and last != name else ""


class PropertyKnob:
    """One property of a device, set and read back as a number.

    Parameters
    ----------
    core : CMMCorePlus
        Any core.
    device, name : str
        Label of the device and name of its property.
    clock : Clock
        What the device lives by.
    settle_s : float
        How long it takes to come to rest after each new value, beyond being busy, s.
    timeout_s : float
        How long it may be busy, s.

    Raises
    ------
    InputError
        There is no such device or property, or it cannot be set to numbers.
    HardwareError
        The core does not answer.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        device: str,
        name: str,
        *,
        clock: Clock,
        settle_s: float = 0.0,
        timeout_s: float = 10.0,
    ) -> None:
        self.device, self.name, self.unit = device, name, unit_of(name)
        self._core, self._clock = core, clock
        self._settle_s, self._timeout_s = settle_s, timeout_s
        self._rests_s = -math.inf
        self.limits = _limits(core, device, name)

    def value(self) -> float:
        """The value now. Raises HardwareError."""
        with translated(f"{self.device} does not tell its {self.name}"):
            value = float(self._core.getProperty(self.device, self.name))
        if not math.isfinite(value):
            raise HardwareError(f"{self.device} reports {value} as its {self.name}; restart it.")
        return value

    def send(self, value: float) -> None:
        """Give the device a new value; what it raises is not translated."""
        self._core.setProperty(self.device, self.name, value)
        self._rests_s = self._clock.now_s() + self._settle_s

    def rest(self, timeout_s: float | None = None) -> None:
        """Return when the device is neither busy nor settling. Raises HardwareError after the time-out."""
        wait_until_idle(self._core, self.device, self._clock, self._timeout_s if timeout_s is None else timeout_s)
        left_s = self._rests_s - self._clock.now_s()
        if left_s > 0:
            self._clock.sleep(left_s)

    def set(self, value: float) -> float:
        """Set a value, wait until the device rests, and return the value read back.

        Raises
        ------
        InputError
            The value is no number, or outside the limits of the property: nothing has been set.
        HardwareError
            The device failed, or did not take the value.
        """
        low, high = self.limits
        if not low <= value <= high:
            raise InputError(
                f"{self.device} takes {self.name} from {low:g} to {high:g}; found {value}: choose a value inside."
            )
        before = self.value()
        with translated(f"{self.device} refused {self.name} {value:g}"):
            self.send(value)
        self.rest()
        reached = self.value()
        if abs(reached - value) > _TAKEN_SHARE * max(abs(value - before), abs(value)) + 1e-9:
            raise HardwareError(
                f"{self.device} was set to {self.name} {value:g} and reads {reached:g}; check that it is on and that"
                " nothing else drives it."
            )
        return reached

    def listen(self, listener: Callable[[float], None]) -> Callable[[], None]:
        """Tell every value that the core reports of this property, in whatever thread; returns what ends it."""

        def told(device: str, name: str, value: str) -> None:
            if (device, name) == (self.device, self.name):
                listener(_number(value))

        connect_directly(self._core, "propertyChanged", told)
        return lambda: self._core.events.propertyChanged.disconnect(told)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # of which a listener learns nothing


def _limits(core: CMMCorePlus, device: str, name: str) -> tuple[float, float]:
    """Of a property that can be set to numbers; infinite where it has none. Raises InputError."""
    if device not in core.getLoadedDevices():
        devices = ", ".join(each for each in core.getLoadedDevices() if each != "Core")
        raise InputError(f"The microscope has no device {device!r}; it has {devices}.")
    with translated(f"{device} does not tell its properties"):
        if not core.hasProperty(device, name):
            names = ", ".join(core.getDevicePropertyNames(device)) or "none"
            raise InputError(f"{device} has no property {name!r}; it has {names}.")
        if core.isPropertyReadOnly(device, name) or core.getPropertyType(device, name) not in _NUMBERS:
            raise InputError(f"{name} of {device} cannot be set to numbers, so it is no lens; name another property.")
        if not core.hasPropertyLimits(device, name):
            return -math.inf, math.inf
        return float(core.getPropertyLowerLimit(device, name)), float(core.getPropertyUpperLimit(device, name))
