"""The simulated rig as any Micro-Manager program sees it, and the truth behind it."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import useq

from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from rigs import RigMaker, TextureScene

DIRECTIONS = pytest.mark.parametrize("focus_direction", [1, -1])


def wait_for_sequence(rig: SimulatedRig) -> None:
    deadline = time.monotonic() + 20
    while rig.core.isSequenceRunning():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def newest(rig: SimulatedRig) -> np.ndarray:
    """The newest live frame, as soon as there is one."""
    deadline = time.monotonic() + 20
    while rig.core.getRemainingImageCount() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    image: np.ndarray = rig.core.getLastImage()
    return image


@DIRECTIONS
def test_growing_z_goes_the_way_of_the_focus_direction(make_rig: RigMaker, focus_direction: int) -> None:
    rig = make_rig(focus_direction=focus_direction)
    assert rig.true_defocus_um() == pytest.approx(-1.5)
    rig.microscope.focus.move_to(4.0)
    assert rig.true_defocus_um() == pytest.approx(4.0 * focus_direction - 1.5)
    assert rig.microscope.focus.focus_direction == focus_direction
    assert rig.core.getFocusDirection("Z") == focus_direction


@DIRECTIONS
def test_the_table_lags_by_the_play_when_the_motor_turns(make_rig: RigMaker, focus_direction: int) -> None:
    rig = make_rig(focus_direction=focus_direction, backlash_um=2.0, settling_s=0.0)
    lags = []
    for axial_um in (10.0, 9.0, 5.0, 6.0, 20.0):
        rig.core.setPosition(axial_um * focus_direction)
        rig.clock.sleep(1.0)
        assert rig.core.getPosition() == axial_um * focus_direction
        lags.append(rig.true_axial_um() - axial_um)
    assert lags == pytest.approx([0.0, 1.0, 2.0, 1.0, 0.0])


def test_a_move_takes_its_time_and_the_table_swings_before_it_rests(make_rig: RigMaker) -> None:
    rig = make_rig(speed_um_s=10.0, settling_s=0.5)
    rig.core.setPosition(20.0)
    rig.clock.sleep(1.0)
    assert rig.core.getPosition() == pytest.approx(10.0)
    rig.clock.sleep(1.25)
    assert rig.core.getPosition() == 20.0
    assert rig.core.deviceBusy("Z")
    assert 0.0 < rig.true_axial_um() - 20.0 < 0.2
    rig.clock.sleep(0.25)
    assert not rig.core.deviceBusy("Z")
    assert rig.true_axial_um() == pytest.approx(20.0)


def test_drift_adds_up_with_time_and_keeps_when_it_ends(make_rig: RigMaker) -> None:
    rig = make_rig(drift_um_s=0.01)
    rig.clock.sleep(100.0)
    assert rig.true_axial_um() == pytest.approx(1.0)
    rig.core.setProperty("Z", "Drift-um-per-s", 0.0)
    rig.clock.sleep(100.0)
    assert rig.true_axial_um() == pytest.approx(1.0)
    assert rig.core.getPosition() == 0.0


def test_the_tunable_lens_shifts_the_focus_along_its_curve(rig: SimulatedRig) -> None:
    rig.core.setProperty("Lens", "Current-mA", 125.0)
    assert rig.true_axial_um() == pytest.approx(14.0)
    rig.core.setProperty("Lens", "Current-mA", -125.0)
    assert rig.true_axial_um() == pytest.approx(-10.0)
    with pytest.raises(ValueError, match="not within the allowed range"):
        rig.core.setProperty("Lens", "Current-mA", 251.0)


def test_the_stage_refuses_to_leave_its_travel(make_rig: RigMaker) -> None:
    rig = make_rig(travel_um=(-30.0, 30.0))
    with pytest.raises(ValueError, match="outside the travel"):
        rig.core.setPosition(31.0)
    assert rig.core.getPosition() == 0.0


def test_focus_is_sharper_than_defocus(rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(1.5)
    sharp = rig.microscope.snap().image.astype(float)
    rig.microscope.focus.move_to(6.5)
    blurred = rig.microscope.snap().image.astype(float)
    assert sharp.std() > 2 * blurred.std()


def test_the_same_seed_gives_the_same_frames(make_rig: RigMaker) -> None:
    first, again, other = (make_rig(seed=seed).microscope.snap().image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_events_reach_listeners_that_ask_the_core_in_return(rig: SimulatedRig) -> None:
    seen: list[tuple[str, float, float]] = []
    rig.core.events.stagePositionChanged.connect(lambda label, z: seen.append((label, z, rig.core.getPosition())))
    rig.core.events.XYStagePositionChanged.connect(lambda label, x, y: seen.append((label, x, rig.core.getXPosition())))
    rig.core.setPosition(3.0)
    rig.core.setXYPosition(7.0, 8.0)
    assert [(label, place) for label, place, _ in seen] == [("Z", 3.0), ("XY", 7.0)]


def test_changed_settings_are_announced(rig: SimulatedRig) -> None:
    seen: list[tuple[object, ...]] = []
    rig.core.events.propertyChanged.connect(lambda *change: seen.append(change))
    rig.core.events.exposureChanged.connect(lambda *change: seen.append(change))
    rig.core.setProperty("Lens", "Current-mA", 10.0)
    rig.core.setExposure(5.0)
    assert seen == [("Lens", "Current-mA", "10.0"), ("Camera", 5.0)]


def test_a_finite_sequence_delivers_every_frame(rig: SimulatedRig) -> None:
    rig.core.startSequenceAcquisition(60, 0, True)
    wait_for_sequence(rig)
    frames = [rig.core.popNextImage() for _ in range(rig.core.getRemainingImageCount())]
    assert len(frames) == 60
    assert not any(np.array_equal(a, b) for a, b in pairwise(frames))


def test_a_finite_sequence_of_a_region_delivers_every_frame(rig: SimulatedRig) -> None:
    rig.core.setROI(3, 5, 37, 23)
    rig.core.startSequenceAcquisition(60, 0, True)
    wait_for_sequence(rig)
    assert rig.core.getRemainingImageCount() == 60
    assert rig.core.getLastImage().shape == (23, 37, 3)


def test_the_newest_live_frame_can_always_be_read(make_rig: RigMaker) -> None:
    rig = make_rig(exposure_ms=0.1)
    rig.core.startContinuousSequenceAcquisition()
    newest(rig)
    assert all(rig.core.getLastImage().shape == (64, 80, 3) for _ in range(300))
    rig.core.stopSequenceAcquisition()
    assert not rig.core.isSequenceRunning()


def test_live_frames_follow_the_drive(make_rig: RigMaker) -> None:
    rig = make_rig(exposure_ms=0.1)
    rig.core.startContinuousSequenceAcquisition()
    rig.microscope.focus.move_to(20.0)
    deadline = time.monotonic() + 20
    while newest(rig).std() > 15:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    rig.core.stopSequenceAcquisition()


def test_a_closed_shutter_leaves_the_frame_dark(rig: SimulatedRig) -> None:
    rig.core.setAutoShutter(False)
    assert rig.microscope.snap().image.max() < 10
    rig.core.setShutterOpen(True)
    assert rig.core.getShutterOpen()
    assert rig.core.getProperty("Shutter", "State") == 1
    assert rig.microscope.snap().image.mean() > 50


@DIRECTIONS
def test_an_acquisition_takes_a_z_stack(make_rig: RigMaker, focus_direction: int) -> None:
    rig = make_rig(focus_direction=focus_direction, backlash_um=0.0)
    planes: list[tuple[float, float]] = []
    rig.core.mda.events.frameReady.connect(lambda image, event: planes.append((event.z_pos, image.std())))
    rig.core.mda.run(
        useq.MDASequence(
            stage_positions=[(0.0, 0.0, 0.0), (50.0, 20.0, 0.0)], z_plan=useq.ZRangeAround(range=8.0, step=1.0)
        )
    )
    assert [z for z, _ in planes] == pytest.approx(2 * [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    sharpest = max(planes, key=lambda plane: plane[1])[0]
    assert sharpest * focus_direction in (1.0, 2.0)


def test_every_property_can_be_browsed(rig: SimulatedRig) -> None:
    found = {(device.label, prop.name): prop.value for device in rig.core.iterDevices() for prop in device.properties}
    assert found["Z", "Position"] == 0.0
    assert found["Z", "Backlash-um"] == 1.0
    assert found["Camera", "Exposure"] == 10.0
    assert rig.core.getPropertyUpperLimit("Z", "Position") == 1000.0
    assert not rig.core.isPropertyReadOnly("Z", "Speed-um-per-s")
    rig.core.setProperty("Z", "Position", 12.0)
    rig.core.waitForDevice("Z")
    assert rig.core.getPosition() == 12.0


def test_the_pixel_size_is_the_scenes(rig: SimulatedRig) -> None:
    assert rig.core.getPixelSizeUm() == pytest.approx(0.325)


def test_closing_leaves_no_thread_behind(texture_scene: TextureScene) -> None:
    before = set(threading.enumerate())
    with simulated_rig(texture_scene, clock=WallClock(), exposure_ms=1.0) as rig:
        rig.core.startContinuousSequenceAcquisition()
        rig.microscope.snap()
        assert set(threading.enumerate()) != before
    assert set(threading.enumerate()) == before
    assert rig.core.getLoadedDevices() == ("Core",)


def test_on_the_wall_clock_a_move_and_a_frame_work_alike(texture_scene: TextureScene) -> None:
    with simulated_rig(texture_scene, exposure_ms=1.0, speed_um_s=10_000.0) as rig:
        assert rig.microscope.focus.move_to(-2.0) == -2.0
        assert rig.microscope.snap().z_um == -2.0


def test_faults_come_when_they_were_ordered(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("zero-frame", at=2)])
    assert [bool(rig.core.snap().any()) for _ in range(3)] == [True, False, True]


def test_a_real_slide_comes_into_focus_where_its_truth_says() -> None:
    scenes = pytest.importorskip("napari_autofocus.simulation.scene")
    scene = scenes.Scene.build(stain="he", density="dense", objective="20x/0.75", seed=5, shape=(96, 128))
    from napari_autofocus.microscope.clock import VirtualClock

    with simulated_rig(scene, clock=VirtualClock(), focus_direction=-1) as rig:
        best_z_um = -scene.best_focus_um(0.0, 0.0)
        sharpness = {}
        for offset_um in (-4.0, 0.0, 4.0):
            rig.microscope.focus.move_to(best_z_um + offset_um)
            assert rig.true_defocus_um() == pytest.approx(-offset_um)
            image = rig.microscope.snap().image[..., 1].astype(float)
            sharpness[offset_um] = np.square(image[2:] - image[:-2]).mean()
        assert max(sharpness, key=sharpness.__getitem__) == 0.0
