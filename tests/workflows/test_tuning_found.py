"""The file that tuning writes and training takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.learning.settings import Leg, TrainingSettings
from napari_autofocus.models.teaching import TeachingPlan
from napari_autofocus.workflows.tuning_found import read_found, tuned, write_found
from tuned_data import made_found

FOUND = made_found()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_found(tmp_path / "s.json", FOUND)
    assert read_found(tmp_path / "s.json") == FOUND


def test_a_plan_follows_the_course_with_the_width_that_was_found_and_keeps_its_own_length() -> None:
    plan = TeachingPlan(defocus_training=TrainingSettings(samples=500, minutes=3.0, seed=9))
    other = tuned(plan, FOUND)

    assert other.defocus == replace(plan.defocus, width=0.75, dropout=0.2)
    training = other.defocus_training
    assert training.course == (Leg(0.5, 2e-3, 0.85, 0.05, 0.3), Leg(1.0, 1e-3, 0.95, 0.01, 0.2))
    assert (training.samples, training.minutes, training.seed, training.batch) == (500, 3.0, 9, 32)
    assert other.importance_training == plan.importance_training


def test_settings_of_another_backbone_are_refused() -> None:
    plan = TeachingPlan(defocus=DefocusSettings(backbone="resnet50"))
    with pytest.raises(InputError, match="mobilenet_v3_small"):
        tuned(plan, FOUND)


def _spoiled(**changes: Any) -> str:
    return json.dumps({**FOUND.to_json(), **changes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("[]", "holds no tuned settings"),
        ('{"kind": "other"}', "holds no tuned settings"),
        (_spoiled(format=9), "of format 9"),
        (_spoiled(course=[]), "wrong at course"),
        (_spoiled(width=-1), "wrong at width"),
        (_spoiled(score_um="good"), "wrong at score_um"),
        (_spoiled(course=[{**FOUND.to_json()["course"][0], "learning_rate": 5.0}]), "cannot be followed"),
        (_spoiled(course=FOUND.to_json()["course"][::-1]), "cannot be followed"),
        (_spoiled(course=[{**FOUND.to_json()["course"][0], "code": "1"}]), "wrong at course.0.code"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_found(tmp_path / "s.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_found(tmp_path / "none.json")
