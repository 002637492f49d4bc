"""Frames and state, over the simulated rig and over MMCore's own demo devices."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from pymmcore_plus import CMMCorePlus

from conftest import RigMaker
from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError
from napari_autofocus.microscope.cores import release_core
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig


@pytest.fixture
def demo_core() -> Iterator[CMMCorePlus]:
    pytest.importorskip("mm_test_adapters")
    core = CMMCorePlus()
    core.loadSystemConfiguration()
    core.setExposure(1.0)
    yield core
    release_core(core)


@pytest.fixture(params=["simulated", "demo"])
def microscope(request: pytest.FixtureRequest, make_rig: RigMaker) -> Iterator[CoreMicroscope]:
    if request.param == "simulated":
        yield make_rig(exposure_ms=1.0).microscope
        return
    with CoreMicroscope(request.getfixturevalue("demo_core")) as microscope:
        yield microscope


def test_a_frame_says_where_and_when_it_was_taken(make_rig: RigMaker) -> None:
    rig = make_rig(exposure_ms=20.0)
    rig.microscope.move_xy_to(120.0, -30.0)
    rig.microscope.focus.move_to(4.0)
    before_s = rig.clock.now_s()
    frame = rig.microscope.snap()
    assert (frame.z_um, frame.x_um, frame.y_um) == (4.0, 120.0, -30.0)
    assert (frame.exposure_ms, frame.pixel_size_um) == (20.0, 0.325)
    assert frame.started_s >= before_s
    assert rig.clock.now_s() == pytest.approx(frame.started_s + 0.02)
    assert frame.image.shape == (64, 80, 3)
    assert frame.image.dtype == np.uint8


def test_frames_of_the_demo_camera_carry_their_place(demo_core: CMMCorePlus) -> None:
    with CoreMicroscope(demo_core) as microscope:
        microscope.focus.move_to(2.0)
        frame = microscope.snap()
    assert frame.image.shape == (512, 512)
    assert (frame.z_um, frame.exposure_ms, frame.pixel_size_um) == (2.0, 1.0, 1.0)
    assert math.isfinite(frame.x_um)


def test_colour_of_the_demo_camera_arrives_as_rgb(demo_core: CMMCorePlus) -> None:
    demo_core.setProperty("Camera", "PixelType", "32bitRGB")
    with CoreMicroscope(demo_core) as microscope:
        assert microscope.snap().image.shape == (512, 512, 3)


def test_a_frame_waits_for_the_drive_to_rest(make_rig: RigMaker) -> None:
    rig = make_rig(speed_um_s=1.0)
    rig.core.setPosition(3.0)
    assert rig.microscope.snap().z_um == 3.0
    assert rig.clock.now_s() > 3.0


def test_a_frame_is_a_copy(microscope: CoreMicroscope) -> None:
    first = microscope.snap()
    kept = first.image.copy()
    microscope.focus.move_to(3.0)
    microscope.snap()
    assert np.array_equal(first.image, kept)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("snap-timeout", "took no frame: no frame after 1.0 s"),
        ("zero-frame", "a frame of zeros; check the light"),
        ("stale-frame", "the frame from 0 µm once more although the drive is at 5 µm"),
    ],
)
def test_a_frame_that_cannot_be_trusted_is_an_error(make_rig: RigMaker, kind: str, words: str) -> None:
    rig = make_rig(faults=[Fault(kind, at=2)])
    rig.microscope.snap()
    rig.microscope.focus.move_to(5.0)
    with pytest.raises(FrameError, match=words):
        rig.microscope.snap()
    assert rig.microscope.snap().z_um == 5.0


def test_a_uniform_frame_may_come_twice(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.scene, "snap", lambda *_, **__: np.full((64, 80, 3), 255, np.uint8))
    rig.microscope.snap()
    rig.microscope.focus.move_to(5.0)
    assert rig.microscope.snap().image.min() == 255


def test_a_frame_of_another_shape_is_an_error(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.core, "getImage", lambda: np.ones((10, 10), np.uint8))
    with pytest.raises(FrameError, match=r"shape \(10, 10\) where \(64, 80\) was expected"):
        rig.microscope.snap()


def test_live_mode_pauses_for_a_frame_and_goes_on(microscope: CoreMicroscope) -> None:
    microscope.core.startContinuousSequenceAcquisition()
    microscope.snap()
    assert microscope.core.isSequenceRunning()
    microscope.core.stopSequenceAcquisition()


def test_a_recording_is_not_interrupted(rig: SimulatedRig) -> None:
    rig.core.startSequenceAcquisition(100_000, 0, True)
    with pytest.raises(HardwareError, match="recording a sequence"):
        rig.microscope.snap()
    rig.core.stopSequenceAcquisition()


def test_everything_is_put_back_whatever_happened(microscope: CoreMicroscope) -> None:
    core = microscope.core
    core.setExposure(3.0)
    core.setROI(8, 8, 32, 16)
    core.startContinuousSequenceAcquisition()

    def tamper_and_fail() -> None:
        with microscope.restoring():
            assert not core.isSequenceRunning()
            core.setExposure(7.0)
            core.setROI(0, 0, 16, 16)
            core.setAutoShutter(False)
            core.setShutterOpen(True)
            raise FrameError("deliberate")

    with pytest.raises(FrameError, match="deliberate"):
        tamper_and_fail()
    assert core.getExposure() == 3.0
    assert list(core.getROI()) == [8, 8, 32, 16]
    assert core.getAutoShutter()
    assert core.isSequenceRunning()
    core.stopSequenceAcquisition()


def test_the_channel_is_put_back(demo_core: CMMCorePlus) -> None:
    demo_core.setChannelGroup("Channel")
    demo_core.setConfig("Channel", "FITC")
    with CoreMicroscope(demo_core) as microscope, microscope.restoring():
        demo_core.setConfig("Channel", "DAPI")
        demo_core.setExposure(5.0)
    assert demo_core.getCurrentConfig("Channel") == "FITC"
    assert demo_core.getExposure() == 1.0


def test_one_setting_that_cannot_be_put_back_does_not_hinder_the_others(
    rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(exposure: float) -> None:
        raise RuntimeError("exposure is locked")

    def tamper() -> None:
        with rig.microscope.restoring():
            rig.core.setExposure(99.0)
            rig.core.setROI(0, 0, 8, 8)
            monkeypatch.setattr(rig.camera, "set_exposure", refuse)

    with pytest.raises(HardwareError, match="exposure could not be put back: exposure is locked"):
        tamper()
    assert list(rig.core.getROI()) == [0, 0, 80, 64]


def test_a_frame_after_a_foreign_move_is_refused_while_it_matters(rig: SimulatedRig) -> None:
    with rig.microscope.restoring():
        rig.microscope.snap()
        rig.core.setPosition(5.0)
        with pytest.raises(ForeignMove):
            rig.microscope.snap()


def test_a_core_without_camera_or_drive_is_refused() -> None:
    core = CMMCorePlus()
    with pytest.raises(InputError, match="has no camera"):
        CoreMicroscope(core)
    release_core(core)


def test_closing_leaves_a_core_that_is_not_ours_loaded(rig: SimulatedRig) -> None:
    rig.microscope.close()
    assert "Camera" in rig.core.getLoadedDevices()
    assert rig.core.snap().shape == (64, 80, 3)


def test_a_microscope_connected_from_a_file_unloads_its_own_core() -> None:
    pytest.importorskip("mm_test_adapters")
    with CoreMicroscope.connect("MMConfig_demo.cfg", limits_um=(-5.0, 5.0)) as microscope:
        core = microscope.core
        assert microscope.focus.limits_um == (-5.0, 5.0)
        assert microscope.focus.focus_direction == 0
    assert core.getLoadedDevices() == ("Core",)
