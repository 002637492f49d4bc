"""Many stacks are measured once, whoever works and whatever is killed; the result is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import StackFocus, ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling import LabelStore
from napari_autofocus.labelling.opinions import BRENNER, opinion_of
from napari_autofocus.models.labelled_stacks import LabelledDataset, ReadingSettings, read_dataset
from napari_autofocus.workflows.batch import BatchResult, PlaneMeasured, StackLabelled, Step, label_stacks
from napari_autofocus.workflows.labels import focus_book
from napari_autofocus.workflows.labels.brenner_labels import store_brenner
from napari_autofocus.workflows.labels.focus_book import BESIDE
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.spreading import measuring as spread_measuring
from napari_autofocus.workflows.spreading.measuring import dataset_measurer

MakeStack = Callable[..., ZStack]
COMMAND = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "label"]


def run(paths: Iterable[Path], **options: object) -> tuple[list[Step], BatchResult]:
    labelling, steps = label_stacks(paths, **options), []  # type: ignore[arg-type]
    while True:
        try:
            steps.append(next(labelling))
        except StopIteration as finished:
            return steps, finished.value


def positions(result: BatchResult) -> list[tuple[str, float | None]]:
    return [(Path(path).name, focus.best_z_um) for path, focus in result.labelled]


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number in range(5):
        write_stack(inputs / f"{number}.ome.tif", make_stack(5.3 + number / 2, seed=number))
    whole = (inputs / "0.ome.tif").read_bytes()
    (inputs / "broken.tif").write_bytes(whole[: len(whole) // 2])
    return inputs


def refuse_to_measure(*_: object) -> Iterator[PlaneMeasured]:
    raise AssertionError("measured again")


def test_what_was_measured_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = run([folder], keep=True)
    good = list(folder.glob("*.ome.tif"))
    monkeypatch.setattr(spread_measuring, "_measure_here", refuse_to_measure)
    steps, second = run(good, keep=True)
    assert all(step.remembered for step in steps if isinstance(step, StackLabelled))
    assert sorted(positions(second)) == sorted(positions(first))
    with pytest.raises(AssertionError, match="measured again"):
        run([folder], keep=True, again=True)


def test_a_closed_run_goes_on_where_it_was(folder: Path) -> None:
    begun = label_stacks([folder], keep=True)
    while not isinstance(next(begun), StackLabelled):
        pass
    begun.close()
    steps, result = run([folder], keep=True)
    assert [step.remembered for step in steps if isinstance(step, StackLabelled)].count(True) == 1
    assert len(result.labelled) == 5


def test_nothing_is_kept_unless_asked_for(folder: Path) -> None:
    run([folder])
    assert not (folder / BESIDE).exists()


def test_a_full_disk_stops_the_run_with_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise InputError("x.npz cannot be written (No space left on device).")

    monkeypatch.setattr(focus_book, "write_focus", full)
    with pytest.raises(InputError, match="No space left"):
        run([folder], keep=True)


def test_a_killed_run_of_two_workers_resumes_to_the_result_of_an_undisturbed_one(folder: Path) -> None:
    _, undisturbed = run([folder])
    command = [*COMMAND, str(folder), "--workers", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and not list((folder / BESIDE).glob("*.npz")):
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list((folder / BESIDE).glob("*.npz"))
    _, resumed = run([folder], keep=True)
    assert positions(resumed) == positions(undisturbed)
    assert [Path(failure.path).name for failure in resumed.failed] == ["broken.tif"]


def test_two_workers_find_what_this_process_finds_in_the_same_order(folder: Path) -> None:
    _, here = run([folder])
    steps, there = run([folder], keep=True, workers=Workers(count=2))
    assert positions(there) == positions(here)
    assert there.failed == here.failed
    assert len(list((folder / BESIDE).glob("*.npz"))) == 5
    assert sum(isinstance(step, StackLabelled) for step in steps) == 5


def test_a_data_set_is_read_with_what_was_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> LabelledDataset:
        work = read_dataset(folder, ReadingSettings(), measure=dataset_measurer(folder))
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return finished.value

    (folder / "labels.csv").write_text("path,best_z_um\n0.ome.tif,1.5\n")
    dataset = read()
    assert dataset.how_labelled == {"table": 1, "Brenner": 4}
    assert [stack.kind for stack in dataset.skipped] == ["unreadable"]
    assert "broken.tif" in dataset.skipped[0].reason
    (folder / "broken.tif").unlink()
    monkeypatch.setattr(spread_measuring, "_measure_here", refuse_to_measure)
    assert [stack.best_z_um for stack in read().stacks] == [stack.best_z_um for stack in dataset.stacks]


def test_labels_of_brenner_go_into_a_store_once(folder: Path) -> None:
    _, result = run([folder])
    store = folder / "labels.db"
    assert (store_brenner(store, result.labelled), store_brenner(store, result.labelled)) == (5, 0)
    with LabelStore(store) as labels:
        (first, *_) = labels.labels(folder / "0.ome.tif")
    assert first.annotator == BRENNER
    assert opinion_of(first).best_z_um == focus_of(result, "0.ome.tif").best_z_um


def focus_of(result: BatchResult, name: str) -> StackFocus:
    return next(focus for path, focus in result.labelled if Path(path).name == name)


def test_the_command_says_what_a_scheduler_lacks(folder: Path) -> None:
    command = [*COMMAND, str(folder), "--scheduler", "tcp://127.0.0.1:9", "--workers", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "give one of the two" in json.loads(done.stdout)["error"]
