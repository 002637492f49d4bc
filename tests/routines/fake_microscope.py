"""A microscope in a few lines: a drive with backlash, a camera that sees one number, and a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from napari_autofocus.errors import MoveRefused
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Frame

Curve = Callable[[float], float]
Result = TypeVar("Result")


class FakeDrive:
    """Fulfils FocusDrive. The sample lags behind by what a limit leaves of the play."""

    def __init__(
        self,
        clock: VirtualClock,
        z_um: float = 0.0,
        limits_um: tuple[float, float] = (-100.0, 100.0),
        largest_step_um: float = 50.0,
        play_um: float = 0.0,
        focus_direction: int = 1,
    ) -> None:
        self.label, self.limits_um, self.largest_step_um = "Z", limits_um, largest_step_um
        self.focus_direction, self.play_um, self.lag_um = focus_direction, play_um, 0.0
        self.z_um = z_um
        self.commands: list[float] = []
        self.before_move: Callable[[int], None] = lambda index: None
        self._clock = clock

    def position_um(self) -> float:
        return self.z_um

    def move_to(self, z_um: float) -> float:
        low, high = self.limits_um
        if not low <= z_um <= high or abs(z_um - self.z_um) > self.largest_step_um + 1e-9:
            raise MoveRefused(f"{z_um} is not allowed.")
        self.commands.append(z_um)
        self.before_move(len(self.commands) - 1)
        self.lag_um = self.play_um - min(self.play_um, z_um - low)
        self.z_um = z_um
        self._clock.sleep(0.05)
        return self.z_um

    def stop(self) -> None: ...


class FakeMicroscope:
    """Fulfils Microscope; every pixel of a frame holds the sharpness of the place plus noise."""

    def __init__(self, curve: Curve, noise: float = 0.0, seed: int = 0, **drive: Any) -> None:
        self.clock = VirtualClock()
        self.focus = FakeDrive(self.clock, **drive)
        self.frames = 0
        self.restored = 0
        self.x_um = 0.0
        self.before_snap: Callable[[int], None] = lambda index: None
        self._curve, self._noise = curve, noise
        self._rng = np.random.default_rng(seed)

    @property
    def axial_um(self) -> float:
        """Where the sample really is along the approach axis."""
        return self.focus.focus_direction * (self.focus.z_um + self.focus.lag_um)

    def snap(self) -> Frame:
        self.before_snap(self.frames)
        started_s = self.clock.now_s()
        self.clock.sleep(0.025)
        value = self._curve(self.axial_um) + self._noise * self._rng.standard_normal()
        self.frames += 1
        return Frame(np.full((4, 4), value), self.focus.z_um, self.x_um, 0.0, 25.0, started_s)

    @contextmanager
    def restoring(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.restored += 1


def mean_value(image: np.ndarray) -> float:
    """The sharpness that a fake frame carries."""
    return float(np.mean(image))


def peak_at(best_um: float, width_um: float = 1.7, height: float = 100.0, floor: float = 20.0) -> Curve:
    """A focus curve like those of Brenner's gradient."""
    return lambda z_um: floor + height / (1 + ((z_um - best_um) / width_um) ** 2) ** 1.5


def flat(level: float = 20.0) -> Curve:
    """What an empty field shows."""
    return lambda z_um: level


def run_to_end(steps: Generator[Any, None, Result]) -> tuple[list[Any], Result]:
    """Every progress record of a routine, and what it returned."""
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as finished:
            return progress, finished.value
