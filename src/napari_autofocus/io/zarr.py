"""OME-Zarr images (versions 0.4 and 0.5): the zarr library reads the arrays, the OME metadata say what they are.

What OME cannot say (z of every plane, objective, focus direction, colour) stands under :data:`OWN_KEY` in images of
our own, written by ``zarr_writing.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.axes import z_planes
from napari_autofocus.io.care.limits import check_size, is_below
from napari_autofocus.io.lazy import FileStack, LazyPlanes, Plane, even_steps, to_um
from napari_autofocus.io.reading import reading
from napari_autofocus.optics import Objective

OWN_KEY = "napari-autofocus"
"""Attribute of a group under which our own facts stand."""
_MARKERS = (".zattrs", ".zgroup", ".zarray", "zarr.json")
_WHAT = "an OME-Zarr image"
_LETTERS = {"t": "T", "c": "C", "z": "Z", "y": "Y", "x": "X"}


def is_zarr(folder: Path) -> bool:
    """Whether a folder is (part of) a zarr store, by the files that it must hold."""
    return folder.suffix.lower() == ".zarr" or any((folder / marker).is_file() for marker in _MARKERS)


def images_in(folder: Path) -> list[Path]:
    """The images of a store: itself, or those below it (positions, wells). A damaged one is kept, to be reported."""
    try:
        multiscales_of(folder)
    except InputError:
        below = [image for sub in sorted(folder.iterdir()) if sub.is_dir() for image in _images_below(sub)]
        return below or [folder]
    return [folder]


def _images_below(folder: Path) -> list[Path]:
    if not is_zarr(folder):
        return []
    found = images_in(folder)
    # A group without images (labels, tables) is none of ours; only the store itself is reported as damaged.
    return [image for image in found if image != folder or _has_multiscales(folder)]


def _has_multiscales(folder: Path) -> bool:
    try:
        multiscales_of(folder)
    except InputError:
        return False
    return True


def open_zarr(folder: Path, *, channel: int | str | None = None) -> FileStack:
    """What an OME-Zarr image says about its stack, at full resolution.

    Raises
    ------
    InputError
        If the store is damaged, holds no OME image, or not one z-stack.
    """
    attributes, multiscale = multiscales_of(folder)
    own = own_facts(folder)
    with reading(folder, _WHAT):
        axes = [axis_of(axis) for axis in multiscale["axes"]]
        dataset = multiscale["datasets"][0]
        array = array_of(folder, dataset["path"])
        letters = "".join(letter for letter, _ in axes)
        if letters[-2:] != "YX" or array.ndim != len(letters):
            raise InputError(
                f"{folder} has an array of shape {array.shape} for the axes {letters}; images with the axes (t, c, z,"
                " y, x), in that order, are read."
            )
        check_size(folder, array.shape[-2:], array.dtype)
        scale, offset = transform_of(multiscale, dataset, len(letters))
        if channel is None and own.get("colour") == "rgb" and letters == "CZYX" and array.shape[0] == 3:
            stack = _with_lengths(_rgb_planes(array, folder), axes, scale, offset)
        else:
            names = _channel_names(attributes)
            numbers, _ = z_planes(str(folder), letters[:-2], array.shape[:-2], names, channel)
            readers = [partial(_read, array, folder, np.unravel_index(i, array.shape[:-2])) for i in numbers]
            stack = _with_lengths(LazyPlanes(readers, array.shape[-2:], array.dtype), axes, scale, offset)
        return _with_own(stack, own)


def own_facts(folder: Path) -> Mapping[str, Any]:
    """What an image of our own says beyond OME; empty for any other. Raises InputError if the store is damaged."""
    import zarr

    with reading(folder, _WHAT):
        own = zarr.open_group(str(folder), mode="r").attrs.get(OWN_KEY, {})
        return own if isinstance(own, dict) else {}


def objective_to_json(objective: Objective) -> dict[str, Any]:
    """An objective in plain values, as :func:`open_zarr` reads it back unchanged."""
    return {
        "name": objective.name,
        "magnification": objective.magnification,
        "na": objective.na,
        "immersion": objective.immersion,
        "camera_pixel_um": objective.camera_pixel_um,
        "stated_dof_um": objective.stated_dof_um,
    }


def objective_from_json(values: Mapping[str, Any]) -> Objective:
    """The objective that :func:`objective_to_json` wrote. Raises TypeError or InputError if it is none."""
    return Objective(**{key: value for key, value in values.items() if key != "name"})


def _with_own(stack: FileStack, own: Mapping[str, Any]) -> FileStack:
    """The stack with exact z, objective and focus direction where an image of our own states them."""
    z_um, lens = own.get("z_um"), own.get("objective")
    if z_um is not None and len(z_um) == len(stack.planes):
        stack = replace(stack, z_um=np.asarray(z_um, np.float64))
    if lens is not None:
        stack = replace(stack, objective=objective_from_json(lens))
    return replace(stack, focus_direction=-1 if own.get("focus_direction") == -1 else 1)


def _rgb_planes(array: Any, folder: Path) -> LazyPlanes:
    """Colour planes (Y, X, 3) of an image whose channels are red, green and blue."""

    def read(index: int) -> Plane:
        return np.ascontiguousarray(np.moveaxis(_read(array, folder, (slice(None), index)), 0, -1))

    return LazyPlanes([partial(read, i) for i in range(array.shape[1])], (*array.shape[-2:], 3), array.dtype)


def multiscales_of(folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The OME attributes of a group, and its first multiscale image."""
    import zarr

    with reading(folder, _WHAT):
        attributes = dict(zarr.open_group(str(folder), mode="r").attrs)
        ome: Mapping[str, Any] = attributes.get("ome", attributes)
        multiscales = ome.get("multiscales")
        if not multiscales:
            found = ", ".join(attributes) or "no attributes"
            raise InputError(
                f"{folder} is a zarr group without an OME image (no multiscales, only {found}); give one with."
            )
        return ome, multiscales[0]


