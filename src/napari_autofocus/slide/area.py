"""Areas of a slide, and the places of a grid over them in the order in which a stage should visit them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

Place = tuple[float, float]
FloatArray = npt.NDArray[np.float64]

MOST_POINTS = 100_000
"""A grid of more is a spacing in the wrong unit."""
_TOUCH_UM = 1e-3


@dataclass(frozen=True)
class Area:
    """A part of a slide: a polygon of stage positions.

    Parameters
    ----------
    corners : tuple of (x, y)
        In order around it, µm; at least three that do not lie on a line.
    """

    corners: tuple[Place, ...]

    def __post_init__(self) -> None:
        outline = np.asarray(self.corners, np.float64)
        if outline.ndim != 2 or outline.shape[0] < 3 or outline.shape[1] != 2 or not np.isfinite(outline).all():
            raise InputError(f"An area takes at least three finite corners (x, y) in µm; found {len(self.corners)}.")
        if _surface(outline) <= 0:
            raise InputError("The corners of an area lie on a line; draw an area that encloses a part of the slide.")

    @classmethod
    def around(cls, centre: Place, width_um: float, height_um: float | None = None) -> Area:
        """A rectangle around a place."""
        (x, y), half_w, half_h = centre, width_um / 2, (width_um if height_um is None else height_um) / 2
        return cls.rectangle(x - half_w, y - half_h, x + half_w, y + half_h)

    @classmethod
    def rectangle(cls, x0_um: float, y0_um: float, x1_um: float, y1_um: float) -> Area:
        """A rectangle by two opposite corners."""
        return cls(((x0_um, y0_um), (x1_um, y0_um), (x1_um, y1_um), (x0_um, y1_um)))

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        """(lowest x, lowest y, highest x, highest y), µm."""
        outline = np.asarray(self.corners, np.float64)
        (x0, y0), (x1, y1) = outline.min(axis=0), outline.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    def inside(self, x_um: npt.ArrayLike, y_um: npt.ArrayLike) -> Any:
        """Whether places lie inside, or on the outline: a bool for one, an array for arrays of them."""
        x, y = np.broadcast_arrays(np.asarray(x_um, np.float64), np.asarray(y_um, np.float64))
        places = np.stack([x, y], axis=-1)[..., None, :]
        starts = np.asarray(self.corners, np.float64)
        ends = np.roll(starts, -1, axis=0)
        told = _is_odd(places, starts, ends) | (_apart(places, starts, ends) <= _TOUCH_UM).any(axis=-1)
        return told if x.ndim else bool(told)

    def holds(self, place: Place) -> bool:
        """Whether a place lies inside, or on the outline."""
        return bool(self.inside(*place))


def _is_odd(places: FloatArray, starts: FloatArray, ends: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether a ray to the right crosses the outline an odd number of times."""
    x, y = places[..., 0], places[..., 1]
    crosses = (starts[:, 1] > y) != (ends[:, 1] > y)
    rise = ends[:, 1] - starts[:, 1]
    turn = (x - starts[:, 0]) * rise - (y - starts[:, 1]) * (ends[:, 0] - starts[:, 0])
    return np.asarray((crosses & (turn * np.sign(rise) < 0)).sum(axis=-1) % 2 == 1)


def _apart(places: FloatArray, starts: FloatArray, ends: FloatArray) -> FloatArray:
    """Distance of places from each side of the outline, µm."""
    sides = ends - starts
    length = np.maximum((sides**2).sum(axis=-1), 1e-300)
    share = np.clip(((places - starts) * sides).sum(axis=-1) / length, 0.0, 1.0)
    return np.asarray(np.hypot(*np.moveaxis(places - starts - share[..., None] * sides, -1, 0)))


