"""What an acquisition of z-stacks is to do, as it is kept beside them; how long it takes and how large it gets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import objective_from_json, objective_to_json
from napari_autofocus.optics import Objective
from napari_autofocus.plain_json import rebuilt
from napari_autofocus.routines.acquire_config import AcquireConfig, Place

SECONDS_A_FIELD = 2.0
"""For moving the slide and writing, beside the frames (ours)."""
SECONDS_A_MOVE = 0.12
"""For a small move of the focus drive with settling and a frame's transfer (ours)."""
FRAMES_TO_FIND = 18
"""Frames of a sweep that finds a field's focus (ours, as measured)."""


@dataclass(frozen=True)
class AcquisitionPlan:
    """Where stacks are taken, how many, and with which optics.

    Parameters
    ----------
    positions : tuple of (x, y)
        Stage positions of the fields' centres in the order to visit, µm.
    wanted : int or None
        Stacks to write; None for one at every position.
    config : AcquireConfig
        Range, step and centre of the stacks.
    objective : Objective or None
        None where nobody says.
    pixel_size_um : float or None
        Size of a pixel in the sample, for a camera that does not state it, µm.
    focus_direction : int
        +1 or −1, for a drive that does not tell; 0: unknown.
    find_range_um : float
        How far a sweep looks for focus, µm.
    found_by : str
        What finds each field's focus: ``sweep``, or the name of a model.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    positions: tuple[Place, ...]
    wanted: int | None = None
    config: AcquireConfig = field(default_factory=AcquireConfig)
    objective: Objective | None = None
    pixel_size_um: float | None = None
    focus_direction: int = 0
    find_range_um: float = 10.0
    found_by: str = "sweep"

    def __post_init__(self) -> None:
        if not self.positions:
            raise InputError("There is no position to acquire at; give at least one.")
        if self.wanted is not None and self.wanted < 1:
            raise InputError(f"At least one stack must be wanted; found {self.wanted}.")
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        for name in ("find_range_um", "pixel_size_um"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} of an acquisition must be a positive number of µm; found {value:g}.")

    @property
    def stacks(self) -> int:
        """Stacks that are to be written."""
        return len(self.positions) if self.wanted is None else min(self.wanted, len(self.positions))

    @property
    def dof_um(self) -> float | None:
        """Depth of field of the objective, µm; None where it is unknown."""
        return None if self.objective is None else self.objective.dof_um

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in ``acquisition.json``."""
        config = {key: value for key, value in asdict(self.config).items() if value != math.inf}
        return {
            "positions": [_plain(place) for place in self.positions],
            "wanted": self.wanted,
            "config": config,
            "objective": None if self.objective is None else objective_to_json(self.objective),
            "pixel_size_um": self.pixel_size_um,
            "focus_direction": self.focus_direction,
            "find_range_um": self.find_range_um,
            "found_by": self.found_by,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AcquisitionPlan:
        """The plan that :meth:`to_json` wrote. Raises KeyError, TypeError, ValueError or InputError if it is none."""
        lens = values["objective"]
        return cls(
            **{
                **values,
                "positions": tuple(_place(place) for place in values["positions"]),
                "config": rebuilt(AcquireConfig, values["config"]),
                "objective": None if lens is None else objective_from_json(lens),
            }
        )

    def differences(self, other: AcquisitionPlan) -> list[str]:
        """In what another plan differs, each in words; how many stacks are wanted may differ."""
        mine, theirs = _flat(self), _flat(other)
        told = [
            f"{name} {theirs.get(name)} there, {mine.get(name)} here"
            for name in mine
            if name != "positions" and mine[name] != theirs.get(name)
        ]
        if mine["positions"] != theirs["positions"]:
            told.append(f"{len(other.positions)} positions there, {len(self.positions)} others here")
        return told


def seconds_of_stacks(stacks: int, planes: int, exposure_ms: float, *, find: bool) -> float:
    """A rough time for so many stacks, with or without a search for focus before each, s."""
    frames = planes + (FRAMES_TO_FIND if find else 0)
    return stacks * (SECONDS_A_FIELD + frames * (SECONDS_A_MOVE + exposure_ms / 1000))


def _flat(plan: AcquisitionPlan) -> dict[str, Any]:
    values = plan.to_json()
    del values["wanted"]
    lens = values.pop("objective")
    told = json.dumps(lens and {key: float(value) if isinstance(value, int) else value for key, value in lens.items()})
    return {**values.pop("config"), "objective": lens and lens["name"], "lens": told, **values}


def _plain(place: Place) -> list[float | None]:
    return [None if math.isnan(value) else round(value, 3) for value in place]


def _place(values: list[float | None]) -> Place:
    x_um, y_um = (math.nan if value is None else float(value) for value in values)
    return x_um, y_um
