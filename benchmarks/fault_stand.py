"""The stand of the fault campaign: a small slide, a simulated microscope over it, and models that see only the frame.

What a frame truly shows is remembered by its content, so that a model answers a stale frame with the old truth, and a
spoiled one with anything: an answer that is wrong and sure, or no number at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.optics import Objective

SHAPE = (64, 80)
LENS = Objective.parse("20x/0.75")
OPTICS = ImageOptics(LENS)
PIXEL_UM = LENS.pixel_size_um
BEST_UM = 1.3
LIMITS_UM = (-16.0, 17.0)
XY_LIMITS_UM = (-100.0, -100.0, 100.0, 100.0)
LARGEST_STEP_UM = 8.0
PLAY_UM = 0.5
HOME_UM = (8.0, -6.0)
EXPOSURE_MS = 10.0
TIMEOUT_S = 1.0
DOF_UM = 1.0
_PUT_IN_PLACE = (
    "getImage",
    "setProperty",
    "isSequenceRunning",
    "stopSequenceAcquisition",
    "startContinuousSequenceAcquisition",
)


class ReadableSlide:
    """Structure without end that blurs with defocus, tilted; knows the truth of every frame that it made."""

    pixel_size_um = PIXEL_UM
    shape = SHAPE

    def __init__(self, tilt: float = 0.01) -> None:
        rng = np.random.default_rng(4)
        values = cv2.GaussianBlur(rng.normal(size=(400, 400)).astype(np.float32), (0, 0), 0.8)
        self._whole = np.clip(120 + 150 * values, 5, 250)
        self._tilt = tilt
        self.truth_um: dict[bytes, float] = {}

    def best_focus_um(self, x_um: float, _y_um: float) -> float:
        """Axial position of best focus, µm."""
        return BEST_UM + self._tilt * x_um

    def snap(self, x_um: float, y_um: float, axial_um: float, *, rng: np.random.Generator, **_: object) -> np.ndarray:
        """A grey frame, shape (64, 80), u8."""
        away_um = axial_um - self.best_focus_um(x_um, y_um)
        rows = np.arange(-20, SHAPE[0] + 20) + round(y_um / PIXEL_UM)
        columns = np.arange(-20, SHAPE[1] + 20) + round(x_um / PIXEL_UM)
        wide = self._whole[np.ix_(rows % 400, columns % 400)]
        light = cv2.GaussianBlur(wide, (0, 0), 0.4 + 0.5 * min(abs(away_um), 15.0))[20:-20, 20:-20]
        noise = rng.integers(-2, 3, light.shape)
        image: np.ndarray = np.clip(np.rint(light) + noise, 1, 254).astype(np.uint8)
        self.truth_um[image.tobytes()] = away_um
        return image


class Reader:
    """A model that tells the truth of a frame it has seen made, and anything of one that it has not."""

    name, fingerprint = "reader", "f" * 64

    def __init__(self, slide: ReadableSlide, rng: np.random.Generator) -> None:
        self.card: Any = SimpleNamespace(dof_um=DOF_UM, range_um=10.0)
        self._slide, self._rng = slide, rng

    def estimate(self, image: np.ndarray, **_: Any) -> FocusEstimate:
        """What the frame alone tells."""
        away_um = self._slide.truth_um.get(np.ascontiguousarray(image).tobytes())
        if away_um is None:
            return self._anything(image)
        if abs(away_um) > self.card.range_um:
            return FocusEstimate("out_of_range", None, None, reasons=("Too far off.",))
        return _flat(away_um, image)

    def _anything(self, image: np.ndarray) -> FocusEstimate:
        draw = self._rng.random()
        if draw < 0.5:
            return _flat(float(self._rng.uniform(-40, 40)), image)
        if draw < 0.7:
            return FocusEstimate("flat", float("nan"), 0.05, direction_probability=0.99, reasons=("No number.",))
        if draw < 0.85:
            return FocusEstimate("unsure", 1.0, 0.1, direction_probability=0.6, reasons=("The side is undecided.",))
        return FocusEstimate("no_content", reasons=("Nothing is there.",))


class PairReader(Reader):
    """The same by two shots."""

    def __init__(self, slide: ReadableSlide, rng: np.random.Generator) -> None:
        super().__init__(slide, rng)
        self.card = SimpleNamespace(dof_um=DOF_UM, range_um=8.0, dz_um=2.0)

    def estimate_pair(self, first: np.ndarray, second: np.ndarray, **_: Any) -> FocusEstimate:
        """Of the second frame; both must be genuine and as far apart as was said."""
        return self.estimate(second) if first.shape == second.shape else self._anything(second)


def _flat(away_um: float, image: np.ndarray) -> FocusEstimate:
    patch = PatchPrediction(0, 0, min(image.shape[:2]), 1.0, True, away_um, 0.1, 0.9)
    return FocusEstimate("flat", away_um, 0.05, direction_probability=0.99, patches=(patch,), reasons=("Flat.",))


@dataclass
class Stand:
    """A rig out of focus with somebody's settings, and what it was like before.

    Live mode is a mere switch: real live frames would count as exposures.
    """

    rig: SimulatedRig
    slide: ReadableSlide
    folder: Path
    rng: np.random.Generator
    direction: int
    start_um: float
    before: tuple[Any, ...] = ()
    refuses_live: Callable[[], bool] = lambda: False

    @classmethod
    def make(cls, folder: Path, seed: tuple[int, ...], *, live: bool) -> Stand:
        """A new stand; everything random in it comes from the seed."""
        rng = np.random.default_rng(seed)
        slide, direction = ReadableSlide(), int(rng.choice([-1, 1]))
        rig = simulated_rig(
            slide,
            focus_direction=direction,
            backlash_um=PLAY_UM,
            settling_s=0.0,
            clock=VirtualClock(),
            seed=int(rng.integers(2**31)),
            limits_um=LIMITS_UM,
            largest_step_um=LARGEST_STEP_UM,
            xy_limits_um=XY_LIMITS_UM,
            timeout_s=TIMEOUT_S,
            exposure_ms=EXPOSURE_MS,
        )
        rig.microscope.move_xy_to(*HOME_UM)
        start_um = direction * BEST_UM + float(rng.uniform(-4, 4))
        rig.microscope.focus.move_to(start_um)
        stand = cls(rig, slide, folder, rng, direction, start_um)
        if live:
            stand._switch(True)
        stand.before = stand.state()
        return stand

    def _switch(self, on: bool) -> None:
        def start(*_: Any) -> None:
            if self.refuses_live():
                raise RuntimeError("the camera is not connected")
            self._switch(True)

        core: Any = self.rig.core
        core.isSequenceRunning = lambda: on
        core.stopSequenceAcquisition = lambda: self._switch(False)
        core.startContinuousSequenceAcquisition = start

    def tamper(self) -> None:
        """Somebody's hand at the camera, or a channel: what a routine has to put back."""
        core = self.rig.core
        core.setExposure(3.0)
        core.setAutoShutter(False)
        self.rig.shutter.set_open(True)

    def state(self) -> tuple[Any, ...]:
        """Live mode, exposure, automatic shutter, shutter: as the devices have them."""
        core = self.rig.core
        return (
            core.isSequenceRunning(),
            self.rig.camera.get_exposure(),
            core.getAutoShutter(),
            self.rig.shutter.get_open(),
        )

    def close(self) -> None:
        """Close the rig and take back what was put in its place: a core that refers to itself keeps its threads."""
        with contextlib.suppress(RuntimeError):
            self.rig.close()
        for name in _PUT_IN_PLACE:
            vars(self.rig.core).pop(name, None)

    def reader(self) -> Reader:
        """A model of one shot."""
        return Reader(self.slide, self.rng)

    def pair(self) -> PairReader:
        """A model of two shots."""
        return PairReader(self.slide, self.rng)
