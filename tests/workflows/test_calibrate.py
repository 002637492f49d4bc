"""A calibration from the first frame to the verdict, on a small rig: stopped, resumed, refused, undone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import napari_autofocus.workflows.calibrate as calibrate_module
from made_calibration import estimate, evaluation, record, taught
from napari_autofocus.errors import DriveHalted, HardwareError, InputError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.package import open_package
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.calibrate import calibrate
from napari_autofocus.workflows.calibration.apart import teach_apart
from napari_autofocus.workflows.calibration.record import CalibrationRecord, SetAside, Taught, read_record
from napari_autofocus.workflows.calibration.steps import PHASES, CalibrationStep
from napari_autofocus.workflows.calibration_plan import CalibrationPlan, undertaking
from napari_autofocus.workflows.calibration_undo import install_again, undo_calibration
from rigs import TextureScene
from tiny_models import OBJECTIVE, tiny_bytes, tiny_file
from truthful_model import TruthfulModel

PLAN = CalibrationPlan(OBJECTIVE, stacks=4, range_um=3.0, step_um=0.5, folds=0, proofs=2, base="tiny", area_um=300.0)


@dataclass
class FakeTeaching:
    """Writes a tiny package at once; says that it is as good as a test wants."""

    error_dof: float = 0.1
    calls: int = 0
    stacks: list[str] = field(default_factory=list)

    def __call__(self, folder: Path) -> Generator[CalibrationStep, None, Taught]:
        self.calls += 1
        yield CalibrationStep("teach", 0, 1, "Learning defocus")
        self.stacks = sorted(path.name for path in (folder / "stacks").glob("*.zarr"))
        package = open_package(tiny_file(folder, "model"))
        error = self.error_dof
        said = estimate(mae_um=error, low_um=0.8 * error, high_um=1.2 * error, dof_um=1.0)
        held_out = replace(evaluation("mine", 1.0, error), dof_um=1.0)
        return Taught("mine", package.fingerprint, 4, held_out, said, (), (SetAside("field_9.zarr", "No peak."),))


@dataclass
class Bench:
    """A rig, a plan and a folder; runs a calibration as a test wants."""

    rig: SimulatedRig
    folder: Path
    target: Path
    teaching: FakeTeaching = field(default_factory=FakeTeaching)
    plan: CalibrationPlan = PLAN

    def start(self) -> Generator[CalibrationStep, None, CalibrationRecord]:
        return calibrate(self.rig.microscope, self.plan, self.folder, self.target, teaching=self.teaching)

    def run(self) -> tuple[list[CalibrationStep], CalibrationRecord]:
        steps, work = [], self.start()
        while True:
            try:
                steps.append(next(work))
            except StopIteration as finished:
                return steps, finished.value

    def stop_at(self, here: Callable[[CalibrationStep], bool]) -> None:
        work = self.start()
        while not here(next(work)):
            pass
        work.close()

    def frames_of_stacks(self) -> dict[str, int]:
        """When each stack was written."""
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "stacks").glob("*.zarr")}

    @property
    def home(self) -> tuple[float, float, float]:
        microscope = self.rig.microscope
        return (*microscope.xy_um(), microscope.focus.position_um())


@pytest.fixture
def bench(make_rig: Callable[..., SimulatedRig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The model that is loaded, before and after, tells the truth of the rig."""
    rig = make_rig(TextureScene(shape=(96, 128)), limits_um=(-40.0, 40.0))
    monkeypatch.setattr(calibrate_module, "load_model", lambda _: TruthfulPackage(rig))
    monkeypatch.setattr(calibrate_module, "compare", _no_comparison)
    return Bench(rig, tmp_path / "mine.calibration", tmp_path / "mine.zip")


class TruthfulPackage(TruthfulModel):
    """With a package, whose grid of patches the stacks are measured on."""

    @property
    def package(self) -> Any:
        return self


def _no_comparison(
    base: Any, dataset: Any, held_out: Any, objective: Objective
) -> Generator[CalibrationStep, None, Any]:
    yield CalibrationStep("compare", 1, 1, "Asking")
    return evaluation("tiny", -1.0, 0.3)


