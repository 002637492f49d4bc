"""Trials start where they say and compare with the truth."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.records import SweepRecord
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.trials import describe_run, run_trials, summarise


def stays(microscope: Microscope) -> Generator[Any, None, SweepRecord]:
    """A routine that looks and does nothing."""
    here = microscope.focus.position_um()
    yield "looked"
    return SweepRecord("stays", "reverted", here, here, None, None, "no_peak", ("Nothing done.",), 1, 0, 0.1)


@pytest.mark.parametrize("direction", [1, -1])
def test_starts_lie_within_the_range_at_different_fields(direction: int) -> None:
    with simulated_rig(
        Scene.build("he", "sparse", seed=2, shape=(64, 64)), focus_direction=direction, clock=VirtualClock()
    ) as rig:
        steps = run_trials(rig, stays, trials=6, focus_direction=direction, rng=np.random.default_rng(1), within_um=4.0)
        progress = []
        while True:
            try:
                progress.append(next(steps))
            except StopIteration as finished:
                trials = finished.value
                break
    starts = np.array([trial.start_um for trial in trials])
    assert [step.trial for step in progress] == list(range(6))
    assert np.abs(starts).max() <= 4.0 + 0.1
    assert np.ptp(starts) > 2.0
    assert len({(trial.x_um, trial.y_um) for trial in trials}) == 6
    np.testing.assert_allclose([trial.end_um for trial in trials], starts)


def record(outcome: str) -> SweepRecord:
    return SweepRecord("brent", outcome, 1.0, 2.0, 2.0, 0.1, "peak", ("Done.",), 10, 8, 1.5)  # type: ignore[arg-type]


def test_a_summary_counts_outcomes_errors_and_losses() -> None:
    runs = [
        describe_run(record("focused"), -4.0, 0.2),
        describe_run(record("focused"), 3.0, -0.4),
        describe_run(record("reverted"), 0.6, 0.7),
    ]
    summary = summarise(runs, 1.0)
    assert summary["outcomes"] == {"focused": 2, "reverted": 1}
    assert summary["within_half_dof"] == pytest.approx(2 / 3)
    assert summary["median_error_um"] == pytest.approx(0.4)
    assert (summary["ended_worse"], summary["largest_loss_um"]) == (1, pytest.approx(0.1))
    assert (summary["mean_frames"], summary["mean_moves"], summary["mean_seconds"]) == (10.0, 8.0, 1.5)


def test_without_the_truth_a_summary_claims_nothing() -> None:
    run = describe_run(record("focused"))
    assert (run["start_um"], run["end_um"], run["start_z_um"], run["end_z_um"]) == (None, None, 1.0, 2.0)
    summary = summarise([run], None)
    assert summary["within_half_dof"] is summary["median_error_um"] is summary["ended_worse"] is None


def test_fields_that_do_not_serve_are_drawn_again() -> None:
    with simulated_rig(Scene.build("he", "dense", seed=2, shape=(64, 64)), clock=VirtualClock()) as rig:
        steps = run_trials(
            rig,
            stays,
            trials=3,
            focus_direction=1,
            rng=np.random.default_rng(1),
            serves=lambda place: place[0] > 2500.0,
        )
        while True:
            try:
                next(steps)
            except StopIteration as finished:
                trials = finished.value
                break
    assert all(trial.x_um > 2499.0 for trial in trials)


def test_empty_fields_are_counted_apart() -> None:
    still = replace(record("reverted"), moves=0)
    runs = [
        describe_run(record("focused"), -4.0, 0.2, density="dense"),
        describe_run(still, 3.0, 3.0, density="empty"),
        describe_run(record("focused"), 3.0, 5.0, density="empty"),
    ]
    summary = summarise(runs, 1.0)
    assert (summary["within_half_dof"], summary["largest_error_um"]) == (1.0, pytest.approx(0.2))
    assert (summary["empty_fields"], summary["empty_fields_moved"]) == (2, 1)
    assert (summary["ended_worse"], summary["largest_loss_um"]) == (1, pytest.approx(2.0))
