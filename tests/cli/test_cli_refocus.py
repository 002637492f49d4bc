"""``napari-autofocus refocus``: its JSON, its refusals, its proposals, that nothing real moves without a yes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from napari_autofocus.cli import app
from napari_autofocus.records import RefocusRecord
from tiny_models import tiny_file
from tiny_pairs import PAIR, tiny_pair_file

CONTRACT = {"start_um", "end_um", "frames", "moves", "outcome", "seconds"}
KEYS = CONTRACT | {"verdict", "reasons", "warnings", "start_z_um", "end_z_um", "stain", "density", "model"}
SHIPPED = ("--model", "brightfield-20x")
DEMO_CORE = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Camera,Exposure,5
Property,Z,Position,3.3
"""


def refocus(*arguments: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["refocus", *map(str, arguments)], input=typed)


def simulated(*arguments: object) -> Result:
    return refocus(*SHIPPED, "--shape", "256x320", *arguments)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model that reads a defocus from grey values, which no move changes."""
    return tiny_file(tmp_path)


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A real Micro-Manager core whose drive stands at 3.3 µm and whose grey camera knows no pixel size."""
    path = tmp_path / "demo.cfg"
    path.write_text(DEMO_CORE)
    return path


@pytest.mark.parametrize("direction", [1, -1])
def test_prints_one_json_object_by_the_contract(direction: int) -> None:
    found = told(simulated("--runs", 2, "--seed", 3, "--focus-direction", direction, "--json"))
    assert len(found["runs"]) == 2
    for run in found["runs"]:
        assert set(run) >= KEYS
        assert run["outcome"] in ("focused", "already_in_focus"), run
        assert abs(run["start_um"]) <= 10.1
        assert abs(run["end_um"]) < 0.5
        moved_um = direction * (run["end_z_um"] - run["start_z_um"])
        assert moved_um == pytest.approx(run["end_um"] - run["start_um"], abs=0.01)
        assert 0.025 * run["frames"] <= run["seconds"] < 10
    assert found["summary"]["within_half_dof"] == 1.0
    assert found["summary"]["mean_frames"] <= 4


def test_the_same_seed_gives_the_same_runs() -> None:
    first, again, other = (told(simulated("--seed", seed, "--json")) for seed in (5, 5, 6))
    assert first == again
    assert first["runs"][0]["start_um"] != other["runs"][0]["start_um"]


def test_mixed_slides_differ_from_run_to_run() -> None:
    mixed = told(simulated("--runs", 4, "--seed", 1, "--stain", "mixed", "--density", "mixed", "--propose", "--json"))
    slides = {(each["stain"], each["density"]) for each in mixed["proposals"]}
    assert len(slides) > 1
    assert all(stain in ("he", "ihc", "cytology", "blood") and density != "empty" for stain, density in slides)


def test_an_empty_field_is_left_alone_and_says_why() -> None:
    result = simulated("--density", "empty")
    assert result.exit_code == 0
    assert "no content" in result.stdout
    assert "0 of 1 focused" in result.stdout
    found = told(simulated("--density", "empty", "--json"))
    run, summary = found["runs"][0], found["summary"]
    assert (run["outcome"], run["moves"], run["frames"]) == ("skipped_no_content", 0, 1)
    assert run["start_z_um"] == run["end_z_um"]
    assert (summary["empty_fields"], summary["empty_fields_moved"]) == (1, 0)
    assert summary["within_half_dof"] is None


@pytest.mark.parametrize("direction", [1, -1])
def test_a_proposal_names_the_place_of_focus_and_moves_nothing(direction: int) -> None:
    found = told(simulated("--seed", 3, "--focus-direction", direction, "--propose", "--json"))
    (proposal,) = found["proposals"]
    assert proposal["focus_direction"] == direction
    left_um = proposal["start_um"] + direction * (proposal["target_z_um"] - proposal["z_um"])
    assert abs(left_um) < 0.5
    assert "end_um" not in proposal


def test_a_proposal_in_words_has_its_target() -> None:
    result = simulated("--seed", 3, "--propose")
    assert result.exit_code == 0
    assert "too close (true defocus" in result.stdout
    assert " → " in result.stdout


def test_limits_hold_for_the_simulated_drive() -> None:
    (run,) = told(simulated("--seed", 3, "--limits-um", -1, 12, "--density", "sparse", "--json"))["runs"]
    assert -1 <= run["start_z_um"] <= 12
    assert -1 <= run["end_z_um"] <= 12


def test_other_optics_are_refused_and_warned_of_when_insisted_on() -> None:
    other = ("--objective", "10x/0.3", "--json")
    refused = simulated(*other)
    assert refused.exit_code == 2
    assert "NA is 0.3" in json.loads(refused.stdout)["error"]
    (run,) = told(simulated(*other, "--insist"))["runs"]
    assert any("NA is 0.3" in warning for warning in run["warnings"])
    assert abs(run["end_um"]) <= abs(run["start_um"]) + 1.0


def test_a_sweep_helps_where_it_is_allowed(tiny: Path) -> None:
    """The tiny model sees no defocus change, so its own move cannot be verified."""
    common = ("--model", tiny, "--shape", "48x64", "--stain", "cytology", "--seed", 1, "--json")
    (alone,) = told(refocus(*common))["runs"]
    (helped,) = told(refocus(*common, "--sweep"))["runs"]
    assert alone["outcome"] in ("reverted", "refused")
    assert alone["end_z_um"] == pytest.approx(alone["start_z_um"], abs=0.01)
    assert (helped["outcome"], helped["method"]) == ("focused", "one-shot, sweep")
    assert abs(helped["end_um"]) < 0.5


