"""Simulated stages, shutter and tunable lens: Python devices for a UniMMCore that move as real ones do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pymmcore_plus import FocusDirection
from pymmcore_plus.experimental.unicore import Device, GenericDevice, ShutterDevice, StageDevice, XYStageDevice

from napari_autofocus.microscope.faults import FaultSchedule
from napari_autofocus.microscope.protocol import Clock

_VIBRATION_UM = 0.2
_HANG_S = 1e6


class PunctualDevice(Device):
    """A device that announces changes after its lock is free.

    The core holds a lock, not re-entrant, while it calls a device; a listener that asked the core for the position from
    within an event would wait for that lock for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pending: list[Callable[[], Any]] = []

    def announce(self, event: Callable[[], Any]) -> None:
        """Call ``event`` when the core releases the device."""
        self._pending.append(event)

    def __exit__(self, *args: Any) -> None:
        pending, self._pending = self._pending, []
        super().__exit__(*args)
        for event in pending:
            event()


class SimulatedZStage(PunctualDevice, StageDevice):
    """A motorised z stage with speed, settling, play, travel limits and drift.

    The encoder sits on the motor: it reports where the gears are driven to, while the table lags behind by the play
    when the direction reverses. The play is taken up, and both agree, after a motion in the focus direction.

    Parameters
    ----------
    clock : Clock
        What the stage lives by.
    focus_direction : int
        +1 or −1: the sign of axial motion for growing z.
    backlash_um : float
        Play of the gears, µm.
    speed_um_s, settling_s : float
        Speed of travel, and how long the table swings after it.
    travel_um : tuple of float
        Positions that the stage itself refuses to leave, µm.
    drift_um_s : float
        Axial drift of the sample towards the objective, µm/s.
    faults : FaultSchedule
        Which commands go wrong.
    tells_direction : bool
        Whether the core learns the focus direction; otherwise it is 0, unknown.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        focus_direction: int = 1,
        backlash_um: float = 0.0,
        speed_um_s: float = 1000.0,
        settling_s: float = 0.01,
        travel_um: tuple[float, float] = (-1000.0, 1000.0),
        drift_um_s: float = 0.0,
        faults: FaultSchedule | None = None,
        tells_direction: bool = True,
    ) -> None:
        super().__init__()
        self._clock = clock
        self.focus_direction = focus_direction
        self._tells_direction = tells_direction
        self.backlash_um = backlash_um
        self.speed_um_s = speed_um_s
        self.settling_s = settling_s
        self.travel_um = travel_um
        self._faults = faults or FaultSchedule()
        self.commands_um: list[float] = []
        self._from_um = self._to_um = self._table_um = 0.0
        self._left_s = clock.now_s()
        self._rests_s = -math.inf
        self._drift_um_s = drift_um_s
        self._drifted_um = 0.0
        self._drift_since_s = clock.now_s()
        self._register()

    def _register(self) -> None:
        cls = type(self)
        self.register_property(
            "Position",
            default_value=0.0,
            limits=self.travel_um,
            getter=cls.get_position_um,
            setter=cls.set_position_um,
            property_type=float,
        )
        for name in ("speed_um_s", "backlash_um", "settling_s", "drift_um_s"):
            self.register_property(
                name,
                getter=lambda device, name=name: getattr(device, name),
                setter=lambda device, value, name=name: device._set_number(name, value),
                limits=(-100.0, 100.0) if name == "drift_um_s" else (0.0, 1e5),
                property_type=float,
            )

    def _set_number(self, name: str, value: float) -> None:
        setattr(self, name, float(value))
        self.announce(lambda: self.core.events.propertyChanged.emit(self.get_label(), name, str(value)))

    @property
    def drift_um_s(self) -> float:
        """Axial drift of the sample towards the objective, µm/s; what has drifted so far stays when it is changed."""
        return self._drift_um_s

    @drift_um_s.setter
    def drift_um_s(self, value: float) -> None:
        self._drifted_um = self.drifted_um()
        self._drift_since_s = self._clock.now_s()
        self._drift_um_s = value

    def drifted_um(self) -> float:
        """Axial distance drifted so far, µm."""
        return self._drifted_um + self._drift_um_s * (self._clock.now_s() - self._drift_since_s)

    def axial_um(self) -> float:
        """True axial position of the table now, µm: play, vibration and drift included."""
        return (
            self.focus_direction * (self._table_at(self.get_position_um()) + self._vibration_um()) + self.drifted_um()
        )

    def get_position_um(self) -> float:
        """Position of the encoder now, µm."""
        way_um = self._to_um - self._from_um
        gone_um = self.speed_um_s * max(0.0, self._clock.now_s() - self._left_s)
        return self._to_um if gone_um >= abs(way_um) else self._from_um + math.copysign(gone_um, way_um)

    def set_position_um(self, val: float) -> None:
        """Start to move there."""
        target_um = float(val)
        self.commands_um.append(target_um)
        fault = self._faults.next_command()
        if fault == "stage-raises":
            raise RuntimeError("the stage controller answered with error 42")
        low, high = self.travel_um
        if not low <= target_um <= high:
            raise ValueError(f"{target_um} um is outside the travel of the stage ({low} to {high} um)")
        if fault != "stage-sticks":
            self._set_out(target_um, hang_s=_HANG_S if fault == "stage-hangs" else 0.0)

    def _set_out(self, target_um: float, hang_s: float) -> None:
        here_um, now_s = self.get_position_um(), self._clock.now_s()
        self._table_um = self._table_at(here_um)
        self._from_um, self._to_um, self._left_s = here_um, target_um, now_s
        self._rests_s = now_s + abs(target_um - here_um) / self.speed_um_s + self.settling_s + hang_s
        self.announce(lambda: self.core.events.stagePositionChanged.emit(self.get_label(), target_um))

    def busy(self) -> bool:
        """Whether the stage moves or swings."""
        return self._clock.now_s() < self._rests_s

    def stop(self) -> None:
        """Halt where it is."""
        here_um = self.get_position_um()
        self._table_um = self._table_at(here_um)
        self._from_um = self._to_um = here_um
        self._rests_s = self._clock.now_s()
        self.announce(lambda: self.core.events.stagePositionChanged.emit(self.get_label(), here_um))

    def home(self) -> None:
        """Go to 0."""
        self.set_position_um(0.0)

    def set_origin(self) -> None:
        """Not simulated: limits would silently mean other places."""
        raise NotImplementedError("the simulated stage keeps its origin")

    def get_focus_direction(self) -> FocusDirection:
        """What the core is told."""
        return FocusDirection(self.focus_direction if self._tells_direction else 0)

    def _table_at(self, encoder_um: float) -> float:
        """Where the table is pushed to when the encoder has gone straight from its last turning point to here."""
        play_um = self.focus_direction * self.backlash_um
        return min(max(self._table_um, encoder_um + min(play_um, 0.0)), encoder_um + max(play_um, 0.0))

    def _vibration_um(self) -> float:
        left_s = min(self._rests_s - self._clock.now_s(), self.settling_s)
        return _VIBRATION_UM * left_s / self.settling_s if left_s > 0 < self.settling_s else 0.0


class SimulatedXYStage(PunctualDevice, XYStageDevice):
    """An XY stage with speed and travel limits.

    Parameters
    ----------
    clock : Clock
        What the stage lives by.
    speed_um_s : float
        Speed of travel, µm/s.
    travel_um : float
        How far it goes from the origin in each direction, µm.
    """

    def __init__(self, clock: Clock, *, speed_um_s: float = 10_000.0, travel_um: float = 50_000.0) -> None:
        super().__init__()
        self._clock = clock
        self._speed_um_s = speed_um_s
        self._travel_um = travel_um
        self._from_um = self._to_um = (0.0, 0.0)
        self._left_s = clock.now_s()

    def get_position_um(self) -> tuple[float, float]:
        """Position now, µm."""
        done = self._share_done()
        x, y = (start + done * (end - start) for start, end in zip(self._from_um, self._to_um, strict=True))
        return x, y

    def set_position_um(self, x: float, y: float) -> None:
        """Start to move there."""
        if not (abs(x) <= self._travel_um and abs(y) <= self._travel_um):
            raise ValueError(f"({x}, {y}) um is outside the travel of the stage (+-{self._travel_um} um)")
        self._from_um, self._left_s = self.get_position_um(), self._clock.now_s()
        self._to_um = (float(x), float(y))
        self._announce_position(*self._to_um)

    def busy(self) -> bool:
        """Whether the stage moves."""
        return self._share_done() < 1

    def stop(self) -> None:
        """Halt where it is."""
        self._from_um = self._to_um = self.get_position_um()
        self._announce_position(*self._to_um)

    def home(self) -> None:
        """Go to the origin."""
        self.set_position_um(0.0, 0.0)

    def set_origin_x(self) -> None:
        """Not simulated: the slide would silently shift."""
        raise NotImplementedError("the simulated stage keeps its origin")

    set_origin_y = set_origin_x

    def _share_done(self) -> float:
        seconds = math.dist(self._from_um, self._to_um) / self._speed_um_s
        gone_s = self._clock.now_s() - self._left_s
        return 1.0 if gone_s >= seconds else gone_s / seconds

    def _announce_position(self, x: float, y: float) -> None:
        self.announce(lambda: self.core.events.XYStagePositionChanged.emit(self.get_label(), x, y))


class SimulatedShutter(PunctualDevice, ShutterDevice):
    """The lamp's shutter."""

    def __init__(self) -> None:
        super().__init__()
        self._open = False
        cls = type(self)
        self.register_property(
            "State",
            getter=lambda device: int(device._open),
            setter=lambda device, value: device.set_open(bool(int(value))),
            allowed_values=[0, 1, "0", "1"],
            property_type=int,
        )
        del cls

    def get_open(self) -> bool:
        """Whether light passes."""
        return self._open

    def set_open(self, open: bool) -> None:
        """Let light pass, or not."""
        self._open = open


class SimulatedLens(PunctualDevice, GenericDevice):
    """A tunable lens: its current shifts the focus along a curve.

    Parameters
    ----------
    current_ma, shift_um : sequence of float
        The curve: axial shift at each current, as if sample and objective had come that much closer; current ascending.
    """

    def __init__(
        self,
        current_ma: tuple[float, ...] = (-250.0, 0.0, 250.0),
        shift_um: tuple[float, ...] = (-20.0, 0.0, 28.0),
    ) -> None:
        super().__init__()
        self._curve = current_ma, shift_um
        self._current_ma = 0.0
        self.register_property(
            "Current-mA",
            getter=lambda device: device._current_ma,
            setter=lambda device, value: device._set_current(float(value)),
            limits=(current_ma[0], current_ma[-1]),
            property_type=float,
        )

    def shift_um(self) -> float:
        """Axial shift at the present current, µm."""
        return float(np.interp(self._current_ma, *self._curve))

    def _set_current(self, value_ma: float) -> None:
        self._current_ma = value_ma
        self.announce(lambda: self.core.events.propertyChanged.emit(self.get_label(), "Current-mA", str(value_ma)))
