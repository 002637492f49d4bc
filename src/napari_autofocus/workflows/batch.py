"""Label many z-stacks: one after the other, one plane in memory at a time, and one bad file never stops the others."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack, measure_stack
from napari_autofocus.io import check_opening, find_stacks, open_stack


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


@dataclass(frozen=True)
class PlaneMeasured:
    """Progress within a stack: stack ``stack`` of ``stacks``, plane ``plane`` of ``planes``, both counted from 1."""

    path: str
    stack: int
    stacks: int
    plane: int
    planes: int


@dataclass(frozen=True, eq=False)
class StackLabelled:
    """One stack is done; ``stack`` is still open, for a figure of it."""

    path: str
    stack: ZStack
    focus: StackFocus


@dataclass(frozen=True)
class StackFailed:
    """One stack, or one path without any, cannot be labelled; ``reason`` is a sentence."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Path and focus of everything that was labelled, in the order of the paths, and everything that could not be."""

    labelled: tuple[tuple[str, StackFocus], ...]
    failed: tuple[StackFailed, ...]


Step = PlaneMeasured | StackLabelled | StackFailed


def label_stacks(
    paths: Iterable[str | Path], settings: LabelSettings | None = None
) -> Generator[Step, None, BatchResult]:
    """Find the best focus of every stack under some paths.

    Parameters
    ----------
    paths : iterable of path-like
        Files, folders of planes, or folders that contain stacks.
    settings : LabelSettings, optional
        How to open and judge them.

    Yields
    ------
    PlaneMeasured, StackLabelled or StackFailed
        As work proceeds.

    Returns
    -------
    BatchResult
    """
    settings = settings or LabelSettings()
    labelled: list[tuple[str, StackFocus]] = []
    stacks, failed = gather(paths)
    yield from failed
    for index, path in enumerate(stacks, 1):
        try:
            done = yield from _label_one(path, settings, index, len(stacks))
        except (AutofocusError, OSError) as error:
            failed.append(StackFailed(str(path), str(error)))
            yield failed[-1]
        else:
            labelled.append((done.path, done.focus))
            yield done
    return BatchResult(tuple(labelled), tuple(failed))


def gather(paths: Iterable[str | Path]) -> tuple[list[Path], list[StackFailed]]:
    """The stacks under some paths, each once, and the paths that hold none, with the reason."""
    stacks: dict[Path, None] = {}
    failed: list[StackFailed] = []
    for path in paths:
        try:
            stacks.update(dict.fromkeys(find_stacks([Path(path)])))
        except (AutofocusError, OSError) as error:
            failed.append(StackFailed(str(path), str(error)))
    return list(stacks), failed


def _label_one(
    path: Path, settings: LabelSettings, index: int, stacks: int
) -> Generator[PlaneMeasured, None, StackLabelled]:
    stack = open_stack(
        path, step_um=settings.step_um, channel=settings.channel, focus_direction=settings.focus_direction
    )
    measuring = measure_stack(stack, settings.focus)
    while True:
        try:
            plane = next(measuring)
        except StopIteration as finished:
            return StackLabelled(str(path), stack, finished.value)
        yield PlaneMeasured(str(path), index, stacks, plane.done, plane.total)
