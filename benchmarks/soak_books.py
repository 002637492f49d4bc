"""What ``soak.py`` counts, and whether any of it grows: memory, objects, threads, files, widgets, textures, layers.

A slope is Theil and Sen's median of all pairwise slopes over the part after warm-up, with its 95 % confidence interval
(Sen 1968, Eq. 2.6 as in scipy). It says "steady" where the whole interval lies below what is tolerated, "grows" where
it lies above, and "unsettled" where the run was too short to tell.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from qtpy.QtGui import QPixmapCache
from qtpy.QtWidgets import QApplication
from scipy.stats import theilslopes

Verdict = Literal["steady", "grows", "unsettled"]

WARM_UP = 1 / 3
"""Share of a run that is not counted: caches fill, fonts and shaders are loaded."""
LEAST_CYCLES = 6
CONFIDENCE = 0.95
# What a cycle of acts may leave behind: a panel opened and closed, a model switched, a microscope connected ...
TOLERATED = {
    "rss_mb": 0.25,
    "heap_mb": 0.25,
    "objects": 40.0,
    "threads": 0.02,
    "files": 0.02,
    "widgets": 0.1,
    "gl_objects": 0.1,
    "layers": 0.02,
}
_TOP = 12
_POOL_BYTES = 64 << 20
_UNNAMED = 4  # columns of /proc/self/smaps after the addresses, where no file is mapped
_MALLOC_NUMBERS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


@dataclass(frozen=True)
class Sample:
    """What was there after one cycle, always in the same state of the window."""

    at_s: float
    rss_mb: float
    pools_mb: float
    heap_mb: float
    objects: int
    threads: int
    files: int
    widgets: int
    gl_objects: int
    layers: int


@dataclass
class Books:
    """Samples, and which types of objects became more."""

    viewer: Any
    samples: list[Sample] = field(default_factory=list)
    _began_s: float = field(default_factory=time.perf_counter)
    _types: dict[str, int] = field(default_factory=dict)
    _newest_types: dict[str, int] = field(default_factory=dict)
    _counted_at: int = 0

    def sample(self) -> Sample:
        """Count everything now."""
        gc.collect()
        types = self._newest_types = type_counts()
        _give_back()  # last: to count the types takes some MB, for a moment
        sample = Sample(
            at_s=round(time.perf_counter() - self._began_s, 1),
            rss_mb=round(rss_mb(), 1),
            pools_mb=round(pools_mb(), 1),
            heap_mb=round(heap_mb(), 2),
            objects=sum(types.values()),
            threads=threading.active_count(),
            files=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            widgets=len(QApplication.allWidgets()),
            gl_objects=sum(n for name, n in types.items() if name.startswith("vispy.gloo.")),
            layers=len(self.viewer.layers),
        )
        self.samples.append(sample)
        return sample

    def begin_types(self) -> None:
        """From the newest sample on it is told which types became more: after warm-up."""
        self._types, self._counted_at = self._newest_types, len(self.samples)

    def growing_types(self) -> dict[str, float]:
        """Types with most new objects, a cycle; of samples only, since live mode hides objects from the collector."""
        cycles = max(len(self.samples) - self._counted_at, 1)
        grown = {name: count - self._types.get(name, 0) for name, count in self._newest_types.items()}
        most = sorted(grown.items(), key=lambda each: -each[1])[:_TOP]
        return {name: round(more / cycles, 2) for name, more in most if more > 0}


def _give_back() -> None:
    """What Qt keeps of drawn pictures (at most 10 MB), and the C library of freed memory, is given back: no leak."""
    QPixmapCache.clear()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def rss_mb() -> float:
    """Memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pools_mb() -> float:
    """What of it lies in the pools (arenas) that glibc keeps for threads, MB; others start like them by chance only."""
    kilobytes, in_pool = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            start = int(first.partition("-")[0], 16)
            in_pool = start % _POOL_BYTES == 0 and rest[0].startswith("rw") and len(rest) == _UNNAMED
        elif in_pool and first == "Rss:":
            kilobytes += int(rest[0])
    return kilobytes * 1024 / 1e6


class _MallocNumbers(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = [(name, ctypes.c_size_t) for name in _MALLOC_NUMBERS]


def heap_mb() -> float:
    """Memory that was asked of the C library and not given back, MB; 0 where there is no glibc.

    That of the process is this and what lies unused between, which comes and goes by some MB.
    """
    try:
        numbers = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0.0
    numbers.restype = _MallocNumbers
    found = numbers()
    return (found.uordblks + found.hblkhd) / 1e6


def type_counts() -> dict[str, int]:
    """How many objects of each type Python's collector knows."""
    kinds = Counter(map(type, gc.get_objects()))
    named: Counter[str] = Counter()
    for kind, count in kinds.items():
        named[f"{kind.__module__}.{kind.__qualname__}"] += count
    return named


def slope_of(values: list[float], tolerated: float) -> dict[str, Any]:
    """The slope a cycle of a series after warm-up, its interval, and what to make of it."""
    late = np.asarray(values[int(len(values) * WARM_UP) :], dtype=float)
    if len(late) < LEAST_CYCLES:
        return {"tolerated": tolerated, "verdict": "unsettled", "cycles": len(late)}
    slope, _, low, high = theilslopes(late, alpha=CONFIDENCE)
    verdict: Verdict = "grows" if low > tolerated else "steady" if high <= tolerated else "unsettled"
    numbers = {"slope": slope, "low": low, "high": high}
    told = {name: round(float(value), 4) for name, value in numbers.items()}
    return {
        **told,
        "tolerated": tolerated,
        "verdict": verdict,
        "cycles": len(late),
        "first": values[0],
        "last": values[-1],
    }


def slopes(samples: list[Sample]) -> dict[str, dict[str, Any]]:
    """Every count's slope a cycle."""
    return {
        name: slope_of([float(getattr(each, name)) for each in samples], tolerated)
        for name, tolerated in TOLERATED.items()
    }
