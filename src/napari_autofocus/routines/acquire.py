"""Acquire z-stacks at many places of a slide: find each field's focus, leave out glass, hand the planes to a writer.

Whatever ends it (the last stack, a Stop, a full disk, a failing camera, a person at the stage), camera, shutter and
live mode are put back, and slide and drive go where they were; finished stacks stay. Where files go is the writer's
business, see ``workflows/acquisition.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from typing import Protocol

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.acquire_config import (
    AcquireConfig,
    AcquireRecord,
    AcquireStep,
    FieldPlan,
    FieldResult,
    FieldSink,
    Place,
    StackWriter,
)
from napari_autofocus.routines.acquiring.run import AcquireRun, FieldGivenUp, FieldVisit
from napari_autofocus.routines.running.end import slide_comes_back
from napari_autofocus.steps import relay

__all__ = [
    "AcquireConfig",
    "AcquireRecord",
    "AcquireStep",
    "FieldPlan",
    "FieldResult",
    "FieldSink",
    "Finder",
    "StackWriter",
    "acquire",
]

Steps = Generator[AcquireStep, None, None]


class FinderStep(Protocol):
    """What every focusing routine yields."""

    @property
    def frame(self) -> Frame:
        """The frame just taken."""


Finder = Callable[[Microscope], Generator[FinderStep, None, FocusRecord]]
"""Makes a run that focuses a field: :func:`~napari_autofocus.routines.sweep.sweep`, ``refocus``."""


def acquire(
    microscope: Microscope,
    config: AcquireConfig,
    positions: Sequence[Place],
    write: StackWriter,
    *,
    find: Finder | None = None,
    wanted: int | None = None,
    done: Collection[int] = (),
    dof_um: float | None = None,
    keep: Callable[[AcquireRecord], None] | None = None,
) -> Generator[AcquireStep, None, AcquireRecord]:
    """Take a z-stack at each position, until as many as wanted are written.

    Cancel by closing the generator: the field that was begun is dropped, and slide and drive are back when ``close``
    returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move; with more than the current place it must move its slide.
    config : AcquireConfig
        How stacks are taken.
    positions : sequence of (x, y)
        Stage positions of the fields' centres, µm, in the order to visit; NaN stands for where the stage is. Give more
        than are wanted where fields may be empty.
    write : StackWriter
        Takes the planes, one in memory at a time.
    find : callable, optional
        What focuses each field; needed for stacks centred on their own focus.
    wanted : int, optional
        Stacks to write in this run; None for every position.
    done : collection of int
        Numbers of positions that an earlier run has settled.
    dof_um : float, optional
        Depth of field of the objective, µm, which helps to tell a spike from a peak.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    AcquireStep
        After each frame and each field.

    Returns
    -------
    AcquireRecord
        Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If there is no finder where one is needed, the slide cannot be moved, the writer cannot write, or a model
        refuses the frames. Slide and drive are back.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    if config.centre == "find" and find is None:
        raise InputError("Stacks centred on their own focus need a sweep or a model to find it; or centre them here.")
    run = AcquireRun(microscope, config, positions, wanted, done, dof_um)
    try:
        yield from run.guard.supervise(_visit_all(run, write, find))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _visit_all(run: AcquireRun, write: StackWriter, find: Finder | None) -> Steps:
    """One position after the other, then back to where the slide stood."""
    run.guard.check_start(run.config.step_um)
    with slide_comes_back(run.bring_slide_back):
        for number in run.numbers():
            yield from _visit(run, number, write, find)


def _visit(run: AcquireRun, number: int, write: StackWriter, find: Finder | None) -> Steps:
    """One position: a stack of it, or why there is none; a camera that fails is given one more chance."""
    visit = FieldVisit(run, number)
    while visit.result is None:
        try:
            yield from _take_field(visit, write, find)
        except FieldGivenUp as why:
            visit.give_up(why)
    yield run.settle(visit.result)


def _take_field(visit: FieldVisit, write: StackWriter, find: Finder | None) -> Steps:
    with visit.tolerant():
        visit.go_there()
        if find is not None and visit.run.config.centre == "find":
            yield from _find_focus(visit, find)
        plan = visit.plan()
        sink = write(plan)
        kept = False
        try:
            yield from _take_planes(visit, plan, sink)
            visit.keep_unless_empty(sink)
            kept = True
        finally:
            if not kept:
                sink.drop()


def _find_focus(visit: FieldVisit, find: Finder) -> Steps:
    """Have the finder focus the field; every frame of it also tells about content."""
    steps = find(visit.run.guard.microscope)
    visit.take_over((yield from relay(steps, lambda step: visit.looked(step.frame))))


def _take_planes(visit: FieldVisit, plan: FieldPlan, sink: FieldSink) -> Steps:
    """Every plane, in the direction in which the drive has no play."""
    for done, plane in enumerate(visit.order(plan), 1):
        visit.run.guard.go(float(plan.z_um[plane]))
        frame = visit.run.guard.snap()
        sink.add(plane, frame)
        yield visit.took(frame, done)
