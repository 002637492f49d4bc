"""A focus map as what an acquisition may fall back on."""

from __future__ import annotations

from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.slide.focus_map import FocusMap
from napari_autofocus.workflows.mda.config import MapHeight


def map_height(focus_map: FocusMap) -> MapHeight:
    """Drive position of best focus by a map; None outside of what it covers."""

    def height(x_um: float, y_um: float) -> float | None:
        return float(focus_map.z_um(x_um, y_um)) if bool(focus_map.covers(x_um, y_um)) else None

    return height


def read_map_height(path: Path) -> MapHeight:
    """The same from the file of a map. Raises InputError if it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a focus map ({error}).") from error
    return map_height(FocusMap.from_json(text))
