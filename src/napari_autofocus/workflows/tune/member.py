"""One network of a population: taught a generation at a time, in a folder of its own, in any process.

Everything of worth lies in that folder, in plain files: the run under way (a checkpoint of ``models/training.py``, from
which it goes on exactly) and the ends of the last two generations, from which others take over. So a process may die
at any moment. Who runs members side by side is not known here.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, remove_unfinished, replacing
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.learning.keeping import best_of
from napari_autofocus.models.learning.settings import Leg
from napari_autofocus.models.package import open_package
from napari_autofocus.models.tasks import DefocusTask, Holding
from napari_autofocus.models.teaching import TeachingPlan, first_networks
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, train
from napari_autofocus.steps import run_to_end
from napari_autofocus.workflows.tune.plan import Start, TuningSettings

LOST_UM = 1e9
"""Score of a member that failed: worse than any, so that it is the first to be replaced."""
MOST_ATTEMPTS = 3
"""Times that a member begins a generation; if its process ended each time, it has failed."""
MOST_WATCHED = 2048
"""Patches that a member is judged by after each generation."""
_RUN, _NOW = "run.json", "now.json"


@dataclass(frozen=True)
class MemberSettings(TrainingSettings):
    """Of a member, whose course is written while it learns: a run goes on with a longer one."""

    def unchangeable(self) -> dict[str, Any]:
        return TrainingSettings.unchangeable(replace(self, course=()))


@dataclass(frozen=True)
class TuningJob:
    """What a population learns, and where it is kept; goes from process to process.

    Parameters
    ----------
    data, work : Path
        Folder of the shards, and of the members.
    plan : TeachingPlan
        Networks, and how they would be taught otherwise.
    dof_um : float
        Depth of field, µm.
    settings : TuningSettings
        How settings are looked for.
    choosing, measuring : tuple of str
        Slides that members are judged by, and those that the best is measured on in the end; none teaches.
    base : Path or None
        Package whose networks are begun with.
    session : str
        Of this start of the work; attempts of another do not count.
    """

    data: Path
    work: Path
    plan: TeachingPlan
    dof_um: float
    settings: TuningSettings
    choosing: tuple[str, ...]
    measuring: tuple[str, ...] = ()
    base: Path | None = None
    session: str = ""

    def folder(self, member: int) -> Path:
        """Of a member."""
        return self.work / "members" / f"{member:03d}"

    def until(self, generation: int) -> float:
        """Share of a training that is over after a generation, the first being 1."""
        return generation / self.settings.generations

    def training(self, course: tuple[Leg, ...]) -> MemberSettings:
        """How a member is taught; it is validated at the end of each generation only."""
        usual = {name: value for name, value in vars(self.plan.defocus_training).items() if name != "course"}
        most = usual["samples"] if self.settings.samples is None else self.settings.samples
        asked = {"samples": most, "minutes": self.settings.minutes_each, "validate_every": 10**12, "patience": 0}
        return MemberSettings(**usual | asked, course=course)


@dataclass(frozen=True)
class GenerationEnd:
    """Where a member stood after a generation.

    Parameters
    ----------
    start : Start
        How it began the generation.
    generation : int
        Which, the first being 1.
    course : tuple of Leg
        What its weights were taught with from the beginning, by whichever members.
    score_um : float
        Mean error on the slides that choose, µm; :data:`LOST_UM` where it failed.
    samples : int
        Shown to its weights in all.
    seconds : float
        Spent on this generation.
    failed : str or None
        Why it failed.
    """

    start: Start
    generation: int
    course: tuple[Leg, ...]
    score_um: float
    samples: int
    seconds: float
    failed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> GenerationEnd:
        """Read what :meth:`to_json` gave."""
        course = tuple(Leg(**leg) for leg in value["course"])
        return cls(**{**value, "start": Start.from_json(value["start"]), "course": course})


def end_of(job: TuningJob, member: int, generation: int) -> GenerationEnd | None:
    """What is kept of a generation of a member that ended; None where it has not. Raises InputError if damaged."""
    path = _end(job, member, generation, ".json")
    try:
        return GenerationEnd.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}); delete {job.work} to begin anew.") from error


def learn_generation(
    job: TuningJob, start: Start, generation: int, data: Dataset
) -> Generator[TrainingProgress, None, GenerationEnd]:
    """Teach a member for one generation; one that has ended already is not taught again.

    Yields
    ------
    TrainingProgress
        Closing the generator stops; the same call goes on.

    Raises
    ------
    InputError
        If the folder cannot be read or written. Training that fails is told in what is returned.
    """
    ended = end_of(job, start.member, generation)
    if ended is not None:
        return ended
    folder = job.folder(start.member)
    make_folder(folder)
    for name in (_RUN, _NOW, *(_end(job, start.member, generation, kind).name for kind in (".json", ".safetensors"))):
        remove_unfinished(folder / name)
    before = end_of(job, start.taken, generation - 1) if generation > 1 else None
    course = (*(before.course if before else ()), start.values.leg(job.until(generation)))
    began = time.monotonic()
    try:
        if _take_up(job, start, generation) > MOST_ATTEMPTS:
            raise InputError(f"Its process ended {MOST_ATTEMPTS} times without a word; it may have run out of memory.")
        trained = yield from _taught(job, start, course, generation, data)
        score, samples, failed = trained.history[-1]["score"], trained.samples, None
    except InputError as error:
        score, samples, failed = LOST_UM, before.samples if before else 0, str(error)
    ended = GenerationEnd(start, generation, course, score, samples, time.monotonic() - began, failed)
    _keep(job, ended)
    return ended


def taught_member(job: TuningJob, end: GenerationEnd, data: Dataset) -> tuple[DefocusTask, Trained]:
    """A member as it was after a generation, with its task; nothing more is learned."""
    task = task_of(job, end.start, data, job.choosing)
    kept = _end(job, end.start.member, end.generation, ".safetensors")
    copy = job.work / "best.safetensors"
    _copy(kept, copy)
    running = train(task, job.training(end.course), copy, until=job.until(end.generation))
    trained = run_to_end(running)
    copy.unlink()
    return task, trained


def task_of(job: TuningJob, start: Start, data: Dataset, judged_by: tuple[str, ...]) -> DefocusTask:
    """What a member learns: its network, as drawn or from the base, and patches of the slides that teach."""
    task = DefocusTask(
        _network(job, start),
        data,
        dof_um=job.dof_um,
        seed=job.plan.defocus_training.seed,
        holding=Holding(slides=(*job.choosing, *job.measuring)),
        disturbances=job.plan.disturbances,
        balance=job.plan.balance,
    )
    task.validation = Holding(most=MOST_WATCHED, slides=judged_by).divided(data.slides)[1]
    return task


def _network(job: TuningJob, start: Start) -> DefocusNetwork:
    """All of a width begin with the same weights, which are those of a training that follows the course."""
    defocus = replace(job.plan.defocus, width=start.width, dropout=start.values.dropout)
    base = open_package(job.base) if job.base is not None else None
    return first_networks(replace(job.plan, defocus=defocus), base)[0]


def _taught(
    job: TuningJob, start: Start, course: tuple[Leg, ...], generation: int, data: Dataset
) -> Generator[TrainingProgress, None, Trained]:
    task, until = task_of(job, start, data, job.choosing), job.until(generation)
    return (yield from train(task, job.training(course), _checkpoint(job, start.member), until=until))


def _take_up(job: TuningJob, start: Start, generation: int) -> int:
    """Make the run in the folder that of this generation, unless it is; how often this start of the work began it."""
    folder, own = job.folder(start.member), _checkpoint(job, start.member)
    wanted = {"generation": generation, **start.to_json()}
    noted = _read(folder / _RUN)
    if noted is None or {name: noted.get(name) for name in wanted} != wanted:
        (folder / _RUN).unlink(missing_ok=True)
        for path in (own, best_of(own)):
            path.unlink(missing_ok=True)
            if generation > 1:
                _copy(_end(job, start.taken, generation - 1, ".safetensors"), path)
        noted = {}
    attempts = 1 + (noted.get("attempts", 0) if noted.get("session") == job.session else 0)
    _write(folder / _RUN, {**wanted, "session": job.session, "attempts": attempts})
    return attempts


def _keep(job: TuningJob, end: GenerationEnd) -> None:
    """Keep what others take over from; the generation before is kept for those that have not yet."""
    member, own = end.start.member, _checkpoint(job, end.start.member)
    if own.exists():
        _copy(own, _end(job, member, end.generation, ".safetensors"))
    _write(_end(job, member, end.generation, ".json"), end.to_json())
    _end(job, member, end.generation - 2, ".safetensors").unlink(missing_ok=True)


def note_now(job: TuningJob, member: int, generation: int, progress: TrainingProgress, pid: int) -> None:
    """Tell whoever looks where a member stands: a file, for processes have no other word in common."""
    share = max(progress.samples / progress.total, progress.seconds / (progress.seconds + progress.seconds_left or 1))
    told = {"generation": generation, "samples": progress.samples, "share": min(share, 1.0), "pid": pid}
    with replacing(job.folder(member) / _NOW) as unfinished:
        unfinished.write_text(json.dumps(told | {"loss": progress.loss, "seconds": progress.seconds}), "utf-8")


def look_now(job: TuningJob, member: int) -> dict[str, Any]:
    """Where a member stands, as it told last; empty where it has not."""
    told = _read(job.folder(member) / _NOW) or {}
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in told.items()}


def _checkpoint(job: TuningJob, member: int) -> Path:
    return job.folder(member) / "defocus.safetensors"


def _end(job: TuningJob, member: int, generation: int, kind: str) -> Path:
    return job.folder(member) / f"generation-{generation:03d}{kind}"


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _write(path: Path, value: dict[str, Any]) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
