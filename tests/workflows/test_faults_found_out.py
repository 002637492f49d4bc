"""That the checks of the fault campaign can fail: each violation is planted, and must be found."""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr

from napari_autofocus.workflows.acquire.book import AcquisitionBook

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = (
    "fault_run",
    "fault_routines",
    "fault_kinds",
    "fault_verdicts",
    "fault_trial",
    "fault_processes",
    "fault_labelling",
    "fault_teaching",
    "fault_slides",
    "fault_models",
    "fault_kills",
    "fault_kills_stage",
    "fault_window",
)
Plant = Callable[[Any], None]


@pytest.fixture(scope="module")
def campaign() -> Iterator[SimpleNamespace]:
    """The campaign's modules, imported from their folder and forgotten again."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and BENCHMARKS in Path(str(file)).parents:
                del sys.modules[name]


def done_by(campaign: SimpleNamespace, name: str, folder: Path) -> Any:
    """An undisturbed run, with everything that it is judged by."""
    fault = campaign.fault_kinds.Fault("none")
    stand, hardware, ending, _ = campaign.fault_run._carried_out(name, fault, folder, (1, 2))
    return campaign.fault_verdicts.Done(name, campaign.fault_routines.ROUTINES[name], stand, hardware, ending)


def judged(campaign: SimpleNamespace, done: Any) -> str:
    return " | ".join(campaign.fault_verdicts.violations(done))


def sent(device: str, *target: float, **more: Any) -> Plant:
    """A command in the hardware's log."""

    def plant(done: Any) -> None:
        command = type(done.hardware.log.commands[0])
        done.hardware.log.commands.append(command(device, target, 0.0, **more))

    return plant


def moved_late(done: Any) -> None:
    """Something moves while nobody expects it."""
    sleep = done.stand.rig.clock.sleep

    def sleep_and_move(seconds: float) -> None:
        sent("z", 0.0)(done)
        sleep(seconds)

    done.stand.rig.clock.sleep = sleep_and_move


def ended_as(**changes: Any) -> Plant:
    """The record says something else."""

    def plant(done: Any) -> None:
        done.ending.records[0] = replace(done.ending.records[0], **changes)

    return plant


def raised(error: Exception) -> Plant:
    """It ends with an error in place of a record."""

    def plant(done: Any) -> None:
        done.ending.records.clear()
        done.ending.error = error

    return plant


def stopped_and_went(done: Any) -> None:
    done.hardware.log.closed_at = len(done.hardware.log.commands)
    sent("z", 15.0)(done)


def taken_and_sent(done: Any) -> None:
    sent("z", 9.0, by_hand=True)(done)
    sent("z", 1.0)(done)


def slide_elsewhere(done: Any) -> None:
    done.stand.rig.xy_stage._set_out((8.0, -6.0), (60.0, 0.0))


def drive_elsewhere(done: Any) -> None:
    """Of a run that says it has failed."""
    ended_as(outcome="failed", reasons=("The camera took no frame.",))(done)


def out_of_focus(done: Any) -> None:
    done.stand.rig.z_stage._set_out(done.stand.start_um + 9.0)


