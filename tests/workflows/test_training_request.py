"""What a training beside a window is asked, what it keeps, and the lines it tells. No process is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest, unfinished_trainings
from napari_autofocus.workflows.training.steps import (
    Answer,
    DatasetSeen,
    Learning,
    OpticsKnown,
    Paused,
    Pausing,
    Refused,
    TrainingMade,
    Working,
    line_of,
    record_of,
)

LEARNING = Learning("defocus", 1.5, 1e-3, 12.0, 48.0, 0.4, 0.98, True, ((1.0, 1.1), (-2.0, -1.5)), 1, 2, 4)
MADE = TrainingMade(
    "mine.zip", "", "mine", 1.0, 4.0, 0.3, 0.2, 0.4, 0.99, 0.1, 20, 3, True, ("Good.",), (), (Answer(1.0, None, True),)
)


@pytest.fixture
def request_(tmp_path: Path) -> TrainingRequest:
    return TrainingRequest(tmp_path / "stacks", tmp_path / "mine.zip", minutes=3, objective="20x/0.75")


@pytest.mark.parametrize(
    "record",
    [
        Working("evaluating", 2, 8, answer=Answer(1.0, 1.25)),
        LEARNING,
        OpticsKnown(1.0),
        Pausing(),
        Paused(),
        Refused("Too few."),
        DatasetSeen(3, {"Brenner": 3}, ("bad.tif is bad.",), "20x", "", ("cpu", "cuda:0")),
        MADE,
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_survives_its_line(record: object) -> None:
    line = line_of(record)
    assert "\n" not in line
    assert record_of(line) == record


@pytest.mark.parametrize("line", ["", "nonsense", "[]", '{"kind": "Exit"}', '{"kind": "Paused", "more": 1}'])
def test_a_line_of_somebody_else_is_refused_in_one_sentence(line: str) -> None:
    with pytest.raises(InputError, match="nobody understands"):
        record_of(line)


def test_a_training_that_ended_with_the_power_is_offered_with_its_request(
    tmp_path: Path, request_: TrainingRequest
) -> None:
    folder = TrainingFolder.of(request_.target)
    with folder.claimed(request_):
        folder.keep(LEARNING)
        assert unfinished_trainings(tmp_path) == ()  # at work
    assert unfinished_trainings(tmp_path) == (folder,)
    assert folder.request() == request_
    assert [(step.seconds, step.pairs) for step in folder.past()] == [(12.0, ())]


def test_a_point_that_was_half_written_does_not_count(request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    with folder.claimed(request_):
        folder.keep(LEARNING)
        log = next(path for path in folder.path.iterdir() if path.suffix == ".jsonl")
        with log.open("a") as file:
            file.write('{"kind": "Learn')
    assert len(folder.past()) == 1


def test_two_processes_do_not_teach_one_model(request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    with folder.claimed(request_):
        with pytest.raises(InputError, match=r"mine\.zip is being trained already"), folder.claimed(request_):
            pass
        assert folder.request() == request_


def test_a_refusal_before_anything_was_learned_leaves_nothing(request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    with pytest.raises(InputError, match="Too few"), folder.claimed(request_):
        raise InputError("Too few stacks.")
    assert not folder.path.exists()


def test_a_refusal_after_something_was_learned_keeps_it(request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    folder.work.mkdir(parents=True)
    (folder.work / "defocus.safetensors").write_bytes(b"weights")
    with pytest.raises(InputError, match="disk is full"), folder.claimed(request_):
        raise InputError("The disk is full.")
    assert unfinished_trainings(request_.target.parent) == (folder,)


def test_a_damaged_request_is_refused(tmp_path: Path, request_: TrainingRequest) -> None:
    folder = TrainingFolder.of(request_.target)
    with folder.claimed(request_):
        pass
    (folder.path / "request.json").write_text('{"dataset": "x", "target": "y", "shell": "rm"}')
    with pytest.raises(InputError, match="no training that was asked for"):
        folder.request()
    (folder.path / "request.json").write_text("{")
    with pytest.raises(InputError, match="holds no training that can be read"):
        folder.request()
