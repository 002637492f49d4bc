"""The figures of ``benchmarks/robustness.py``: what counts as wrong, and that a run goes on where it stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from napari_autofocus.models.metrics import FieldResult

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark_modules() -> Iterator[dict[str, ModuleType]]:
    """The benchmark's modules, imported from their folder and forgotten again."""
    import importlib

    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: importlib.import_module(name) for name in ("robustness", "robustness_run", "robustness_fields")}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            if (
                getattr(sys.modules[name], "__file__", None)
                and BENCHMARKS in Path(str(sys.modules[name].__file__)).parents
            ):
                del sys.modules[name]


def said(estimate_um: float | None, true_um: float, verdict: str = "flat", density: str = "dense") -> FieldResult:
    return FieldResult("field", "slide", "he", density, true_um, estimate_um, verdict=verdict)


@pytest.mark.parametrize(
    ("estimate_um", "true_um", "wrong"),
    [(0.4, -0.55, True), (0.3, -0.4, False), (5.9, 5.0, False), (6.1, 5.0, True), (-5.0, 5.0, True)],
    ids=["wrong side", "wrong side within half the depth", "within the depth", "off by more", "mirrored"],
)
def test_wrong_is_the_wrong_side_or_off_by_more_than_the_depth_of_field(
    benchmark_modules: dict[str, ModuleType], estimate_um: float, true_um: float, wrong: bool
) -> None:
    assert benchmark_modules["robustness"].is_wrong(said(estimate_um, true_um), 1.0) is wrong


def test_only_trusted_answers_can_be_confident_and_wrong(benchmark_modules: dict[str, ModuleType]) -> None:
    results = [said(-5, 5), said(-5, 5, "unsure"), said(-12, 12, "out_of_range"), said(12, 14, "out_of_range")]
    row = benchmark_modules["robustness"].row_of(results, None, 1.0)
    assert (row["confident"], row["confident_wrong"], row["worst_confident_um"]) == (1, 0.25, 10)
    assert row["out_of_range_wrong_side"] == 0.25
    assert row["over_clean"] is None


def test_error_over_clean_is_of_frames_answered_both_times(benchmark_modules: dict[str, ModuleType]) -> None:
    clean = [said(1.1, 1), said(2.1, 2, "unsure"), said(3.2, 3)]
    after = [said(1.3, 1), said(9.0, 2), said(3.9, 3, "unsure")]
    assert benchmark_modules["robustness"].over_clean(after, clean) == pytest.approx(3)
    assert benchmark_modules["robustness"].over_clean(after[1:], clean[1:]) is None


def test_a_case_is_compared_with_the_clean_frames_that_it_has(benchmark_modules: dict[str, ModuleType]) -> None:
    """Clean frames are more; each field counts with its first ones."""
    field = benchmark_modules["robustness_fields"].Field
    one, other = field("dense", 0), field("sparse", 0)
    answers = {
        (one, "clean"): [said(1.1, 1), said(50, 5)],
        (one, "jpeg=30"): [said(1.2, 1)],
        (other, "clean"): [said(2.1, 2, density="sparse"), said(50, 5, density="sparse")],
        (other, "jpeg=30"): [said(2.4, 2, density="sparse")],
    }
    rows = benchmark_modules["robustness"].rows_of(answers, ["clean", "jpeg=30"], 1.0)
    assert rows["jpeg=30"]["over_clean"] == pytest.approx(3)
    assert rows["jpeg=30"]["by_density"]["sparse"]["over_clean"] == pytest.approx(4)
    assert rows["clean"]["fields"] == 4


def test_answers_on_disk_are_not_asked_again(benchmark_modules: dict[str, ModuleType], tmp_path: Path) -> None:
    run, fields = benchmark_modules["robustness_run"], benchmark_modules["robustness_fields"]
    asked = run.Asked(predictor=None, fingerprint="f", file=tmp_path / "f.jsonl")
    field, ask = fields.Field("dense", 0), fields.Ask("jpeg", 30)
    asked.keep(field, ask, 0, [said(1, 1)])
    asked.keep(field, ask, 1, [said(2, 2)])
    asked.keep(field, ask, 1, [said(7, 7)])
    asked.file.write_text(asked.file.read_text() + '{"density": "den')
    assert [result.true_um for result in asked.kept()[field, "jpeg=30"]] == [1, 2]
    assert run.answers_of(asked, [field], [ask], 2) == asked.kept()


def test_two_trainings_of_one_name_stand_side_by_side(benchmark_modules: dict[str, ModuleType], tmp_path: Path) -> None:
    keep, out = benchmark_modules["robustness"].keep, tmp_path / "results" / "robustness.json"

    def entry(weights: str, case: str) -> dict[str, Any]:
        row = {"over_clean": 1.2}
        return {"model": "m", "model_sha256": weights, "fields": 1, "draws": 1, "command": "c", "rows": {case: row}}

    for weights, case in (("a" * 32, "jpeg=75"), ("b" * 32, "jpeg=75"), ("a" * 32, "motion-um=1")):
        keep(entry(weights, case), out)
    models = json.loads(out.read_text())["models"]
    assert {key: list(model["rows"]) for key, model in models.items()} == {
        "m aaaaaaaa": ["jpeg=75", "motion-um=1"],
        "m bbbbbbbb": ["jpeg=75"],
    }
    assert all(target["reached"] for target in models["m aaaaaaaa"]["targets"])


def test_dyes_turned_by_a_third_exchange_their_colours(benchmark_modules: dict[str, ModuleType]) -> None:
    turn = benchmark_modules["robustness_fields"].about_grey(120)
    assert turn @ [1, 2, 3] == pytest.approx([3, 1, 2], abs=1e-6)
