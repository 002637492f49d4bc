"""Live frames, the exposure and the news of the drive, over the simulated rig."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import FrameError, InputError
from napari_autofocus.microscope.controls import (
    LiveFrames,
    exposure_ms,
    on_drive_moved,
    random_place_um,
    reported_z_um,
    set_exposure_ms,
)
from napari_autofocus.microscope.simulated import SimulatedRig


class StreamingCore:
    """Stands in for the buffer of a camera in live mode."""

    def __init__(self, rig: SimulatedRig) -> None:
        self.frames: list[Any] = []
        core: Any = rig.core
        core.isSequenceRunning = lambda: True
        core.stopSequenceAcquisition = lambda: None
        core.getRemainingImageCount = lambda: len(self.frames)
        core.getLastImageAndMD = self._last

    def _last(self) -> tuple[Any, dict[str, str]]:
        newest = self.frames[-1]
        if isinstance(newest, Exception):
            self.frames.clear()
            raise newest
        return np.full((64, 80, 3), newest, np.uint8), {"ImageNumber": str(newest)}


@pytest.fixture
def stream(rig: SimulatedRig) -> StreamingCore:
    return StreamingCore(rig)


def test_each_live_frame_is_given_once(rig: SimulatedRig, stream: StreamingCore) -> None:
    live = LiveFrames(rig.microscope)
    assert live.newest_frame() is None
    stream.frames = [1, 2]
    frame = live.newest_frame()
    assert frame is not None
    assert (frame.image.max(), frame.z_um, frame.exposure_ms) == (2, 0.0, 10.0)
    assert live.newest_frame() is None
    stream.frames.append(3)
    assert live.newest_frame() is not None


def test_a_buffer_that_is_emptied_while_it_is_read_is_no_failure(rig: SimulatedRig, stream: StreamingCore) -> None:
    stream.frames = [RuntimeError("Circular buffer is empty")]
    assert LiveFrames(rig.microscope).newest_frame() is None


def test_a_camera_that_cannot_be_read_is_a_frame_error(rig: SimulatedRig, stream: StreamingCore) -> None:
    def unplugged() -> None:
        raise RuntimeError("unplugged")

    stream.frames = [1]
    core: Any = rig.core
    core.getLastImageAndMD = unplugged
    with pytest.raises(FrameError, match="gave no live frame: unplugged"):
        LiveFrames(rig.microscope).newest_frame()


@pytest.mark.usefixtures("stream")
def test_a_camera_that_falls_silent_is_told(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter([10.0, 14.9, 15.1])
    monkeypatch.setattr("napari_autofocus.microscope.controls.time", SimpleNamespace(monotonic=lambda: next(now_s)))
    live = LiveFrames(rig.microscope)
    assert live.newest_frame() is None
    assert live.newest_frame() is None
    with pytest.raises(FrameError, match="has sent no frame for 5 s"):
        live.newest_frame()


def test_a_long_pause_is_no_silence_even_as_it_ends(
    rig: SimulatedRig, stream: StreamingCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = iter([10.0, 11.0, 12.9, 13.1, 17.8, 18.0])
    monkeypatch.setattr("napari_autofocus.microscope.controls.time", SimpleNamespace(monotonic=lambda: next(now_s)))
    live, core = LiveFrames(rig.microscope), rig.core
    assert live.newest_frame() is None
    core.isSequenceRunning = lambda: False  # type: ignore[method-assign]
    assert live.newest_frame() is None
    assert live.newest_frame() is None
    core.isSequenceRunning = lambda: True  # type: ignore[method-assign]
    assert live.newest_frame() is None
    assert live.newest_frame() is None
    with pytest.raises(FrameError, match="has sent no frame for 5 s"):
        live.newest_frame()


@pytest.mark.parametrize("value_ms", [math.nan, math.inf, 0.0, -1.0])
def test_an_exposure_that_makes_no_sense_never_reaches_the_camera(rig: SimulatedRig, value_ms: float) -> None:
    with pytest.raises(InputError, match="positive number of ms"):
        set_exposure_ms(rig.microscope, value_ms)
    assert exposure_ms(rig.microscope) == 10.0


def test_an_exposure_is_told_as_the_camera_took_it(rig: SimulatedRig) -> None:
    assert set_exposure_ms(rig.microscope, 12.5) == 12.5


def test_where_the_drive_is_can_be_shown_even_beyond_its_limits(rig: SimulatedRig) -> None:
    rig.core.setPosition(80.0)
    rig.clock.sleep(1.0)
    assert reported_z_um(rig.microscope) == 80.0


def test_moves_are_told_until_nobody_wants_to_know(rig: SimulatedRig) -> None:
    heard: list[float] = []
    end = on_drive_moved(rig.microscope, heard.append)
    rig.microscope.focus.move_to(4.0)
    end()
    rig.microscope.focus.move_to(6.0)
    assert heard[-1] == 4.0


def test_random_places_lie_on_the_slide() -> None:
    rng = np.random.default_rng(3)
    places = np.array([random_place_um(rng, 500.0) for _ in range(200)])
    assert np.abs(places).max() <= 500.0
    assert np.ptp(places) > 900.0
