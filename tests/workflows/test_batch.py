"""Many stacks: one bad one never stops the others, and progress is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import FocusSettings, ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.workflows.batch import (
    BatchResult,
    LabelSettings,
    PlaneMeasured,
    StackFailed,
    StackLabelled,
    Step,
    label_stacks,
)

MakeStack = Callable[..., ZStack]


def run(paths: Iterable[Path], settings: LabelSettings | None = None) -> tuple[list[Step], BatchResult]:
    labelling, steps = label_stacks(paths, settings), []
    while True:
        try:
            steps.append(next(labelling))
        except StopIteration as finished:
            return steps, finished.value


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    write_stack(tmp_path / "a.ome.tif", make_stack(6.3))
    write_stack(tmp_path / "b.ome.tif", make_stack(7.8, seed=1))
    return tmp_path


def test_every_stack_gets_its_own_focus(folder: Path) -> None:
    _, result = run([folder])
    assert [Path(path).name for path, _ in result.labelled] == ["a.ome.tif", "b.ome.tif"]
    assert [focus.field.best_z_um for _, focus in result.labelled] == pytest.approx([6.3, 7.8], abs=0.1)
    assert all(focus.field.trusted for _, focus in result.labelled)
    assert result.failed == ()


def test_progress_counts_stacks_and_planes(folder: Path) -> None:
    steps, _ = run([folder])
    planes = [step for step in steps if isinstance(step, PlaneMeasured)]
    assert [(step.stack, step.stacks) for step in planes] == [(1, 2)] * 15 + [(2, 2)] * 15
    assert (planes[-1].plane, planes[-1].planes) == (15, 15)
    assert sum(isinstance(step, StackLabelled) for step in steps) == 2


def test_a_bad_stack_is_told_and_the_others_are_done(folder: Path) -> None:
    good = (folder / "a.ome.tif").read_bytes()
    (folder / "broken.tif").write_bytes(good[: len(good) // 2])
    steps, result = run([folder / "broken.tif", folder / "missing.tif", folder / "b.ome.tif"])
    assert [Path(path).name for path, _ in result.labelled] == ["b.ome.tif"]
    assert {Path(failure.path).name for failure in result.failed} == {"broken.tif", "missing.tif"}
    assert sum(isinstance(step, StackFailed) for step in steps) == 2


def test_a_stack_named_twice_is_measured_once(folder: Path) -> None:
    _, result = run([folder, folder / "a.ome.tif"])
    assert len(result.labelled) == 2


def test_settings_reach_the_stacks(folder: Path) -> None:
    settings = LabelSettings(FocusSettings(patch_px=32), step_um=2.0, focus_direction=-1)
    steps, result = run([folder / "a.ome.tif"], settings)
    (_, focus), *_ = result.labelled
    labelled = next(step for step in steps if isinstance(step, StackLabelled))
    assert {patch.size for patch in focus.patches} == {32}
    assert focus.field.best_z_um == pytest.approx(12.6, abs=0.2)
    assert labelled.stack.focus_direction == -1


@pytest.mark.parametrize("step_um", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_step_is_refused(step_um: float) -> None:
    with pytest.raises(InputError, match="z step"):
        LabelSettings(step_um=step_um)


def test_a_focus_direction_of_nought_is_refused() -> None:
    with pytest.raises(InputError, match="focus direction"):
        LabelSettings(focus_direction=0)
