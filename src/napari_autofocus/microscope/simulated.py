"""A whole microscope made of Python devices on a Micro-Manager core, looking at a simulated slide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Self

import numpy as np
from pymmcore_plus.experimental.unicore import Device, UniMMCore

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.cores import own_core, release_core
from napari_autofocus.microscope.faults import Fault, FaultSchedule
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.protocol import Clock, Image
from napari_autofocus.microscope.simulated_camera import SceneLike, SimulatedCamera
from napari_autofocus.microscope.simulated_devices import SimulatedShutter, SimulatedXYStage
from napari_autofocus.microscope.simulated_lens import SimulatedLens
from napari_autofocus.microscope.simulated_z import SimulatedZStage

CONTINUOUS_FRAMES = 8
LARGEST_BUFFER_BYTES = 2**30


class SimulatedCore(UniMMCore):
    """A UniMMCore with two repairs of pymmcore-plus 0.18.

    Its ring buffer always holds a whole number of frames: otherwise ``getLastImage`` raises IndexError now and then and
    finite sequences end early. And sequences are started, stopped and asked after by one thread at a time: otherwise
    one that is asked after while it starts counts as ended, and is forgotten.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sequence_lock = RLock()
        super().__init__(*args, **kwargs)

    def startContinuousSequenceAcquisition(self, intervalMs: float = 0) -> None:
        """Start live mode."""
        with self._sequence_lock:
            self._fit_buffer(CONTINUOUS_FRAMES)
            super().startContinuousSequenceAcquisition(intervalMs)

    def startSequenceAcquisition(self, *args: Any) -> None:
        """Start a sequence of so many frames."""
        with self._sequence_lock:
            self._fit_buffer(int(args[-3]))
            super().startSequenceAcquisition(*args)

    def stopSequenceAcquisition(self, *args: Any) -> None:
        """End a sequence or live mode."""
        with self._sequence_lock:
            super().stopSequenceAcquisition(*args)

    def isSequenceRunning(self, *args: Any) -> bool:
        """Whether a sequence or live mode runs."""
        with self._sequence_lock:
            return bool(super().isSequenceRunning(*args))

    def _fit_buffer(self, frames: int) -> None:
        frame_bytes = self.getImageBufferSize()
        frames = max(CONTINUOUS_FRAMES, min(frames, LARGEST_BUFFER_BYTES // frame_bytes))
        # A float: MMCore counts in whole MiB, its Python twin takes any number.
        self.setCircularBufferMemoryFootprint(frames * frame_bytes / 2**20)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class SimulatedRig:
    """A simulated microscope with everything a test may want to touch; close it when done.

    Parameters
    ----------
    core : SimulatedCore
        Camera ``Camera``, z stage ``Z``, XY stage ``XY``, shutter ``Shutter``, tunable lens ``Lens``.
    microscope : CoreMicroscope
        What routines get.
    camera, z_stage, xy_stage, shutter, lens : Device
        The devices themselves, for tests and for the truth.
    """

    core: SimulatedCore
    microscope: CoreMicroscope
    camera: SimulatedCamera
    z_stage: SimulatedZStage
    xy_stage: SimulatedXYStage
    shutter: SimulatedShutter
    lens: SimulatedLens

    @property
    def clock(self) -> Clock:
        """What the whole rig lives by."""
        return self.microscope.clock

    @property
    def scene(self) -> SceneLike:
        """What stands in front of the objective."""
        return self.camera.scene

    def first_frame(self, scene: SceneLike) -> Image:
        """What the camera would see of a slide now; may be asked in any thread before :meth:`load`."""
        return self.camera.first_frame(scene)

    def load(self, scene: SceneLike, first: Image | None = None) -> None:
        """Put another slide under the same objective; the stages stay where they are, and live mode goes on.

        Parameters
        ----------
        scene : SceneLike
            The slide; frames of another shape or type than before are fine.
        first : np.ndarray, optional
            Its :meth:`first_frame`, which saves taking one.

        Raises
        ------
        InputError
            Its pixels have another size in the sample, so that it was made for another objective or camera.
        """
        if not math.isclose(scene.pixel_size_um, self.scene.pixel_size_um, rel_tol=1e-3):
            raise InputError(
                f"The slide was made for pixels of {scene.pixel_size_um:g} µm and this microscope has"
                f" {self.scene.pixel_size_um:g} µm; make it for the same objective, or connect another microscope."
            )
        with self.microscope.live.paused():
            self.camera.load(scene, first)

    def true_axial_um(self) -> float:
        """Axial position of the sample now, µm: play, drift and tunable lens included."""
        return self.z_stage.axial_um() + self.lens.shift_um()

    def true_defocus_um(self) -> float:
        """True defocus of the field under the objective now, µm; positive = sample and objective too close."""
        return self.true_axial_um() - self.scene.best_focus_um(*self.xy_stage.get_position_um())

    def close(self) -> None:
        """Stop the camera and unload the core."""
        self.microscope.close()
        if self.core.isSequenceRunning():
            self.core.stopSequenceAcquisition()
        release_core(self.core)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def simulated_rig(
    scene: SceneLike,
    *,
    focus_direction: int = 1,
    tells_direction: bool = True,
    backlash_um: float = 1.0,
    speed_um_s: float = 1000.0,
    settling_s: float = 0.01,
    drift_um_s: float = 0.0,
    travel_um: tuple[float, float] = (-1000.0, 1000.0),
    xy_speed_um_s: float = 10_000.0,
    xy_acceleration_um_s2: float = math.inf,
    exposure_ms: float = 10.0,
    clock: Clock | None = None,
    seed: int = 0,
    faults: Iterable[Fault] = (),
    **settings: Any,
) -> SimulatedRig:
    """A simulated microscope that looks at ``scene``, its drives at 0.

    Parameters
    ----------
    scene : SceneLike
        A ``simulation.scene.Scene``, or planes to replay.
    focus_direction : int
        +1 or −1: whether a growing z brings sample and objective together or apart.
    tells_direction : bool
        Whether the core knows that direction.
    backlash_um, speed_um_s, settling_s, drift_um_s, travel_um
        Of the z stage, as in :class:`SimulatedZStage`.
    xy_speed_um_s, xy_acceleration_um_s2 : float
        Of the XY stage, as in :class:`SimulatedXYStage`.
    exposure_ms : float
        Exposure time to begin with.
    clock : Clock, optional
        The wall clock by default; a ``VirtualClock`` makes every wait free.
    seed : int
        For the camera's noise.
    faults : iterable of Fault
        What goes wrong, and when.
    **settings
        Passed on to :class:`CoreMicroscope`; the approach is 1.5 times the play unless ``approach_um`` says otherwise.
    """
    clock = clock or WallClock()
    schedule = FaultSchedule(faults)
    z_stage = SimulatedZStage(
        clock,
        focus_direction=focus_direction,
        tells_direction=tells_direction,
        backlash_um=backlash_um,
        speed_um_s=speed_um_s,
        settling_s=settling_s,
        drift_um_s=drift_um_s,
        travel_um=travel_um,
        faults=schedule,
    )
    # Python devices need no Micro-Manager; without a path pymmcore-plus reports its absence as an error.
    core = own_core(lambda: SimulatedCore(mm_path=str(Path(__file__).parent)))
    xy_stage = SimulatedXYStage(clock, speed_um_s=xy_speed_um_s, acceleration_um_s2=xy_acceleration_um_s2)
    shutter, lens = SimulatedShutter(), SimulatedLens(clock)

    def where() -> tuple[float, float, float]:
        return (*xy_stage.get_position_um(), z_stage.axial_um() + lens.shift_um())

    # Opening the shutter for each frame is MMCore's own work, which it does not do for a Python shutter.
    def lit() -> bool:
        return core.getAutoShutter() or shutter.get_open()

    rng = np.random.default_rng(seed)
    camera = SimulatedCamera(scene, where, lit, clock, rng, exposure_ms=exposure_ms, faults=schedule)
    _load(core, {"Camera": camera, "Z": z_stage, "XY": xy_stage, "Shutter": shutter, "Lens": lens})
    core.definePixelSizeConfig("Objective")
    core.setPixelSizeUm("Objective", scene.pixel_size_um)
    settings.setdefault("backlash_um", settings.pop("approach_um", 1.5 * backlash_um))
    # Python devices report at once, in the thread that commands them.
    settings.setdefault("late_report_s", 0.0)
    microscope = CoreMicroscope(core, clock=clock, **settings)
    return SimulatedRig(core, microscope, camera, z_stage, xy_stage, shutter, lens)


def _load(core: SimulatedCore, devices: dict[str, Device]) -> None:
    for label, device in devices.items():
        core.loadPyDevice(label, device)
        core.initializeDevice(label)
    core.setCameraDevice("Camera")
    core.setFocusDevice("Z")
    core.setXYStageDevice("XY")
    core.setShutterDevice("Shutter")
