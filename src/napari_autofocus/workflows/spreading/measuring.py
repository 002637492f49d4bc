"""Many stacks measured by Brenner, each once: what a book holds is taken from it, the rest goes to whoever works.

Workers write into the book themselves, so that what is finished is kept even if everything is killed a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack, judge_stack, measure_stack
from napari_autofocus.io import open_stack
from napari_autofocus.models.labelled.records import PlaneRead
from napari_autofocus.models.labelled_stacks import Measurer, ReadingSettings
from napari_autofocus.steps import relay
from napari_autofocus.workflows.labels.focus_book import FocusBook, Measuring, StackState, state_of
from napari_autofocus.workflows.spread import HERE, Unfinished, Waiting, Workers, spread


class Opening(Measuring, Protocol):
    """How stacks are opened and measured: ``LabelSettings``, ``ReadingSettings``."""

    @property
    def focus_direction(self) -> int | None:
        """+1 if a growing z in the file brings sample and objective together; None leaves it as the file says."""


@dataclass(frozen=True)
class PlaneMeasured:
    """Progress within a stack: stack ``stack`` of ``stacks``, plane ``plane`` of ``planes``, both counted from 1.

    Of a stack that was measured elsewhere only the last plane is told; ``stack`` then counts those that are done.
    """

    path: str
    stack: int
    stacks: int
    plane: int
    planes: int


@dataclass(frozen=True, eq=False)
class StackMeasured:
    """What was found in a stack, now or (``remembered``) before."""

    path: Path
    focus: StackFocus
    remembered: bool = False


@dataclass(frozen=True)
class StackFailed:
    """One stack, or one path without any, cannot be labelled; ``reason`` is a sentence."""

    path: str
    reason: str


MeasuringStep = PlaneMeasured | StackMeasured | StackFailed


def measure_stacks(
    stacks: Sequence[Path],
    how: Opening,
    book_of: Callable[[Path], FocusBook | None],
    workers: Workers = HERE,
    *,
    again: bool = False,
) -> Generator[MeasuringStep, None, None]:
    """Measure stacks, unless a book says what was found and they have not changed since.

    Parameters
    ----------
    stacks : sequence of Path
        The stacks.
    how : Opening
        How to open and measure them.
    book_of : callable
        The book of a stack; None keeps nothing.
    workers : Workers
        Who measures.
    again : bool
        Measure what was measured before, too.

    Yields
    ------
    PlaneMeasured, StackMeasured or StackFailed
        One of the latter two for each stack, in the order in which they are done: remembered ones first, which may be
        followed by others in any order.

    Raises
    ------
    InputError
        If what was found cannot be kept (a full disk), or the workers are lost.
    """
    tasks: list[_Task] = []
    for path in stacks:
        book = book_of(path)
        found = book.get(path, how) if book is not None and not again else None
        if found is not None:
            yield StackMeasured(path, found, remembered=True)
        else:
            job = Job(path, how.focus, how.step_um, how.channel, how.focus_direction, state_of(path))
            tasks.append(_Task(job, book))
    if not tasks:
        return
    place = len(stacks) - len(tasks), len(stacks)
    if workers.here([task.job.size for task in tasks]):
        yield from _one_by_one(tasks, place)
    else:
        yield from _spread_out(tasks, workers, place)


def dataset_measurer(root: Path, workers: Workers = HERE) -> Measurer:
    """What ``read_dataset`` measures with so that the book beside a data set is used, and workers share the work.

    Parameters
    ----------
    root : Path
        The data set, or a stack.
    workers : Workers
        Who measures.
    """
    book = FocusBook(root if root.is_dir() else root.parent)

    def measure(
        stacks: Sequence[Path], settings: ReadingSettings
    ) -> Generator[PlaneRead, None, dict[Path, StackFocus | str]]:
        found: dict[Path, StackFocus | str] = {}
        for step in measure_stacks(stacks, settings, lambda _: book, workers):
            if isinstance(step, StackMeasured):
                found[step.path] = step.focus
            elif isinstance(step, StackFailed):
                found[Path(step.path)] = step.reason
            else:
                yield PlaneRead(step.path, step.stack, step.stacks, step.plane, step.planes)
        return found

    return measure


@dataclass(frozen=True)
class Job:
    """One stack to be measured, with all that a worker has to know.

    Parameters
    ----------
    state : StackState or None
        The stack's files before they are measured.
    root, keep_in : Path or None
        The data set's folder, and where its book is kept; None keeps nothing.
    """

    path: Path
    focus: FocusSettings
    step_um: float | None
    channel: int | str | None
    focus_direction: int | None
    state: StackState | None
    root: Path | None = None
    keep_in: Path | None = None

    def open(self) -> ZStack:
        """The stack, its planes unread."""
        return open_stack(self.path, step_um=self.step_um, channel=self.channel, focus_direction=self.focus_direction)

    @property
    def size(self) -> int:
        """Bytes to read."""
        return self.state.size if self.state is not None else 0


@dataclass(frozen=True, eq=False)
class Measured:
    """What a worker sends back; ``kept`` is False where it could not write it down."""

    focus: StackFocus
    kept: bool


def measure_job(job: Job) -> Measured:
    """What a worker does with a stack."""
    focus = judge_stack(job.open(), job.focus)
    try:
        if job.root is None or job.keep_in is None or not job.keep_in.is_dir():  # a machine with other folders
            return Measured(focus, kept=False)
        FocusBook(job.root, job.keep_in).put(job.path, job, focus, state=job.state)
    except InputError:
        return Measured(focus, kept=False)
    return Measured(focus, kept=True)


@dataclass(frozen=True, eq=False)
class _Task:
    """A stack to be measured, and the book for what is found."""

    job: Job
    book: FocusBook | None

    def keep(self, focus: StackFocus) -> None:
        if self.book is not None:
            self.book.put(self.job.path, self.job, focus, state=self.job.state)

    def to_send(self) -> Job:
        """The job, with the place where a worker is to write down what it finds."""
        return self.job if self.book is None else replace(self.job, root=self.book.root, keep_in=self.book.folder)


def _one_by_one(tasks: list[_Task], place: tuple[int, int]) -> Generator[MeasuringStep, None, None]:
    known, stacks = place
    for number, task in enumerate(tasks, known + 1):
        path = task.job.path
        try:
            focus = yield from _measure_here(task.job, (number, stacks))
        except (AutofocusError, OSError) as error:
            yield StackFailed(str(path), str(error))
        else:
            task.keep(focus)
            yield StackMeasured(path, focus)


def _measure_here(job: Job, place: tuple[int, int]) -> Generator[PlaneMeasured, None, StackFocus]:
    measuring = measure_stack(job.open(), job.focus)
    return relay(measuring, lambda plane: PlaneMeasured(str(job.path), *place, plane.done, plane.total))


def _spread_out(tasks: list[_Task], workers: Workers, place: tuple[int, int]) -> Generator[MeasuringStep, None, None]:
    done, stacks = place
    path = str(tasks[0].job.path)
    yield PlaneMeasured(path, done, stacks, 0, 1)
    jobs = [task.to_send() for task in tasks]
    for step in spread(measure_job, jobs, [job.size for job in jobs], workers):
        if isinstance(step, Waiting):
            yield PlaneMeasured(path, done, stacks, 1, 1)  # nothing new: a chance to cancel
            continue
        task, done = tasks[step.number], done + 1
        path = str(task.job.path)
        if isinstance(step, Unfinished):
            yield StackFailed(path, step.reason)
            continue
        found = step.result
        if not found.kept:
            task.keep(found.focus)
        yield PlaneMeasured(path, done, stacks, found.focus.planes, found.focus.planes)
        yield StackMeasured(task.job.path, found.focus)
