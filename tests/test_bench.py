"""``make bench``: how it times, counts and compares; and its page says what the stored results say."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).parents[1]
DOCS, BENCHMARKS = ROOT / "docs", ROOT / "benchmarks"
RESULT = BENCHMARKS / "results" / "bench.json"
MODULES = ("bench", "bench_rows", "bench_machine", "bench_table", "make_speed")


@pytest.fixture
def parts() -> Iterator[dict[str, ModuleType]]:
    """The modules of the bench and of its page, imported from their folders and forgotten again."""
    before = set(sys.modules)
    sys.path[:0] = [str(BENCHMARKS), str(DOCS)]
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        del sys.path[:2]
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and {BENCHMARKS, DOCS} & set(Path(file).parents):
                del sys.modules[name]


def result(parts: dict[str, ModuleType]) -> dict[str, Any]:
    """A run that found two rows, one of them far from its limit."""
    rows = parts["bench_rows"]
    near = rows.Row("near", "ms", 3.0, 2.9, 3.2, 9, 5.9, {"a script": 30.0}, rows.Limit(2.0, "copying", "never told"))
    far = rows.Row("far", "ms", 9.0, 8.0, 9.5, 9, 17.0, {}, rows.Limit(1.5, "copying", "it is read three times"))
    found = rows.Findings([near, far], [rows.Growth("near", "pixels", (1.0, 4.0, 16.0), (2.0, 8.0, 32.0))])
    return {
        "command": "python benchmarks/bench.py",
        "date": "2026-11-22",
        "minutes": 9.5,
        "machine": {"processors": 2, "processor": "some", "python": "3.11.7"},
        "subjects": {
            "measures": {"heading": "Focus measures", **found.to_json(), "load_before": 0.4},
            "gpu": {"heading": "On a GPU", "rows": [], "growths": [], "skipped": {"all rows": "There is none."}},
        },
    }


def test_the_page_says_what_the_stored_results_say(parts: dict[str, ModuleType]) -> None:
    if not RESULT.exists():
        pytest.skip("make bench has not been run here.")
    assert parts["make_speed"].stale(DOCS, RESULT) == ""


def test_whatever_is_beyond_twice_its_limit_is_explained(parts: dict[str, ModuleType]) -> None:
    if not RESULT.exists():
        pytest.skip("make bench has not been run here.")
    subjects = json.loads(RESULT.read_text(encoding="utf-8"))["subjects"].values()
    rows = [row for subject in subjects for row in subject["rows"] if parts["make_speed"].over_twice(row)]
    assert [row["name"] for row in rows if not row["limit"]["beyond"]] == []


def test_the_page_has_ratios_limits_growth_reasons_and_what_was_left_out(parts: dict[str, ModuleType]) -> None:
    page = parts["make_speed"].page((DOCS / "speed.txt").read_text(encoding="utf-8"), result(parts))
    assert "| near | 3 ms | 2.9 to 3.2 | 0.1 times a script (30) | 1.5 times 2 (copying) |" in page
    assert "**6 times** 1.5 (copying)" in page
    assert "- far (6 times): it is read three times." in page
    assert "never told" not in page
    assert "| near | pixels<sup>1.00</sup> | 2 ms, 8 ms, 32 ms |" in page
    assert "Left out, all rows: There is none." in page
    assert "busy" not in page.split("## ")[0].partition("<sub>")[2]
    assert "@" not in page


def test_a_busy_machine_is_told(parts: dict[str, ModuleType]) -> None:
    found = result(parts)
    found["subjects"]["measures"]["load_before"] = 7.0
    assert "the machine was busy with other work" in parts["make_speed"].machine(found)


def test_a_page_of_other_results_is_found(parts: dict[str, ModuleType], tmp_path: Path) -> None:
    maker, written = parts["make_speed"], tmp_path / "bench.json"
    (tmp_path / "speed.txt").write_text("@subjects", encoding="utf-8")
    written.write_text(json.dumps(result(parts)), encoding="utf-8")
    assert "run python docs/make_speed.py" in maker.stale(tmp_path, written)
    (tmp_path / "speed.md").write_text(maker.page("@subjects", result(parts)), encoding="utf-8")
    assert maker.stale(tmp_path, written) == ""


def test_what_a_rate_falls_short_of_its_limit_counts_as_what_a_time_is_beyond_it(parts: dict[str, ModuleType]) -> None:
    rows = parts["bench_rows"]
    rate = rows.Row.of_values("frames", "a second", [10.0], limit=rows.Limit(20.0, "camera"), more_is_better=True)
    time = rows.Row.of_values("wait", "s", [0.4, 0.2, 0.9], limit=rows.Limit(0.2, "exposure"))
    assert (rate.over_limit, time.over_limit, time.median) == (2.0, 2.0, 0.4)


def test_growth_is_the_exponent_of_a_power_law(parts: dict[str, ModuleType]) -> None:
    sizes = (1.0, 4.0, 16.0)
    growth = parts["bench_rows"].Growth("sorting", "pixels", sizes, tuple(3 * size**1.5 for size in sizes))
    assert growth.exponent == pytest.approx(1.5)


def test_calls_take_turns_and_slow_ones_are_made_less_often(parts: dict[str, ModuleType]) -> None:
    made: list[str] = []

    def slow() -> None:
        made.append("slow")
        np.linalg.svd(np.ones((300, 300)))

    calls = {"slow": slow, "quick": lambda: made.append("quick")}
    times = parts["bench_rows"].take_turns(calls, seconds=1e-3, most=12, least=3)
    assert len(times["slow"].wall_s) == 3
    assert len(times["quick"].wall_s) == 12
    assert made[2:] != sorted(made[2:])
    assert min(times["slow"].cpu_s) >= 0


def test_the_work_of_a_network_is_counted(parts: dict[str, ModuleType]) -> None:
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "weights")
    node = helper.make_node("Conv", ["taken", "weights"], ["given"], pads=[1, 1, 1, 1], strides=[2, 2])
    ends = [helper.make_tensor_value_info(name, floats, ["n", c, "y", "x"]) for name, c in (("taken", 3), ("given", 4))]
    model = helper.make_model(helper.make_graph([node], "small", ends[:1], ends[1:], [weights]), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 18)])  # fmt: skip
    work = parts["bench_machine"].work_of(model.SerializeToString(), (2, 3, 8, 8))
    assert work.layers == ((2.0 * 4 * 3 * 9 * 2 * 4 * 4, 4.0 * (2 * 3 * 64 + 2 * 4 * 16)),)
    machine = parts["bench_machine"].Machine(flops=1e9, memory_bytes=1e9, cache_bytes=1e6)
    assert machine.seconds(work) == pytest.approx(work.layers[0][1] / 1e6)


def test_a_subject_that_fails_is_told_and_the_known_ones_are_kept(
    parts: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = parts["bench"]
    monkeypatch.setattr(bench, "_run", lambda command: "It ended with code 1; see what it printed.")
    failed = bench.measure_apart("gpu", argparse.Namespace(threads=1, quick=True))
    assert failed["failed"]
    assert failed["rows"] == []
    out = tmp_path / "bench.json"
    out.write_text(json.dumps(result(parts)), encoding="utf-8")
    merged = bench.merged({"gpu": failed}, out)
    assert list(merged) == ["measures", "gpu"]
    assert merged["gpu"] is failed
    parts["bench_table"].show({**result(parts), "subjects": merged})


def test_every_subject_has_its_module(parts: dict[str, ModuleType]) -> None:
    for name in parts["bench"].SUBJECTS:
        assert "def measure(quick: bool, threads: int) -> Findings:" in (BENCHMARKS / f"bench_{name}.py").read_text()
