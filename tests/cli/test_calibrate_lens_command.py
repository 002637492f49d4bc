"""``napari-autofocus calibrate-lens``, and focusing through what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from made_lenses import made_curve
from napari_autofocus.cli import app
from napari_autofocus.cli.calibrate_lens import parse_range
from napari_autofocus.errors import InputError
from napari_autofocus.focus.lens_curve import LensCurve

LENS = """Property,Core,Initialize,0
Device,Camera,DemoCamera,DCam
Device,Z,DemoCamera,DStage
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,Focus,Z
Property,Camera,Mode,Fluorescent Beads
Property,Camera,Exposure,5
"""


def command(name: str, *arguments: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, [name, *map(str, arguments)], input=typed)


def calibrate(out: Path, *arguments: object, typed: str = "") -> Result:
    short = ("--range", "-60:60", "--step", "40", "--search-um", "8", "--shape", "96x128", "--seed", "3")
    return command("calibrate-lens", "--out", out, *short, *arguments, typed=typed)


@pytest.fixture
def curve_file(tmp_path: Path) -> Path:
    made_curve().save(tmp_path / "lens.json")
    return tmp_path / "lens.json"


def test_it_measures_the_simulated_lens_and_writes_its_curve(tmp_path: Path) -> None:
    result = calibrate(tmp_path / "lens.json", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["outcome"] == "done"
    assert [point["value"] for point in told["points"]] == [-60, -20, 20, 60]
    assert told["missing"] == []
    curve = LensCurve.load(Path(told["out"]))
    assert (curve.facts.device, curve.facts.property, curve.facts.unit) == ("Lens", "Current-mA", "mA")
    assert (curve.facts.objective, curve.facts.focus_direction) == ("20x/0.75", 1)
    for value, true_um in ((-60, -4.8), (60, 6.72)):
        assert curve.shift_um(value) == pytest.approx(true_um, abs=0.8)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_sweep_focuses_through_the_lens_on_stands_of_both_directions(curve_file: Path, direction: int) -> None:
    """The direction of the stage says nothing of the lens, whose curve knows its own."""
    options = ("--shape", "96x128", "--runs", 2, "--seed", 4, "--focus-direction", direction, "--json")
    result = command("sweep", "--lens", curve_file, *options)
    assert result.exit_code == 0, result.output
    for run in json.loads(result.stdout)["runs"]:
        assert run["outcome"] == "focused", run
        assert abs(run["end_um"]) < 0.5
        assert run["end_z_um"] - run["start_z_um"] == pytest.approx(run["end_um"] - run["start_um"], abs=0.15)


@pytest.mark.parametrize("direction", [1, -1])
def test_stacks_are_taken_through_the_lens_and_their_truth_is_the_lens_s(
    curve_file: Path, tmp_path: Path, direction: int
) -> None:
    options = ("--positions", "here", "--range-um", 2, "--step-um", 1, "--shape", "96x128", "--seed", 4, "--json")
    through = ("--lens", curve_file, "--focus-direction", direction)
    result = command("acquire", *through, *options, "--out", tmp_path / "stacks")
    assert result.exit_code == 0, result.output
    (stack,) = json.loads(result.stdout)["written"]
    assert stack["best_z_um"] == pytest.approx(stack["true_best_z_um"], abs=0.3)


def test_a_slide_is_surveyed_through_the_lens(curve_file: Path) -> None:
    slide = ("--points", "2x2", "--area-mm", "1x1", "--tilt-um", 5, "--waves-um", 0, "--seed", 2, "--shape", "256x256")
    result = command("survey", "--lens", curve_file, "--model", "brightfield-20x", *slide, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["summary"]["outcomes"] == {"found": 4}
    assert told["summary"]["worst_um"] < 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "ETL"), "no device 'ETL'"),
        (("--property", "Voltage"), "no property 'Voltage'"),
        (("--range", "-300:60"), "takes Current-mA from -250 to 250"),
        (("--range", "60"), "lowest:highest"),
        (("--step", "0"), "step of the lens must be a positive number"),
        (("--settle-ms", "-1"), "settle_s"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = calibrate(tmp_path / "lens.json", *options, "--json")
    assert result.exit_code == 2
    assert said in json.loads(result.stdout)["error"]
    assert not (tmp_path / "lens.json").exists()


def test_a_target_that_cannot_be_written_is_told_before_anything_moves(tmp_path: Path) -> None:
    result = calibrate(tmp_path / "none" / "lens.json")
    assert result.exit_code == 2
    assert "folder that exists" in result.stderr


def test_an_empty_field_leaves_no_file(tmp_path: Path) -> None:
    result = calibrate(tmp_path / "lens.json", "--density", "empty", "--search-um", 4, "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["outcome"], told["out"], told["points"]) == ("failed", None, [])
    assert not (tmp_path / "lens.json").exists()


@pytest.mark.parametrize("name", ["sweep", "refocus", "survey", "acquire"])
def test_a_file_that_is_no_curve_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "lens.json").write_text("[]")
    more = {"sweep": (), "acquire": ("--positions", "here", "--out", tmp_path / "stacks")}
    result = command(name, *more.get(name, ("--model", "brightfield-20x")), "--lens", tmp_path / "lens.json", "--json")
    assert result.exit_code == 2
    assert "not the curve of a tunable lens" in json.loads(result.stdout)["error"]


def test_a_real_microscope_moves_only_after_a_yes(tmp_path: Path) -> None:
    pytest.importorskip("mm_test_adapters")
    cfg = tmp_path / "lens.cfg"
    cfg.write_text(LENS)
    asked = ("--microscope", cfg, "--device", "Camera", "--property", "Gain", "--objective", "20x/0.75")
    out = tmp_path / "lens.json"
    refused = calibrate(out, *asked, "--range", "-5:4", "--step", 3)
    assert refused.exit_code == 2
    assert "--limits-um" in refused.stderr
    declined = calibrate(out, *asked, "--range", "-5:4", "--step", 3, "--range-um", 10, typed="n\n")
    assert declined.exit_code == 2
    assert "Camera will be set to Gain from -5 to 4" in declined.stderr
    assert "Nothing was moved" in declined.stderr
    assert not out.exists()


def test_known_steps_of_a_slide_are_read_and_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("mm_test_adapters")
    cfg, table = tmp_path / "lens.cfg", tmp_path / "steps.csv"
    cfg.write_text(LENS)
    table.write_text("x_um,y_um,height_um\n0,0,-4\n100,0,-2\n200,0,0\n300,0,2\n")
    asked = ("--microscope", cfg, "--device", "Camera", "--property", "Gain", "--objective", "20x/0.75")
    declined = calibrate(tmp_path / "lens.json", *asked, "--range", "-5:4", "--step", 3, "--steps", table, typed="n\n")
    assert declined.exit_code == 2
    assert "Camera will be set between -5 and 4 and back; the stage will move between x 0 and 300" in declined.stderr
    table.write_text("x,y\n1,2\n")
    unread = calibrate(tmp_path / "lens.json", *asked, "--range", "-5:4", "--step", 3, "--steps", table)
    assert "x_um, y_um, height_um" in unread.stderr
    simulated = calibrate(tmp_path / "lens.json", "--steps", table)
    assert simulated.exit_code == 2
    assert "simulated slide has no known steps" in simulated.stderr


@pytest.mark.parametrize("text", ["", ":", "3:2", "a:b", "1:nan", "5"])
def test_a_range_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="lowest:highest"):
        parse_range(text)
