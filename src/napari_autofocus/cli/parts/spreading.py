"""Options of the commands that work on many stacks: who does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_autofocus.workflows.spread import Workers

WORKERS = "Who works"

Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of a dask scheduler, as in tcp://head:8786: its workers do the work. They need the same files"
        " under the same paths, and this package.",
        rich_help_panel=WORKERS,
    ),
]
WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Processes on this machine that share the work; 0 works in this one. Without it, one for each core where"
        " there are more than 200 MB to read.",
        rich_help_panel=WORKERS,
    ),
]


def workers_of(scheduler: str | None, count: int | None) -> Workers:
    """Who works, as the options say."""
    from napari_autofocus.workflows.spread import Workers

    return Workers(scheduler, count)
