"""Acquisitions with autofocus on a real Micro-Manager core: the C++ DemoCamera with its "Fluorescent Beads"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymmcore_plus import CMMCorePlus
from useq import AxesBasedAF, MDASequence

from mda_finders import scripted_finder
from napari_autofocus.errors import InputError
from napari_autofocus.microscope.edge import connect_directly
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.workflows.mda import FocusChannel, MdaFocusConfig, acquire_with_autofocus, sweep_finder

AF = AxesBasedAF(axes=("t", "p"))


@pytest.fixture
def microscope(demo_core: CMMCorePlus) -> Iterator[CoreMicroscope]:
    demo_core.setProperty("Camera", "Mode", "Fluorescent Beads")
    made = CoreMicroscope(demo_core, focus_direction=1, limits_um=(-60, 60), backlash_um=0, reject_repeats=False)
    yield made
    made.close()


def test_beads_are_focused_by_a_sweep_and_stacked_around_their_focus(microscope: CoreMicroscope) -> None:
    """The beads blur with distance from 0."""
    heights: list[float] = []
    core = microscope.core
    connect_directly(core.mda, "frameReady", lambda *_: heights.append(core.getPosition("Z")))
    plan = MDASequence(
        channels=["DAPI"], stage_positions=[(0, 0, 3), (300, 0, -2)], z_plan={"range": 2, "step": 1}, autofocus_plan=AF
    )
    finder = sweep_finder(SweepConfig(range_um=6, step_um=1.0, dof_um=1.0, polarity="max"))

    record = acquire_with_autofocus(microscope, plan, finder)

    assert [event.outcome for event in record.events] == ["focused", "focused"], record.events[0].reason
    assert heights == pytest.approx([-1, 0, 1] * 2, abs=0.3)


def test_a_hardware_triggered_stack_gets_the_correction(microscope: CoreMicroscope, monkeypatch: Any) -> None:
    """Upstream loads 8, 10, 12 before the autofocus and takes them there, wherever focus is found."""
    core = microscope.core
    core.setProperty("Z", "UseSequences", "Yes")
    loaded: list[tuple[float, ...]] = []
    told: list[Any] = []
    load = core.loadStageSequence
    monkeypatch.setattr(core, "loadStageSequence", lambda stage, z_um: (loaded.append(tuple(z_um)), load(stage, z_um)))
    connect_directly(core.mda, "frameReady", lambda image, event, metadata: told.append((event.z_pos, metadata)))
    plan = MDASequence(stage_positions=[(0, 0, 10)], z_plan={"range": 4, "step": 2}, autofocus_plan=AF)

    record = acquire_with_autofocus(microscope, plan, scripted_finder(lambda _: 3.0))

    assert record.events[0].found_um == pytest.approx(13.0)
    assert loaded == [pytest.approx((11.0, 13.0, 15.0))]
    assert [z_um for z_um, _ in told] == pytest.approx([11.0, 13.0, 15.0])
    assert all(metadata["hardware_triggered"] for _, metadata in told)
    assert [metadata["autofocus"]["beside_focus_um"] for _, metadata in told] == pytest.approx([-2, 0, 2])


def test_a_triggered_stack_beyond_the_limits_is_left_out_whole(microscope: CoreMicroscope) -> None:
    microscope.core.setProperty("Z", "UseSequences", "Yes")
    microscope.focus.set_limits(-60, 14)
    plan = MDASequence(stage_positions=[(0, 0, 10)], z_plan={"range": 4, "step": 2}, autofocus_plan=AF)

    record = acquire_with_autofocus(microscope, plan, scripted_finder(lambda _: 3.0))

    assert (record.frames, record.missing) == (0, 3)
    assert "15.00 µm lies outside the limits" in record.skipped[0].reason


def test_focusing_in_another_channel_leaves_the_acquired_one_set(microscope: CoreMicroscope) -> None:
    """Also where both are the same preset: the core must not think that it is still set."""
    core = microscope.core
    core.setConfig("Channel", "Cy5")
    seen: list[str] = []
    while_focusing: list[tuple[str, float]] = []
    connect_directly(core.mda, "frameReady", lambda *_: seen.append(core.getCurrentConfig("Channel")))

    def look(_: int) -> float:
        while_focusing.append((core.getCurrentConfig("Channel"), core.getExposure()))
        return 0.0

    plan = MDASequence(
        channels=["DAPI", "FITC"], stage_positions=[(0, 0, 3), (300, 0, 3)], autofocus_plan=AF, axis_order="tpcz"
    )
    config = MdaFocusConfig(channel=FocusChannel("Channel", "FITC", 7.0))
    acquire_with_autofocus(microscope, plan, scripted_finder(look), config)

    assert while_focusing == [("FITC", 7.0)] * 2
    assert seen == ["DAPI", "FITC"] * 2


def test_a_focus_channel_that_does_not_exist_is_refused(microscope: CoreMicroscope) -> None:
    plan = MDASequence(stage_positions=[(0, 0, 3)], autofocus_plan=AF)
    for channel, message in (
        (FocusChannel("Channel", "Mauve"), "it has Cy5, DAPI"),
        (FocusChannel("Lamp", "On"), "no group"),
    ):
        with pytest.raises(InputError, match=message):
            acquire_with_autofocus(microscope, plan, scripted_finder(lambda _: 0.0), MdaFocusConfig(channel=channel))


def test_a_core_without_a_shutter_acquires(tmp_path: Path) -> None:
    """It tells of an automatic shutter all the same."""
    path = tmp_path / "no_shutter.cfg"
    path.write_text(
        "Device,Camera,DemoCamera,DCam\nDevice,Z,DemoCamera,DStage\nProperty,Core,Initialize,1\n"
        "Property,Core,Camera,Camera\nProperty,Core,Focus,Z\nProperty,Core,AutoShutter,1\n"
    )
    microscope = CoreMicroscope.connect(path, focus_direction=1, limits_um=(-60, 60), backlash_um=0)
    plan = MDASequence(stage_positions=[{"z": 3}], z_plan={"range": 2, "step": 1}, autofocus_plan=AF)

    record = acquire_with_autofocus(microscope, plan, scripted_finder(lambda _: 0.0))

    assert (record.outcome, record.frames) == ("done", 3)
    assert microscope.core.getAutoShutter()
    microscope.close()
