"""The devices behind focus drives: what takes a command in µm and says where it is. They know no rules and no limits.

The rules are those of ``drives.py``, which is the only one to command an axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from pymmcore_plus import CMMCorePlus

from napari_autofocus.microscope.edge import connect_directly, wait_until_idle
from napari_autofocus.microscope.protocol import Clock

Listener = Callable[[float], None]


class Axis(Protocol):
    """A device that focuses; it may raise whatever devices raise."""

    @property
    def kind(self) -> str:
        """What its positions are called: ``z``, ``lens``."""

    def read_um(self) -> float:
        """Where it is, µm."""

    def send(self, z_um: float) -> None:
        """Start to go there."""

    def halt(self) -> None:
        """Stop at once."""

    def rest(self, timeout_s: float) -> None:
        """Return when it rests. Raises HardwareError after the time-out."""

    def travel_um(self) -> tuple[float, float]:
        """Lowest and highest position that the device itself allows, µm; infinite where it does not say."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell each position that the core's events report, in the thread that reports it; returns what ends it."""


class StageAxis:
    """A z stage of a core. Fulfils ``Axis``.

    Parameters
    ----------
    core : CMMCorePlus
        Any core.
    label : str
        The stage.
    clock : Clock
        What it lives by.
    """

    kind = "z"

    def __init__(self, core: CMMCorePlus, label: str, clock: Clock) -> None:
        self._core = core
        self._label = label
        self._clock = clock

    def read_um(self) -> float:
        """Position as the stage reports it, µm."""
        return float(self._core.getPosition(self._label))

    def send(self, z_um: float) -> None:
        """Start to move there."""
        self._core.setPosition(self._label, z_um)

    def halt(self) -> None:
        """Stop where it is."""
        self._core.stop(self._label)

    def rest(self, timeout_s: float) -> None:
        """Return when the stage is no longer busy."""
        wait_until_idle(self._core, self._label, self._clock, timeout_s)

    def travel_um(self) -> tuple[float, float]:
        """What the adapter says of its travel."""
        if not (
            self._core.hasProperty(self._label, "Position") and self._core.hasPropertyLimits(self._label, "Position")
        ):
            return -math.inf, math.inf
        return (
            float(self._core.getPropertyLowerLimit(self._label, "Position")),
            float(self._core.getPropertyUpperLimit(self._label, "Position")),
        )

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell of every position that the core reports of this stage."""

        def told(label: str, z_um: float) -> None:
            if label == self._label:
                listener(z_um)

        connect_directly(self._core, "stagePositionChanged", told)
        return lambda: self._core.events.stagePositionChanged.disconnect(told)
