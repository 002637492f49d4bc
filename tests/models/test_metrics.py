"""Figures from answers beside their truth, against numbers worked out by hand."""

from __future__ import annotations

import json

import pytest

from napari_autofocus.models.metrics import FieldResult, accuracy, by_defocus, grouped, summary


def result(true_um: float, estimate_um: float | None, verdict: str = "flat", **others: object) -> FieldResult:
    facts = {"source": "a", "slide": "s", "stain": "he", "density": "dense", **others}
    return FieldResult(true_um=true_um, estimate_um=estimate_um, verdict=verdict, **facts)  # type: ignore[arg-type]


def test_accuracy_of_four_frames_is_what_a_pencil_says() -> None:
    found = accuracy([result(4, 4.2), result(-3, -3.6), result(0.2, -0.1), result(2, -1)], dof_um=1.0)
    assert found.fields == 4
    assert found.mae_um == pytest.approx((0.2 + 0.6 + 0.3 + 3) / 4)
    assert found.bias_um == pytest.approx((0.2 - 0.6 - 0.3 - 3) / 4)
    assert found.worst_um == pytest.approx(3)
    assert (found.within_half_dof, found.within_dof) == (0.5, 0.75)


def test_direction_counts_only_beyond_half_the_depth_of_field() -> None:
    found = accuracy([result(4, 4.2), result(0.4, -0.1), result(2, -1), result(-2, -1)], dof_um=1.0)
    assert found.directed_fields == 3
    assert found.direction_success == pytest.approx(2 / 3)


def test_errors_are_told_in_depths_of_field() -> None:
    assert accuracy([result(12, 17), result(-5, 0)], dof_um=10.0).mae_dof == pytest.approx(0.5)


def test_coverage_counts_stated_intervals_only() -> None:
    inside, outside = result(1, 1, interval90_um=(0.5, 1.5)), result(2, 1, interval90_um=(0.5, 1.5))
    assert accuracy([inside, inside, outside, result(5, 5)], 1.0).interval90_coverage == pytest.approx(2 / 3)


def test_refusals_are_counted_apart_with_what_they_would_have_been() -> None:
    rows = [result(1, 1.1), result(5, -5, "unsure"), result(2, None, "no_content"), result(9, 8, "out_of_range")]
    found = summary(rows, dof_um=1.0)
    assert (found["fields"], found["answered"]) == (4, 1)
    assert found["mae_um"] == pytest.approx(0.1)
    assert found["refused"] == {"all": 0.75, "no_content": 0.25, "unsure": 0.25, "out_of_range": 0.25}
    assert found["if_refused_had_answered"]["fields"] == 2
    assert found["if_refused_had_answered"]["mae_um"] == pytest.approx((10 + 1) / 2)


def test_an_answer_without_a_number_counts_as_refused() -> None:
    assert summary([result(1, None, "flat")], 1.0)["refused"]["all"] == 1.0


def test_uneven_and_tilted_fields_are_answers() -> None:
    rows = [result(1, 1, "uneven"), result(1, 1, "tilted")]
    assert summary(rows, 1.0)["answered"] == 2
    assert summary(rows, 1.0)["verdicts"] == {"tilted": 1, "uneven": 1}
    assert summary(rows, 1.0)["uneven"] == 0.5


def test_nothing_to_count_is_none_and_never_nan() -> None:
    found = summary([result(1, None, "no_content")], 1.0)
    assert found["mae_um"] is found["direction_success"] is found["within_dof"] is None
    json.dumps(found, allow_nan=False)
    assert summary([], 1.0)["fields"] == 0


def test_groups_are_kept_apart() -> None:
    rows = [result(1, 1.5), result(1, 1, density="sparse"), result(2, 2.1, density=None)]
    found = grouped(rows, 1.0, lambda each: each.density)
    assert list(found) == ["dense", "sparse", "unknown"]
    assert [found[name]["mae_um"] for name in found] == pytest.approx([0.5, 0, 0.1])


def test_every_frame_in_range_falls_into_one_bin_of_defocus() -> None:
    rows = [result(true, true + 0.1) for true in (-10, -8, 0, 1.99, 10, 10.5)]
    bins = by_defocus(rows, 1.0, range_um=10)
    assert [(b["from_um"], b["fields"]) for b in bins if b["fields"]] == [(-10, 1), (-8, 1), (0, 2), (8, 1)]
    assert len(bins) == 10
