"""The simulated camera: a Python device that shows what stands in front of the objective at the moment of exposure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pymmcore_plus.experimental.unicore import SimpleCameraDevice

from napari_autofocus.microscope.faults import FaultSchedule
from napari_autofocus.microscope.protocol import Clock, Image
from napari_autofocus.microscope.simulated_devices import PunctualDevice

# On a virtual clock an exposure takes no real time: unless paced, live mode would take the whole processor.
_LIVE_INTERVAL_S = 0.005


class SceneLike(Protocol):
    """What the simulated camera looks at; ``simulation.scene.Scene`` is one."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame, px."""

    @property
    def pixel_size_um(self) -> float:
        """Size of a pixel in the sample, µm."""

    def snap(
        self, x_um: float, y_um: float, axial_um: float, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> Image:
        """Frame, u8 or u16, shape (Y, X) or (Y, X, 3), at a stage and an axial position."""

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        """Axial position of best focus of the field, µm."""


class SimulatedCamera(PunctualDevice, SimpleCameraDevice):
    """Renders, or replays, a scene at full rate.

    Parameters
    ----------
    scene : SceneLike
        What it looks at.
    where : callable
        Returns (x_um, y_um, axial_um) at the moment it is called.
    lit : callable
        Whether light reaches the sample at the moment it is called.
    clock : Clock
        What it lives by: an exposure takes its time.
    rng : np.random.Generator
        For the noise.
    exposure_ms : float
        Exposure time to begin with.
    timeout_s : float
        How long it waits before it gives a frame up (``snap-timeout``).
    faults : FaultSchedule
        Which exposures go wrong.
    """

    def __init__(
        self,
        scene: SceneLike,
        where: Callable[[], tuple[float, float, float]],
        lit: Callable[[], bool],
        clock: Clock,
        rng: np.random.Generator,
        *,
        exposure_ms: float = 10.0,
        timeout_s: float = 1.0,
        faults: FaultSchedule | None = None,
    ) -> None:
        super().__init__()
        self._where = where
        self._lit = lit
        self._clock = clock
        self._rng = rng
        self._exposure_ms = exposure_ms
        self._timeout_s = timeout_s
        self._faults = faults or FaultSchedule()
        self._before: Image | None
        self.load(scene)
        self.set_property_limits("Exposure", (0.01, 10_000.0))

    @property
    def scene(self) -> SceneLike:
        """What it looks at."""
        return self._scene

    def first_frame(self, scene: SceneLike) -> Image:
        """A frame of a scene that is not yet loaded, from where the stages are; counts as no exposure."""
        return scene.snap(*self._where(), exposure_ms=self._exposure_ms, rng=np.random.default_rng(0))

    def load(self, scene: SceneLike, first: Image | None = None) -> None:
        """Look at another scene from the next exposure on; not while frames stream.

        Parameters
        ----------
        scene : SceneLike
            The scene.
        first : np.ndarray, optional
            Its :meth:`first_frame`, which tells shape and type; taken here where it is not given.
        """
        if first is None:
            first = self.first_frame(scene)
        self._scene = scene
        self._before = None
        self._sensor_shape: tuple[int, ...] = first.shape
        self._dtype = first.dtype

    def get_exposure(self) -> float:
        """Exposure time, ms."""
        return self._exposure_ms

    def set_exposure(self, exposure: float) -> None:
        """Set the exposure time, ms."""
        if not 0 < exposure <= 10_000:
            raise ValueError(f"an exposure lasts up to 10 s; found {exposure} ms")
        self._exposure_ms = float(exposure)
        self.announce(lambda: self.core.events.exposureChanged.emit(self.get_label(), self._exposure_ms))

    def sensor_shape(self) -> tuple[int, int] | tuple[int, int, int]:
        """Height, width and, in colour, 3."""
        height, width, *colours = self._sensor_shape
        return (height, width, colours[0]) if colours else (height, width)

    def dtype(self) -> npt.DTypeLike:
        """Data type of a frame."""
        return self._dtype

    def start_sequence(
        self, n: int | None, get_buffer: Callable[[Sequence[int], npt.DTypeLike], Image]
    ) -> Iterator[Mapping[str, Any]]:
        """Expose one frame after the other; live mode is paced in real time.

        A frame that does not come ends the sequence, as it does with a real camera; nobody could catch an error here.
        """
        began_s = time.monotonic()
        # A single frame is a snap, whose caller is there to hear of it.
        with nullcontext() if n == 1 else suppress(TimeoutError):
            for tags in super().start_sequence(n, get_buffer):
                yield tags
                if n is None:
                    time.sleep(max(0.0, _LIVE_INTERVAL_S - (time.monotonic() - began_s)))
                began_s = time.monotonic()

    def snap(self, buffer: Image) -> Mapping[str, Any]:
        """Expose one full frame into the buffer."""
        began_s = self._clock.now_s()
        fault = self._faults.next_exposure()
        if fault == "snap-timeout":
            self._clock.sleep(self._timeout_s)
            raise TimeoutError(f"no frame after {self._timeout_s} s")
        x_um, y_um, axial_um = self._where()
        buffer[:] = self._picture(fault, x_um, y_um, axial_um)
        self._clock.sleep(self._exposure_ms / 1000 - (self._clock.now_s() - began_s))
        return {"Axial-um": f"{axial_um:.4f}", "Exposure-ms": f"{self._exposure_ms:g}"}

    def _picture(self, fault: str | None, x_um: float, y_um: float, axial_um: float) -> Image:
        if fault == "zero-frame":
            return np.zeros(self._sensor_shape, self._dtype)
        if fault == "stale-frame" and self._before is not None:
            return self._before
        if not self._lit():
            return self._rng.integers(1, 4, self._sensor_shape).astype(self._dtype)
        self._before = self._scene.snap(x_um, y_um, axial_um, exposure_ms=self._exposure_ms, rng=self._rng)
        return self._before
