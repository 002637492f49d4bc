"""Lists of stage positions with the focus of each: from files and to files that other programs read and write.

Micro-Manager position lists (``.pos``), useq sequences (``.yaml``, ``.json``), tables (``.csv``) and OME metadata
(``.ome.xml``, and OME-TIFF to read). Stage positions and drive positions in µm, as the hardware reports them.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.io.reading import reading
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint

READABLE = (".pos", ".csv", ".yaml", ".yml", ".json", ".xml", ".tif", ".tiff")
WRITABLE = (".pos", ".csv", ".yaml", ".yml", ".json", ".xml")
COLUMNS = ("x_um", "y_um", "z_um", "name")
Place = tuple[float, float]


@dataclass(frozen=True)
class Position:
    """One place of a list.

    Parameters
    ----------
    x_um, y_um : float
        Stage position, µm.
    z_um : float or None
        Position of the focus drive, µm; None where the list does not say.
    name : str
        What people call it.

    Raises
    ------
    InputError
        If a number is not finite.
    """

    x_um: float
    y_um: float
    z_um: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.x_um, self.y_um, self.z_um or 0.0)):
            raise InputError(f"A stage position takes finite numbers of µm; found {self}.")


@dataclass(frozen=True)
class Positions:
    """A list of places, and the stages it was made for.

    Parameters
    ----------
    positions : tuple of Position
        In the order to visit.
    xy_stage, z_stage : str
        Labels of the devices; empty where the file does not say.
    """

    positions: tuple[Position, ...]
    xy_stage: str = ""
    z_stage: str = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """Stage positions (x, y), µm."""
        return tuple((position.x_um, position.y_um) for position in self.positions)

    @classmethod
    def of_points(cls, points: Iterable[FocusPoint], *, stages: tuple[str, str] = ("", "")) -> Positions:
        """The points of a survey at which a focus was found."""
        found = (
            Position(point.x_um, point.y_um, point.z_um, f"Point{number:03d}")
            for number, point in enumerate(points)
            if point.z_um is not None
        )
        return cls(tuple(found), *stages)

    @classmethod
    def on_map(
        cls, found: FocusMap, places: Sequence[Place] | None = None, *, stages: tuple[str, str] = ("", "")
    ) -> Positions:
        """Places with the z of a focus map: its own points unless others are named.

        Raises
        ------
        InputError
            If the map does not cover a place.
        """
        where = [(point.x_um, point.y_um) for point in found.points] if places is None else list(places)
        covered = [place for place in where if found.covers(*place)]
        if places is not None and len(covered) < len(where):
            raise InputError(
                f"The focus map does not cover {len(where) - len(covered)} of {len(where)} places; survey around them"
                " too, or leave them out."
            )
        made = (Position(x, y, float(found.z_um(x, y)), f"Point{number:03d}") for number, (x, y) in enumerate(covered))
        return cls(tuple(made), *stages)

    def require_stages(self, xy_stage: str, z_stage: str) -> None:
        """Refuse a list that was made for other stages: its numbers mean other places there.

        Raises
        ------
        InputError
            One sentence with both names.
        """
        has_z = any(position.z_um is not None for position in self.positions)
        theirs = [self.xy_stage, self.z_stage if has_z else ""]
        for what, listed, here in zip(("XY stage", "focus drive"), theirs, (xy_stage, z_stage), strict=True):
            if listed and listed != here:
                raise InputError(
                    f"The position list was made for the {what} {listed!r}, and this microscope has"
                    f" {repr(here) if here else 'none'}; take a list of this microscope, or insist if its numbers mean"
                    " the same places here."
                )


def read_positions(path: Path, *, stages: tuple[str, str] | None = None, insist: bool = False) -> Positions:
    """Read a list of positions.

    Parameters
    ----------
    path : Path
        A file of a kind in :data:`READABLE`; a ``.json`` may also be a focus map.
    stages : tuple of str, optional
        Labels of the XY stage and of the focus drive of the microscope that is to go there.
    insist : bool
        Take a list that was made for other stages.

    Raises
    ------
    InputError
        If the file cannot be read, holds no position, or is of another microscope.
    """
    read = _reader(path.suffix.lower())
    if read is None:
        raise InputError(f"{path} is no list of positions: choose a file that ends in {', '.join(READABLE)}.")
    found = read(path)
    if not found.positions:
        raise InputError(f"{path} holds no position; give at least one.")
    if stages is not None and not insist:
        found.require_stages(*stages)
    return found


def write_positions(path: Path, positions: Positions, *, into: Path | None = None) -> None:
    """Write a list of positions, whole or not at all; the ending of the name says which kind.

    Parameters
    ----------
    path : Path
        Ends in one of :data:`WRITABLE`; ``.json`` is a useq sequence as ``.yaml`` is.
    positions : Positions
        The list; a ``.pos`` file needs to know the labels of the stages.
    into : Path, optional
        A useq sequence whose channels, times and planes are kept.

    Raises
    ------
    InputError
        If there is no position, the kind is unknown, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        raise InputError(f"{path.name} does not say which kind of list it is; end it in {', '.join(WRITABLE)}.")
    if not positions.positions:
        raise InputError("There is no position to write; survey at least one point with a focus.")
    text = _written(suffix, positions, into)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def _reader(suffix: str) -> Callable[[Path], Positions] | None:
    from napari_autofocus.io.places import micromanager as positions_micromanager
    from napari_autofocus.io.places import ome as positions_ome
    from napari_autofocus.io.places import useq as positions_useq

    readers: dict[str, Callable[[Path], Positions]] = {
        ".pos": positions_micromanager.read,
        ".csv": _read_table,
        ".yaml": positions_useq.read_yaml,
        ".yml": positions_useq.read_yaml,
        ".json": _read_json,
        ".xml": positions_ome.read_xml,
        ".tif": positions_ome.read_tiff,
        ".tiff": positions_ome.read_tiff,
    }
    return readers.get(suffix)


