from __future__ import annotations

from dataclasses import replace

import pytest

from napari_autofocus.records import SweepRecord
from napari_autofocus.widgets.sentences import plain_um, sweep_sentence

FOCUSED = SweepRecord("brent", "focused", 15.73, 12.31, 12.31, 0.04, "peak", ("why",), 14, 9, 0.93)


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
