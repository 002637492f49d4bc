"""Frames and state, over the simulated rig and over MMCore's own demo devices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import ForeignMove, FrameError, HardwareError, InputError
from napari_autofocus.microscope.cores import release_core
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig
from rigs import RigMaker, TextureScene


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
    rig = make_rig(faults=[Fault(kind, at=2, times=2 if kind == "stale-frame" else 1)])
    rig.microscope.snap()
    rig.microscope.focus.move_to(5.0)
    with pytest.raises(FrameError, match=words):
        rig.microscope.snap()
    assert rig.microscope.snap().z_um == 5.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_frame_of_no_numbers_is_an_error(rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    image = np.ones((64, 80, 3), np.float32)
    image[3, 4] = value
    monkeypatch.setattr(rig.core, "getImage", lambda: image)
    with pytest.raises(FrameError, match="pixels that are no numbers"):
        rig.microscope.snap()


def test_a_frame_that_came_twice_is_taken_again(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("stale-frame", at=2)])
    first = rig.microscope.snap()
    rig.microscope.focus.move_to(5.0)
    assert not np.array_equal(rig.microscope.snap().image, first.image)
    assert rig.microscope.snap().z_um == 5.0


def test_a_camera_that_repeats_its_buffer_for_ever_is_caught_at_every_place(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("stale-frame", at=3, times=99)])
    rig.microscope.snap()
    rig.microscope.snap()
    for z_um in (2.0, 4.0, 6.0):
        rig.microscope.focus.move_to(z_um)
        with pytest.raises(FrameError, match="stale"):
            rig.microscope.snap()


def test_a_frame_that_came_twice_at_another_place_of_the_slide_is_taken_again(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("stale-frame", at=2)])
    first = rig.microscope.snap()
    rig.microscope.move_xy_to(200.0, 0.0)
    assert not np.array_equal(rig.microscope.snap().image, first.image)


@pytest.mark.parametrize("at", [2, 3, 4])
def test_a_buffer_that_is_stuck_is_caught_at_every_other_place_of_the_slide(make_rig: RigMaker, at: int) -> None:
    rig = make_rig(faults=[Fault("stale-frame", at=at, times=99)])
    for number in range(1, 7):
        rig.microscope.move_xy_to(200.0 * number, 0.0)
        if number < at:
            rig.microscope.snap()
            continue
        with pytest.raises(FrameError, match=rf"once more although the slide is at \({200 * number}, 0\)"):
            rig.microscope.snap()


def test_a_camera_without_noise_may_show_the_same_everywhere(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(noise=0.0))
    images = [rig.microscope.snap().image]
    for x_um in (0.0, 200.0, 400.0, 600.0):
        rig.microscope.move_xy_to(x_um, 0.0)
        images.append(rig.microscope.snap().image)
    assert all(np.array_equal(image, images[0]) for image in images)


def test_without_noise_the_same_image_above_and_below_focus_is_believed(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=0.0, noise=0.0))
    rig.microscope.snap()
    rig.microscope.snap()
    images = []
    for z_um in (4.0, -4.0, 2.0, -2.0):
        rig.microscope.focus.move_to(z_um)
        images.append(rig.microscope.snap().image)
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[1], images[2])


def test_without_noise_a_buffer_that_is_stuck_is_caught_at_the_third_place(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(noise=0.0), faults=[Fault("stale-frame", at=4, times=99)])
    rig.microscope.snap()
    rig.microscope.snap()
    for z_um in (4.0, 8.0):
        rig.microscope.focus.move_to(z_um)
        rig.microscope.snap()
    rig.microscope.focus.move_to(12.0)
    with pytest.raises(FrameError, match="from 8 µm once more although the drive is at 12 µm"):
        rig.microscope.snap()


def test_a_buffer_that_was_stuck_from_the_beginning_is_caught_at_the_second_place(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(noise=0.0), faults=[Fault("stale-frame", at=2, times=99)])
    for _ in range(3):
        rig.microscope.snap()
    rig.microscope.focus.move_to(4.0)
    with pytest.raises(FrameError, match="stale"):
        rig.microscope.snap()


def test_the_demo_camera_without_noise_can_be_looked_through_on_both_sides_of_focus(demo_core: CMMCorePlus) -> None:
    demo_core.setProperty("Camera", "Mode", "Fluorescent Beads")
    with CoreMicroscope(demo_core) as microscope:
        microscope.snap()
        microscope.snap()
        for z_um in (4.0, -4.0, 3.0):
            microscope.focus.move_to(z_um)
            assert microscope.snap().z_um == z_um


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


def test_a_channel_that_names_the_place_of_a_stage_does_not_move_it_back(demo_core: CMMCorePlus) -> None:
    demo_core.defineConfig("Objective and height", "20x", "Z", "Position", "3")
    demo_core.defineConfig("Objective and height", "20x", "Emission", "State", "1")
    demo_core.setChannelGroup("Objective and height")
    with CoreMicroscope(demo_core) as microscope:
        with microscope.restoring():
            microscope.focus.move_to(7.0)
            demo_core.setProperty("Emission", "State", "2")
        assert microscope.focus.position_um() == 7.0
        assert microscope.focus.moved_by_others == 0
    assert demo_core.getProperty("Emission", "State") != "2"


def test_one_filter_that_is_stuck_does_not_keep_the_others_from_being_put_back(
    demo_core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_property = demo_core.setProperty

    def stuck(device: str, *arguments: str) -> None:
        if device == "Dichroic":
            raise RuntimeError("the wheel is stuck")
        set_property(device, *arguments)

    demo_core.setChannelGroup("Channel")
    demo_core.setConfig("Channel", "FITC")
    before = {device: demo_core.getProperty(device, "Label") for device in ("Emission", "Excitation")}

    def change_channel() -> None:
        with CoreMicroscope(demo_core) as microscope, microscope.restoring():
            demo_core.setConfig("Channel", "Rhodamine")
            assert {device: demo_core.getProperty(device, "Label") for device in before} != before
            monkeypatch.setattr(demo_core, "setProperty", stuck)

    with pytest.raises(HardwareError, match="the wheel is stuck"):
        change_channel()
    assert {device: demo_core.getProperty(device, "Label") for device in before} == before


def test_live_mode_goes_on_though_the_camera_complains_when_it_is_stopped(
    rig: SimulatedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = rig.core.stopSequenceAcquisition

    def complain() -> None:
        stop()
        raise RuntimeError("late answer")

    rig.microscope.live.start()
    monkeypatch.setattr(rig.core, "stopSequenceAcquisition", complain)
    with pytest.raises(HardwareError, match="could not be stopped: late answer"), rig.microscope.restoring():
        pass
    assert rig.core.isSequenceRunning()
    stop()


def test_closing_twice_is_closing_once(rig: SimulatedRig) -> None:
    rig.microscope.close()
    rig.microscope.close()


def test_a_microscope_that_cannot_be_made_lets_go_of_its_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mm_test_adapters")
    path = tmp_path / "dark.cfg"
    path.write_text(
        "Device,Camera,DemoCamera,DCam\nDevice,Z,DemoCamera,DStage\nProperty,Core,Initialize,1\nProperty,Core,Camera,Camera\n"
    )
    released: list[CMMCorePlus] = []

    def release(core: CMMCorePlus) -> None:
        released.append(core)
        release_core(core)

    monkeypatch.setattr("napari_autofocus.microscope.mmcore.release_core", release)
    with pytest.raises(InputError, match="has no focus drive"):
        CoreMicroscope.connect(path)

    def dumb(core: CMMCorePlus, *_: object) -> None:
        raise HardwareError("The focus drive does not tell its position.")

    monkeypatch.setattr("napari_autofocus.microscope.mmcore._focus_label", dumb)
    with pytest.raises(HardwareError, match="does not tell"):
        CoreMicroscope.connect(path)
    assert [core.getLoadedDevices() for core in released] == [("Core",)] * 2


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
