"""Positions as a user writes them: ``grid:3x3@200``, ``random:8``, ``here``, or a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.positions import READABLE, read_positions
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.acquire_places import Area, grid_places, random_places, spares

SPELLINGS = "grid:COLUMNSxROWS@SPACING, random:N, random:N@SIDE, here, or a position list (.pos, .csv, .yaml, .json)"
DEFAULT_SIDE_UM = 4000.0
_GRID = re.compile(r"grid:(?P<columns>\d+)\s*[x×]\s*(?P<rows>\d+)@(?P<spacing>\d+(?:\.\d+)?)", re.I)
_RANDOM = re.compile(r"random:(?P<count>\d+)(?:@(?P<side>\d+(?:\.\d+)?))?", re.I)


@dataclass(frozen=True)
class Positions:
    """Places to visit.

    Parameters
    ----------
    places : tuple of (x, y)
        In order, µm.
    wanted : int or None
        How many of them shall yield a stack; None: all. Of random places more are drawn, since fields may be empty.
    """

    places: tuple[Place, ...]
    wanted: int | None = None


def random_positions(area: Area, count: int, rng: np.random.Generator, field_um: float = 0.0) -> Positions:
    """So many stacks from random places of an area, no two fields overlapping.

    Parameters
    ----------
    area : Area
        Where.
    count : int
        How many stacks; fewer are wanted where no more fields fit.
    rng : np.random.Generator
        Draws the places.
    field_um : float
        Diagonal of a field, µm.

    Raises
    ------
    InputError
        If no stack is wanted.
    """
    if count < 1:
        raise InputError(f"At least one stack must be wanted; found {count}.")
    places = random_places(area, spares(count), rng, least_distance_um=field_um)
    return Positions(tuple(places), min(count, len(places)))


def parse_positions(
    text: str, here: Place, rng: np.random.Generator, *, field_um: float = 0.0, stages: tuple[str, str] | None = None
) -> Positions:
    """Read positions.

    Parameters
    ----------
    text : str
        As :data:`SPELLINGS` says; grids and random places lie around ``here``.
    here : tuple of float
        Where the stage stands, µm.
    rng : np.random.Generator
        Draws random places.
    field_um : float
        Diagonal of a field, µm: random fields do not overlap.
    stages : tuple of str, optional
        Labels of the XY stage and of the focus drive: a list that was made for others is refused.

    Raises
    ------
    InputError
        If the text is none of that, or the table cannot be read.
    """
    if text.strip().lower() == "here":
        return Positions((here,))
    if grid := _GRID.fullmatch(text.strip()):
        return Positions(tuple(grid_places(here, int(grid["columns"]), int(grid["rows"]), float(grid["spacing"]))))
    if random := _RANDOM.fullmatch(text.strip()):
        area = Area.around(here, float(random["side"] or DEFAULT_SIDE_UM))
        return random_positions(area, int(random["count"]), rng, field_um)
    if Path(text).suffix.lower() in READABLE:
        return Positions(read_positions(Path(text), stages=stages).places)
    raise InputError(f"Cannot read {text!r} as positions; write {SPELLINGS}.")
