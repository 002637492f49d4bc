"""One member of a population: it learns a generation at a time, takes over from another, and may be killed."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models import training
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.tasks import DefocusTask
from napari_autofocus.models.training import judged, train
from napari_autofocus.workflows.tune.member import (
    LOST_UM,
    MOST_ATTEMPTS,
    GenerationEnd,
    TuningJob,
    end_of,
    learn_generation,
    look_now,
    note_now,
    task_of,
    taught_member,
)
from napari_autofocus.workflows.tune.plan import Start, Values
from napari_autofocus.workflows.tuning_found import Found, FoundLeg
from tuned_data import PLAN, job, slides_by_use

Result = TypeVar("Result")
WELL = Values(3e-3, 0.9, 0.02, 0.1)
OTHER = Values(1e-3, 0.8, 0.1, 0.3)


@pytest.fixture(autouse=True)
def _told_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LONGEST_SILENCE_S", 0.0)


@pytest.fixture
def learning(tmp_path: Path) -> TuningJob:
    return job(tmp_path, samples=64)


def _finish(running: Generator[Any, None, Result]) -> Result:
    while True:
        try:
            next(running)
        except StopIteration as finished:
            result: Result = finished.value
            return result


def _learn(job: TuningJob, start: Start, generation: int) -> GenerationEnd:
    return _finish(learn_generation(job, start, generation, Dataset(job.data)))


def _weights(job: TuningJob, end: GenerationEnd) -> dict[str, torch.Tensor]:
    return dict(taught_member(job, end, Dataset(job.data))[1].network.state_dict())


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_generation_is_taught_up_to_its_share_and_judged_by_slides_that_do_not_teach(learning: TuningJob) -> None:
    end = _learn(learning, Start(0, 0, 0.25, WELL), 1)
    used = slides_by_use()
    task = task_of(learning, end.start, Dataset(learning.data), learning.choosing)

    assert end.samples == 32
    assert end.course == (WELL.leg(0.5),)
    assert set(task.data.slides[task.training]) == {used["teaching"]}
    assert set(task.data.slides[task.validation]) == {used["choosing"]}
    trained = taught_member(learning, end, Dataset(learning.data))[1]
    assert judged(task, trained.network).figures["score"] == pytest.approx(end.score_um, rel=1e-5)


def test_taking_over_goes_on_from_the_weights_and_the_course_of_the_other(learning: TuningJob) -> None:
    first = _learn(learning, Start(0, 0, 0.25, WELL), 1)
    _learn(learning, Start(1, 1, 0.5, OTHER), 1)  # of another width
    taken = _learn(learning, Start(1, 0, 0.25, OTHER), 2)
    kept = _learn(learning, Start(0, 0, 0.25, OTHER), 2)

    assert taken.course == kept.course == (*first.course, OTHER.leg(1.0))
    assert taken.score_um == kept.score_um
    assert _same(_weights(learning, taken), _weights(learning, kept))


def test_the_course_that_is_told_teaches_a_network_anew_to_the_very_same_weights(learning: TuningJob) -> None:
    _learn(learning, Start(0, 0, 0.25, WELL), 1)
    end = _learn(learning, Start(1, 0, 0.25, OTHER), 2)
    found = Found(
        backbone=PLAN.defocus.backbone,
        width=0.25,
        channels=3,
        course=tuple(FoundLeg(**vars(leg)) for leg in end.course),
        batch=8,
        best=1,
        score_um=end.score_um,
        samples=64,
        seconds=0.0,
    )
    task = task_of(learning, end.start, Dataset(learning.data), learning.choosing)
    anew = _finish(train(task, found.taught_with(PLAN.defocus_training)))

    assert _same(dict(anew.network.state_dict()), _weights(learning, end))


def test_a_generation_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, pieces = job(tmp_path), replace(job(tmp_path), work=tmp_path / "pieces")
    start = Start(0, 0, 0.25, WELL)
    running = learn_generation(pieces, start, 1, Dataset(pieces.data))
    next(running)
    running.close()

    assert end_of(pieces, 0, 1) is None
    assert _learn(pieces, start, 1).score_um == _learn(whole, start, 1).score_um


def test_a_generation_that_has_ended_is_not_taught_again(learning: TuningJob) -> None:
    start = Start(0, 0, 0.25, WELL)
    end = _learn(learning, start, 1)
    data = Dataset(learning.data)

    with pytest.raises(StopIteration) as finished:
        next(learn_generation(learning, start, 1, data))
    assert finished.value.value == end


def test_what_is_kept_does_not_grow_with_the_generations(tmp_path: Path) -> None:
    four = job(tmp_path, generations=4)
    for generation in range(1, 5):
        _learn(four, Start(0, 0, 0.25, WELL), generation)

    kept = sorted(path.name for path in four.folder(0).glob("generation-*.safetensors"))
    assert kept == ["generation-003.safetensors", "generation-004.safetensors"]


def test_a_loss_that_is_no_number_is_a_failure_that_is_told_and_can_be_replaced(
    learning: TuningJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = _learn(learning, Start(0, 0, 0.25, WELL), 1)
    with monkeypatch.context() as spoiled:
        spoiled.setattr(
            DefocusTask, "loss", lambda self, network, batch: network.logits(batch["patches"]).sum() * float("nan")
        )
        lost = _learn(learning, Start(1, 1, 0.25, OTHER), 1)
    replaced = _learn(learning, Start(1, 0, 0.25, OTHER), 2)

    assert lost.score_um == LOST_UM
    assert "diverged" in str(lost.failed)
    assert (well.failed, replaced.failed) == (None, None)
    assert replaced.samples == 64


def test_a_member_whose_process_ends_again_and_again_gives_up(learning: TuningJob) -> None:
    start = Start(0, 0, 0.25, WELL)
    for _ in range(MOST_ATTEMPTS):
        running = learn_generation(learning, start, 1, Dataset(learning.data))
        next(running)
        running.close()
    end = _learn(learning, start, 1)

    assert end.score_um == LOST_UM
    assert "3 times" in str(end.failed)


def test_attempts_of_an_earlier_start_do_not_count(learning: TuningJob) -> None:
    start = Start(0, 0, 0.25, WELL)
    for number in range(MOST_ATTEMPTS + 1):
        running = learn_generation(replace(learning, session=str(number)), start, 1, Dataset(learning.data))
        next(running)
        running.close()

    assert _learn(replace(learning, session="last"), start, 1).failed is None


def test_a_record_that_is_damaged_is_refused_in_a_sentence(learning: TuningJob) -> None:
    _learn(learning, Start(0, 0, 0.25, WELL), 1)
    (learning.folder(0) / "generation-001.json").write_text("{", encoding="utf-8")

    with pytest.raises(InputError, match="cannot be read"):
        end_of(learning, 0, 1)


def test_others_can_look_where_a_member_stands(learning: TuningJob) -> None:
    running = learn_generation(learning, Start(0, 0, 0.25, WELL), 1, Dataset(learning.data))
    note_now(learning, 0, 1, next(running), os.getpid())
    told: dict[str, Any] = look_now(learning, 0)

    assert (told["generation"], told["pid"]) == (1, os.getpid())
    assert 0 < told["share"] <= 0.5
    assert look_now(learning, 1) == {}
