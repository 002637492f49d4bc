"""Where a survey looks, from what a person asks for, and the files that its map goes into."""

from __future__ import annotations

import math
import re
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.io.positions import Positions, read_positions, write_positions
from napari_autofocus.routines.survey_config import Place
from napari_autofocus.slide.area import Area, grid_points
from napari_autofocus.slide.focus_map import FocusMap

_COUNTS = re.compile(r"\s*(\d+)\s*[x×]\s*(\d+)\s*", re.I)
_SIDES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[x×]\s*(\d+(?:\.\d+)?)\s*)?", re.I)
MOST_PLACES = 10_000


def grid_over(centre: Place, area_mm: str, points: str) -> list[Place]:
    """A grid over a rectangle around a place, its outermost points on the edges; back and forth.

    Parameters
    ----------
    centre : tuple of float
        Stage position of the middle, µm.
    area_mm : str
        ``10x8`` or ``10``: width and height, mm.
    points : str
        ``16x12``: columns and rows.

    Raises
    ------
    InputError
        If one of them cannot be read, or is nothing to survey.
    """
    counts, sides = _COUNTS.fullmatch(points), _SIDES.fullmatch(area_mm)
    if counts is None:
        raise InputError(f"Cannot read {points!r} as points; write columns x rows, as in 16x16.")
    if sides is None:
        raise InputError(f"Cannot read {area_mm!r} as an area; write width x height in mm, as in 10x10.")
    columns, rows = int(counts[1]), int(counts[2])
    if not 0 < columns * rows <= MOST_PLACES:
        raise InputError(f"A survey has from 1 to {MOST_PLACES} points; found {columns} x {rows}.")
    if math.isnan(centre[0]):
        raise InputError("This microscope cannot move its slide; select an XY stage to survey a slide.")
    size_um = 1000 * float(sides[1]), 1000 * float(sides[2] or sides[1])
    if not min(size_um) > 0:
        raise InputError(f"An area has a width and a height above 0 mm; found {area_mm}.")
    return grid_points(Area.around(centre, *size_um), (columns, rows))


def places_in(path: Path, stages: tuple[str, str], *, insist: bool = False) -> list[Place]:
    """The places of a position list, useq sequence, table or focus map, in their order.

    Parameters
    ----------
    path : Path
        The file.
    stages : tuple of str
        Labels of the XY stage and of the focus drive of the microscope that is to go there.
    insist : bool
        Take a list that was made for other stages.

    Raises
    ------
    InputError
        If it cannot be read, or is of another microscope.
    """
    return list(read_positions(path, stages=stages, insist=insist).places)


def write_map(path: Path, surface: FocusMap, stages: tuple[str, str] = ("", "")) -> None:
    """Write a map as JSON, or as positions with its z where the name ends in another way than ``.json``.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if path.suffix.lower() != ".json":
        write_positions(path, Positions.on_map(surface, stages=stages))
        return
    with replacing(path) as part:
        part.write_text(surface.to_json() + "\n", encoding="utf-8")
