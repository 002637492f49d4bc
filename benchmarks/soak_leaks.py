"""Leaks made on purpose, so that it is known that ``soak.py`` would find one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtWidgets import QLabel

_kept: list[Any] = []
_wait = threading.Event()
_files: list[int] = []


def mend() -> None:
    """Give everything back."""
    _wait.set()
    for each in _kept:
        if isinstance(each, threading.Thread):
            each.join()
    _kept.clear()
    _wait.clear()
    while _files:
        os.close(_files.pop())


def _memory(_: Any) -> None:
    _kept.append(np.ones(2_000_000 // 8))


def _objects(_: Any) -> None:
    _kept.append([[number] for number in range(500)])


def _thread(_: Any) -> None:
    waiting = threading.Thread(target=_wait.wait, daemon=True)
    waiting.start()
    _kept.append(waiting)


def _file(_: Any) -> None:
    _files.append(os.open(os.devnull, os.O_RDONLY))


def _widget(_: Any) -> None:
    _kept.append(QLabel("forgotten"))


def _layer(viewer: Any) -> None:
    viewer.add_image(np.zeros((8, 8)), name="forgotten", visible=False)


LEAKS: dict[str, Callable[[Any], None]] = {
    "rss_mb": _memory,
    "objects": _objects,
    "threads": _thread,
    "files": _file,
    "widgets": _widget,
    "layers": _layer,
}
"""By what they make grow; each is called once a cycle with the viewer."""