def test_a_calibration_goes_through_every_phase_and_puts_a_good_model_in_place(bench: Bench) -> None:
    home, seen = bench.home, list[float]()
    bench.rig.core.events.stagePositionChanged.connect(lambda _, z_um: seen.append(z_um))
    steps, record = bench.run()
    assert list(dict.fromkeys(step.phase for step in steps)) == list(PHASES)
    assert record.verdict is not None
    assert record.verdict.trust == "trust", record.verdict
    assert bench.target.is_file()
    assert (bench.folder / "calibration.html").is_file()
    assert read_record(bench.folder) == record
    assert len(bench.teaching.stacks) == 4
    assert bench.home == pytest.approx(home, abs=0.05)
    assert bench.rig.microscope.focus.limits_um == (-40.0, 40.0)
    asked = undertaking(PLAN, bench.rig.microscope)
    assert asked.low_um - 1e-6 <= min(seen) < max(seen) <= asked.high_um + 1e-6
    assert min(proof.start_um for proof in record.proofs) < 0 < max(proof.start_um for proof in record.proofs)
    for proof in record.proofs:
        assert proof.ended == "in_focus"
        assert abs(proof.end_um) < 0.5
        assert proof.before_um == pytest.approx(proof.start_um, abs=0.3)
        assert proof.sweep_z_um == pytest.approx(1.5, abs=0.3)
    assert bench.run() == ([], record)


def test_a_person_who_takes_the_drive_keeps_it(bench: Bench) -> None:
    work = bench.start()
    while next(work).frame is None:
        pass
    slide_um = bench.rig.microscope.xy_um()
    bench.rig.core.setPosition("Z", 12.0)
    with pytest.raises(HardwareError, match="Somebody else") as failed:
        list(work)
    assert bench.home == (*slide_um, pytest.approx(12.0))
    assert "left where they are" in "".join(failed.value.__notes__)


def test_a_calibration_that_did_not_work_says_so_and_puts_nothing_in_place(bench: Bench) -> None:
    bench.teaching.error_dof = 2.0
    bench.plan = replace(PLAN, proofs=0)
    bench.target.write_bytes(b"the model before")
    record = bench.run()[1]
    assert record.verdict is not None
    assert record.verdict.trust == "no"
    assert record.installed is None
    assert bench.target.read_bytes() == b"the model before"
    assert "was not put in use" in (bench.folder / "calibration.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="was never put in place"):
        undo_calibration(bench.folder)
    with pytest.raises(InputError, match="is not to be trusted and is not put in use"):
        install_again(bench.folder, bench.target)


def test_a_calibration_stopped_in_every_phase_is_at_home_each_time_and_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = bench.home
    for phase, done in (("acquire", 2), ("label", 0), ("teach", 0), ("compare", 0), ("prove", 1)):
        bench.stop_at(lambda step, phase=phase, done=done: step.phase == phase and step.done >= done)
        assert bench.home == pytest.approx(home, abs=0.05)
    with pytest.raises(DriveHalted):
        _run_and_halt(bench, monkeypatch)
    assert bench.home == pytest.approx(home, abs=0.05)
    taken = bench.frames_of_stacks()
    record = bench.run()[1]
    assert bench.frames_of_stacks() == taken
    assert record.verdict is not None
    assert record.verdict.trust == "trust"
    assert bench.teaching.calls == 2
    assert [proof.number for proof in record.proofs] == [1, 2]


def _run_and_halt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person presses Stop while the drive is on its way, in the live run that is left."""
    drive = bench.rig.microscope.focus
    move_to = drive.move_to

    def halted(z_um: float) -> float:
        monkeypatch.setattr(drive, "move_to", move_to)
        raise DriveHalted("Z was halted.")

    for step in bench.start():
        if step.phase == "prove":
            monkeypatch.setattr(drive, "move_to", halted)


def test_another_plan_in_the_folder_is_refused_with_what_differs(bench: Bench) -> None:
    bench.stop_at(lambda step: step.phase == "acquire")
    bench.plan = replace(PLAN, stacks=5, seed=3)
    with pytest.raises(InputError, match=r"was begun otherwise \(other stacks, seed\)"):
        bench.run()


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a calibration whose model is about to be put in place, and that place."""
    folder = tmp_path / "mine.calibration"
    folder.mkdir()
    package = open_package(tiny_file(folder, "model"))
    record(taught=taught(fingerprint=package.fingerprint), installed=None).write(folder)
    return folder, tmp_path / "mine.zip"


def test_undoing_brings_the_model_before_back(finished: tuple[Path, Path]) -> None:
    folder, target = finished
    former = tiny_bytes("mono")
    target.write_bytes(former)
    for _ in range(2):
        install_again(folder, target)
        assert target.read_bytes() == (folder / "model.zip").read_bytes()
        undo_calibration(folder)
        assert target.read_bytes() == former
    with pytest.raises(InputError, match="was undone already"):
        undo_calibration(folder)


def test_undoing_takes_a_model_away_that_replaced_nothing_and_spares_another(finished: tuple[Path, Path]) -> None:
    folder, target = finished
    install_again(folder, target)
    target.write_bytes(tiny_bytes("mono"))
    with pytest.raises(InputError, match="holds another model by now"):
        undo_calibration(folder)
    target.write_bytes((folder / "model.zip").read_bytes())
    undo_calibration(folder)
    assert not target.exists()
    assert (folder / "model.zip").is_file()


def test_empty_fields_are_passed_over_and_too_little_content_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = bench.rig.scene
    monkeypatch.setattr(scene, "_texture", 0 * scene._texture + 0.5)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"Only 0 of the 4 stacks|gives no stack|holds no|no stack"):
        bench.run()


