"""Focus maps and position lists to files and from them, for the Focus map panel. No Qt; runs beside the GUI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.io.positions import Positions, read_positions, write_positions
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint
from napari_autofocus.workflows.survey_places import write_map as write_surface

FILTERS = (
    "Micro-Manager position list (*.pos)",
    "Table (*.csv)",
    "useq sequence (*.yaml)",
    "OME metadata (*.xml)",
    "Focus map with its surface (*.json)",
    "All that can be read (*.pos *.csv *.yaml *.yml *.json *.xml *.tif *.tiff)",
)
_SUFFIXES = (".pos", ".csv", ".yaml", ".xml", ".json")
_FEW = 3
Stages = tuple[str, str]


@dataclass(frozen=True)
class Found:
    """What a file held: points of a map, or places without a z; ``words`` says so."""

    points: tuple[FocusPoint, ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    words: str = ""


def with_suffix(path: Path, chosen: str) -> Path:
    """The name as typed, with the ending of the chosen kind where it has none of ours."""
    if path.suffix.lower() in (*_SUFFIXES, ".yml"):
        return path
    suffix = next((suffix for suffix in _SUFFIXES if f"*{suffix}" in chosen), ".pos")
    return path.with_name(path.name + suffix)


def stages_of(microscope: CoreMicroscope | None) -> Stages | None:
    """Labels of the XY stage and of the focus drive, by which lists of other microscopes are told; None without one."""
    return None if microscope is None else (microscope.core.getXYStageDevice(), microscope.focus.label)


def write_map(path: Path, points: Sequence[FocusPoint], found: FocusMap | None, stages: Stages | None) -> str:
    """Write what the name asks for; returns what was written, in words.

    A ``.json`` keeps every point with its outcome and the surface. Lists of positions have the z of the surface, at
    empty places too; without a surface those that were found.

    Raises
    ------
    InputError
        If there is nothing to write, or it cannot be written.
    """
    if path.suffix.lower() == ".json":
        if found is None:
            raise InputError("There is no surface to write; survey three points with a focus at least.")
        write_surface(path, found)
        return f"{len(points)} points and their surface are in {path}."
    labels = stages or ("", "")
    listed = Positions.of_points(points, stages=labels) if found is None else Positions.on_map(found, stages=labels)
    write_positions(path, listed)
    left = len(points) - len(listed.positions)
    out = f"; {left} point{'' if left == 1 else 's'} without a z left out" if left else ""
    return f"{len(listed.positions)} positions are in {path}{out}."


def open_map(path: Path, stages: Stages | None) -> Found:
    """Read points with a z, or places to survey.

    Raises
    ------
    InputError
        If the file cannot be read, or was made for other stages.
    """
    surface = _surface_in(path)
    if surface is not None:
        return Found(surface.points, words=f"A map of {len(surface.points)} points from {path.name}.")
    listed = read_positions(path, stages=stages)
    known = [position for position in listed.positions if position.z_um is not None]
    count = len(listed.positions)
    if len(known) < _FEW:
        words = f"{count} place{'' if count == 1 else 's'} from {path.name}, to be surveyed."
        return Found(places=listed.places, words=words)
    reason = f"From {path.name}."
    points = tuple(FocusPoint(each.x_um, each.y_um, each.z_um, reason=reason) for each in known)
    left = f"; {count - len(known)} without a z left out" if count > len(known) else ""
    return Found(points, words=f"{len(points)} points with a z from {path.name}{left}.")


def _surface_in(path: Path) -> FocusMap | None:
    """The map in a file of ours; None where it is a list of another kind. Raises InputError if it is damaged."""
    if path.suffix.lower() != ".json":
        return None
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a focus map ({error}); choose another file.") from error
    is_map = isinstance(content, dict) and content.get("kind") == "focus map"
    return FocusMap.from_json(text) if is_map else None
