"""What a scan of a slide is to do, as it is kept beside its tiles, so that a scan that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import objective_from_json, objective_to_json
from napari_autofocus.optics import Objective
from napari_autofocus.plain_json import UNUSABLE, rebuilt
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.virtual_scan import VirtualScanConfig

SAME_UM = 0.01
"""Tiles that lie so near to where another plan has them, against their first, are the same tiles."""


@dataclass(frozen=True)
class ScanPlan:
    """Which tiles are shot, how, and with which optics.

    Parameters
    ----------
    tiles : tuple of (x, y)
        Stage positions of the tiles' centres in the order to visit, µm.
    config : VirtualScanConfig
        How shots are taken.
    objective : Objective or None
        None where nobody says.
    pixel_size_um : float or None
        Size of a pixel in the sample, for a camera that does not state it, µm.
    focus_direction : int
        +1 or -1, for a drive that does not tell; 0: unknown.
    found_by : str
        What finds focus: ``sweep``, or the name of a model.
    find_range_um : float
        How far a sweep looks for focus, µm.
    mirrored : tuple of bool
        Whether columns of an image grow against x of the stage, and rows against y.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    tiles: tuple[Place, ...]
    config: VirtualScanConfig = field(default_factory=VirtualScanConfig)
    objective: Objective | None = None
    pixel_size_um: float | None = None
    focus_direction: int = 0
    found_by: str = "sweep"
    find_range_um: float = 10.0
    mirrored: tuple[bool, bool] = (False, False)

    def __post_init__(self) -> None:
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        for name in ("find_range_um", "pixel_size_um"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} of a scan must be a positive number of µm; found {value:g}.")

    @property
    def dof_um(self) -> float | None:
        """Depth of field of the objective, µm; None where it is unknown."""
        return None if self.objective is None else self.objective.dof_um

    @property
    def pixel_um(self) -> float | None:
        """Size of a pixel, for frames that do not state theirs, µm; None where nobody says."""
        if self.pixel_size_um is not None or self.objective is None:
            return self.pixel_size_um
        return self.objective.pixel_size_um

    @property
    def name(self) -> str:
        """What tells a scan by this plan from any other's."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        config = {key: value for key, value in asdict(self.config).items() if value != math.inf}
        return {
            "tiles": [[round(x_um, 3), round(y_um, 3)] for x_um, y_um in self.tiles],
            "config": config,
            "objective": None if self.objective is None else objective_to_json(self.objective),
            "pixel_size_um": self.pixel_size_um,
            "focus_direction": self.focus_direction,
            "found_by": self.found_by,
            "find_range_um": self.find_range_um,
            "mirrored": [*self.mirrored],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ScanPlan:
        """The plan that :meth:`to_json` wrote. Raises InputError if it is none."""
        try:
            lens, (turned_x, turned_y) = values["objective"], values["mirrored"]
            return cls(
                **{
                    **values,
                    "tiles": tuple((float(x_um), float(y_um)) for x_um, y_um in values["tiles"]),
                    "config": rebuilt(VirtualScanConfig, values["config"]),
                    "objective": None if lens is None else objective_from_json(lens),
                    "mirrored": (bool(turned_x), bool(turned_y)),
                }
            )
        except UNUSABLE as error:
            raise InputError(f"This is not the plan of a scan: {error}.") from error

    def differences(self, other: ScanPlan) -> list[str]:
        """In what another plan differs, each in words; where on the stage the area lies may differ."""
        mine, theirs = _flat(self), _flat(other)
        told = [
            f"{name} {theirs.get(name)} there, {mine[name]} here" for name in mine if mine[name] != theirs.get(name)
        ]
        if not _same_area(self.tiles, other.tiles):
            told.append(f"{len(other.tiles)} tiles there, {len(self.tiles)} others here")
        return told


def _flat(plan: ScanPlan) -> dict[str, Any]:
    values = plan.to_json()
    del values["tiles"]
    lens = values.pop("objective")
    return {**values.pop("config"), "objective": lens and lens["name"], **values}


def _same_area(mine: tuple[Place, ...], theirs: tuple[Place, ...]) -> bool:
    """Whether tiles lie alike, wherever their first lies."""
    if len(mine) != len(theirs):
        return False
    one, other = (np.asarray(tiles) - np.asarray(tiles[0]) for tiles in (mine, theirs))
    return bool(np.abs(one - other).max() <= SAME_UM)
