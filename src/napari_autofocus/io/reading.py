"""Reader libraries at arm's length: what they raise and log becomes one sentence of our own."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from napari_autofocus.errors import AutofocusError, InputError

_LOGGERS = ("tifffile", "bioio.bio_image")
_overheard: ContextVar[list[str] | None] = ContextVar("overheard", default=None)


class _Overhear(logging.Filter):
    """Keeps a library's complaints from the screen while we read, and keeps them for our own sentence."""

    def filter(self, record: logging.LogRecord) -> bool:
        messages = _overheard.get()
        if messages is None:
            return True
        messages.append(record.getMessage())
        return False


_OVERHEAR = _Overhear()


@contextmanager
def reading(path: Path, what: str) -> Iterator[list[str]]:
    """Read ``path`` with a library; yields the list that its log messages are added to.

    Raises
    ------
    InputError
        In place of whatever the library raises: one sentence that names the file and says what to do.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_OVERHEAR)
    messages: list[str] = []
    token = _overheard.set(messages)
    try:
        with _without_warnings():
            yield messages
    except AutofocusError:
        raise
    except PermissionError as error:
        raise InputError(f"{error.filename or path} may not be read; check its permissions.") from error
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as {what} ({first_line(error)}); it may be damaged, cut short or of another type:"
            " copy or export it again."
        ) from error
    finally:
        _overheard.reset(token)


@contextmanager
def _without_warnings() -> Iterator[None]:
    # The filters belong to all threads at once: two that put them back crosswise would leave them changed.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of bounded length."""
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return line.rstrip(".") if len(line) <= 160 else line[:157] + "..."
