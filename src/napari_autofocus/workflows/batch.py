"""Label many z-stacks: here or spread over workers, nothing twice, and one bad file never stops the others."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack
from napari_autofocus.io import check_opening, find_stacks, open_stack
from napari_autofocus.workflows.labels.focus_book import FocusBook
from napari_autofocus.workflows.spread import HERE, Workers
from napari_autofocus.workflows.spreading.measuring import PlaneMeasured, StackFailed, StackMeasured, measure_stacks

__all__ = [
    "BatchResult",
    "LabelSettings",
    "PlaneMeasured",
    "StackFailed",
    "StackLabelled",
    "Step",
    "gather",
    "label_stacks",
]


@dataclass(frozen=True)
class LabelSettings:
    """How stacks are opened and judged.

    Parameters
    ----------
    focus : FocusSettings
        Sharpness measure, polarity and size of a patch.
    step_um : float or None
        Distance of the planes, µm, for files that do not state their z.
    channel : int, str or None
        Which channel of a stack with several.
    focus_direction : {1, -1} or None
        +1 if a growing z in the file brings sample and objective together; None leaves it as the file says.
    """

    focus: FocusSettings = field(default_factory=FocusSettings)
    step_um: float | None = None
    channel: int | str | None = None
    focus_direction: int | None = None

    def __post_init__(self) -> None:
        check_opening(self.step_um, self.focus_direction)


@dataclass(frozen=True, eq=False)
class StackLabelled:
    """One stack is done.

    Parameters
    ----------
    path : str
        Where it lies.
    focus : StackFocus
        What was found.
    settings : LabelSettings
        How it is opened.
    remembered : bool
        Whether it was found in an earlier run.
    """

    path: str
    focus: StackFocus
    settings: LabelSettings
    remembered: bool = False

    @cached_property
    def stack(self) -> ZStack:
        """The stack itself, opened for a figure of it. Raises InputError if it is gone by now."""
        how = self.settings
        return open_stack(self.path, step_um=how.step_um, channel=how.channel, focus_direction=how.focus_direction)


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Path and focus of everything that was labelled, in the order of the paths, and everything that could not be.

    Parameters
    ----------
    notes : tuple of str
        A sentence for each data set that cannot be written: where its measurements are kept instead.
    """

    labelled: tuple[tuple[str, StackFocus], ...]
    failed: tuple[StackFailed, ...]
    notes: tuple[str, ...] = ()


Step = PlaneMeasured | StackLabelled | StackFailed


def label_stacks(
    paths: Iterable[str | Path],
    settings: LabelSettings | None = None,
    *,
    workers: Workers = HERE,
    keep: bool = False,
    again: bool = False,
) -> Generator[Step, None, BatchResult]:
    """Find the best focus of every stack under some paths.

    Parameters
    ----------
    paths : iterable of path-like
        Files, folders of planes, or folders that contain stacks.
    settings : LabelSettings, optional
        How to open and judge them.
    workers : Workers
        Who measures; by default this process.
    keep : bool
        Keep what is found beside the stacks (see ``labels/focus_book.py``), and measure nothing that is kept there.
    again : bool
        Measure it all the same.

    Yields
    ------
    PlaneMeasured, StackLabelled or StackFailed
        As work proceeds; with several workers, in the order in which stacks are done.

    Returns
    -------
    BatchResult

    Raises
    ------
    InputError
        If what was found cannot be kept, or the workers cannot be reached or are lost.
    """
    settings = settings or LabelSettings()
    found = gather(paths)
    yield from found.failed
    books: dict[Path, FocusBook] = {root: FocusBook(root) for root in set(found.stacks.values())} if keep else {}
    for book in books.values():
        book.tidy()
    focus: dict[Path, StackFocus] = {}
    failed: dict[Path, StackFailed] = {}
    for step in measure_stacks(
        list(found.stacks), settings, lambda path: books.get(found.stacks[path]), workers, again=again
    ):
        if isinstance(step, StackMeasured):
            focus[step.path] = step.focus
            yield StackLabelled(str(step.path), step.focus, settings, step.remembered)
            continue
        if isinstance(step, StackFailed):
            failed[Path(step.path)] = step
        yield step
    labelled = tuple((str(path), focus[path]) for path in found.stacks if path in focus)
    notes = tuple(book.note for book in books.values() if book.note is not None)
    return BatchResult(labelled, (*found.failed, *(failed[path] for path in found.stacks if path in failed)), notes)


@dataclass(frozen=True)
class Gathered:
    """The stacks under some paths, each once with its data set's folder, and the paths that hold none."""

    stacks: dict[Path, Path]
    failed: tuple[StackFailed, ...]


def gather(paths: Iterable[str | Path]) -> Gathered:
    """Look for the stacks under some paths."""
    stacks: dict[Path, Path] = {}
    failed: list[StackFailed] = []
    for path in map(Path, paths):
        try:
            found = find_stacks([path])
        except (AutofocusError, OSError) as error:
            failed.append(StackFailed(str(path), str(error)))
            continue
        root = path if path not in found and path.is_dir() else path.parent
        for stack in found:
            stacks.setdefault(stack, root)
    return Gathered(stacks, tuple(failed))
