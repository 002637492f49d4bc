"""What ``bench.py`` writes down of each thing it times: a row with its spread, its alternatives, its limit, its growth.

Also how calls are timed beside each other. Nothing here knows what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

MS = 1e3
"""Seconds to ms."""
TWICE = 2.0
"""A row more than so many times its limit has to be mended or explained."""


@dataclass(frozen=True)
class Times:
    """How long the repeats of one call took, s: by the wall, and of the processor in all threads."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...] = ()

    @property
    def median_s(self) -> float:
        """By the wall."""
        return float(np.median(self.wall_s))


@dataclass(frozen=True)
class Limit:
    """What nothing could be better than, in the row's unit.

    Parameters
    ----------
    value : float
        The limit.
    what : str
        What sets it: ``copying the image``, ``exposures and motion``.
    beyond : str
        Where the rest goes, told where the row is more than twice its limit.
    """

    value: float
    what: str
    beyond: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    name : str
        What was done, and on what.
    unit : str
        Of all values: ``ms``, ``s``, ``frames``, ``a second``.
    median, low, high : float
        Median and quartiles.
    repeats : int
        How often.
    cpu : float or None
        Median of the processor's time in all threads, in the same unit, where the row is a time of this machine.
    against : dict
        The same by other means, measured in turns with it: name to median.
    limit : Limit, optional
        Physical or obvious.
    more_is_better : bool
        For rates.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    repeats: int
    cpu: float | None = None
    against: dict[str, float] = field(default_factory=dict)
    limit: Limit | None = None
    more_is_better: bool = False

    @classmethod
    def of_times(
        cls, name: str, times: Times, *, against: Mapping[str, Times] | None = None, limit: Limit | None = None
    ) -> Row:
        """A row in ms of calls that were timed."""
        values = MS * np.array(times.wall_s)
        others = {other: MS * found.median_s for other, found in (against or {}).items()}
        cpu = MS * float(np.median(times.cpu_s)) if times.cpu_s else None
        return cls(name, "ms", *quartiles(values), len(values), cpu, others, limit)

    @classmethod
    def of_values(
        cls,
        name: str,
        unit: str,
        values: Sequence[float],
        *,
        against: Mapping[str, float] | None = None,
        limit: Limit | None = None,
        more_is_better: bool = False,
    ) -> Row:
        """A row of counts, simulated seconds or rates."""
        middle = quartiles(np.asarray(values, float))
        return cls(name, unit, *middle, len(values), None, dict(against or {}), limit, more_is_better)

    @property
    def over_limit(self) -> float | None:
        """How many times the limit this is; for rates, how many times the limit is this."""
        if self.limit is None or min(self.limit.value, self.median) <= 0:
            return None
        ratio = self.median / self.limit.value
        return 1 / ratio if self.more_is_better else ratio

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the ratios."""
        told = asdict(self)
        told["ratios"] = {name: self.median / value for name, value in self.against.items() if value}
        told["over_limit"] = self.over_limit
        return rounded(told)


@dataclass(frozen=True)
class Growth:
    """How a cost grows: the exponent of the best power law through its medians, 1 for proportional.

    Parameters
    ----------
    name : str
        What was done.
    over : str
        What grows: ``pixels``.
    sizes, values : tuple of float
        What was measured; values in ``unit``.
    """

    name: str
    over: str
    sizes: tuple[float, ...]
    values: tuple[float, ...]
    unit: str = "ms"

    @property
    def exponent(self) -> float:
        """Slope of log value over log size."""
        return float(np.polyfit(np.log(self.sizes), np.log(np.maximum(self.values, 1e-9)), 1)[0])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return rounded({**asdict(self), "exponent": self.exponent})


@dataclass
class Findings:
    """All of one subject: rows, growths, and what was left out, with the reason."""

    rows: list[Row] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "growths": [growth.to_json() for growth in self.growths],
            "skipped": self.skipped,
            "facts": rounded(self.facts),
        }


def quartiles(values: Any) -> tuple[float, float, float]:
    """Median, lower and upper quartile."""
    middle, low, high = np.quantile(values, [0.5, 0.25, 0.75])
    return float(middle), float(low), float(high)


def take_turns(
    calls: Mapping[str, Callable[[], Any]], *, seconds: float = 6.0, most: int = 30, least: int = 3, rest_s: float = 0.0
) -> dict[str, Times]:
    """Time calls in turns, so that a busy machine slows all of them alike; slow ones are repeated less often.

    Parameters
    ----------
    calls : mapping
        By name; each is made once first, which does not count.
    seconds : float
        About how long each call may go on being repeated, s.
    most, least : int
        Repeats.
    rest_s : float
        Before each call, so that threads of the one before, which go on spinning for a while, are at rest.
    """
    repeats: dict[str, int] = {}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        repeats[name] = int(np.clip(seconds / (time.perf_counter() - start + rest_s + 1e-9), least, most))
    turns = max(repeats.values())
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(turns):
        for name, call in calls.items():
            if len(found[name]) * turns <= turn * repeats[name]:
                time.sleep(rest_s)
                found[name].append(timed(call))
    return {name: Times(*zip(*pairs, strict=True)) for name, pairs in found.items()}


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of one call by the wall and of the processor."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def rounded(value: Any) -> Any:
    """Figures for a file that people read: four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
