from __future__ import annotations

import pytest

from napari_autofocus.microscope.clock import VirtualClock, WallClock


def test_virtual_time_passes_only_in_sleep() -> None:
    clock = VirtualClock(start_s=5.0)
    clock.sleep(3600.0)
    assert clock.now_s() == 3605.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_time_never_goes_back(seconds: float) -> None:
    clock = VirtualClock()
    clock.sleep(seconds)
    assert clock.now_s() == 0.0


def test_wall_clock_advances_by_what_was_slept() -> None:
    clock = WallClock()
    before_s = clock.now_s()
    clock.sleep(0.002)
    clock.sleep(-1.0)
    assert clock.now_s() >= before_s + 0.002
