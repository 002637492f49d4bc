"""Whether to trust a calibration: the rules of docs/calibrate.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from made_calibration import DOF_UM, estimate, evaluation, proof, taught
from napari_autofocus.workflows.calibration.verdict import ended, judge

PROOFS = tuple(proof(number) for number in range(1, 11))


def test_a_good_model_is_trusted_and_the_sentence_carries_its_numbers() -> None:
    found = judge(taught(), PROOFS, 10)
    assert found.trust == "trust"
    assert f"about {0.16 * DOF_UM:.2f} µm (0.16 of the depth of field" in found.sentence
    assert "10 of 10 live runs ended in focus" in found.sentence


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        ({"mae_um": 0.4 * DOF_UM, "low_um": 0.3 * DOF_UM, "high_um": 0.5 * DOF_UM}, "trust"),
        ({"high_um": 0.51 * DOF_UM}, "care"),
        ({"mae_um": 0.9 * DOF_UM, "high_um": 1.01 * DOF_UM}, "no"),
        ({"direction": 0.99}, "trust"),
        ({"direction": 0.985}, "care"),
        ({"direction": 0.94}, "no"),
        ({"direction": None}, "no"),
        ({"works": False, "reasons": ("The folds disagree.",)}, "no"),
    ],
)
def test_the_error_estimate_sets_a_limit(changes: dict[str, Any], trust: str) -> None:
    assert judge(taught(estimate=estimate(**changes)), PROOFS, 10).trust == trust


def test_the_reason_of_an_estimate_that_does_not_work_is_the_verdict() -> None:
    bad = taught(estimate=estimate(works=False, reasons=("The folds disagree.",)))
    assert judge(bad, PROOFS, 10).sentence == "Do not trust it: the folds disagree."


def test_without_cross_validation_a_model_is_trusted_with_care_at_most() -> None:
    found = judge(taught(estimate=None), PROOFS, 10)
    assert found.trust == "care"
    assert "not cross-validated" in found.sentence


@pytest.mark.parametrize(
    ("changed", "trust"),
    [
        ({}, "trust"),
        ({1: {"ended": "missed"}}, "care"),
        ({number: {"ended": "missed"} for number in (1, 2, 3)}, "no"),
        ({number: {"ended": "declined"} for number in (1, 2, 3)}, "trust"),
        ({number: {"ended": "declined"} for number in (1, 2, 3, 4)}, "care"),
        ({number: {"ended": "declined"} for number in range(1, 9)}, "no"),
    ],
)
def test_live_runs_set_a_limit(changed: dict[int, dict[str, Any]], trust: str) -> None:
    proofs = [replace(each, **changed.get(each.number, {})) for each in PROOFS]
    assert judge(taught(), proofs, 10).trust == trust


def test_too_few_live_runs_are_care_and_none_at_all_is_no_trust() -> None:
    assert judge(taught(), PROOFS[:4], 10).trust == "care"
    assert judge(taught(), (), 10).trust == "no"
    assert judge(taught(), (), 0).trust == "care"


def test_a_model_that_refuses_most_frames_is_not_trusted() -> None:
    answers = evaluation("mine", 1.0, 0.1)
    refused = replace(answers, results=tuple(replace(each, verdict="unsure") for each in answers.results))
    assert judge(taught(held_out=refused), PROOFS, 10).trust == "no"


def test_a_run_is_in_focus_within_half_a_depth_of_field_only_if_it_says_so() -> None:
    assert ended(0.5, True, 1.0) == ended(-0.5, True, 1.0) == "in_focus"
    assert ended(0.51, True, 1.0) == "missed"
    assert ended(0.0, False, 1.0) == "declined"
