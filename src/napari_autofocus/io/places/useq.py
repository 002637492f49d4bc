"""Stage positions of useq sequences, the acquisition plans of pymmcore-plus; read and written without that library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_autofocus.errors import InputError
from napari_autofocus.io.care.yaml_values import read_yaml_values
from napari_autofocus.io.positions import Position, Positions
from napari_autofocus.io.reading import reading
from napari_autofocus.plain_json import read_plain_json

_WHAT = "a useq sequence"


def read_yaml(path: Path) -> Positions:
    """Positions of a sequence in YAML. Raises InputError if there are none."""
    return _positions(path, _loaded(path))


def read_json(path: Path) -> Positions:
    """Positions of a sequence in JSON. Raises InputError if there are none."""
    return _positions(path, _loaded(path))


def _loaded(path: Path) -> Mapping[str, Any]:
    with reading(path, _WHAT):
        text = path.read_text(encoding="utf-8-sig")
        content = read_plain_json(text) if path.suffix.lower() == ".json" else read_yaml_values(text)
        if not isinstance(content, Mapping):
            raise ValueError("it holds no sequence")
    return content


def _positions(path: Path, sequence: Mapping[str, Any]) -> Positions:
    listed = sequence.get("stage_positions")
    if isinstance(listed, Mapping):
        raise InputError(f"{path} plans its positions on a well plate; write them out as single positions first.")
    if not isinstance(listed, list | tuple) or not listed:
        raise InputError(f"{path} is a sequence without stage_positions; add at least one.")
    return Positions(tuple(_position(path, number, each) for number, each in enumerate(listed)))


def _position(path: Path, number: int, told: Any) -> Position:
    """A mapping with x, y and z, or a list of them."""
    if isinstance(told, list | tuple):
        told = dict(zip("xyz", told, strict=False))
    x, y, z = (told.get(axis) if isinstance(told, Mapping) else None for axis in "xyz")
    try:
        return Position(float(x), float(y), None if z is None else float(z), str(told.get("name") or ""))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: position {number} lacks a number for x or y; give it both, in µm.") from error


def written(positions: Positions, into: Path | None, *, as_json: bool) -> str:
    """A sequence with these positions, and the rest of another one if named.

    Raises
    ------
    InputError
        If that one cannot be read, or takes planes at absolute heights, which would leave every z unused.
    """
    sequence: dict[str, Any] = dict(_loaded(into)) if into is not None else {}
    _refuse_absolute(into, sequence.get("z_plan"))
    sequence["stage_positions"] = [_written(position) for position in positions.positions]
    if as_json:
        return json.dumps(sequence, indent=2, ensure_ascii=False, allow_nan=False)
    return str(yaml.safe_dump(sequence, sort_keys=False, allow_unicode=True))


def _refuse_absolute(path: Path | None, z_plan: Any) -> None:
    if isinstance(z_plan, Mapping) and {"top", "bottom", "absolute"} & z_plan.keys():
        raise InputError(
            f"{path} takes its planes at absolute heights, which are the same for every position and leave its focus"
            " unused; plan them around the focus instead (range and step, above and below, or relative)."
        )


def _written(position: Position) -> dict[str, Any]:
    told: dict[str, Any] = {"x": position.x_um, "y": position.y_um}
    if position.z_um is not None:
        told["z"] = position.z_um
    return told | ({"name": position.name} if position.name else {})
