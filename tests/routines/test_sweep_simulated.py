"""Sweeps over the simulated microscope: real optics, real moves, faults, live mode."""

from __future__ import annotations

from typing import Any

import pytest
from fake_microscope import run_to_end

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.simulation.scene import Scene

METHODS = list(SEARCHES)
SHAPE = (128, 160)


@pytest.fixture(scope="module")
def stained() -> Scene:
    return Scene.build("he", "dense", seed=3, shape=SHAPE)


def rig_at(scene: Scene, defocus_um: float, direction: int = 1, **settings: Any) -> SimulatedRig:
    rig = simulated_rig(scene, focus_direction=direction, backlash_um=1.0, clock=VirtualClock(), seed=1, **settings)
    drive = rig.microscope.focus
    walk_to(drive, drive.position_um() + direction * (defocus_um - rig.true_defocus_um()))
    return rig


def focus(rig: SimulatedRig, method: str, **settings: Any) -> SweepRecord:
    config = SweepConfig.for_objective(rig.scene.objective, method=method, **settings)
    return run_to_end(sweep(rig.microscope, config))[1]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("method", METHODS)
def test_focuses_a_stained_slide_on_drives_of_both_directions(stained: Scene, method: str, direction: int) -> None:
    with rig_at(stained, -4.3, direction) as rig:
        record = focus(rig, method)
        assert record.outcome == "focused", record.reasons
        assert abs(rig.true_defocus_um()) < 0.25  # half of DOF/2
        assert record.end_um == rig.microscope.focus.position_um()


@pytest.mark.parametrize("method", ["uniform", "coarse-to-fine"])
def test_focuses_a_transparent_specimen_by_its_contrast(method: str) -> None:
    with rig_at(Scene.build("unstained", "dense", seed=3, shape=(160, 192)), 3.0) as rig:
        record = focus(rig, method)
        assert (record.outcome, record.verdict) == ("focused", "phase_minimum"), record.reasons
        assert abs(rig.true_defocus_um()) < 0.5


@pytest.mark.parametrize("method", ["hill-climb", "brent", "curve-fit"])
def test_local_methods_do_not_pretend_to_focus_a_transparent_specimen(method: str) -> None:
    with rig_at(Scene.build("unstained", "dense", seed=3, shape=(160, 192)), 3.0) as rig:
        start_um = rig.microscope.focus.position_um()
        record = focus(rig, method)
        assert record.outcome == "reverted"
        assert rig.microscope.focus.position_um() == pytest.approx(start_um, abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_slide_leaves_the_drive_at_the_start(method: str) -> None:
    with rig_at(Scene.build("he", "empty", seed=3, shape=SHAPE), 3.0) as rig:
        start_um, start_defocus_um = rig.microscope.focus.position_um(), rig.true_defocus_um()
        record = focus(rig, method)
        assert record.outcome == "reverted", record.reasons
        assert rig.microscope.focus.position_um() == pytest.approx(start_um, abs=0.01)
        assert rig.true_defocus_um() == pytest.approx(start_defocus_um, abs=0.01)


@pytest.mark.parametrize(("kind", "times"), [("snap-timeout", 1), ("zero-frame", 1), ("stale-frame", 2)])
def test_a_camera_that_fails_once_ends_at_the_start(stained: Scene, kind: Any, times: int) -> None:
    with rig_at(stained, 4.0, faults=[Fault(kind, 8, times)]) as rig:
        start_um = rig.microscope.focus.position_um()
        record = focus(rig, "uniform")
        assert record.outcome == "failed"
        assert record.frames == 7
        assert record.end_um == pytest.approx(start_um, abs=0.01)


@pytest.mark.parametrize("kind", ["stage-sticks", "stage-raises", "stage-hangs"])
def test_a_stage_that_fails_once_ends_at_the_start(stained: Scene, kind: str) -> None:
    with rig_at(stained, 4.0, faults=[Fault(kind, 12)]) as rig:
        start_um = rig.microscope.focus.position_um()
        record = focus(rig, "uniform")
        assert record.outcome == "failed"
        assert record.end_um == pytest.approx(start_um, abs=0.11)  # the drive's own tolerance


def test_a_move_by_another_widget_stops_the_sweep_where_it_was_put(stained: Scene) -> None:
    with rig_at(stained, 4.0) as rig:
        steps = sweep(rig.microscope, SweepConfig.for_objective(stained.objective, method="uniform"))
        for _ in range(8):
            next(steps)
        rig.core.setPosition("Z", 1.25)
        rig.clock.sleep(1.0)
        _, record = run_to_end(steps)
        assert record.outcome == "failed"
        assert "omebody else" in record.reasons[0]
        assert record.end_um == rig.core.getPosition("Z") == 1.25


def test_live_mode_and_exposure_are_as_before(stained: Scene) -> None:
    with rig_at(stained, 4.0) as rig:
        rig.microscope.live.start()
        steps = sweep(rig.microscope, SweepConfig.for_objective(stained.objective, method="curve-fit"))
        next(steps)
        assert not rig.core.isSequenceRunning()
        steps.close()
        assert rig.core.isSequenceRunning()
        rig.microscope.live.stop()
