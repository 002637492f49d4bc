"""What every command prints and where: results on standard output, everything else on standard error.

A script that asks for ``--json`` gets exactly one JSON object on standard output, whatever else a library may print.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

BAD_INPUT = 2
"""Exit code: nothing was done, and one sentence says why."""
DONE_IN_PART = 3
"""Exit code: some of several inputs were bad, the others are done."""
INTERRUPTED = 130
"""Exit code: stopped by Ctrl-C."""

WIDTH_IN_A_PIPE = 160

_reserved: ContextVar[TextIO | None] = ContextVar("reserved_stdout", default=None)


class Failure(Protocol):
    """An input that could not be used, and why."""

    @property
    def path(self) -> str:
        """Which."""

    @property
    def reason(self) -> str:
        """Why."""


@contextlib.contextmanager
def reserved_stdout(reserve: bool = True) -> Iterator[None]:
    """Keep standard output for :func:`print_json` alone: what anything else prints goes to standard error."""
    if not reserve:
        yield
        return
    token = _reserved.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _reserved.reset(token)


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; NaN and infinity, which JSON lacks, become null."""
    stream = _reserved.get() or sys.stdout
    stream.write(json.dumps(plain(result), allow_nan=False) + "\n")
    stream.flush()


def plain(value: Any) -> Any:
    """The value in types that JSON knows: NumPy scalars and arrays unpacked, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def say(message: str) -> None:
    """A line for the person at the shell, on standard error."""
    print(message, file=sys.stderr)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, and as wide as it needs to be in a pipe."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE).print(table)


def sentence_of(failure: Failure) -> str:
    """Why an input failed, with its path where the reason does not name it."""
    return failure.reason if failure.path in failure.reason else f"{failure.path}: {failure.reason}"


def refuse_file(folder: Path | None, what: str) -> None:
    """Raise InputError, before any work, where a file stands in place of the folder that something is to go to."""
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder; name a folder for the {what}.")
