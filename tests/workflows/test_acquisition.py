from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.io.zarr_writing import ZarrStackWriter
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.acquire_config import AcquireConfig, AcquireStep
from napari_autofocus.workflows.acquire.book import BOOK, AcquisitionBook
from napari_autofocus.workflows.acquire.plan import AcquisitionPlan
from napari_autofocus.workflows.acquisition import AcquisitionResult, acquire_stacks

LENS = Objective.parse("20x/0.75")
PLAN = AcquisitionPlan(
    ((100.0, 0.0), (200.0, 0.0), (300.0, 50.0)),
    config=AcquireConfig(range_um=2.0, step_um=0.5, patch_px=32),
    objective=LENS,
    find_range_um=5.0,
)


def run(steps: Generator[AcquireStep, None, AcquisitionResult]) -> AcquisitionResult:
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: AcquisitionResult = finished.value
            return result


def break_off(steps: Generator[AcquireStep, None, Any], phase: str, times: int) -> None:
    """Close a run after so many steps of a phase."""
    for step in steps:
        times -= step.phase == phase
        if times == 0:
            break
    steps.close()


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: np.asarray(open_stack(path).data).tobytes() for path in find_stacks([folder])}


def test_every_position_has_a_stack_with_its_optics_and_place(rig: SimulatedRig, tmp_path: Path) -> None:
    result = run(acquire_stacks(rig.microscope, PLAN, tmp_path / "new"))
    assert result.record.outcome == "done"
    assert find_stacks([tmp_path]) == list(result.written)
    assert len(result.written) == 3
    stack = open_stack(result.written[2])
    assert (stack.objective, stack.focus_direction, stack.field_shape) == (LENS, 1, (64, 80))
    assert stack.pixel_size_um == pytest.approx(0.325)
    own = own_facts(result.written[2])
    assert (own["x_um"], own["y_um"]) == (300.0, 50.0)
    assert np.allclose(
        stack.z_um, 1.5 + np.arange(-4, 5) / 2 + 1 / 6, atol=0.3
    )  # best focus at 1.5, start offset +1/3 step


def test_starts_alternate_by_a_third_of_a_step() -> None:
    firsts = [AcquireConfig(range_um=6, step_um=3).z_um(number, 10.0)[0] for number in range(4)]
    assert firsts == [3.0, 4.0, 5.0, 3.0]


def test_an_interrupted_run_goes_on_and_keeps_what_was_finished(rig: SimulatedRig, tmp_path: Path) -> None:
    break_off(acquire_stacks(rig.microscope, PLAN, tmp_path), "plane", 12)
    before = images(tmp_path)
    assert list(before) == ["field_0000.zarr"]
    result = run(acquire_stacks(rig.microscope, PLAN, tmp_path))
    assert [path.name for path in result.written] == ["field_0000.zarr", "field_0001.zarr", "field_0002.zarr"]
    assert images(tmp_path)["field_0000.zarr"] == before["field_0000.zarr"]
    assert [each.number for each in result.record.fields] == [1, 2]


def test_a_stack_finished_just_before_the_power_failed_is_kept(rig: SimulatedRig, tmp_path: Path) -> None:
    run(acquire_stacks(rig.microscope, PLAN, tmp_path))
    book = json.loads((tmp_path / BOOK).read_text())
    book["fields"] = book["fields"][:2]
    (tmp_path / BOOK).write_text(json.dumps(book))
    result = run(acquire_stacks(rig.microscope, PLAN, tmp_path))
    assert result.record.frames == 0
    assert len(result.written) == 3


def test_more_stacks_may_be_wanted_later(rig: SimulatedRig, tmp_path: Path) -> None:
    assert len(run(acquire_stacks(rig.microscope, replace(PLAN, wanted=1), tmp_path)).written) == 1
    assert len(run(acquire_stacks(rig.microscope, replace(PLAN, wanted=2), tmp_path)).written) == 2


