"""Long work on the shell: progress bars on standard error, silent where nobody looks, and an orderly end to Ctrl-C."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")
Advance = Callable[[float, float, str], None]
"""Called with how much is done, out of how much, and a word on what is being done."""


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Advance]:
    """Show a bar for as long as the block runs.

    Parameters
    ----------
    title : str
        What is being done, before any detail is known.

    Yields
    ------
    Advance
        A function ``(done, total, text)`` that moves the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def advance(done: float, total: float, text: str) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield advance


def follow_reading(step: object, advance: Advance) -> bool:
    """Move the bar by a plane that was read or a stack that was stored; False where a step is neither."""
    from napari_autofocus.models.labelled_stacks import PlaneRead
    from napari_autofocus.workflows.own.stacks import StackStored

    if isinstance(step, PlaneRead):
        done = (step.stack - 1) * step.planes + step.plane
        advance(done, step.stacks * step.planes, f"labelling {Path(step.path).name}")
    elif isinstance(step, StackStored):
        advance(step.done, step.total, "storing patches")
    return isinstance(step, PlaneRead | StackStored)
