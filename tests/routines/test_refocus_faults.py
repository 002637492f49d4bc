"""Every fault of the simulated microscope at every step of a refocus: where the drive ends, what was commanded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from fake_microscope import run_to_end

from fake_pair import FakePair
from fake_predictor import FakePredictor
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.faults import Fault, FaultKind
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import RefocusConfig, RefocusStep, refocus
from napari_autofocus.routines.two_shot import refocus_by_pair
from rigs import RigMaker, TextureScene

LIMITS_UM = (-8.0, 9.0)
CONFIG = RefocusConfig(optics=ImageOptics(Objective(20, 0.75)), sharpness="never")
PLAY_UM = 1.0
NAMED = {"focused", "already_in_focus", "refused", "reverted", "cancelled", "timed_out", "failed"}
KINDS = [kind for part in get_args(FaultKind) for kind in (get_args(part) or (part,))]


def truth(rig: SimulatedRig, errors: list[float]) -> FakePredictor:
    """Reads the true defocus, with a stated error for each frame in turn."""
    return FakePredictor(_reader(rig, errors))


def truth_of_two(rig: SimulatedRig, errors: list[float]) -> FakePair:
    """The same by two shots."""
    read = _reader(rig, errors)
    return FakePair(lambda first, second, _: read(second))


def _reader(rig: SimulatedRig, errors: list[float]) -> Callable[[np.ndarray], FocusEstimate]:
    left = iter(errors)

    def read(_: np.ndarray) -> FocusEstimate:
        return FocusEstimate("flat", rig.true_defocus_um() + next(left, 0.0), 0.05, direction_probability=0.99)

    return read


class Stand:
    """A rig out of focus, with faults from now on, and what it was like before."""

    def __init__(self, make_rig: RigMaker, direction: int, faults: list[Fault]) -> None:
        self.rig: SimulatedRig = make_rig(
            TextureScene((24, 32), best_um=1.3, noise=0.5),
            limits_um=LIMITS_UM,
            focus_direction=direction,
            backlash_um=PLAY_UM,
            settling_s=0.0,
            timeout_s=1.0,
        )
        self.rig.microscope.focus.move_to(direction * 5.0)
        self.start_um = self.rig.z_stage.get_position_um()
        self.defocus_um = self.rig.true_defocus_um()
        self.earlier = len(self.rig.z_stage.commands_um)
        schedule = self.rig.z_stage._faults
        schedule.exposures = schedule.commands = 0
        schedule._camera = [f for f in faults if f.kind in ("snap-timeout", "zero-frame", "stale-frame")]
        schedule._stage = [f for f in faults if f.kind.startswith("stage")]

    def run(
        self, errors: list[float], until: Callable[[RefocusStep], bool] = lambda _: False, *, by_pair: bool = False
    ) -> RefocusRecord:
        kept: list[RefocusRecord] = []
        microscope, keep = self.rig.microscope, kept.append
        if by_pair:
            steps = refocus_by_pair(microscope, truth_of_two(self.rig, errors), CONFIG, keep=keep)
        else:
            steps = refocus(microscope, truth(self.rig, errors), CONFIG, keep=keep)
        for step in steps:
            if until(step):
                steps.close()
        return kept[0]

    def check(self, record: RefocusRecord) -> None:
        commands = self.rig.z_stage.commands_um[self.earlier :]
        assert all(LIMITS_UM[0] <= z_um <= LIMITS_UM[1] for z_um in commands)
        assert record.outcome in NAMED
        assert record.reasons
        left = abs(self.rig.true_defocus_um())
        if record.outcome in ("focused", "already_in_focus"):
            assert left <= 0.5
        elif "last seen" in record.reasons[-1]:
            assert record.outcome == "failed"
        else:
            assert left <= abs(self.defocus_um) + PLAY_UM
        assert not self.rig.core.isSequenceRunning()
        assert not self.rig.shutter.get_open()


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("times", [1, 2, 1000])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_has_a_named_outcome_and_breaks_no_limit(
    make_rig: RigMaker, kind: Any, at: int, times: int, direction: int
) -> None:
    stand = Stand(make_rig, direction, [Fault(kind, at, times)])
    stand.check(stand.run([-1.5, 0.0]))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_during_two_shots_has_a_named_outcome_and_breaks_no_limit(
    make_rig: RigMaker, kind: Any, at: int, times: int, direction: int
) -> None:
    stand = Stand(make_rig, direction, [Fault(kind, at, times)])
    stand.check(stand.run([-0.5, 0.0], by_pair=True))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("step", range(5))
def test_stopping_two_shots_at_any_step_restores_the_start(make_rig: RigMaker, step: int, direction: int) -> None:
    stand = Stand(make_rig, direction, [])
    record = stand.run([-0.5, 0.0], until=lambda progress: progress.index == step, by_pair=True)
    stand.check(record)
    if record.outcome == "cancelled":
        assert stand.rig.true_defocus_um() == pytest.approx(stand.defocus_um, abs=0.15)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_lasting_fault_is_told_loudly_where_the_drive_no_longer_obeys(
    make_rig: RigMaker, kind: Any, direction: int
) -> None:
    stand = Stand(make_rig, direction, [Fault(kind, 2, 1000)])
    record = stand.run([-1.5, 0.0])
    stand.check(record)
    if kind.startswith("stage") and abs(record.end_um - stand.start_um) > 0.2:
        assert "last seen" in " ".join(record.reasons) or "verified" in " ".join(record.reasons)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_stopping_at_any_step_restores_the_start(make_rig: RigMaker, step: int, direction: int) -> None:
    stand = Stand(make_rig, direction, [])
    record = stand.run([-1.5, 0.0], until=lambda progress: progress.index == step)
    stand.check(record)
    if step < 2:
        assert record.outcome == "cancelled"
        assert stand.rig.true_defocus_um() == pytest.approx(stand.defocus_um, abs=0.15)


@pytest.mark.parametrize("direction", [1, -1])
def test_live_mode_goes_on_afterwards(make_rig: RigMaker, direction: int) -> None:
    stand = Stand(make_rig, direction, [])
    stand.rig.microscope.live.start()
    _, record = run_to_end(refocus(stand.rig.microscope, truth(stand.rig, []), CONFIG))
    assert record.outcome == "focused"
    assert stand.rig.core.isSequenceRunning()
    stand.rig.microscope.live.stop()
