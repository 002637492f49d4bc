"""Holding focus on the simulated microscope: real optics, play, drift; an oracle that tells the truth with noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.protocol import Image, walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.records import TrackRecord
from napari_autofocus.routines.track import TrackConfig, TrackStep, track
from napari_autofocus.simulation.scene import Scene

SHAPE = (128, 160)


@pytest.fixture(scope="module")
def stained() -> Scene:
    return Scene.build("he", "dense", seed=3, shape=SHAPE)


class Card:
    dof_um, range_um = 1.0, 10.0


class Oracle:
    """The true defocus of a rig with a model's noise, plus a bias that a test may give it."""

    name, fingerprint, card = "oracle", "f" * 64, Card()

    def __init__(self, rig: SimulatedRig, noise_um: float = 0.1) -> None:
        self._rig, self._noise_um, self.bias_um = rig, noise_um, 0.0
        self._rng = np.random.default_rng(5)

    def estimate(self, image: Image, **_: Any) -> FocusEstimate:
        value = self._rig.true_defocus_um() + self.bias_um + self._noise_um * float(self._rng.standard_normal())
        patches = tuple(PatchPrediction(0, x, 64, 1.0, True, value, 0.2, 0.9) for x in (0, 64))
        return FocusEstimate("flat", value, 0.2, direction_probability=0.99, patches=patches)


def rig_in_focus(scene: Scene, direction: int, **settings: Any) -> SimulatedRig:
    rig = simulated_rig(scene, focus_direction=direction, backlash_um=1.0, clock=VirtualClock(), seed=1, **settings)
    drive = rig.microscope.focus
    walk_to(drive, drive.position_um() - direction * rig.true_defocus_um())
    return rig


def hold(rig: SimulatedRig, oracle: Oracle, rounds: int, **settings: Any) -> tuple[list[TrackStep], list[float]]:
    """Rounds of a hold and the true defocus at the end of each wait, the worst moment."""
    kept: list[TrackRecord] = []
    steps, worst_um = [], []
    holding = track(rig.microscope, oracle, TrackConfig(**settings), keep=kept.append)
    for step in holding:
        steps.append(step)
        rig.clock.sleep(step.wait_s)
        worst_um.append(rig.true_defocus_um())
        if len(steps) == rounds:
            holding.close()
    return steps, worst_um


@pytest.mark.parametrize("drift_um_s", [0.01, -0.01])
@pytest.mark.parametrize("direction", [1, -1])
def test_holds_within_half_a_depth_of_field_for_minutes_of_drift(
    stained: Scene, direction: int, drift_um_s: float
) -> None:
    with rig_in_focus(stained, direction, drift_um_s=drift_um_s) as rig:
        steps, worst_um = hold(rig, Oracle(rig), rounds=120, interval_s=5.0)
        assert {step.state for step in steps} == {"holding", "corrected"}
        assert np.abs(worst_um).max() < 0.5  # the drift of one interval, a dead band and the lag of a mean included
        assert rig.clock.now_s() > 590
        moves = sum(step.state == "corrected" for step in steps)
        assert 8 <= moves <= 30  # 6 µm of drift, a third of a depth of field each


def test_without_drift_hardly_anything_moves(stained: Scene) -> None:
    with rig_in_focus(stained, 1) as rig:
        steps, worst_um = hold(rig, Oracle(rig), rounds=60)
        assert sum(step.state == "corrected" for step in steps) <= 1
        assert np.abs(worst_um).max() < 0.5


def test_without_a_hold_the_same_drift_is_lost(stained: Scene) -> None:
    with rig_in_focus(stained, 1, drift_um_s=0.01) as rig:
        rig.clock.sleep(600.0)
        assert rig.true_defocus_um() > 5.0


def test_a_model_that_turns_wrong_is_found_out_by_sharpness(stained: Scene) -> None:
    with rig_in_focus(stained, 1) as rig:
        oracle = Oracle(rig, noise_um=0.05)
        holding = track(rig.microscope, oracle, TrackConfig(interval_s=1.0, misses=4))
        states = []
        for step in holding:
            states.append(step.state)
            rig.clock.sleep(step.wait_s)
            oracle.bias_um = -0.1 * max(len(states) - 6, 0)
            assert len(states) < 100
        assert states[-1] == "stopped"
        assert abs(rig.true_defocus_um()) < 5.0


def test_a_stage_that_sticks_stops_the_hold(stained: Scene) -> None:
    kept: list[TrackRecord] = []
    with rig_in_focus(stained, 1, faults=[Fault("stage-sticks", at=3, times=50)]) as rig:
        z_um = rig.microscope.focus.position_um()
        oracle = Oracle(rig)
        oracle.bias_um = 1.5
        steps = list(track(rig.microscope, oracle, TrackConfig(), keep=kept.append))
        assert steps[-1].state == "stopped"
        assert kept[0].ended == "hardware"
        assert rig.microscope.focus.position_um() == pytest.approx(z_um, abs=0.2)


def test_a_camera_that_is_unplugged_stops_the_hold(stained: Scene) -> None:
    kept: list[TrackRecord] = []
    with rig_in_focus(stained, 1, faults=[Fault("snap-timeout", at=4, times=1000)]) as rig:
        steps = list(track(rig.microscope, Oracle(rig), TrackConfig(misses=3), keep=kept.append))
        assert [step.state for step in steps] == ["holding"] * 3 + ["missed", "missed", "stopped"]
        assert kept[0].ended == "hardware"


def test_a_person_who_moves_stage_or_slide_is_given_way(stained: Scene) -> None:
    with rig_in_focus(stained, 1) as rig:
        holding = track(rig.microscope, Oracle(rig, noise_um=0.0), TrackConfig(rest_s=2.0))
        states = []

        def rounds(count: int) -> None:
            for _ in range(count):
                step = next(holding)
                states.append(step.state)
                rig.clock.sleep(step.wait_s)

        rounds(3)
        rig.core.setPosition("Z", rig.microscope.focus.position_um() + 3.0)
        rig.clock.sleep(1.0)
        rounds(7)
        assert states[3:9] == ["paused"] * 4 + ["resumed", "holding"]
        rig.microscope.move_xy_to(30.0, 0.0)
        rounds(6)
        assert states[-6:] == ["paused"] * 4 + ["resumed", "holding"]
        holding.close()
