"""What a microscope says of itself, and that its end is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.controls import go_to_um, set_focus_limits
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.microscope.state import DevicesGone, look_at, on_core_news


def test_a_look_tells_all_that_is_shown(rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(4.0)
    rig.microscope.move_xy_to(30.0, -20.0)
    state = look_at(rig.microscope)
    assert state.z_um == pytest.approx(4.0, abs=0.05)
    assert (state.x_um, state.y_um) == pytest.approx((30.0, -20.0))
    assert (state.limits_um, state.focus_direction) == ((-50.0, 50.0), 1)
    assert (state.exposure_ms, state.pixel_size_um, state.streams) == (10.0, 0.325, False)


@pytest.mark.parametrize(("device", "words"), [("Camera", "sign of the camera"), ("Z", "sign of the focus drive Z")])
def test_a_device_that_was_unloaded_is_named(rig: SimulatedRig, device: str, words: str) -> None:
    rig.core.unloadDevice(device)
    with pytest.raises(DevicesGone, match=f"{words}: unplugged or unloaded; connect again"):
        look_at(rig.microscope)


def test_news_are_told_until_nobody_wants_to_know(rig: SimulatedRig) -> None:
    told: list[str] = []
    end = on_core_news(rig.microscope, lambda: told.append("changed"), lambda: told.append("reloaded"))
    rig.core.setExposure(12.0)
    rig.core.events.systemConfigurationLoaded.emit()
    assert told[-1] == "reloaded"
    assert "changed" in told
    end()
    heard = len(told)
    rig.core.setExposure(15.0)
    assert len(told) == heard


def test_limits_are_set_around_the_drive_only(rig: SimulatedRig) -> None:
    set_focus_limits(rig.microscope, -8.0, 8.0)
    with pytest.raises(InputError, match=r"limits 5 to 9 µm do not hold the present position .* 0\.00 µm"):
        set_focus_limits(rig.microscope, 5.0, 9.0)
    assert rig.microscope.focus.limits_um == (-8.0, 8.0)


def test_limits_never_reach_beyond_the_travel_of_the_drive(make_rig: Callable[..., SimulatedRig]) -> None:
    rig = make_rig(travel_um=(-100.0, 100.0))
    with pytest.raises(InputError, match="itself travels from -100 to 100 µm only; found limits of -50 to 120 µm"):
        set_focus_limits(rig.microscope, -50.0, 120.0)
    assert rig.microscope.focus.limits_um == (-50.0, 50.0)


def test_a_far_target_is_reached_in_steps_that_are_allowed(rig: SimulatedRig) -> None:
    go_to_um(rig.microscope, 45.0)
    assert rig.core.getPosition() == pytest.approx(45.0, abs=0.05)
    longest_um = max(abs(b - a) for a, b in zip([0.0, *rig.z_stage.commands_um], rig.z_stage.commands_um, strict=False))
    assert longest_um <= rig.microscope.focus.largest_step_um
