"""Where on a slide to acquire: grids, random places in an area, places drawn by hand. Stage positions in µm."""

from __future__ import annotations

import math

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.slide.area import Area

__all__ = ["Area", "grid_in", "grid_places", "random_places", "spares"]

MOST_MISSES = 200
"""After so many random places in succession that lie too near to others, no more fit."""


def grid_places(centre: Place, columns: int, rows: int, spacing_um: float) -> list[Place]:
    """Places at even distances around a centre, row by row, every second row backwards: the shortest way.

    Raises
    ------
    InputError
        If there is no column, no row or no spacing.
    """
    if columns < 1 or rows < 1:
        raise InputError(f"A grid has at least one column and one row; found {columns} x {rows}.")
    if not 0 < spacing_um < math.inf:
        raise InputError(f"The spacing of a grid must be a positive number of µm; found {spacing_um:g}.")
    x_um = centre[0] + (np.arange(columns) - (columns - 1) / 2) * spacing_um
    y_um = centre[1] + (np.arange(rows) - (rows - 1) / 2) * spacing_um
    return [(float(x), float(y)) for row, y in enumerate(y_um) for x in (x_um if row % 2 == 0 else x_um[::-1])]


def grid_in(area: Area, spacing_um: float) -> list[Place]:
    """The places of a grid that lie in an area, back and forth. Raises InputError if it is too small for any."""
    x0, y0, x1, y1 = area.bounds_um
    if not 0 < spacing_um < math.inf:
        raise InputError(f"The spacing of a grid must be a positive number of µm; found {spacing_um:g}.")
    columns, rows = int((x1 - x0) / spacing_um) + 1, int((y1 - y0) / spacing_um) + 1
    inside = [
        place for place in grid_places(((x0 + x1) / 2, (y0 + y1) / 2), columns, rows, spacing_um) if area.holds(place)
    ]
    if not inside:
        raise InputError(f"No place of a grid of {spacing_um:g} µm lies in the area; take a smaller spacing.")
    return inside


def random_places(area: Area, count: int, rng: np.random.Generator, *, least_distance_um: float = 0.0) -> list[Place]:
    """Places drawn evenly from an area, none nearer to another than a distance.

    Parameters
    ----------
    area : Area
        Where.
    count : int
        How many; fewer are returned where no more fit, at least one.
    rng : np.random.Generator
        Draws them.
    least_distance_um : float
        Between the centres of any two, µm: a field's diagonal keeps fields apart.

    Raises
    ------
    InputError
        If the count is less than 1 or the distance negative.
    """
    if count < 1:
        raise InputError(f"At least one place is needed; found {count}.")
    if not 0 <= least_distance_um < math.inf:
        raise InputError(f"The least distance must be zero or a positive number of µm; found {least_distance_um:g}.")
    places: list[Place] = []
    misses = 0
    while len(places) < count and misses < MOST_MISSES:
        place = _draw(area, rng)
        if all(math.dist(place, other) >= least_distance_um for other in places):
            places.append(place)
            misses = 0
        else:
            misses += 1
    return places


def _draw(area: Area, rng: np.random.Generator) -> Place:
    """A place inside; outlines so thin that none is hit give a corner."""
    x0, y0, x1, y1 = area.bounds_um
    for _ in range(1000):
        place = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
        if area.holds(place):
            return place
    return area.corners[0]


def spares(wanted: int) -> int:
    """How many random places to draw for so many stacks, since fields may be empty (ours).

    The same for every small number, so that more stacks may be wanted later from the same places.
    """
    return max(300, 10 * wanted)
