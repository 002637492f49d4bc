"""Population-based training, planned: who is born how, and what changes when one takes over from another.

Jaderberg et al. 2017, "Population Based Training of Neural Networks": several networks learn side by side with settings
of their own; after each generation the worst take over weights and settings of the best, and vary the settings.
Numbers only; who teaches is in ``member.py``, and Ray Tune, which runs the population, in ``ray.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning.settings import Leg

REDRAWN = 0.25
"""Share of the values that are drawn anew when settings are varied; the others are changed by a fifth."""
FACTORS = (0.8, 1.2)
COPIED = 0.25
"""Share of the population that is replaced after a generation, and share whose settings are copied."""
_SMALLEST_DROPOUT = 0.02
"""Below this a factor would change nothing."""


@dataclass(frozen=True)
class Values:
    """What a member of the population learns with during a generation.

    Parameters
    ----------
    learning_rate, momentum, weight_decay : float
        Of AdamW; the learning rate is the height of the schedule.
    dropout : float
        Share of the last features left out.
    """

    learning_rate: float
    momentum: float
    weight_decay: float
    dropout: float

    def leg(self, until: float) -> Leg:
        """These values up to a share of the run."""
        return Leg(until, **asdict(self))

    @classmethod
    def of(cls, leg: Leg) -> Values:
        """The values of a leg."""
        return cls(leg.learning_rate, leg.momentum, leg.weight_decay, leg.dropout)


@dataclass(frozen=True)
class Ranges:
    """Where values are looked for; by default a factor of ten around what our models are taught with.

    Parameters
    ----------
    learning_rate, weight_decay : tuple of float
        Lowest and highest, evenly in their logarithm.
    momentum : tuple of float
        The same, evenly in the logarithm of what it lacks of 1.
    dropout : tuple of float
        The same, evenly.
    widths : tuple of float
        Factors on the channels of every layer, among which members are born.

    Raises
    ------
    InputError
        If a range is empty or goes beyond what makes sense.
    """

    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    momentum: tuple[float, float] = (0.8, 0.98)
    weight_decay: tuple[float, float] = (2e-3, 0.2)
    dropout: tuple[float, float] = (0.0, 0.5)
    widths: tuple[float, ...] = (0.75, 1.0, 1.25)

    def __post_init__(self) -> None:
        for name in ("learning_rate", "momentum", "weight_decay", "dropout"):
            low, high = getattr(self, name)
            least_ok = low >= 0 if name in ("momentum", "dropout") else low > 0
            if not (least_ok and low <= high and high < (math.inf if name == "weight_decay" else 1)):
                raise InputError(
                    f"The range of the {name.replace('_', ' ')} is empty or too wide; found {low} to {high}."
                )
        if not self.widths or not all(0 < width < math.inf for width in self.widths):
            raise InputError(f"Widths are positive factors such as 0.75; found {self.widths}.")

    def at(self, places: Mapping[str, float]) -> Values:
        """The values at places in [0, 1] along each range."""
        lacking = _between((1 - self.momentum[1], 1 - self.momentum[0]), places["momentum"])
        return Values(
            learning_rate=_between(self.learning_rate, places["learning_rate"]),
            momentum=_within(self.momentum, 1 - lacking),
            weight_decay=_between(self.weight_decay, places["weight_decay"]),
            dropout=self.dropout[0] + places["dropout"] * (self.dropout[1] - self.dropout[0]),
        )


@dataclass(frozen=True)
class TuningSettings:
    """How settings are looked for.

    Parameters
    ----------
    population : int
        Networks that learn side by side.
    generations : int
        Parts of a training, of equal length, between which the worst take over from the best.
    minutes : float or None
        Time for all of it; each member is taught for its share by the clock, so that a wider network, which is slower,
        sees less.
    samples : int or None
        Instead: patches that each member is shown in all. Then the same seed finds the same settings.
    workers : int
        Members that learn at the same time, a processor core each.
    seed : int
        Of births and variations.
    ranges : Ranges
        Where values are looked for.

    Raises
    ------
    InputError
        If a number is too small, or both or none of minutes and samples are given.
    """

    population: int = 4
    generations: int = 4
    minutes: float | None = None
    samples: int | None = None
    workers: int = 1
    seed: int = 0
    ranges: Ranges = field(default_factory=Ranges)

    def __post_init__(self) -> None:
        for name, least in (("population", 2), ("generations", 2), ("workers", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"Tuning takes a number of {name} of at least {least}; found {getattr(self, name)}.")
        if (self.minutes is None) == (self.samples is None):
            raise InputError("Say either how many minutes tuning may take, or how many samples each member is shown.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"Tuning takes a positive number of minutes; found {self.minutes:g}.")
        if self.samples is not None and self.samples < 1:
            raise InputError(f"Each member is shown at least one patch; found {self.samples}.")

    @property
    def minutes_each(self) -> float | None:
        """Time that each member is taught in all, so that everything takes as long as asked for."""
        if self.minutes is None:
            return None
        rounds = math.ceil(self.population / min(self.workers, self.population))
        return self.minutes / rounds

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Start:
    """How a member begins a generation.

    Parameters
    ----------
    member : int
        Which.
    taken : int
        Whose weights of the generation before it goes on from; itself where it has not taken over.
    width : float
        Of its network; goes with the weights.
    values : Values
        What it learns with.
    """

    member: int
    taken: int
    width: float
    values: Values

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Start:
        """Read what :meth:`to_json` gave."""
        return cls(**{**value, "values": Values(**value["values"])})


def born(settings: TuningSettings, usual: Values, width: float) -> tuple[Start, ...]:
    """The population at its beginning: the first member as usual, the others spread evenly over the ranges.

    Parameters
    ----------
    settings : TuningSettings
        How many, and where.
    usual : Values
        What would be taught with otherwise.
    width : float
        Of the usual network.
    """
    rng = np.random.default_rng([settings.seed, 0])
    others, ranges = settings.population - 1, settings.ranges
    names = ("learning_rate", "momentum", "weight_decay", "dropout")
    places = {name: (rng.permutation(others) + rng.random(others)) / others for name in names}
    widths = [ranges.widths[number % len(ranges.widths)] for number in rng.permutation(others)]
    drawn = [
        Start(member, member, widths[number], ranges.at({name: float(places[name][number]) for name in names}))
        for number, member in enumerate(range(1, settings.population))
    ]
    return (Start(0, 0, width, usual), *drawn)


def varied(values: Values, ranges: Ranges, rng: np.random.Generator) -> Values:
    """Somewhat other values: each a fifth larger or smaller inside its range, or, now and then, drawn anew."""
    anew = ranges.at({name: float(rng.random()) for name in asdict(values)})
    redrawn = {name: rng.random() < REDRAWN for name in asdict(values)}
    factor = {name: float(rng.choice(FACTORS)) for name in asdict(values)}
    dropout = max(values.dropout, _SMALLEST_DROPOUT if factor["dropout"] > 1 else 0.0)
    changed = Values(
        learning_rate=_within(ranges.learning_rate, values.learning_rate * factor["learning_rate"]),
        momentum=_within(ranges.momentum, 1 - (1 - values.momentum) * factor["momentum"]),
        weight_decay=_within(ranges.weight_decay, values.weight_decay * factor["weight_decay"]),
        dropout=_within(ranges.dropout, dropout * factor["dropout"]),
    )
    return Values(**{name: getattr(anew if redrawn[name] else changed, name) for name in asdict(values)})


def _between(limits: tuple[float, float], place: float) -> float:
    low, high = limits
    return _within(limits, low * (high / low) ** place)


def _within(limits: tuple[float, float], value: float) -> float:
    return min(max(value, limits[0]), limits[1])
