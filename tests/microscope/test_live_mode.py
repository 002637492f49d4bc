"""Whose live mode it is: what others started is not stopped by letting go of the microscope."""

from __future__ import annotations

from napari_autofocus.microscope.simulated import SimulatedRig


def test_a_stream_that_others_started_survives_our_leaving(rig: SimulatedRig) -> None:
    rig.core.startContinuousSequenceAcquisition()
    rig.microscope.live.start()
    rig.microscope.snap()
    rig.microscope.live.let_go()
    assert rig.core.isSequenceRunning()


def test_a_stream_of_our_own_ends_with_us_even_after_a_pause(rig: SimulatedRig) -> None:
    rig.microscope.live.start()
    rig.microscope.snap()
    rig.microscope.live.let_go()
    assert not rig.core.isSequenceRunning()


def test_stopping_stops_whoever_started(rig: SimulatedRig) -> None:
    rig.core.startContinuousSequenceAcquisition()
    rig.microscope.live.stop()
    assert not rig.core.isSequenceRunning()