def test_keeps_full_records(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert simulated("--runs", 2, "--seed", 3, "--records", path).exit_code == 0
    records = [RefocusRecord.from_json(line) for line in path.read_text().splitlines()]
    assert [len(record.shots) for record in records] == [record.frames for record in records]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", 0], "at least 1"),
        (["--stain", "ink"], "ink"),
        (["--objective", "big"], "big"),
        (["--focus-direction", 2], "+1 or -1"),
        (["--limits-um", 5, 1], "limits"),
        (["--uneven", "flatten"], "flatten"),
        (["--timeout-s", 0], "timeout_s"),
        (["--pixel-um", -1], "--pixel-um must be a positive number"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--microscope", "missing.cfg", "--range-um", 5], "missing.cfg"),
        (["--records", "no such folder/runs.jsonl"], "folder that exists"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[object], message: str) -> None:
    result = simulated(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def on_core(core: Path, model: Path, *arguments: object, typed: str = "") -> Result:
    return refocus("--microscope", core, "--model", model, "--insist", "--focus-direction", 1, *arguments, typed=typed)


def test_a_real_microscope_needs_limits(core: Path, tiny: Path) -> None:
    result = on_core(core, tiny)
    assert result.exit_code == 2
    assert "--limits-um" in result.stderr


def test_a_real_microscope_needs_its_pixel_size(core: Path, tiny: Path) -> None:
    result = on_core(core, tiny, "--range-um", 20, "--objective", "20x/0.75", "--yes")
    assert result.exit_code == 2
    assert "--pixel-um" in result.stderr


@pytest.mark.parametrize("typed", ["n\n", ""], ids=["no", "nobody there"])
def test_a_real_microscope_does_not_move_without_a_yes(core: Path, tiny: Path, typed: str) -> None:
    result = on_core(core, tiny, "--limits-um", -40, 40, typed=typed)
    assert result.exit_code == 2
    assert "between -40.00 and 40.00 µm" in result.stderr
    assert "Nothing was moved" in result.stderr


def test_frames_of_unknown_optics_are_refused_on_a_real_microscope(core: Path, tiny: Path) -> None:
    result = refocus("--microscope", core, "--model", tiny, "--range-um", 20, "--yes")
    assert result.exit_code == 2
    assert "optics of the frame are unknown" in result.stderr


def test_a_real_core_is_brought_back_where_the_model_does_not_fit(core: Path, tiny: Path) -> None:
    (run,) = told(on_core(core, tiny, "--range-um", 25, "--yes", "--json"))["runs"]
    assert run["outcome"] in ("reverted", "refused")
    assert run["end_z_um"] == pytest.approx(3.3, abs=0.01)
    assert run["start_um"] is run["end_um"] is None
    assert any("unknown" in warning for warning in run["warnings"])


def test_a_proposal_needs_no_limits_and_no_yes(core: Path, tiny: Path) -> None:
    found = told(on_core(core, tiny, "--propose", "--json"))
    (proposal,) = found["proposals"]
    assert proposal["z_um"] == pytest.approx(3.3)
    assert proposal["start_um"] is None


# Two shots.


@pytest.fixture
def two_shots(tmp_path: Path) -> Path:
    """A model of two shots that reads a defocus from how much redder the second is."""
    return tiny_pair_file(tmp_path)


def with_two(model: Path, *arguments: object) -> Result:
    return refocus("--model", model, "--shape", "160x192", *arguments)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_model_of_two_shots_refocuses_by_two(two_shots: Path, direction: int, tmp_path: Path) -> None:
    records = tmp_path / "runs.jsonl"
    found = told(with_two(two_shots, "--runs", 2, "--focus-direction", direction, "--records", records, "--json"))
    for run in found["runs"]:
        assert set(run) >= KEYS
        assert (run["model"], run["method"]) == (PAIR, "two-shot")
        assert run["frames"] >= 2
    for line in records.read_text().splitlines():
        first, second, *_ = RefocusRecord.from_json(line).shots
        assert (first.phase, second.phase) == ("apart", "shot")
        assert direction * (second.z_um - first.z_um) == pytest.approx(2.0, abs=0.01)


def test_the_distance_of_two_shots_can_be_set(two_shots: Path, tmp_path: Path) -> None:
    records = tmp_path / "runs.jsonl"
    told(with_two(two_shots, "--dz-um", 1.9, "--records", records, "--json"))
    first, second, *_ = RefocusRecord.from_json(records.read_text()).shots
    assert second.z_um - first.z_um == pytest.approx(1.9, abs=0.01)


def test_a_fallback_is_not_asked_where_one_shot_is_sure(two_shots: Path) -> None:
    found = told(simulated("--seed", 3, "--fallback", two_shots, "--json"))
    assert found["runs"][0]["method"] == "one-shot"
    assert found["runs"][0]["outcome"] in ("focused", "already_in_focus")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--propose",), "without --propose it may move"),
        (("--fallback", PAIR), "takes two shots already"),
        (("--dz-um", 5), "2 µm apart, give or take 10%; found 5 µm"),
    ],
)
def test_what_two_shots_cannot_do_is_one_sentence(two_shots: Path, options: tuple[object, ...], what: str) -> None:
    result = with_two(two_shots, *options)
    assert result.exit_code == 2
    assert what in " ".join(result.stderr.split())


def test_a_fallback_of_one_shot_is_refused(tiny: Path) -> None:
    result = simulated("--fallback", tiny)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_a_fallback_for_other_optics_is_refused_before_anything_is_looked_at(two_shots: Path) -> None:
    result = simulated("--objective", "20x/0.75", "--pixel-um", "0.34", "--fallback", two_shots)
    assert (result.exit_code, "pixel size" in result.stderr) in ((0, False), (2, True))
    result = simulated("--objective", "40x/0.95", "--insist", "--fallback", two_shots)
    assert result.exit_code == 0
