"""Simulated XY stage and shutter: Python devices for a UniMMCore. Z stage and lens have modules of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymmcore_plus.experimental.unicore import Device, ShutterDevice, XYStageDevice

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Clock

_POLL_S = 0.005


def still_busy(clock: Clock, rests_s: float) -> bool:
    """Whether a device that rests at ``rests_s`` is busy now.

    On a virtual clock whoever asks lets time pass: others than us (``waitForDevice``, an acquisition) wait by the wall.
    """
    busy = clock.now_s() < rests_s
    if busy and isinstance(clock, VirtualClock):
        clock.sleep(_POLL_S)
    return busy


class PunctualDevice(Device):
    """A device that announces changes after its lock is free.

    The core holds a lock, not re-entrant, while it calls a device; a listener that asked the core for the position from
    within an event would wait for that lock for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pending: list[Callable[[], Any]] = []

    def announce(self, event: Callable[[], Any]) -> None:
        """Call ``event`` when the core releases the device; at once where it does not hold it (``stop``)."""
        if self.locked():
            self._pending.append(event)
        else:
            event()

    def announce_property(self, name: str, value: object) -> None:
        """Tell the core's listeners that a property has changed."""
        self.announce(lambda: self.core.events.propertyChanged.emit(self.get_label(), name, str(value)))

    def shutdown(self) -> None:
        """Nothing is announced by a device that is being unloaded."""
        self._pending.clear()

    def __exit__(self, *args: Any) -> None:
        pending, self._pending = self._pending, []
        super().__exit__(*args)
        for event in pending:
            event()


@dataclass(frozen=True)
class _Glide:
    """A straight move of an XY stage."""

    start_um: tuple[float, float]
    target_um: tuple[float, float]
    left_s: float
    speed_um_s: float
    acceleration_um_s2: float = math.inf

    @property
    def _way_um(self) -> float:
        return math.dist(self.start_um, self.target_um)

    @property
    def _ramp_s(self) -> float:
        """Time to reach the greatest speed of this move, which a short way cuts down."""
        top_um_s = min(self.speed_um_s, math.sqrt(self._way_um * self.acceleration_um_s2))
        return top_um_s / self.acceleration_um_s2

    @property
    def rests_s(self) -> float:
        ramp_s = self._ramp_s
        if not math.isfinite(self.acceleration_um_s2):
            return self.left_s + self._way_um / self.speed_um_s
        # Speeding up and slowing down cover the way of one ramp at full speed.
        top_um_s = ramp_s * self.acceleration_um_s2
        return self.left_s + ramp_s + (self._way_um / top_um_s if top_um_s > 0 else 0.0)

    def at(self, now_s: float) -> tuple[float, float]:
        if now_s >= self.rests_s:
            return self.target_um
        done = self._gone_um(now_s - self.left_s) / self._way_um
        (x0, y0), (x1, y1) = self.start_um, self.target_um
        return x0 + done * (x1 - x0), y0 + done * (y1 - y0)

    def _gone_um(self, after_s: float) -> float:
        if not math.isfinite(self.acceleration_um_s2):
            return self.speed_um_s * after_s
        ramp_s, half = self._ramp_s, self.acceleration_um_s2 / 2
        left_s = self.rests_s - self.left_s - after_s
        if after_s < ramp_s:
            return half * after_s**2
        if left_s < ramp_s:
            return self._way_um - half * left_s**2
        return half * ramp_s**2 + ramp_s * self.acceleration_um_s2 * (after_s - ramp_s)


class SimulatedXYStage(PunctualDevice, XYStageDevice):
    """An XY stage with speed, acceleration and travel limits.

    Parameters
    ----------
    clock : Clock
        What the stage lives by.
    speed_um_s : float
        Greatest speed of travel.
    acceleration_um_s2 : float
        How quickly it speeds up and slows down; infinite: at once.
    travel_um : float
        How far it goes from the origin in each direction.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        speed_um_s: float = 10_000.0,
        acceleration_um_s2: float = math.inf,
        travel_um: float = 50_000.0,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._speed_um_s = speed_um_s
        self._acceleration_um_s2 = acceleration_um_s2
        self._travel_um = travel_um
        self._glide = _Glide((0.0, 0.0), (0.0, 0.0), clock.now_s(), speed_um_s)

    def get_position_um(self) -> tuple[float, float]:
        """Position now, µm."""
        return self._glide.at(self._clock.now_s())

    def set_position_um(self, x: float, y: float) -> None:
        """Start to move there."""
        if not (abs(x) <= self._travel_um and abs(y) <= self._travel_um):
            raise ValueError(f"({x}, {y}) um is outside the travel of the stage (+-{self._travel_um} um)")
        self._set_out(self.get_position_um(), (float(x), float(y)))

    def busy(self) -> bool:
        """Whether the stage moves."""
        return still_busy(self._clock, self._glide.rests_s)

    def stop(self) -> None:
        """Halt where it is."""
        here_um = self.get_position_um()
        self._set_out(here_um, here_um)

    def home(self) -> None:
        """Go to the origin."""
        self.set_position_um(0.0, 0.0)

    def set_origin_x(self) -> None:
        """Not simulated: the slide would silently shift."""
        raise NotImplementedError("the simulated stage keeps its origin")

    def set_origin_y(self) -> None:
        """Not simulated: the slide would silently shift."""
        raise NotImplementedError("the simulated stage keeps its origin")

    def _set_out(self, start_um: tuple[float, float], target_um: tuple[float, float]) -> None:
        self._glide = _Glide(start_um, target_um, self._clock.now_s(), self._speed_um_s, self._acceleration_um_s2)
        self.announce(lambda: self.core.events.XYStagePositionChanged.emit(self.get_label(), *target_um))


class SimulatedShutter(PunctualDevice, ShutterDevice):
    """The lamp's shutter."""

    def __init__(self) -> None:
        super().__init__()
        self._open = False
        cls = type(self)
        self.register_property("State", getter=cls._get_state, setter=cls._set_state, limits=(0, 1), property_type=int)

    def get_open(self) -> bool:
        """Whether light passes."""
        return self._open

    def set_open(self, open: bool) -> None:
        """Let light pass, or not."""
        self._open = bool(open)

    def _get_state(self) -> int:
        return int(self._open)

    def _set_state(self, value: float) -> None:
        self.set_open(bool(value))
        self.announce_property("State", int(self._open))
