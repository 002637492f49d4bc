"""A microscope in a few lines: a drive with backlash, a camera that sees one number, and a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from napari_autofocus.errors import HardwareError, MoveRefused
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Frame


class FakeDrive:
    """Fulfils FocusDrive. With play, the sample lags behind unless the drive arrives from below."""

    def __init__(self, clock, z_um=0.0, limits_um=(-100.0, 100.0), largest_step_um=50.0, play_um=0.0, direction=1):
        self.label, self.focus_direction, self.largest_step_um = "Z", direction, largest_step_um
        self.limits_um = limits_um
        self.z_um = z_um
        self.play_um = play_um
        self.lag_um = 0.0
        self.commands: list[float] = []
        self.before_move: Callable[[int, float], None] = lambda index, z_um: None
        self._clock = clock

    @property
    def sample_um(self) -> float:
        """Where the drive really holds the sample."""
        return self.z_um + self.lag_um

    def position_um(self) -> float:
        return self.z_um

    def move_to(self, z_um: float) -> float:
        low, high = self.limits_um
        if not low <= z_um <= high or abs(z_um - self.z_um) > self.largest_step_um + 1e-9:
            raise MoveRefused(f"{z_um} is not allowed.")
        self.before_move(len(self.commands), z_um)
        self.commands.append(z_um)
        room = max(z_um - self.play_um, low)
        self.lag_um = self.play_um - (z_um - room)  # the overshoot takes up the play, as far as the limit lets it
        self.z_um = z_um
        self._clock.sleep(0.05)
        return self.z_um

    def stop(self) -> None: ...


class FakeMicroscope:
    """Fulfils Microscope; every pixel of a frame holds the sharpness of the place plus noise."""

    def __init__(self, sharpness: Callable[[float], float], noise=0.0, seed=0, **drive):
        self.clock = VirtualClock()
        self.focus = FakeDrive(self.clock, **drive)
        self.frames = 0
        self.restored = 0
        self.before_snap: Callable[[int], None] = lambda index: None
        self._sharpness = sharpness
        self._noise = noise
        self._rng = np.random.default_rng(seed)

    def snap(self) -> Frame:
        self.before_snap(self.frames)
        started = self.clock.now_s()
        self.clock.sleep(0.025)
        value = self._sharpness(self.focus.sample_um) + self._noise * self._rng.standard_normal()
        self.frames += 1
        return Frame(np.full((4, 4), value), self.focus.z_um, 0.0, 0.0, 25.0, started)

    @contextmanager
    def restoring(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.restored += 1


def mean_value(image) -> float:
    """The sharpness that a fake frame carries."""
    return float(np.mean(image))


def peak_at(best_um: float, width_um=1.7, height=100.0, floor=20.0, lopsided=0.0) -> Callable[[float], float]:
    """A focus curve like those of Brenner's gradient, somewhat lopsided as spherical aberration makes them."""

    def sharpness(z_um: float) -> float:
        side = width_um * (1 + lopsided * np.sign(z_um - best_um))
        return floor + height / (1 + ((z_um - best_um) / side) ** 2) ** 1.5

    return sharpness


def run_to_end(steps):
    """Every progress record of a routine and what it returned."""
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as finished:
            return progress, finished.value


@pytest.fixture
def kit():
    """The pieces above, for tests that cannot import a conftest by name."""
    from types import SimpleNamespace

    return SimpleNamespace(
        Microscope=FakeMicroscope, peak_at=peak_at, measure=mean_value, run=run_to_end, HardwareError=HardwareError
    )