def _written(suffix: str, positions: Positions, into: Path | None) -> str:
    from napari_autofocus.io.places import micromanager as positions_micromanager
    from napari_autofocus.io.places import ome as positions_ome
    from napari_autofocus.io.places import useq as positions_useq

    if suffix == ".pos":
        return positions_micromanager.written(positions)
    if suffix == ".csv":
        return _table(positions)
    if suffix == ".xml":
        return positions_ome.written(positions)
    return positions_useq.written(positions, into, as_json=suffix == ".json")


def _read_json(path: Path) -> Positions:
    """A focus map, a useq sequence, or a Micro-Manager list that somebody named so."""
    from napari_autofocus.io.places import micromanager as positions_micromanager
    from napari_autofocus.io.places import useq as positions_useq

    with reading(path, "a list of positions"):
        text = path.read_text(encoding="utf-8-sig")
        content: Any = json.loads(text)
    if isinstance(content, dict) and content.get("kind") == "focus map":
        return Positions.of_points(FocusMap.from_json(text).points)
    if positions_micromanager.is_list(content):
        return positions_micromanager.read(path)
    return positions_useq.read_json(path)


def _read_table(path: Path) -> Positions:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        found = [_row(row) for row in rows]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is no table of positions ({error}); give it the columns x_um and y_um, a number in each, and z_um"
            " where it is known."
        ) from error
    if not found or not all(math.isfinite(value) for row in found for value in row[:3] if value is not None):
        raise InputError(f"{path} holds {len(found)} rows, not all of them positions; give at least one finite place.")
    return Positions(tuple(Position(*row) for row in found))


def _row(row: dict[str, str]) -> tuple[float, float, float | None, str]:
    z_um = (row.get("z_um") or "").strip()
    return float(row["x_um"]), float(row["y_um"]), float(z_um) if z_um else None, row.get("name") or ""


def _table(positions: Positions) -> str:
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in positions.positions:
        writer.writerow((repr(each.x_um), repr(each.y_um), "" if each.z_um is None else repr(each.z_um), each.name))
    return out.getvalue()
