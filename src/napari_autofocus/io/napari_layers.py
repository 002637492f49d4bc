"""What a saved image layer says of its place, and the layer that it becomes again. Shared by reader and writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io import tiff
from napari_autofocus.io.fused import DEPTH, FUSED
from napari_autofocus.io.lazy import MICRONS, FileStack
from napari_autofocus.io.made_tiff import made_tiff_entries
from napari_autofocus.io.stacks import read_file
from napari_autofocus.io.virtual import VIRTUAL
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt

LayerData = tuple[Any, dict[str, Any], str]
METADATA_KEY = "napari_autofocus"
LAYER_ENTRY = "layer"
_TEXTS = ("model", "verdict")


@dataclass(frozen=True)
class LayerPlace:
    """Where a single image lies in a viewer.

    Parameters
    ----------
    scale, translate : tuple of float
        Along y and x, in ``units``.
    units : tuple of str
        A length, or ``pixel``.
    overlay : str
        Which of our overlays it was; empty for an image.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)
    units: tuple[str, str] = ("pixel", "pixel")
    overlay: str = ""

    def __post_init__(self) -> None:
        if not all(value > 0 for value in self.scale):
            raise InputError(f"The pixels of a saved layer must have a size; found {self.scale}.")
        if any(unit != "pixel" and unit.lower() not in MICRONS for unit in self.units):
            raise InputError(f"The unit of a saved layer is a length or pixel; found {self.units}.")


def is_saved_image(path: Path) -> bool:
    """Whether a file is a single image that our writer made of a layer."""
    if path.suffix.lower() not in tiff.SUFFIXES or not path.is_file():
        return False
    try:
        return LAYER_ENTRY in made_tiff_entries(path)
    except InputError:
        return False


def read_image(path: Path) -> LayerData:
    """The layer that was saved, with its place and its origin. Raises InputError if the file is damaged."""
    said = made_tiff_entries(path)
    found = read_file(path, channel=None, position=None, need_z=False)
    place = _place(path, said[LAYER_ENTRY])
    pixels = np.asarray(found.planes[0])
    attributes = {
        "name": path.name,
        "scale": place.scale,
        "translate": place.translate,
        "units": place.units,
        "rgb": pixels.ndim == 3,
        "metadata": {METADATA_KEY: _about(said, place, found)},
    }
    return pixels, attributes, "image"


def _place(path: Path, text: str) -> LayerPlace:
    try:
        return rebuilt(LayerPlace, read_plain_json(text))
    except UNUSABLE as error:
        raise InputError(f"{path} does not say where its image lies ({error}); save the layer again.") from error


def _about(said: Mapping[str, str], place: LayerPlace, found: FileStack) -> dict[str, Any]:
    lens, kind = found.objective, said.get("kind")
    about: dict[str, Any] = {
        "pixel_size_um": lens.pixel_size_um if lens else found.pixel_size_um,
        "objective": lens.name if lens else None,
    }
    if kind == VIRTUAL:
        about[VIRTUAL] = {name: said.get(name, "") for name in _TEXTS} | {
            "fingerprint": said.get("model_fingerprint", ""),
            "inputs": [said.get("first", ""), said.get("second", "")],
            "shift_px": _numbers(said.get("shift_px", "")),
            "warnings": [said["notes"]] if said.get("notes") else [],
        }
    planes_um = _numbers(said.get("z_um", ""))
    if kind in (FUSED, DEPTH) and planes_um:
        shift_px = max(_numbers(f"[{said.get('largest_shift_px', '')}]"), default=0.0)
        about["fused"] = {"source": said.get("source", ""), "z_um": planes_um, "largest_shift_px": shift_px}
    if place.overlay:
        # Only depth maps are read by panels; other overlays are ours no more, but still no image of a camera.
        about["overlay"] = DEPTH if kind == DEPTH else f"saved {place.overlay}"
    return about


def _numbers(text: str) -> list[float]:
    """The numbers of a list; empty of anything else, which the image can be shown without."""
    try:
        return [float(number) for number in read_plain_json(text)]
    except UNUSABLE:
        return []
