"""Optics of a long depth of field: what a routine moves to find out, and what it calls near, grows with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from fake_microscope import FakeMicroscope, run_to_end

from fake_predictor import FakeCard, FakePredictor
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.routines.survey_config import SurveyConfig
from napari_autofocus.routines.track import TrackConfig

TEN = Objective.parse("10x/0.3")
CARD = FakeCard(dof_um=10.0, range_um=36.0)
CONFIG = RefocusConfig(optics=ImageOptics(TEN))
BEST_UM = 4.0

both_directions = pytest.mark.parametrize("direction", [1, -1])


def stand(defocus_um: float, direction: int = 1, *, known: bool = True) -> FakeMicroscope:
    drive = {"z_um": direction * (BEST_UM + defocus_um), "focus_direction": direction, "limits_um": (-200.0, 200.0)}
    microscope = FakeMicroscope(lambda axial: axial, **drive)
    if not known:
        microscope.focus.focus_direction = 0
    return microscope


def reads(direction: int, microscope: FakeMicroscope, error: Callable[[int], float] = lambda _: 0.0) -> FakePredictor:
    """A model that reads the drive, wrong by what ``error`` says of each frame."""
    calls = iter(range(100))

    def answer(_: np.ndarray) -> FocusEstimate:
        value = direction * microscope.focus.z_um - BEST_UM + error(next(calls))
        return FocusEstimate("flat", value, 0.5, direction_probability=0.99, reasons=("Read.",))

    return FakePredictor(answer, card=CARD)


@both_directions
@pytest.mark.parametrize("start_um", [-36.0, -12.0, 20.0, 36.0])
def test_a_field_is_focused_from_anywhere_in_the_range(direction: int, start_um: float) -> None:
    microscope = stand(start_um, direction)
    record = run_to_end(refocus(microscope, reads(direction, microscope), CONFIG))[1]
    assert record.outcome == "focused"
    assert direction * microscope.focus.z_um == pytest.approx(BEST_UM)
    assert record.dof_um == 10.0


@both_directions
def test_an_unknown_direction_is_found_by_a_move_that_such_optics_can_see(direction: int) -> None:
    """An error of 0.7 µm in each reading is usual at 10x: a move of 2 µm would drown in it."""
    microscope = stand(15.0, direction, known=False)
    model = reads(direction, microscope, lambda index: 0.7 * (-1) ** index)
    record = run_to_end(refocus(microscope, model, CONFIG))[1]
    assert (record.outcome, record.focus_direction) == ("focused", direction)
    assert abs(microscope.focus.commands[0] - direction * (BEST_UM + 15.0)) == pytest.approx(5.0)


def test_small_moves_are_as_they_were_where_the_depth_is_short_and_where_they_are_set() -> None:
    config = RefocusConfig()
    assert (config.probe_for(1.0), config.second_shot_for(1.0)) == (2.0, 2.0)
    assert (config.probe_for(10.0), config.second_shot_for(10.0)) == (5.0, 10.0)
    assert RefocusConfig(probe_um=0.0).probe_for(10.0) == 0.0
    assert RefocusConfig(second_shot_um=1.0).second_shot_for(10.0) == 1.0
    with pytest.raises(InputError, match="probe_um"):
        RefocusConfig(probe_um=-1.0)
    with pytest.raises(InputError, match="second_shot_um"):
        SurveyConfig(second_shot_um=-1.0)


def test_a_hold_may_follow_a_depth_of_field_at_a_time() -> None:
    config = TrackConfig()
    assert (config.largest_correction_for(1.0), config.most_drift_for(1.0)) == (2.0, 20.0)
    assert (config.largest_correction_for(10.0), config.most_drift_for(10.0)) == (10.0, 50.0)
    assert config.dead_band_for(10.0) == pytest.approx(2.0)
    assert TrackConfig(largest_correction_um=1.0, most_drift_um=3.0).most_drift_for(10.0) == 3.0


# Transparent specimens: contrast is least in focus.


@dataclass(frozen=True)
class PhaseCard(FakeCard):
    stains: tuple[str, ...] = ("unstained",)


def phase_model(microscope: FakeMicroscope, near: Any = None) -> FakePredictor:
    """Reads the true defocus, and ``near`` says what it says within a depth of field of focus."""

    def answer(_: np.ndarray) -> FocusEstimate:
        value = microscope.focus.z_um - BEST_UM
        if near is not None and abs(value) < 1:
            return near(value)
        return FocusEstimate("flat", value, 0.1, direction_probability=0.99, reasons=("Read.",))

    return FakePredictor(answer, card=PhaseCard(1.0, 10.0))


def unsure(value: float) -> FocusEstimate:
    return FocusEstimate("unsure", value, 0.4, direction_probability=0.6, reasons=("Undecided.",))


def test_a_transparent_field_is_accepted_where_the_model_is_near_and_cannot_tell_the_side() -> None:
    microscope = stand(6.0)
    record = run_to_end(refocus(microscope, phase_model(microscope, unsure), RefocusConfig(optics=CONFIG.optics)))[1]
    assert record.outcome == "focused"
    assert microscope.focus.z_um == pytest.approx(BEST_UM)


@pytest.mark.parametrize(("off_um", "outcome"), [(0.0, "focused"), (-0.9, "reverted")])
def test_a_model_for_stained_slides_has_to_agree_with_the_way_there(off_um: float, outcome: str) -> None:
    """Where the pictures tell nothing, as these do, the distances before and after the move have to."""
    microscope = stand(6.0)
    model = phase_model(microscope, lambda value: replace(unsure(value + off_um), uncertainty_um=0.2))
    model.card = FakeCard(1.0, 10.0)
    record = run_to_end(refocus(microscope, model, RefocusConfig(optics=CONFIG.optics)))[1]
    assert record.outcome == outcome


def test_an_uneven_transparent_field_is_not_scanned_by_sharpness() -> None:
    microscope = stand(3.0)

    def uneven(_: np.ndarray) -> FocusEstimate:
        return FocusEstimate("uneven", 3.0, 0.2, direction_probability=0.99, reasons=("Uneven.",), scan_um=(0.0, 6.0))

    record = run_to_end(
        refocus(microscope, FakePredictor(uneven, card=PhaseCard(1.0, 10.0)), RefocusConfig(optics=CONFIG.optics))
    )[1]
    assert record.outcome == "refused"
    assert "transparent" in record.reasons[-1]
    assert microscope.focus.commands == []
