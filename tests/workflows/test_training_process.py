"""Trainings in processes of their own: real ones, on small stacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.training.process import TrainingProcess, look_at
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest, unfinished_trainings
from napari_autofocus.workflows.training.steps import DatasetSeen, Paused, TrainingEnd, TrainingStep
from own_folders import write_stacks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks for signals that Windows has not")


def follow(process: TrainingProcess, on_step: Callable[[TrainingStep], None]) -> TrainingEnd:
    steps = process.steps()
    while True:
        try:
            on_step(next(steps))
        except StopIteration as finished:
            return finished.value


def ignore(_: TrainingStep) -> None:
    pass


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stacks(tmp_path_factory.mktemp("beside") / "stacks", 2)


@pytest.fixture
def request_(stacks: Path, tmp_path: Path) -> TrainingRequest:
    return TrainingRequest(stacks, tmp_path / "mine.zip", minutes=0.01)


def test_a_look_tells_what_there_is_and_why_it_is_too_little(request_: TrainingRequest, stacks: Path) -> None:
    bad = stacks / "bad.ome.tif"
    bad.write_bytes(b"no tiff")
    try:
        seen = follow(look_at(request_), ignore)
    finally:
        bad.unlink()
    assert isinstance(seen, DatasetSeen)
    assert (seen.stacks, seen.labelled_by) == (2, {"Brenner": 2})
    assert len(seen.left_out) == 1
    assert seen.left_out[0].startswith("bad.ome.tif cannot be read")
    assert "at least 3 stacks" in seen.refusal
    assert not TrainingFolder.of(request_.target).path.exists()


def test_what_is_refused_is_one_sentence_and_leaves_nothing(request_: TrainingRequest) -> None:
    nowhere = replace(request_, dataset=request_.dataset.with_name("nowhere"))
    with pytest.raises(InputError, match=r"^\S+nowhere does not exist"):
        follow(TrainingProcess(nowhere), ignore)
    assert list(request_.target.parent.iterdir()) == []


def test_a_process_that_is_killed_is_told_with_what_to_do(request_: TrainingRequest) -> None:
    process = TrainingProcess(request_)
    steps = process.steps()
    next(steps)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(InputError, match=r"ended before its time \(exit code -9\); what was learned is kept"):
        list(steps)


def test_what_is_thrown_away_leaves_nothing(request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    with folder.claimed(request_):
        pass
    process = TrainingProcess(request_)
    assert isinstance(follow(process, lambda step: process.throw_away()), Paused)
    assert not folder.path.exists()


STARTER = """
import sys, time
from pathlib import Path
from napari_autofocus.workflows.training.process import TrainingProcess
from napari_autofocus.workflows.training.request import TrainingRequest
process = TrainingProcess(TrainingRequest(Path(sys.argv[1]), Path(sys.argv[2])))
next(process.steps())
print(process.pid, flush=True)
time.sleep(100)
"""


def test_it_does_not_outlive_the_program_that_started_it(request_: TrainingRequest) -> None:
    command = [sys.executable, "-c", STARTER, str(request_.dataset), str(request_.target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.kill()
    wait_for_end(child)
    assert unfinished_trainings(request_.target.parent) in ((), (TrainingFolder.of(request_.target),))


def wait_for_end(pid: int) -> None:
    """Of a process that is not ours to wait for; the test's own time limit ends this."""
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        os.sched_yield()
