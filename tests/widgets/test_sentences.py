from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from made_estimates import made_estimate
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.records import RefocusRecord, SweepRecord
from napari_autofocus.routines.refocus_config import Phase, Proposal, RefocusStep
from napari_autofocus.widgets.parts.sentences import (
    PHASES,
    plain_um,
    proposal_sentence,
    refocus_sentence,
    run_sentence,
    step_sentence,
    sweep_sentence,
)

FOCUSED = SweepRecord("brent", "focused", 15.73, 12.31, 12.31, 0.04, "peak", ("why",), 14, 9, 0.93)
REFOCUSED = RefocusRecord(
    method="one-shot",
    outcome="focused",
    start_um=15.73,
    end_um=12.31,
    x_um=None,
    y_um=None,
    before_um=3.4,
    after_um=0.05,
    after_uncertainty_um=0.02,
    dof_um=1.0,
    focus_direction=1,
    verdict="flat",
    model="made",
    fingerprint="f" * 64,
    warnings=(),
    reasons=("why",),
    frames=2,
    moves=1,
    seconds=0.31,
)
FRAME = Frame(np.zeros((8, 8), np.uint8), z_um=-1.5, x_um=0.0, y_um=0.0, exposure_ms=1.0, started_s=0.0)


def test_a_focused_sweep_is_told_in_words_and_numbers() -> None:
    expected = "Moved −3.42 µm, 14 frames, 0.9 s; focus curve: peak at 12.31 ± 0.04 µm."
    assert sweep_sentence(FOCUSED) == expected


@pytest.mark.parametrize("outcome", ["reverted", "cancelled", "timed_out", "refused", "failed"])
def test_every_other_outcome_says_where_the_drive_stands(outcome: str) -> None:
    record = replace(FOCUSED, outcome=outcome, end_um=-1.5, best_z_um=None, uncertainty_um=None, verdict="no_peak")
    assert "the drive stands at −1.50 µm" in sweep_sentence(record)


def test_outcomes_are_told_apart() -> None:
    outcomes = ("focused", "reverted", "cancelled", "timed_out", "refused", "failed")
    assert len({sweep_sentence(replace(FOCUSED, outcome=outcome)).split(":")[0] for outcome in outcomes}) == 6


def test_tiny_uncertainty_is_not_printed_as_zero() -> None:
    assert plain_um(1.0, 0.0001) == "1.00 ± 0.01 µm"


def test_a_refocus_is_told_in_words_and_numbers() -> None:
    expected = "Moved −3.42 µm in 1 move, 2 frames, 0.31 s; now +0.05 µm (0.05 DOF)."
    assert refocus_sentence(REFOCUSED) == run_sentence(REFOCUSED) == expected


def test_a_field_in_focus_is_told_as_such() -> None:
    record = replace(REFOCUSED, outcome="already_in_focus", end_um=15.73, moves=0, frames=1, after_um=-0.1)
    assert refocus_sentence(record) == "Already in focus, nothing moved, 1 frame, 0.31 s; now −0.10 µm (0.10 DOF)."


def test_outcomes_of_a_refocus_are_told_apart() -> None:
    outcomes = ("skipped_no_content", "refused", "reverted", "cancelled", "timed_out", "failed")
    told = [refocus_sentence(replace(REFOCUSED, outcome=outcome, end_um=-1.5)) for outcome in outcomes]
    assert len({sentence.split(":")[0] for sentence in told}) == len(outcomes)
    assert all("the drive stands at −1.50 µm" in sentence for sentence in told)


def test_a_step_says_what_it_was_for_what_it_found_and_what_comes() -> None:
    step = RefocusStep("shot", FRAME, 0, estimate=made_estimate((64, 64)), target_um=-4.92)
    assert step_sentence(step) == "Looking, frame 1 at z −1.50 µm: +3.42 µm (flat); next z −4.92 µm."


def test_every_phase_has_its_words() -> None:
    assert set(PHASES) == set(get_args(Phase))
    assert step_sentence(RefocusStep("sweep", FRAME, 4)) == "Sweeping, frame 5 at z −1.50 µm."


def test_a_proposal_shows_the_way_and_the_target() -> None:
    estimate = made_estimate((64, 64))
    assert proposal_sentence(Proposal(FRAME, estimate, -4.92, 1, "why")) == (
        "Would move −3.42 µm, from −1.50 µm to −4.92 µm."
    )
    assert proposal_sentence(Proposal(FRAME, estimate, None, 1, "The field is empty.")) == (
        "No move to propose: The field is empty."
    )
