"""Brenner at a labelling desk: every stack measured once, each result saved the moment it is there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import StackFocus, measure_stack
from napari_autofocus.io import open_stack
from napari_autofocus.labelling.entries import PathLike
from napari_autofocus.labelling.opinions import Opinion, brenner_opinion
from napari_autofocus.steps import relay
from napari_autofocus.workflows.batch import LabelSettings, PlaneMeasured, StackFailed
from napari_autofocus.workflows.labels.focus_book import FocusBook, StackState, state_of


@dataclass(frozen=True, eq=False)
class StackMeasured:
    """Stack ``stack`` of ``stacks`` (from 1) has a position of Brenner's, and it is saved.

    Parameters
    ----------
    focus : StackFocus
        What was found.
    opinion : Opinion
        What Brenner says of it.
    """

    path: Path
    stack: int
    stacks: int
    focus: StackFocus
    opinion: Opinion


@dataclass(frozen=True)
class BrennerSummary:
    """What a run over many stacks came to.

    Parameters
    ----------
    measured : tuple of Path
        Measured now.
    known : int
        How many were measured before, and have not changed since.
    untrusted : tuple of Path
        Those of both whose curve cannot be trusted: a person should look.
    failed : tuple of StackFailed
        Those that cannot be read.
    """

    measured: tuple[Path, ...]
    known: int
    untrusted: tuple[Path, ...]
    failed: tuple[StackFailed, ...]


BrennerStep = PlaneMeasured | StackMeasured | StackFailed


class Desk(Protocol):
    """What keeps measurements and opinions: :class:`~napari_autofocus.workflows.labels.desk.LabellingDesk`."""

    book: FocusBook
    settings: LabelSettings

    def say_brenner(self, path: PathLike, opinion: Opinion) -> bool:
        """Store what was measured."""

    def dof_of(self, path: PathLike) -> float | None:
        """Depth of field of a stack, µm."""

    def note(self, path: PathLike, *, failed: str = "", dof_um: float | None = None) -> None:
        """Remember whether a stack can be read."""


def measure_all(desk: Desk, paths: Sequence[Path]) -> Generator[BrennerStep, None, BrennerSummary]:
    """Measure stacks that were not measured so, or have changed since; closing it loses nothing that was finished.

    Parameters
    ----------
    desk : Desk
        Where results go.
    paths : sequence of Path
        The stacks, in the order in which they are measured.

    Yields
    ------
    PlaneMeasured, StackMeasured or StackFailed
        As work proceeds; a stack that was measured before is passed over without a word.

    Returns
    -------
    BrennerSummary

    Raises
    ------
    InputError
        If a result cannot be saved: the disk is full, or somebody blocks the label store.
    """
    measured: list[Path] = []
    untrusted: list[Path] = []
    failed: list[StackFailed] = []
    for number, path in enumerate(paths, 1):
        focus = desk.book.get(path, desk.settings)
        opinion = _again(desk, path, focus) if focus is not None else None
        if opinion is None:
            try:
                found = yield from _measure(path, desk.settings, (number, len(paths)))
            except (AutofocusError, OSError) as error:
                failed.append(StackFailed(str(path), str(error)))
                desk.note(path, failed=str(error))
                yield failed[-1]
                continue
            opinion = _keep(desk, path, found)
            measured.append(path)
            yield StackMeasured(path, number, len(paths), found.focus, opinion)
        if not opinion.trusted:
            untrusted.append(path)
    return BrennerSummary(tuple(measured), len(paths) - len(measured) - len(failed), tuple(untrusted), tuple(failed))


@dataclass(frozen=True, eq=False)
class _Found:
    focus: StackFocus
    dof_um: float | None
    state: StackState | None


def _measure(path: Path, settings: LabelSettings, place: tuple[int, int]) -> Generator[PlaneMeasured, None, _Found]:
    state = state_of(path)
    stack = open_stack(
        path, step_um=settings.step_um, channel=settings.channel, focus_direction=settings.focus_direction
    )
    measuring = measure_stack(stack, settings.focus)
    focus = yield from relay(measuring, lambda plane: PlaneMeasured(str(path), *place, plane.done, plane.total))
    return _Found(focus, stack.dof_um, state)


def _keep(desk: Desk, path: Path, found: _Found) -> Opinion:
    """Save the curve first: an opinion without it would be measured again, a curve without opinion is told again."""
    desk.book.put(path, desk.settings, found.focus, state=found.state)
    desk.note(path, dof_um=found.dof_um)
    opinion = brenner_opinion(found.focus, found.dof_um)
    desk.say_brenner(path, opinion)
    return opinion


def _again(desk: Desk, path: Path, focus: StackFocus) -> Opinion:
    opinion = brenner_opinion(focus, desk.dof_of(path))
    desk.say_brenner(path, opinion)
    return opinion