def test_another_plan_is_refused_with_the_difference(rig: SimulatedRig, tmp_path: Path) -> None:
    run(acquire_stacks(rig.microscope, PLAN, tmp_path))
    other = replace(PLAN, config=replace(PLAN.config, step_um=0.25), positions=PLAN.positions[:2])
    with pytest.raises(InputError, match=r"another plan \(step_um 0\.5 there, 0\.25 here; 3 positions there, 2 others"):
        run(acquire_stacks(rig.microscope, other, tmp_path))


def test_the_plan_is_found_again_in_the_folder(rig: SimulatedRig, tmp_path: Path) -> None:
    break_off(acquire_stacks(rig.microscope, PLAN, tmp_path), "plane", 1)
    book = AcquisitionBook.read(tmp_path)
    assert book is not None
    assert book.plan == PLAN
    assert book.left == 3


def test_a_full_disk_stops_the_run_with_one_sentence_and_brings_the_drives_home(
    rig: SimulatedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = _full_after(14, ZarrStackWriter.add)
    monkeypatch.setattr("napari_autofocus.workflows.acquisition.ZarrStackWriter.add", filled)
    kept: list[Any] = []
    with pytest.raises(InputError, match="No space left on device"):
        run(acquire_stacks(rig.microscope, PLAN, tmp_path, keep=kept.append))
    assert [path.name for path in find_stacks([tmp_path])] == ["field_0000.zarr"]
    assert not list(tmp_path.glob(".*.part"))
    assert rig.microscope.xy_um() == (0.0, 0.0)
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    assert kept[0].outcome == "failed"


def _full_after(planes: int, add: Callable[..., None]) -> Callable[..., None]:
    """``add`` of a writer whose disk is full after so many planes."""
    taken: list[int] = []

    def limited(writer: ZarrStackWriter, plane: int, frame: Any) -> None:
        taken.append(plane)
        with writer._writing():
            if len(taken) > planes:
                raise OSError(28, "No space left on device")
        add(writer, plane, frame)

    return limited


@pytest.mark.parametrize("phase", ["find", "plane"])
def test_a_person_who_moves_the_drive_ends_the_run_and_keeps_the_place(
    rig: SimulatedRig, tmp_path: Path, phase: str
) -> None:
    kept: list[Any] = []
    for step in acquire_stacks(rig.microscope, PLAN, tmp_path, keep=kept.append):
        if step.number == 1 and step.phase == phase and rig.microscope.focus.moved_by_others == 0:
            rig.core.setPosition("Z", 7.0)
    assert kept[0].outcome == "failed"
    assert "Somebody else moved" in kept[0].reasons[0]
    rig.clock.sleep(1.0)  # by then the drive is there
    assert rig.core.getPosition("Z") == pytest.approx(7.0, abs=0.1)
    assert rig.microscope.xy_um() == (200.0, 0.0)
    assert [path.name for path in find_stacks([tmp_path])] == ["field_0000.zarr"]


@pytest.mark.parametrize("text", ["{", "{}", '{"plan": 3, "fields": []}'])
def test_a_damaged_book_is_refused(rig: SimulatedRig, tmp_path: Path, text: str) -> None:
    (tmp_path / BOOK).write_text(text)
    with pytest.raises(InputError, match="cannot be read as an acquisition"):
        run(acquire_stacks(rig.microscope, PLAN, tmp_path))


def test_a_stack_of_somebody_else_is_not_overwritten(rig: SimulatedRig, tmp_path: Path) -> None:
    run(acquire_stacks(rig.microscope, replace(PLAN, wanted=1), tmp_path / "other"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "other" / "field_0000.zarr").rename(tmp_path / "mine" / "field_0000.zarr")
    plan = replace(PLAN, config=replace(PLAN.config, range_um=1.0))
    with pytest.raises(InputError, match="exists and is not overwritten"):
        run(acquire_stacks(rig.microscope, plan, tmp_path / "mine"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positions": ()}, "no position"),
        ({"wanted": 0}, "At least one stack"),
        ({"focus_direction": 2}, "focus direction"),
        ({"find_range_um": -1.0}, "find_range_um"),
    ],
)
def test_senseless_plans_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAN, **settings)
