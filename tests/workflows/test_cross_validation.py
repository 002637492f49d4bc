"""What a model says about its own error, from answers on stacks it had not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.workflows.own.cross_validation import ErrorEstimate, estimate_error


def answers(stacks: int, error_dof: float, *, spread: float = 0.2, wrong: float = 0.0, seed: int = 0) -> Evaluation:
    """Ten frames a stack within ±10 µm, of a depth of field of 2 µm."""
    rng = np.random.default_rng(seed)
    results = []
    for stack in range(stacks):
        scale = 2 * error_dof * float(np.exp(rng.normal(0, spread)))
        for true_um in np.linspace(-9.5, 9.5, 10):
            found_um = true_um + scale * float(rng.choice([-1, 1]))
            sign = -1 if rng.random() < wrong else 1
            results.append(FieldResult(f"stack-{stack}", f"slide-{stack}", None, None, float(true_um), sign * found_um))
    return Evaluation("mine", tuple(results), dof_um=2.0, range_um=10.0)


def told(*arguments: float, **options: float) -> ErrorEstimate:
    return estimate_error(answers(*arguments, **options))  # type: ignore[arg-type]


def test_the_interval_holds_the_estimate_and_widens_as_stacks_differ() -> None:
    alike, unlike = told(8, 0.2, spread=0.05), told(8, 0.2, spread=0.9)
    for each in (alike, unlike):
        assert 0 < each.low_um < each.mae_um < each.high_um
    assert unlike.high_um / unlike.mae_um > 1.2 * alike.high_um / alike.mae_um


def test_more_stacks_make_it_narrower() -> None:
    few, many = told(4, 0.2, spread=0.4), told(40, 0.2, spread=0.4)
    assert many.high_um / many.mae_um < few.high_um / few.mae_um


def test_errors_twice_as_large_are_told_as_twice_as_large() -> None:
    assert told(8, 0.4).mae_um == pytest.approx(2 * told(8, 0.2).mae_um)


def test_a_good_model_works() -> None:
    estimate = told(8, 0.1, spread=0.1)
    assert estimate.works
    assert estimate.direction == 1.0
    assert (estimate.stacks, estimate.frames) == (8, 80)


def test_a_model_whose_errors_are_large_does_not_work_and_says_so() -> None:
    estimate = told(8, 1.5)
    assert not estimate.works
    assert "depths of field; up to 0.5 is asked for" in estimate.reasons[0]


def test_a_model_that_errs_in_direction_does_not_work() -> None:
    estimate = told(8, 0.1, wrong=0.1)
    assert not estimate.works
    assert any("The direction was right in" in reason for reason in estimate.reasons)


def test_stacks_that_differ_are_told() -> None:
    estimate = told(4, 0.1, spread=1.0)
    assert any("The stacks differ so much" in reason for reason in estimate.reasons)


def test_two_stacks_are_too_few() -> None:
    with pytest.raises(InputError, match="at least 3 stacks; 2 have any"):
        told(2, 0.1)


def test_a_model_that_refuses_everything_is_told_by_its_guesses() -> None:
    answered = answers(8, 0.1)
    refused = tuple(replace(result, verdict="unsure") for result in answered.results)
    estimate = estimate_error(replace(answered, results=refused))
    assert not estimate.works
    assert any("refused 100 % of the frames" in reason for reason in estimate.reasons)
