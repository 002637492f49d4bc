"""What napari's Save dialog calls: an image layer into an OME-TIFF that our reader opens as it was.

A z-stack keeps its z, pixel size, objective and focus direction. A single image keeps its place and its origin: one
that no camera took says so in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io.fused import DEPTH, FUSED, FusedOrigin
from napari_autofocus.io.lazy import even_steps, to_um
from napari_autofocus.io.made_tiff import write_made_tiff
from napari_autofocus.io.napari_layers import LAYER_ENTRY, METADATA_KEY, LayerPlace
from napari_autofocus.io.virtual import VIRTUAL, VirtualOrigin
from napari_autofocus.io.writing import write_stack
from napari_autofocus.optics import Objective

SUFFIX = ".ome.tif"
_SUFFIXES = (".tif", ".tiff")
_CAMERA = "camera"


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image layer as OME-TIFF.

    Parameters
    ----------
    path : str
        ``.ome.tif`` is added to a name without an ending.
    data : array or sequence of arrays
        Axes (Z,) Y, X (and colour); of several resolutions the first.
    attributes : dict
        As napari hands them over. What our reader said of the layer is kept, else its scale and units count.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    InputError
        If the layer has more axes, nobody knows the z of its planes, or the file cannot hold or take it.
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        target = target.with_name(target.name + SUFFIX)
    pixels = data[0] if attributes.get("multiscale") else data
    axes = pixels.ndim - bool(attributes.get("rgb"))
    if axes == 2:
        return [str(_write_image(target, np.asarray(pixels), attributes))]
    if axes == 3:
        return [str(write_stack(target, _stack(pixels, attributes)))]
    raise InputError(
        f"The layer has {axes} axes; an OME-TIFF of a field has Z, Y and X, or Y and X: split the channels or time"
        " points (right-click the layer, Split Stack), and save each."
    )


def _stack(data: Any, attributes: Mapping[str, Any]) -> ZStack:
    about = _about(attributes)
    scale_um = _in_um(attributes, "scale", 3)
    z_um = about.get("z_um")
    if z_um is None or len(z_um) != len(data):
        if scale_um[0] is None:
            raise InputError("The layer does not say its z step in µm; set its scale and units first.")
        start_um = _in_um(attributes, "translate", 3)[0] or 0.0
        z_um = even_steps(len(data), scale_um[0]) + start_um
    return ZStack.from_unsorted(
        data,
        z_um,
        pixel_size_um=scale_um[-1],
        source=str(attributes.get("name", "")),
        objective=_objective(about, scale_um[-1]),
        focus_direction=about.get("focus_direction", 1),
    )


def _write_image(target: Path, pixels: np.ndarray, attributes: Mapping[str, Any]) -> Path:
    about = _about(attributes)
    pixel_um = _in_um(attributes, "scale", 2)[-1]
    text, entries = _origin(about)
    place = LayerPlace(
        scale=_pair(attributes.get("scale"), 1.0),
        translate=_pair(attributes.get("translate"), 0.0),
        units=_unit_names(attributes),
        overlay="" if about.get("overlay") == _CAMERA else str(about.get("overlay", "")),
    )
    entries[LAYER_ENTRY] = json.dumps(asdict(place))
    # The objective's camera goes with the pixels of the image, not with the coarser ones of a map laid over it.
    lens = _objective(about, about.get("pixel_size_um") or pixel_um)
    write_made_tiff(target, pixels, text, entries, pixel_um, lens)
    return target


def _origin(about: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What an image was made of, for people and for programs."""
    if VIRTUAL in about:
        made = about[VIRTUAL]
        first, second = (*made.get("inputs", ()), "", "")[:2]
        origin = VirtualOrigin(
            model=str(made.get("model", "")),
            fingerprint=str(made.get("fingerprint", "")),
            first=str(first),
            second=str(second),
            shift_px=_pair(made.get("shift_px"), 0.0),
            verdict=str(made.get("verdict", "")),
            notes=tuple(str(note) for note in (*made.get("reasons", ()), *made.get("warnings", ()))),
        )
        return origin.sentence(), origin.entries()
    if "fused" in about:
        made, kind = about["fused"], DEPTH if about.get("overlay") == DEPTH else FUSED
        fused = FusedOrigin(str(made["source"]), tuple(made["z_um"]), float(made["largest_shift_px"]))
        return fused.sentence(kind), fused.entries(kind)
    return "", {"kind": "image"}


def _about(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader or a panel of ours said of the layer."""
    found = (attributes.get("metadata") or {}).get(METADATA_KEY, {})
    return found if isinstance(found, dict) else {}


def _objective(about: Mapping[str, Any], pixel_um: float | None) -> Objective | None:
    lens = about.get("objective")
    return Objective.parse(lens, pixel_size_um=pixel_um) if lens else None


def _in_um(attributes: Mapping[str, Any], name: str, axes: int) -> list[float | None]:
    """Lengths of the layer along its axes, µm; None where a unit is none of length."""
    values, units = attributes.get(name), attributes.get("units") or ()
    if values is None or len(values) != axes or len(units) != axes:
        return [None] * axes
    return [to_um(value, str(unit)) for value, unit in zip(values, units, strict=True)]


def _pair(values: Sequence[float] | None, otherwise: float) -> tuple[float, float]:
    if values is None or len(values) != 2:
        return otherwise, otherwise
    return float(values[0]), float(values[1])


def _unit_names(attributes: Mapping[str, Any]) -> tuple[str, str]:
    first, second = (str(unit) for unit in attributes.get("units") or ("pixel", "pixel"))
    return first, second
