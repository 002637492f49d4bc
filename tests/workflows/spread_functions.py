"""What workers are asked to do in tests of spreading work; workers find it by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from napari_autofocus.errors import InputError


def square(number: int) -> int:
    if number == 13:
        raise InputError("13 brings bad luck; leave it out.")
    return number * number


def process_of(_: int) -> int:
    return os.getpid()


def die_once(flag: Path) -> str:
    """Kill the worker the first time, answer the second."""
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return flag.name


def die_of_seven(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
