"""Position lists of Micro-Manager: the property map of version 2.0, and the older list of 1.4 to read.

The forms are those of ``PositionList.java`` and ``PropertyMapJSONSerializer.java`` of Micro-Manager. A place has a
position for each device; the XY stage and the focus drive are those that it names as its default ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.io.positions import Position, Positions
from napari_autofocus.io.reading import reading
from napari_autofocus.plain_json import read_plain_json

_WHAT = "a Micro-Manager position list"
_FORMAT = "Micro-Manager Property Map"


def is_list(content: Any) -> bool:
    """Whether JSON is a position list, old or new."""
    return isinstance(content, dict) and (content.get("format") == _FORMAT or "POSITIONS" in content)


def read(path: Path) -> Positions:
    """The list in a file. Raises InputError if it is none."""
    with reading(path, _WHAT):
        content = read_plain_json(path.read_text(encoding="utf-8-sig"))
        if not is_list(content):
            raise ValueError("it is neither a property map nor a list of version 1.4")
        if "POSITIONS" in content:
            entries = [_old_entry(entry) for entry in content["POSITIONS"]]
        else:
            entries = [_entry(entry) for entry in content["map"]["StagePositions"].get("array", [])]
    return _list(path, entries)


class _Entry:
    """What one place of a list says, whichever the version."""

    def __init__(self, name: str, xy_stage: str, z_stage: str, at_um: Mapping[str, tuple[float, ...]]) -> None:
        self.name = name
        self.xy_stage, self.xy_um = _of(at_um, xy_stage, 2)
        self.z_stage, self.z_um = _of(at_um, z_stage, 1)


def _of(at_um: Mapping[str, tuple[float, ...]], stage: str, axes: int) -> tuple[str, tuple[float, ...]]:
    """Position of the default device, or of the only one of as many axes; empty where there is none."""
    if len(at_um.get(stage, ())) == axes:
        return stage, at_um[stage]
    fitting = [(name, place) for name, place in at_um.items() if len(place) == axes]
    return fitting[0] if len(fitting) == 1 and not stage else (stage, ())


def _entry(entry: Mapping[str, Any]) -> _Entry:
    """Of version 2.0: every value is wrapped in its type."""
    at_um: dict[str, tuple[float, ...]] = {}
    for device in entry["DevicePositions"].get("array", []):
        place = device["Position_um"]
        values = place["array"] if "array" in place else [place["scalar"]]
        at_um[str(device["Device"]["scalar"])] = tuple(float(value) for value in values)
    told = {key: str(entry.get(key, {}).get("scalar", "")) for key in ("Label", "DefaultXYStage", "DefaultZStage")}
    return _Entry(told["Label"], told["DefaultXYStage"], told["DefaultZStage"], at_um)


def _old_entry(entry: Mapping[str, Any]) -> _Entry:
    """Of version 1.4: a device of one axis has its position in X."""
    at_um = {
        str(device["DEVICE"]): tuple(float(device[axis]) for axis in ("X", "Y")[: int(device["AXES"])])
        for device in entry["DEVICES"]
    }
    name, xy_stage, z_stage = (str(entry.get(key, "")) for key in ("LABEL", "DEFAULT_XY_STAGE", "DEFAULT_Z_STAGE"))
    return _Entry(name, xy_stage, z_stage, at_um)


def _list(path: Path, entries: list[_Entry]) -> Positions:
    lacking = [entry.name or str(number) for number, entry in enumerate(entries) if not entry.xy_um]
    if lacking:
        raise InputError(
            f"{path}: {len(lacking)} of {len(entries)} positions, the first of them {lacking[0]!r}, hold no place of"
            " their XY stage; mark them again with the XY stage ticked."
        )
    stages = [sorted({stage for stage in told if stage}) for told in _labels(entries)]
    for several in stages:
        if len(several) > 1:
            raise InputError(f"{path} holds positions of several stages ({', '.join(several)}); split the list.")
    xy_stage, z_stage = (several[0] if several else "" for several in stages)
    return Positions(tuple(_position(entry) for entry in entries), xy_stage, z_stage)


def _position(entry: _Entry) -> Position:
    x_um, y_um = entry.xy_um
    return Position(x_um, y_um, entry.z_um[0] if entry.z_um else None, entry.name)


def _labels(entries: list[_Entry]) -> tuple[list[str], list[str]]:
    return [entry.xy_stage for entry in entries], [entry.z_stage for entry in entries if entry.z_um]


def written(positions: Positions) -> str:
    """The list as version 2.0 writes it. Raises InputError if it does not know the stages."""
    has_z = any(position.z_um is not None for position in positions.positions)
    if not positions.xy_stage or (has_z and not positions.z_stage):
        raise InputError(
            "A Micro-Manager position list names its XY stage and focus drive; connect a microscope that has both, or"
            " write a .csv file."
        )
    entries = [_written_entry(each, number, positions) for number, each in enumerate(positions.positions)]
    document = {
        "encoding": "UTF-8",
        "format": _FORMAT,
        "major_version": 2,
        "minor_version": 0,
        "map": {"StagePositions": {"type": "PROPERTY_MAP", "array": entries}},
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def _written_entry(position: Position, number: int, stages: Positions) -> dict[str, Any]:
    devices = [_device(stages.xy_stage, [position.x_um, position.y_um])]
    if position.z_um is not None:
        devices.insert(0, _device(stages.z_stage, [position.z_um]))
    return {
        "DefaultXYStage": _string(stages.xy_stage),
        "DefaultZStage": _string(stages.z_stage if position.z_um is not None else ""),
        "DevicePositions": {"type": "PROPERTY_MAP", "array": devices},
        "GridCol": {"type": "INTEGER", "scalar": 0},
        "GridRow": {"type": "INTEGER", "scalar": 0},
        "Label": _string(position.name or f"Pos{number:03d}"),
        "Properties": {"type": "PROPERTY_MAP", "scalar": {}},
    }


def _device(label: str, place_um: list[float]) -> dict[str, Any]:
    return {"Device": _string(label), "Position_um": {"type": "DOUBLE", "array": place_um}}


def _string(text: str) -> dict[str, str]:
    return {"type": "STRING", "scalar": text}
