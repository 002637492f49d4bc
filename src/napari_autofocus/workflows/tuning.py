"""Which settings to teach a model's second stage with: population-based training on data of one's own, or simulated.

What is varied is in ``tune/plan.py``, one member in ``tune/member.py``, the engine in ``tune/ray.py`` (the
optional extra ``tune``), where the data come from in ``tune/data.py``, the file in ``tuning_found.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from queue import Empty

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.training import judged
from napari_autofocus.workflows.tune.line import Line
from napari_autofocus.workflows.tune.member import (
    LOST_UM,
    GenerationEnd,
    TuningJob,
    end_of,
    look_now,
    task_of,
    taught_member,
)
from napari_autofocus.workflows.tune.plan import Start, Values, born
from napari_autofocus.workflows.tune.steps import (
    GenerationEnded,
    MemberLearns,
    PopulationBegins,
    TuningStep,
    keep_starts,
    kept_starts,
)
from napari_autofocus.workflows.tuning_found import Found, FoundLeg, MemberTold

Engine = Callable[[TuningJob, tuple[Start, ...], int, Line], None]
"""Lets the members learn all generations that are left; called in a thread of its own."""
_LOOK_EVERY_S = 0.5


def tune(
    job: TuningJob, notes: tuple[str, ...] = (), *, engine: Engine | None = None
) -> Generator[TuningStep, None, Found]:
    """Look for the settings of stage two by population-based training.

    Parameters
    ----------
    job : TuningJob
        What is learned, and how settings are looked for. The same job goes on where it was stopped.
    notes : tuple of str
        What to know of the figures.
    engine : callable, optional
        Runs the population; Ray Tune unless given.

    Yields
    ------
    TuningStep
        Closing the generator stops the population; of what was learned the last minute is lost at most.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        If Ray does not start, every member failed, or the work folder cannot be read or written.
    """
    make_folder(job.work)
    # Members live in processes that have another current folder.
    job = replace(job, work=job.work.resolve(), data=job.data.resolve(), session=f"{time.time_ns()}")
    begun, starts = kept_starts(job.work) or (0, _first(job))
    keep_starts(job.work, begun, starts)
    if any(end_of(job, start.member, job.settings.generations) is None for start in starts):
        yield from _run(job, starts, begun, engine or _on_ray)
    return _found(job, notes)


def _first(job: TuningJob) -> tuple[Start, ...]:
    training, defocus = job.plan.defocus_training, job.plan.defocus
    usual = Values(training.learning_rate, training.momentum, training.weight_decay, defocus.dropout)
    ranges = job.settings.ranges
    if job.base is not None:  # its weights have the width that they have
        ranges = replace(ranges, widths=(defocus.width,))
    return born(replace(job.settings, ranges=ranges), usual, defocus.width)


def _on_ray(job: TuningJob, starts: tuple[Start, ...], begun: int, line: Line) -> None:
    from napari_autofocus.workflows.tune.ray import run_population

    run_population(job, starts, begun, line)


def _run(job: TuningJob, starts: tuple[Start, ...], begun: int, engine: Engine) -> Generator[TuningStep, None, None]:
    """The engine in a thread, what it tells, and where each member stands meanwhile."""
    line, lost = Line(), dict[int, list[str]]()
    yield PopulationBegins(begun, job.settings.generations, job.settings.population)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine, job, starts, begun, line)
        try:
            yield from _watch(job, line, running, lost)
        finally:
            line.stop.set()
    running.result()
    for reasons in lost.values():
        if len(reasons) == job.settings.population:
            raise InputError(f"All {len(reasons)} members failed, so nothing was found; the first: {reasons[0]}")


def _watch(
    job: TuningJob, line: Line, running: Future[None], lost: dict[int, list[str]]
) -> Generator[TuningStep, None, None]:
    seen: dict[int, MemberLearns] = {}
    while not running.done() or not line.told.empty():
        try:
            step = line.told.get(timeout=_LOOK_EVERY_S)
        except Empty:
            yield from _news(job, seen)
            continue
        yield step
        if isinstance(step, GenerationEnded) and step.failed:
            lost.setdefault(step.generation, []).append(step.failed)
            if len(lost[step.generation]) == job.settings.population:
                line.stop.set()


def _news(job: TuningJob, seen: dict[int, MemberLearns]) -> list[MemberLearns]:
    """Members of which something is new since last looked at."""
    fresh = {}
    for member in range(job.settings.population):
        told = look_now(job, member)
        if told:
            generation, samples = int(told["generation"]), int(told["samples"])
            fresh[member] = MemberLearns(member, generation, samples, told["loss"], float(told["share"]))
    done = sum(now.done for now in fresh.values()) / job.settings.population
    changed = [replace(now, done=done) for member, now in fresh.items() if seen.get(member) != now]
    seen.update(fresh)
    return changed


def _found(job: TuningJob, notes: tuple[str, ...]) -> Found:
    """What the best member was taught with, and how good it is."""
    settings = job.settings
    told = {member: _ends(job, member) for member in range(settings.population)}
    last = [ends[-1] for ends in told.values() if ends and ends[-1].generation == settings.generations]
    best = min(last, key=lambda end: (end.score_um, end.start.member), default=None)
    if best is None or best.score_um >= LOST_UM:
        raise InputError(f"No member reached the end, so nothing was found; delete {job.work} to begin anew.")
    data = Dataset(job.data)
    measured = _measured(job, best, data) if job.measuring else {}
    return Found(
        backbone=job.plan.defocus.backbone,
        width=best.start.width,
        channels=job.plan.defocus.channels,
        course=tuple(FoundLeg(**asdict(leg)) for leg in best.course),
        batch=job.plan.defocus_training.batch,
        base=job.base.stem if job.base is not None else None,
        best=best.start.member,
        score_um=best.score_um,
        measured=measured,
        samples=best.samples,
        seconds=sum(end.seconds for ends in told.values() for end in ends),
        population=tuple(_member_told(member, ends) for member, ends in told.items() if ends),
        asked=settings.to_json(),
        notes=notes,
    )


def _measured(job: TuningJob, best: GenerationEnd, data: Dataset) -> dict[str, float]:
    """Figures of the best member on slides that neither taught nor chose."""
    _, trained = taught_member(job, best, data)
    return judged(task_of(job, best.start, data, job.measuring), trained.network).figures


def _ends(job: TuningJob, member: int) -> list[GenerationEnd]:
    ends = (end_of(job, member, generation) for generation in range(1, job.settings.generations + 1))
    return [end for end in ends if end is not None]


def _member_told(member: int, ends: list[GenerationEnd]) -> MemberTold:
    failed = [end.failed for end in ends if end.failed]
    return MemberTold(
        member=member,
        width=ends[0].start.width,
        born_with=FoundLeg(**asdict(ends[0].start.values.leg(1.0))),
        scores_um=tuple(None if end.score_um >= LOST_UM else end.score_um for end in ends),
        taken=tuple(end.start.taken for end in ends),
        failed=failed[-1] if failed else None,
    )
