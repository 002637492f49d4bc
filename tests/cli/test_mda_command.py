"""``napari-autofocus mda``: its JSON, its policies and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.workflows.mda import MdaFocusRecord, read_frames

SMALL = ("--shape", "96x128", "--find-range-um", "4", "--seed", "3")
PLAN = """
stage_positions: [{x: 0, y: 0, z: 0}, {x: 300, y: 0, z: 0}]
z_plan: {range: 2, step: 1}
autofocus_plan: {axes: [p]}
"""


def mda(tmp_path: Path, *arguments: object, plan: str = PLAN) -> Result:
    sequence = tmp_path / "plan.yaml"
    sequence.write_text(plan)
    told = ["mda", sequence, "--out", tmp_path / "run", *SMALL, *arguments, "--json"]
    return CliRunner().invoke(app, list(map(str, told)))


def test_frames_are_written_and_the_record_is_told(tmp_path: Path) -> None:
    done = mda(tmp_path)

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["outcome"], told["frames"], told["missing"]) == ("done", 6, 0)
    assert [event["outcome"] for event in told["events"]] == ["focused", "focused"]
    assert len(read_frames(tmp_path / "run")) == 6
    kept = MdaFocusRecord.from_json((tmp_path / "run" / "autofocus.json").read_text())
    assert kept.frames == 6


def test_places_that_cannot_be_focused_are_left_out_with_exit_code_3(tmp_path: Path) -> None:
    done = mda(tmp_path, "--density", "empty", "--on-failure", "skip")

    told = json.loads(done.stdout)
    assert done.exit_code == 3
    assert (told["frames"], told["missing"]) == (0, 6)
    assert {event["policy"] for event in told["events"]} == {"skip"}


def test_what_cannot_be_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    cases: tuple[tuple[tuple[object, ...], str, str], ...] = (
        ((), "z_plan: {top: 2, bottom: 0, step: 1}\nautofocus_plan: {axes: [p]}", "absolute heights"),
        ((), "z_plan: {range: 2, step: 1}", "no autofocus plan"),
        (("--on-failure", "hope"), PLAN, "Unknown policy"),
        (("--on-failure", "map"), PLAN, "no focus map"),
        (("--channel", "Red"), PLAN, "name both"),
        (("--channel", "A:B:bright"), PLAN, "EXPOSURE_MS"),
        (("--map", tmp_path / "no.json"), PLAN, "cannot be read"),
        ((), PLAN.replace("y: 0, z: 0}]", "y: 0, z: 900}]"), "outside the limits"),
    )
    for arguments, plan, message in cases:
        refused = mda(tmp_path, *arguments, plan=plan)
        assert refused.exit_code == 2, refused.output
        assert message in json.loads(refused.stdout)["error"]
        assert not (tmp_path / "run").exists()


def test_a_sequence_without_a_plan_is_focused_on_the_axes_that_are_named(tmp_path: Path) -> None:
    done = mda(tmp_path, "--axes", "p", plan=PLAN.replace("autofocus_plan: {axes: [p]}", ""))

    assert len(json.loads(done.stdout)["events"]) == 2