def test_what_will_happen_is_told_before_anything_moves(bench: Bench) -> None:
    told = " ".join(undertaking(PLAN, bench.rig.microscope).sentences())
    assert "between −8.0 and 8.0 µm; its limits are −40 to 40 µm" in told
    assert "4 z-stacks of 21 planes" in told
    assert bench.rig.z_stage.get_position_um() == 0.0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"stacks": 3}, "takes 4 to 200 stacks; found 3"),
        ({"folds": 1}, "Folds are 0"),
        ({"folds": 5}, "Folds are 0"),
        ({"proofs": -1}, "Proofs and seed are at least 0"),
        ({"minutes": 0.0}, "time, in minutes, of a calibration must be a positive number"),
        ({"range_um": float("nan")}, "range of a calibration must be a positive number"),
        ({"step_um": 2.0}, "too coarse"),
        ({"focus_direction": 2}, "focus direction"),
    ],
)
def test_plans_that_mean_nothing_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(PLAN, **wrong)


def test_limits_without_room_and_unknown_directions_are_refused(
    make_rig: Callable[..., SimulatedRig], bench: Bench
) -> None:
    bench.rig.microscope.focus.set_limits(-4.0, 4.0)
    with pytest.raises(InputError, match="10 µm long, and Z at"):
        bench.run()
    bench.rig = make_rig(TextureScene(shape=(96, 128)), tells_direction=False)
    with pytest.raises(InputError, match="Nobody knows whether a growing z of Z"):
        bench.run()
    assert not bench.folder.exists()


def test_a_folder_with_other_things_is_refused(bench: Bench) -> None:
    bench.folder.mkdir()
    (bench.folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no calibration"):
        bench.run()


def test_another_process_refuses_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no calibration to teach"):
        next(teach_apart(tmp_path))


def test_going_on_is_told_for_where_it_was_begun(bench: Bench) -> None:
    asked = undertaking(PLAN, bench.rig.microscope, (120.0, -40.0, 0.0))
    assert "within ±300 µm of x 120, y −40 µm" in asked.sentences()[1]


def test_a_calibration_that_was_killed_far_from_focus_says_where_to_go_back_to(bench: Bench) -> None:
    microscope = bench.rig.microscope
    far_um = PLAN.looking_um + 5.0
    assert "begun with" not in " ".join(undertaking(PLAN, microscope, (0.0, 0.0, 1.0)).sentences())
    told = undertaking(PLAN, microscope, (0.0, 0.0, -far_um)).sentences()
    assert f"begun with the focus drive at −{far_um:.1f} µm, and it stands at 0.0 µm now" in told[0]
    assert bench.rig.z_stage.get_position_um() == 0.0
