"""What ``benchmarks/end_to_end.py`` makes of answers: where an arm would win that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.models.metrics import FieldResult

DECISION = DecisionSettings(dof_um=1.0, range_um=10.0)


@pytest.fixture
def module(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("end_to_end")


def answer(field: str, draw: int, error_um: float | None, true_um: float = 4.0) -> FieldResult:
    estimate = None if error_um is None else true_um + error_um
    return FieldResult(f"{field}-{draw}", field, None, None, true_um, estimate)


def patch(importance: float, defocus_um: float, sigma_um: float) -> list[Any]:
    return [0, 0, 128, importance, True, defocus_um, sigma_um, 0.99]


def test_an_arm_that_is_better_on_every_field_wins(module: ModuleType) -> None:
    before = [answer(str(n), draw, 0.3) for n in range(6) for draw in range(2)]
    after = [answer(str(n), draw, -0.1 - 0.01 * n) for n in range(6) for draw in range(2)]
    found = module.against(after, before)
    assert found["mean_um"] == pytest.approx(-0.175)
    assert found["low_um"] < found["mean_um"] < found["high_um"] < 0


def test_one_lucky_field_is_no_win(module: ModuleType) -> None:
    before = [answer("lucky", 0, 5.0), *(answer(str(n), 0, 0.1) for n in range(5))]
    after = [answer("lucky", 0, 0.1), *(answer(str(n), 0, 0.1) for n in range(5))]
    assert module.against(after, before)["high_um"] == 0


def test_frames_are_compared_with_themselves(module: ModuleType) -> None:
    before = [answer(str(n), 0, float(n)) for n in range(5)]
    assert module.against(before[::-1], before) == {"mean_um": 0, "low_um": 0, "high_um": 0}


def test_a_frame_of_which_nothing_is_read_counts_with_all_of_its_defocus(module: ModuleType) -> None:
    found = module.against([answer("a", 0, None)], [answer("a", 0, 0.5)])
    assert found["mean_um"] == pytest.approx(3.5)
    row = module.row_of([answer("a", 0, None), answer("b", 0, 0.5)], 1.0)
    assert (row["frames"], row["unread"], row["refused"]) == (2, 1, 0.5)


def test_patches_are_judged_with_the_pooling_asked_for(module: ModuleType) -> None:
    patches = [patch(0.9, 2.0, 0.2), patch(0.9, 2.2, 0.2), patch(0.9, 2.1, 0.2), patch(0.01, 4.0, 0.2)]
    row = {"case": "dense", "field": "a", "source": "a-0", "true_um": 2.0, "shape": (512, 512), "patches": patches}
    assert module.judged(row, DECISION, 0.325).estimate_um == pytest.approx(2.15)
    weighted = module.judged(row, module.replace(DECISION, pooling="weighted_mean"), 0.325)
    assert weighted.estimate_um == pytest.approx(2.1, abs=0.01)


def test_arms_differ_in_what_counts_and_in_what_they_are_shown_only(module: ModuleType) -> None:
    plans = module.ARMS
    assert plans[module.REFERENCE].errors.field == 0
    assert plans["end to end"].errors.field > 0
    assert not plans["end to end"].choice.weighted
    assert plans["end to end, head"].choice.weighted
    assert plans["end to end, head"].shown.sparse > 0
    assert len({plan.shown.patches for plan in plans.values()}) == 1


def test_an_answer_cut_short_is_asked_for_again(module: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('[{"field": "a"}]\n[{"field": "b"')
    assert [rows[0]["field"] for rows in module._kept(path)] == ["a"]
    assert list(module._kept(tmp_path / "none.jsonl")) == []


def test_no_figure_is_no_number(module: ModuleType) -> None:
    assert module._short(None) is None
    assert module._short(np.float64(0.123456)) == 0.1235
