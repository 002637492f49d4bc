"""What following a focus map is told, what it tells while it runs, and what it leaves behind."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt

FollowState = Literal["following", "moved", "offset", "stopped"]
FollowEnd = Literal["cancelled", "refused", "left_map", "too_far", "at_limit", "halted", "hardware"]
"""What ended it: a person (``cancelled``, ``halted``), or a place or a fault that must not be followed into."""


class Surface(Protocol):
    """Where best focus lies over the slide: a focus map, or anything that answers like one."""

    def z_um(self, x_um: float, y_um: float) -> Any:
        """Drive position of best focus at a stage position, µm."""

    def covers(self, x_um: float, y_um: float) -> Any:
        """Whether the surface may be trusted there."""


@dataclass(frozen=True)
class FollowConfig:
    """How to follow a focus map. All numbers are ours.

    Parameters
    ----------
    offset_um : float
        Added to the map's z, µm of drive position.
    largest_step_um : float
        A place whose z lies farther than this from where the drive stands is not followed to, µm.
    dead_band_um : float
        The drive moves only for differences larger than this, µm.
    interval_s : float
        Time between two looks at the stage, s.
    same_place_um : float
        Readings of a drive that differ by no more than this count as the same place, µm.
    most_offset_um : float
        A person may move the drive so far from the map, and keeps it as the offset; farther ends the following, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    offset_um: float = 0.0
    largest_step_um: float = 25.0
    dead_band_um: float = 0.1
    interval_s: float = 0.2
    same_place_um: float = 0.2
    most_offset_um: float = 20.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.offset_um) or abs(self.offset_um) > self.most_offset_um:
            raise InputError(
                f"The offset from a focus map is a number from −{self.most_offset_um:g} to {self.most_offset_um:g} µm;"
                f" found {self.offset_um:g}."
            )
        for name in ("largest_step_um", "dead_band_um", "interval_s", "same_place_um", "most_offset_um"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} of following a focus map must be a positive number; found {value}.")


@dataclass(frozen=True)
class FollowStep:
    """Progress: one look at the stage is done.

    Parameters
    ----------
    state : str
        ``following`` (the drive stands at the map's z), ``moved`` (it has just gone there), ``offset`` (a person moved
        the drive: the distance is the new offset) or ``stopped``.
    x_um, y_um : float
        Where the stage stands, µm.
    z_um : float
        Drive position read back, µm.
    offset_um : float
        From the map, µm.
    wait_s : float
        Time that the caller lets pass before the next look; anybody may use the microscope meanwhile.
    sentence : str
        What happened, in words and numbers.
    """

    state: FollowState
    x_um: float
    y_um: float
    z_um: float
    offset_um: float
    wait_s: float
    sentence: str


@dataclass(frozen=True)
class FollowRecord:
    """One time of following a focus map.

    Parameters
    ----------
    ended : str
        What ended it: ``cancelled`` or ``halted`` by a person, ``refused`` (nothing moved), ``left_map``, ``too_far``
        (a step longer than allowed), ``at_limit`` (the drive must not go there) or ``hardware``.
    reasons : tuple of str
        Sentences with the numbers behind the end.
    start_um, end_um : float
        Drive position before and after, µm.
    offset_um : float
        From the map at the end, µm.
    moves : int
        Moves commanded.
    seconds : float
        By the microscope's clock.
    """

    ended: FollowEnd
    reasons: tuple[str, ...]
    start_um: float
    end_um: float
    offset_um: float
    moves: int
    seconds: float

    def to_json(self) -> str:
        """The record as one JSON object."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FollowRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            return rebuilt(cls, read_plain_json(text))
        except UNUSABLE as error:
            raise InputError(f"This is not the record of following a focus map: {error}.") from error
