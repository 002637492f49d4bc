"""Channels of the C++ demonstration core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.microscope.channels import Channels, channels, choose_channel_group, set_channel
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig

pytest.importorskip("mm_test_adapters")


@pytest.fixture(scope="module")
def demo() -> Iterator[CoreMicroscope]:
    with CoreMicroscope.connect("MMConfig_demo.cfg") as microscope:
        yield microscope


def test_groups_and_presets_are_those_of_the_configuration(demo: CoreMicroscope) -> None:
    set_channel(demo, "DAPI")
    found = channels(demo.core)
    assert found.group == "Channel"
    assert {"Channel", "Objective", "LightPath"} <= set(found.groups)
    assert found.presets == ("Cy5", "DAPI", "FITC", "Rhodamine")
    assert found.preset == "DAPI"


def test_a_channel_is_set_and_one_set_elsewhere_is_seen(demo: CoreMicroscope) -> None:
    set_channel(demo, "FITC")
    assert demo.core.getCurrentConfig("Channel") == "FITC"
    demo.core.setConfig("Channel", "Cy5")
    assert channels(demo.core).preset == "Cy5"


def test_another_group_may_count_as_the_channel(demo: CoreMicroscope) -> None:
    choose_channel_group(demo, "LightPath")
    assert channels(demo.core).presets == ("Camera-left", "Camera-right", "Eyepiece")
    choose_channel_group(demo, "Channel")


def test_what_is_not_defined_is_refused_with_what_is(demo: CoreMicroscope) -> None:
    with pytest.raises(InputError, match="no preset 'Infrared'; choose one of Cy5, DAPI, FITC, Rhodamine"):
        set_channel(demo, "Infrared")
    with pytest.raises(InputError, match="no group 'Light'"):
        choose_channel_group(demo, "Light")


def test_a_preset_that_moves_the_focus_drive_is_refused(demo: CoreMicroscope) -> None:
    drive = demo.focus.label
    demo.core.defineConfig("Channel", "Crash", drive, "Position", "400")
    before_um = demo.core.getPosition(drive)
    with pytest.raises(MoveRefused, match=f"moves the stage {drive}"):
        set_channel(demo, "Crash")
    assert demo.core.getPosition(drive) == before_um
    demo.core.deleteConfig("Channel", "Crash")


def test_a_core_without_groups_has_no_channels(rig: SimulatedRig) -> None:
    assert channels(rig.core) == Channels()
