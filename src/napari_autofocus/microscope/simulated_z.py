"""The simulated z stage: a motor with an encoder, gears with play, and a table that the motor pushes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pymmcore_plus import FocusDirection
from pymmcore_plus.experimental.unicore import StageDevice

from napari_autofocus.microscope.faults import FaultSchedule
from napari_autofocus.microscope.protocol import Clock
from napari_autofocus.microscope.simulated_devices import PunctualDevice, still_busy

_VIBRATION_UM = 0.2
_HANG_S = 1e6

_PROPERTIES = {
    "Speed-um-per-s": ("speed_um_s", (0.1, 1e5)),
    "Settling-s": ("settling_s", (0.0, 10.0)),
    "Backlash-um": ("backlash_um", (0.0, 100.0)),
    "Drift-um-per-s": ("drift_um_s", (-100.0, 100.0)),
}


@dataclass(frozen=True)
class _Motion:
    """One move of the motor, and where the table stood when it began."""

    start_um: float
    target_um: float
    table_um: float
    left_s: float
    speed_um_s: float
    settling_s: float
    hang_s: float = 0.0

    @property
    def rests_s(self) -> float:
        """When the table no longer swings; a hanging controller says so later."""
        return self.left_s + abs(self.target_um - self.start_um) / self.speed_um_s + self.settling_s

    def encoder_um(self, now_s: float) -> float:
        way_um = self.target_um - self.start_um
        gone_um = self.speed_um_s * max(0.0, now_s - self.left_s)
        return self.target_um if gone_um >= abs(way_um) else self.start_um + math.copysign(gone_um, way_um)

    def pushed_um(self, now_s: float, play_um: float) -> float:
        """Where the encoder's straight way to here has pushed the table, which has free play from it to it + play."""
        encoder_um = self.encoder_um(now_s)
        return min(max(self.table_um, encoder_um + min(play_um, 0.0)), encoder_um + max(play_um, 0.0))

    def swing_um(self, now_s: float) -> float:
        """Vibration of the table, dying away while it settles."""
        left_s = min(self.rests_s - now_s, self.settling_s)
        return _VIBRATION_UM * left_s / self.settling_s if left_s > 0 and self.start_um != self.target_um else 0.0


class SimulatedZStage(PunctualDevice, StageDevice):
    """A motorised z stage with speed, settling, play, travel limits and drift.

    The encoder sits on the motor: it reports where the gears are driven to, while the table lags behind by the play
    when the direction reverses. Both agree after a motion in the focus direction, which takes the play up.

    Parameters
    ----------
    clock : Clock
        What the stage lives by.
    focus_direction : int
        +1 or −1: the sign of axial motion for growing z.
    backlash_um : float
        Play of the gears.
    speed_um_s, settling_s : float
        Speed of travel, and how long the table swings after it.
    travel_um : tuple of float
        Positions that the stage itself refuses to leave.
    drift_um_s : float
        Axial drift, µm/s; positive brings sample and objective together.
    faults : FaultSchedule, optional
        Which commands go wrong.
    tells_direction : bool
        Whether the core learns the focus direction; otherwise it is 0, unknown.

    Attributes
    ----------
    commands_um : list of float
        Every position that the stage was ever sent to, whoever sent it.
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
        self._motion = _Motion(0.0, 0.0, 0.0, -math.inf, speed_um_s, settling_s)
        self._drift_um_s = drift_um_s
        self._drifted_um = 0.0
        self._drifts_since_s = clock.now_s()
        self._register_properties()

    @property
    def drift_um_s(self) -> float:
        """Axial drift, µm/s; what has drifted so far stays when it is changed."""
        return self._drift_um_s

    @drift_um_s.setter
    def drift_um_s(self, value: float) -> None:
        self._drifted_um = self.drifted_um()
        self._drifts_since_s = self._clock.now_s()
        self._drift_um_s = value

    def drifted_um(self) -> float:
        """Axial distance drifted so far, µm."""
        return self._drifted_um + self._drift_um_s * (self._clock.now_s() - self._drifts_since_s)

    def axial_um(self) -> float:
        """True axial position of the table now, µm: play, vibration and drift included."""
        motion, now_s = self._motion, self._clock.now_s()
        table_um = motion.pushed_um(now_s, self._play_um()) + motion.swing_um(now_s)
        return self.focus_direction * table_um + self.drifted_um()

    def get_position_um(self) -> float:
        """Position of the encoder now, µm."""
        return self._motion.encoder_um(self._clock.now_s())

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

    def busy(self) -> bool:
        """Whether the stage moves or swings."""
        return still_busy(self._clock, self._motion.rests_s + self._motion.hang_s)

    def stop(self) -> None:
        """Halt where it is."""
        self._set_out(self.get_position_um())

    def home(self) -> None:
        """Go to 0."""
        self.set_position_um(0.0)

    def set_origin(self) -> None:
        """Not simulated: limits would silently mean other places."""
        raise NotImplementedError("the simulated stage keeps its origin")

    def get_focus_direction(self) -> FocusDirection:
        """What the core is told."""
        return FocusDirection(self.focus_direction if self._tells_direction else 0)

    def _play_um(self) -> float:
        return self.focus_direction * self.backlash_um

    def _set_out(self, target_um: float, hang_s: float = 0.0) -> None:
        now_s, before = self._clock.now_s(), self._motion
        self._motion = _Motion(
            start_um=before.encoder_um(now_s),
            target_um=target_um,
            table_um=before.pushed_um(now_s, self._play_um()),
            left_s=now_s,
            speed_um_s=self.speed_um_s,
            settling_s=self.settling_s,
            hang_s=hang_s,
        )
        self.announce(lambda: self.core.events.stagePositionChanged.emit(self.get_label(), target_um))

    def _register_properties(self) -> None:
        cls = type(self)
        self.register_property(
            "Position",
            getter=cls.get_position_um,
            setter=cls.set_position_um,
            limits=self.travel_um,
            property_type=float,
        )
        for name, (attribute, limits) in _PROPERTIES.items():
            self._register_number(name, attribute, limits)

    def _register_number(self, name: str, attribute: str, limits: tuple[float, float]) -> None:
        def getter(device: SimulatedZStage) -> float:
            return float(getattr(device, attribute))

        def setter(device: SimulatedZStage, value: float) -> None:
            setattr(device, attribute, float(value))
            device.announce_property(name, value)

        self.register_property(name, getter=getter, setter=setter, limits=limits, property_type=float)
