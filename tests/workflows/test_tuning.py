"""The whole of tuning without its engine: members learn one after the other in this process."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.tune.data import tuning_on_shards, tuning_on_stacks
from napari_autofocus.workflows.tune.line import Line
from napari_autofocus.workflows.tune.member import LOST_UM, TuningJob, learn_generation
from napari_autofocus.workflows.tune.plan import Ranges, Start, TuningSettings
from napari_autofocus.workflows.tune.steps import GenerationEnded, PopulationBegins, keep_starts, kept_starts
from napari_autofocus.workflows.tuning import tune
from napari_autofocus.workflows.tuning_found import Found
from own_folders import write_stacks
from tuned_data import PLAN, job, shards, slides_by_use


def one_by_one(job: TuningJob, starts: tuple[Start, ...], begun: int, line: Line) -> None:
    """An engine that lets nobody take over."""
    data = Dataset(job.data)
    for generation in range(begun + 1, job.settings.generations + 1):
        for start in starts:
            running = learn_generation(job, replace(start, taken=start.member), generation, data)
            while not line.stop.is_set():
                try:
                    next(running)
                except StopIteration as finished:
                    end = finished.value
                    line.told.put(GenerationEnded(start.member, generation, end.score_um, end.failed))
                    break
            running.close()
            if line.stop.is_set():
                return
        keep_starts(job.work, generation, starts)


def all_fail(job: TuningJob, starts: tuple[Start, ...], begun: int, line: Line) -> None:
    for start in starts:
        line.told.put(GenerationEnded(start.member, begun + 1, LOST_UM, f"reason {start.member}"))
    assert line.stop.wait(30)


def _finish(running: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    steps = []
    while True:
        try:
            steps.append(next(running))
        except StopIteration as finished:
            return steps, finished.value


def test_the_best_of_all_is_told_with_its_course_and_measured_on_other_slides(tmp_path: Path) -> None:
    learning = job(tmp_path)
    steps, found = _finish(tune(learning, ("A note.",), engine=one_by_one))
    assert isinstance(found, Found)
    ended = [step for step in steps if isinstance(step, GenerationEnded)]

    assert steps[0] == PopulationBegins(0, 2, 2)
    assert [(step.generation, step.member) for step in ended] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert found.score_um == min(step.score_um for step in ended if step.generation == 2)
    assert [leg.until for leg in found.course] == [0.5, 1.0]
    assert found.measured["score"] > 0
    assert [member.scores_um for member in found.population] == [
        tuple(step.score_um for step in ended if step.member == member) for member in (0, 1)
    ]
    assert found.population[0].born_with.learning_rate == PLAN.defocus_training.learning_rate
    assert found.notes == ("A note.",)


def test_tuning_that_was_stopped_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    _, whole = _finish(tune(job(tmp_path), engine=one_by_one))
    pieces = replace(job(tmp_path), work=tmp_path / "pieces")
    stopped = tune(pieces, engine=one_by_one)
    while not isinstance(next(stopped), GenerationEnded):
        pass
    stopped.close()
    _, found = _finish(tune(pieces, engine=one_by_one))

    assert found.course == whole.course
    assert found.score_um == whole.score_um
    assert found.measured == whole.measured


def test_what_is_over_needs_no_engine(tmp_path: Path) -> None:
    learning = job(tmp_path)
    _, found = _finish(tune(learning, engine=one_by_one))
    _, again = _finish(tune(learning, engine=all_fail))

    assert again == found


def test_where_all_members_fail_nothing_is_found_and_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="All 2 members failed, so nothing was found; the first: reason 0"):
        _finish(tune(job(tmp_path), engine=all_fail))


def test_an_engine_that_does_not_start_is_told(tmp_path: Path) -> None:
    def broken(job: TuningJob, starts: tuple[Start, ...], begun: int, line: Line) -> None:
        raise InputError("It does not start.")

    with pytest.raises(InputError, match="It does not start"):
        _finish(tune(job(tmp_path), engine=broken))


def test_a_population_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    learning = job(tmp_path)
    keep_starts(learning.work, 1, ())
    assert kept_starts(learning.work) == (1, ())
    (learning.work / "population.json").write_text("[]", encoding="utf-8")

    with pytest.raises(InputError, match="to begin anew"):
        kept_starts(learning.work)


def test_simulated_slides_are_divided_into_those_that_teach_choose_and_measure(tmp_path: Path) -> None:
    shards(tmp_path / "data")
    settings = TuningSettings(samples=8)
    found = tuning_on_shards(tmp_path / "data", "brightfield-20x", settings, tmp_path / "work", "cpu").job

    assert found.choosing == (slides_by_use()["choosing"],)
    assert found.measuring == (slides_by_use()["measuring"],)
    assert found.dof_um == 1.0


def test_shards_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    shards(tmp_path / "data")
    work, settings = tmp_path / "work", TuningSettings(samples=8)

    with pytest.raises(InputError, match="name one with --recipe: brightfield-10x"):
        tuning_on_shards(tmp_path / "data", None, settings, work, "cpu")
    with pytest.raises(InputError, match="have 3 channels, and fluorescence-20x is made for 1"):
        tuning_on_shards(tmp_path / "data", "fluorescence-20x", settings, work, "cpu")


def test_the_folder_of_another_tuning_is_refused_but_the_workers_may_change(tmp_path: Path) -> None:
    shards(tmp_path / "data")
    place = tmp_path / "data", "brightfield-20x"
    tuning_on_shards(*place, TuningSettings(samples=8), tmp_path / "work", "cpu")
    tuning_on_shards(*place, TuningSettings(samples=8, workers=2), tmp_path / "work", "cpu")

    with pytest.raises(InputError, match="holds another training"):
        tuning_on_shards(*place, TuningSettings(samples=8, ranges=Ranges(widths=(1.0,))), tmp_path / "work", "cpu")


def test_stacks_are_read_as_train_reads_them_and_few_of_them_are_remarked_on(tmp_path: Path) -> None:
    folder = write_stacks(tmp_path / "stacks", 3)
    reading = tuning_on_stacks(folder, OwnSettings(), TuningSettings(samples=8), tmp_path / "work")
    _, prepared = _finish(reading)
    data = Dataset(prepared.job.data)

    assert len(prepared.job.choosing) == 1
    assert set(prepared.job.choosing) < set(data.slides)
    assert prepared.job.measuring == ()
    assert any("chose the settings" in note for note in prepared.notes) == (len(set(data.slides)) == 3)