def _surface(outline: FloatArray) -> float:
    x, y = outline[:, 0] - outline[0, 0], outline[:, 1] - outline[0, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def grid_points(area: Area | Sequence[Area], spacing_um: float | tuple[int, int]) -> list[Place]:
    """Places of a grid that lie in an area, row by row, each row from the end that is nearer to the place before.

    Parameters
    ----------
    area : Area or sequence of Area
        Several are visited one after the other; what an earlier one holds does not come again.
    spacing_um : float or (columns, rows)
        Distance of neighbours, µm, the grid centred in the area; or how many places lie across and down, those at the
        ends on the edges of the rectangle around the area.

    Raises
    ------
    InputError
        If there is no area, the spacing makes no sense, or no place lies inside.
    """
    areas = [area] if isinstance(area, Area) else list(area)
    if not areas:
        raise InputError("No area is given; draw one on the slide.")
    route: list[Place] = []
    for number, each in enumerate(areas):
        rows = _rows(each, spacing_um)
        rows = [[place for place in row if not any(old.holds(place) for old in areas[:number])] for row in rows]
        route += _route([row for row in rows if row], route[-1] if route else None)
    if not route:
        told = (
            f"{spacing_um:g} µm" if not isinstance(spacing_um, tuple) else f"{spacing_um[0]} x {spacing_um[1]} places"
        )
        raise InputError(f"No place of a grid of {told} lies in the area; take a smaller spacing.")
    return route


def _rows(area: Area, spacing_um: float | tuple[int, int]) -> list[list[Place]]:
    """Places inside, by rows of growing y, each of growing x."""
    x0, y0, x1, y1 = area.bounds_um
    if isinstance(spacing_um, tuple):
        counts = _counts(spacing_um)
        sides = [_ends_on_edges(low, high, count) for low, high, count in ((x0, x1, counts[0]), (y0, y1, counts[1]))]
    else:
        if not 0 < spacing_um < math.inf:
            raise InputError(f"The spacing of a grid must be a positive number of µm; found {spacing_um:g}.")
        if ((x1 - x0) / spacing_um + 1) * ((y1 - y0) / spacing_um + 1) > MOST_POINTS:
            raise InputError(
                f"A grid of {spacing_um:g} µm over {x1 - x0:g} x {y1 - y0:g} µm has more than {MOST_POINTS} places;"
                " take a larger spacing."
            )
        sides = [_centred(low, high, spacing_um) for low, high in ((x0, x1), (y0, y1))]
    grid = np.meshgrid(*sides)
    return [
        [(float(x), float(y)) for x, y, is_inside in zip(*row, strict=True) if is_inside]
        for row in zip(*grid, area.inside(*grid), strict=True)
    ]


def _counts(wanted: tuple[int, int]) -> tuple[int, int]:
    columns, rows = wanted
    if columns < 1 or rows < 1 or columns * rows > MOST_POINTS:
        raise InputError(
            f"A grid has at least one column and one row and at most {MOST_POINTS} places; found {columns} x {rows}."
        )
    return columns, rows


def _ends_on_edges(low: float, high: float, count: int) -> FloatArray:
    return np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])


def _centred(low: float, high: float, spacing_um: float) -> FloatArray:
    count = int((high - low) / spacing_um + 1e-9) + 1
    return np.asarray((low + high) / 2 + (np.arange(count) - (count - 1) / 2) * spacing_um)


def _route(rows: list[list[Place]], before: Place | None) -> list[Place]:
    """All rows, from the side that is nearer; without a place before, from the first of the first row."""
    if before is not None and rows and _to_ends(rows[-1], before) < _to_ends(rows[0], before):
        rows = rows[::-1]
    route: list[Place] = []
    for row in rows:
        here = route[-1] if route else before
        turned = here is not None and math.dist(here, row[-1]) < math.dist(here, row[0])
        route += row[::-1] if turned else row
    return route


def _to_ends(row: list[Place], place: Place) -> float:
    return min(math.dist(place, row[0]), math.dist(place, row[-1]))


def require_within(places: Sequence[Place], limits_um: tuple[float, float, float, float]) -> None:
    """Refuse places that an XY stage may not go to, before anything moves.

    Parameters
    ----------
    places : sequence of (x, y)
        Stage positions, µm.
    limits_um : tuple of float
        (lowest x, lowest y, highest x, highest y) of the stage, µm.

    Raises
    ------
    InputError
        One sentence: how many lie outside, how far they reach, and what is allowed.
    """
    at = np.asarray(places, np.float64).reshape(-1, 2)
    x0, y0, x1, y1 = limits_um
    outside = ~((at >= (x0, y0)) & (at <= (x1, y1))).all(axis=1)
    if outside.any():
        (low_x, low_y), (high_x, high_y) = at.min(axis=0), at.max(axis=0)
        raise InputError(
            f"{int(outside.sum())} of {len(at)} places lie outside the limits of the XY stage: they reach from"
            f" ({low_x:.0f}, {low_y:.0f}) to ({high_x:.0f}, {high_y:.0f}) µm, the stage from ({x0:.0f}, {y0:.0f}) to"
            f" ({x1:.0f}, {y1:.0f}) µm; take a smaller area, or set other limits if you know that they are safe."
        )