def array_of(folder: Path, name: Any) -> Any:
    """An array of a group, inside of :func:`reading`; for :func:`read_part`.

    Raises
    ------
    InputError
        If it lies elsewhere, would take too much memory, or is unpacked by what can run code or knows no bounds.
    """
    import zarr

    from napari_autofocus.io.care.zarr_parts import bounded

    if not isinstance(name, str) or not is_below(name):
        raise InputError(f"{folder} says that its pixels lie in {name!r}, outside itself; export it again.")
    array = zarr.open_array(str(folder / name), mode="r")
    if array.dtype.kind not in "uifb" or "pickle" in repr(array.metadata).lower():
        raise InputError(f"{folder} holds {array.dtype} objects instead of pixels; export it again.")
    check_size(folder, array.chunks, array.dtype)
    return bounded(array, folder)


def axis_of(axis: Any) -> tuple[str, str | None]:
    """Letter and unit of an axis; versions before 0.4 give the bare name."""
    if isinstance(axis, str):
        return _LETTERS.get(axis, "Q"), None
    return _LETTERS.get(axis["name"].lower(), "Q"), axis.get("unit")


def _channel_names(attributes: Mapping[str, Any]) -> list[str]:
    return [str(channel.get("label", "")) for channel in attributes.get("omero", {}).get("channels", [])]


def transform_of(multiscale: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int) -> tuple[Plane, Plane]:
    """Scale and translation of the full resolution along each axis, in the axes' units."""
    scale, offset = np.ones(ndim), np.zeros(ndim)
    steps = [*dataset.get("coordinateTransformations", []), *multiscale.get("coordinateTransformations", [])]
    for step in steps:
        if step["type"] == "scale":
            factor = _vector(step["scale"], ndim)
            scale, offset = scale * factor, offset * factor
        elif step["type"] == "translation":
            offset = offset + _vector(step["translation"], ndim)
    return scale, offset


def _vector(numbers: Any, ndim: int) -> Plane:
    vector = np.asarray(numbers, np.float64)
    if vector.shape != (ndim,):
        raise ValueError(f"a transformation has {vector.size} numbers for {ndim} axes")
    return vector


def _read(array: Any, folder: Path, index: tuple[Any, ...]) -> Plane:
    from napari_autofocus.io.care.zarr_parts import read_part

    with reading(folder, _WHAT):
        return read_part(array, (*index, *[slice(None)] * (array.ndim - len(index))), folder)


def _with_lengths(planes: LazyPlanes, axes: list[tuple[str, str | None]], scale: Plane, offset: Plane) -> FileStack:
    """The stack with z and pixel size in µm, where the axes state a unit of length."""
    letters = [letter for letter, _ in axes]
    lengths = {letter: to_um(scale[i], unit) for i, (letter, unit) in enumerate(axes)}
    x_um, y_um, step_um = lengths.get("X"), lengths.get("Y"), lengths.get("Z")
    pixel_um = x_um if x_um and y_um and np.isclose(x_um, y_um, rtol=0.01) else None
    if "Z" in letters and not step_um:
        z_scale = scale[letters.index("Z")]
        said = f"states a z scale of {z_scale:g} without a unit of length"
        return FileStack(planes, pixel_size_um=pixel_um, unknown_z=said)
    if not step_um:
        return FileStack(planes, pixel_size_um=pixel_um)
    z = letters.index("Z")
    start_um = to_um(offset[z], axes[z][1]) or 0.0
    return FileStack(planes, z_um=even_steps(len(planes), step_um) + start_um, pixel_size_um=pixel_um)
