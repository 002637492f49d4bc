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
from typing import Any, TextIO

BAD_INPUT = 2
"""Exit code: nothing was done, and one sentence says why."""
DONE_IN_PART = 3
"""Exit code: some of several inputs were bad, the others are done."""
INTERRUPTED = 130
"""Exit code: stopped by Ctrl-C."""

_reserved: ContextVar[TextIO | None] = ContextVar("reserved_stdout", default=None)


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