PLANTED: dict[str, tuple[Plant, str]] = {
    "stage beyond its limits": (sent("z", 17.5), "limit: the stage was sent to 17.5"),
    "a target that is no number": (sent("z", math.nan), "limit: the stage was sent to nan"),
    "a step that is too long": (sent("z", 9.0, from_um=0.0), "limit: a step from 0.00 to 9.00"),
    "slide beyond its limits": (sent("xy", 0.0, 101.0), "limit: the slide was sent to 0.0, 101.0"),
    "lens beyond its limits": (sent("lens", -251.0), "limit: the lens was set to -251.0"),
    "a move after the end": (moved_late, "moved after its end"),
    "not the way back": (stopped_and_went, "on the way back from"),
    "a person's drive taken back": (taken_and_sent, "after a person took the drive"),
    "drive away and nothing said": (drive_elsewhere, "the drive is at"),
    "slide away and nothing said": (slide_elsewhere, "the slide is at 60.0"),
    "settings left": (lambda done: done.stand.tamper(), "live mode, exposure, automatic shutter"),
    "focus that is none": (out_of_focus, "claims focused at"),
    "an outcome of another list": (ended_as(outcome="well"), "unknown outcome well"),
    "no sentence": (ended_as(outcome="refused", reasons=()), "refused without a sentence"),
    "no JSON": (ended_as(seconds=math.nan), "the record is no JSON"),
    "two records": (lambda done: done.ending.records.append(done.ending.records[0]), "told 2 records"),
    "no record": (lambda done: done.ending.records.clear(), "no record"),
    "an error of no name": (raised(KeyError("z")), "no name: KeyError"),
    "a hang": (lambda done: setattr(done.ending, "error", type(done).hang("5000 steps")), "hang: 5000 steps"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_must_not_be_is_found(campaign: SimpleNamespace, tmp_path: Path, what: str) -> None:
    done = done_by(campaign, "refocus", tmp_path)
    type(done).hang = campaign.fault_kinds.Hang
    assert judged(campaign, done) == ""
    plant, sentence = PLANTED[what]
    plant(done)
    assert sentence in judged(campaign, done)
    done.stand.close()


def test_a_lens_that_is_not_put_back_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    done = done_by(campaign, "lens calibration", tmp_path)
    assert judged(campaign, done) == ""
    done.hardware.lens_value = lambda: 30.0
    assert "the lens is at 30" in judged(campaign, done)
    done.stand.close()


def test_a_point_out_of_focus_and_a_point_that_is_not_in_the_file_are_found(
    campaign: SimpleNamespace, tmp_path: Path
) -> None:
    done = done_by(campaign, "survey", tmp_path)
    assert judged(campaign, done) == ""
    record = done.ending.records[0]
    wrong = replace(record.points[2], z_um=record.points[2].z_um + 2.0)
    done.ending.records[0] = replace(record, points=(*record.points[:2], wrong, *record.points[3:]))
    found = judged(campaign, done)
    assert "is off by" in found
    assert "8 points were told, 8 are in the file" in found
    (tmp_path / "survey.json").unlink()
    assert "8 points were told, 0 are in the file" in judged(campaign, done)
    done.stand.close()


def test_a_stack_that_is_lost_changed_or_forgotten_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    done = done_by(campaign, "acquire stacks", tmp_path)
    assert judged(campaign, done) == ""
    first, second, third = done.ending.promised
    folder = tmp_path / "stacks"
    plane = next(path for path in (folder / first).rglob("c/*") if path.parent.name == "c")
    chunk = next(path for path in plane.rglob("*") if path.is_file())
    chunk.unlink()
    for path in sorted((folder / second).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    book = AcquisitionBook.read(folder)
    assert book is not None
    AcquisitionBook(folder, book.plan, tuple(each for each in book.fields if each.name != third)).save()
    (folder / "x.part").write_text("half")
    found = judged(campaign, done)
    assert f"{first} is not what the camera delivered" in found
    assert f"{second} cannot be read" in found
    assert f"{third} was told as written and is not in the book" in found
    assert "half-written files are left: ['x.part']" in found
    done.stand.close()


def test_a_frame_that_is_lost_or_changed_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    done = done_by(campaign, "MDA", tmp_path)
    assert judged(campaign, done) == ""
    lines = (tmp_path / "mda" / "frames.jsonl").read_text().splitlines()
    (tmp_path / "mda" / "frames.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    first = json.loads(lines[0])
    array = zarr.open_group(str(tmp_path / "mda" / first["file"]), mode="r+")["0"]
    array[tuple(first["index"].get(axis, 0) for axis in "tcz")] = 7
    found = judged(campaign, done)
    assert f"{len(lines)} frames were told as acquired, {len(lines) - 1} are on the disk" in found
    assert "is not what the camera delivered" in found
    done.stand.close()


def test_a_tile_that_is_lost_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    fault = campaign.fault_kinds.Fault("camera gone", 20, 10**6)
    stand, hardware, ending, _ = campaign.fault_run._carried_out("virtual scan", fault, tmp_path, (1, 2))
    routine = campaign.fault_routines.ROUTINES["virtual scan"]
    done = campaign.fault_verdicts.Done("virtual scan", routine, stand, hardware, ending)
    assert judged(campaign, done) == ""
    assert ending.promised
    for path in tmp_path.rglob("tiles/a/c/**/*"):
        if path.is_file():
            path.unlink()
    assert f"tile {ending.promised[0]} was told as written and is lost" in judged(campaign, done)


@pytest.mark.timeout(0)  # or the alarm of pytest-timeout is in the way
def test_a_run_that_turns_in_circles_without_asking_the_hardware_is_broken_off(
    campaign: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign.fault_run, "WALL_S", 0.2)
    give_up = time.monotonic() + 20

    def in_circles(*_: Any) -> Iterator[None]:
        yield None
        while time.monotonic() < give_up:
            pass

    routine = replace(campaign.fault_routines.ROUTINES["refocus"], start=in_circles)
    monkeypatch.setitem(campaign.fault_routines.ROUTINES, "refocus", routine)
    done = done_by(campaign, "refocus", tmp_path)
    assert judged(campaign, done).startswith("hang: more than 0.2 s in ")
    done.stand.close()


# what is done with files


def notes(campaign: SimpleNamespace) -> Any:
    return campaign.fault_trial.Notes()


def test_a_label_that_is_lost_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    campaign.fault_labelling.make_stacks(tmp_path)
    trial = notes(campaign)
    campaign.fault_labelling._check_kept(tmp_path, [99], trial)
    assert trial.violations == ["1 confirmed labels are lost"]


def test_weights_that_differ_and_a_broken_checkpoint_are_found(
    campaign: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, teaching = notes(campaign), campaign.fault_teaching
    undisturbed = {name: value + 1 for name, value in teaching._undisturbed().items()}
    monkeypatch.setattr(teaching, "_undisturbed", lambda: undisturbed)
    teaching._check_goes_on(tmp_path, trial)
    path = tmp_path / "run.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    teaching._require_whole(tmp_path, trial)
    assert trial.violations[0] == "it ends otherwise than an undisturbed run"
    assert trial.violations[1].startswith("run.safetensors is broken")


def test_a_slide_of_two_models_and_leftovers_are_found(
    campaign: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, slides = notes(campaign), campaign.fault_slides
    slides.write_pair(tmp_path)
    assert slides._recover(tmp_path, slides.Mean(1.0))
    monkeypatch.setattr(slides, "undisturbed", lambda _: np.zeros(slides.SHAPE, np.uint8))
    (tmp_path / "left.part").write_text("half")
    slides._check_goes_on(tmp_path, trial, 1.0)
    assert trial.violations[0] == "the slide is not that of an undisturbed run"
    assert "left.part" in trial.violations[1]


def test_a_damaged_model_that_is_loaded_is_found(
    campaign: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = notes(campaign)
    monkeypatch.setattr(campaign.fault_models, "load_model", lambda _: None)
    campaign.fault_models.file_cut_short(tmp_path, np.random.default_rng(1), trial)
    assert trial.violations == ["a damaged model is loaded"]


# kills and windows


@pytest.mark.parametrize(
    ("what", "noted", "found"),
    [
        ("refocus", ["told 1 2 focused 0.1"], "the log of runs cannot be read"),
        ("refocus", ["drive 18.0"], "limit: the stage was sent to 18.0"),
        ("hold", ["told 1 2 bored 0.1"], "unknown outcome bored"),
        ("sweep", ["told 1 2 focused 3.0"], "claims focused at 3.0"),
        ("survey", ["begun", *(f"point {number} found" for number in range(9))], "points [0, 1, 2, 3, 4, 5, 6, 7]"),
        ("survey", ["begun", "point 3 found", "begun 3", "point 3 found"], "was settled and is looked at again"),
        ("calibrate", ["stack a.zarr"], "a.zarr was told as written and is lost"),
        ("calibrate", ["proof 2"], "proof 2 was told and is lost"),
        ("calibrate", ["stack a.zarr", "stack a.zarr"], "a stack was made again"),
        ("virtual scan", ["tile 1 written"], "tile 1 was told as written and is lost"),
        ("virtual refocus", [], "nothing was done"),
        ("MDA", ["frame run1 1", "frame run1 2"], "2 frames were reported and 0 are listed"),
    ],
)
def test_what_a_kill_has_lost_is_found(
    campaign: SimpleNamespace, tmp_path: Path, what: str, noted: list[str], found: str
) -> None:
    (tmp_path / "run1").mkdir()
    assert found in " | ".join(campaign.fault_kills.WORK[what][1](tmp_path, noted, False))


def test_a_script_that_breaks_or_hangs_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    trial, script = notes(campaign), tmp_path / "script.py"
    script.write_text("import sys, time; time.sleep(float(sys.argv[1])); sys.exit(3)")
    for patience_s, asleep_s in ((30.0, "0"), (0.5, "60")):
        campaign.fault_processes.told([sys.executable, str(script), asleep_s], tmp_path / "no.json", trial, patience_s)
    assert [each.split(":")[0] for each in trial.violations] == ["script.py ended with 3", "hang"]


def test_what_a_closed_window_leaves_behind_is_found(campaign: SimpleNamespace, tmp_path: Path) -> None:
    window = campaign.fault_window
    stand = window.stand_by_the_wall(1, tmp_path)
    assert list(window.left_behind("refocus", stand, 1.0, 0.0)) == []
    stand.rig.z_stage.commands_um.append(20.0)
    stand.rig.z_stage._set_out(stand.start_um + 1.0)
    stand.rig.core.setAutoShutter(False)
    stand.rig.core.isSequenceRunning = lambda: True
    slide_elsewhere(SimpleNamespace(stand=stand))
    time.sleep(1.0)  # it lives by the wall clock
    found = " | ".join(window.left_behind("refocus", stand, 50.0, 0.0))
    for sentence in ("hang: closing took 50 s", "beyond its limits", "still streams", "shutter was", "the drive is at"):
        assert sentence in found
    assert "the slide is at" in found
    stand.rig.close()
