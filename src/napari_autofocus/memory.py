"""How freed memory goes back to the system: asked for by programs that run for days, never by importing anything."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # as glibc's malloc.h numbers them
SETTINGS = {_MMAP_THRESHOLD: 1 << 20, _TRIM_THRESHOLD: 1 << 20, _ARENA_MAX: 2}
"""A block of 1 MB or more, as most frames are, is the system's own and goes back when it is freed; what is smaller lies
in two pools for all threads, whose unused ends go back too."""
_OF_THE_USER = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def give_freed_memory_back(environment: Mapping[str, str] = os.environ) -> bool:
    """Have the C library give freed memory back, so that a process that shows frames for days stays as large as it is.

    By itself glibc raises the size from which a block is the system's own with the largest one freed, up to 32 MB. From
    then on frames lie in the pools of the threads that made them, whose ends are given back only beyond twice that
    size: each of up to eight pools a core keeps as much as it ever needed at once.

    It holds for the whole process from then on, so it is for programs that own theirs: call it first, before there are
    threads. It costs page faults where large blocks come and go (``benchmarks/freed_memory.py``).

    Parameters
    ----------
    environment : mapping, optional
        Where whoever started the process may have chosen otherwise; theirs is kept.

    Returns
    -------
    bool
        Whether it was set: not where the user has, nor with another C library than glibc.
    """
    if sys.platform != "linux" or any(name in environment for name in _OF_THE_USER):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl, say
        return False
    taken = [mallopt(setting, value) == 1 for setting, value in SETTINGS.items()]
    return all(taken)
