"""The simulated tunable lens: a current bends a membrane, which takes its time and remembers where it came from."""

from __future__ import annotations

import math

import numpy as np
from pymmcore_plus.experimental.unicore import GenericDevice

from napari_autofocus.microscope.protocol import Clock
from napari_autofocus.microscope.simulated_devices import PunctualDevice

_SETTLED = math.log(100)
"""A lens counts as settled when no more than a hundredth of its way is left."""


class SimulatedLens(PunctualDevice, GenericDevice):
    """A tunable lens: its current shifts the focus along a curve.

    It never says that it is busy, as real ones do not: who sets it has to wait.

    Parameters
    ----------
    clock : Clock
        What the lens lives by.
    current_ma, shift_um : tuple of float
        The curve: axial shift at each current, as if sample and objective had come that much closer; current ascending.
    settling_s : float
        How long the membrane takes to come within a hundredth of a new place; 0: at once.
    hysteresis_ma : float
        Width of the hysteresis: rising currents act as if they were half of it lower, falling ones half of it higher.
    """

    def __init__(
        self,
        clock: Clock,
        current_ma: tuple[float, ...] = (-250.0, 0.0, 250.0),
        shift_um: tuple[float, ...] = (-20.0, 0.0, 28.0),
        *,
        settling_s: float = 0.0,
        hysteresis_ma: float = 0.0,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._curve = current_ma, shift_um
        self.settling_s = settling_s
        self.hysteresis_ma = hysteresis_ma
        self.commands_ma: list[float] = []
        self._current_ma = 0.0
        self._acting_ma = 0.0
        self._before_um = 0.0
        self._since_s = -math.inf
        cls = type(self)
        self.register_property(
            "Current-mA",
            getter=cls._get_current,
            setter=cls._set_current,
            limits=(current_ma[0], current_ma[-1]),
            property_type=float,
        )

    def shift_um(self) -> float:
        """Axial shift now, µm: hysteresis and the rest of the way included."""
        target_um = self._at(self._acting_ma)
        if not self.settling_s > 0:
            return target_um
        left = math.exp(-_SETTLED * max(0.0, self._clock.now_s() - self._since_s) / self.settling_s)
        return target_um + left * (self._before_um - target_um)

    def _at(self, current_ma: float) -> float:
        return float(np.interp(current_ma, *self._curve))

    def _get_current(self) -> float:
        return self._current_ma

    def _set_current(self, value_ma: float) -> None:
        self._before_um = self.shift_um()
        self._since_s = self._clock.now_s()
        self._current_ma = float(value_ma)
        self.commands_ma.append(self._current_ma)
        half_ma = self.hysteresis_ma / 2
        self._acting_ma = min(max(self._acting_ma, self._current_ma - half_ma), self._current_ma + half_ma)
        self.announce_property("Current-mA", self._current_ma)
