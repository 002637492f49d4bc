"""A z-stack into an OME-TIFF: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io.ome import WRITABLE, OmeDescription

__all__ = ["replacing", "write_stack"]

_BIGTIFF_BYTES = 2**31  # with room to spare below the 4 GB that classic TIFF can address


def write_stack(path: str | os.PathLike[str], stack: ZStack) -> Path:
    """Write a stack as a deflate-compressed OME-TIFF that :func:`open_stack` reads back unchanged.

    Planes are taken one at a time, so a stack larger than memory can be written.

    Parameters
    ----------
    path : path-like
        Ends in ``.tif`` or ``.tiff`` (better ``.ome.tif``); an existing file is replaced.
    stack : ZStack
        Grey (Z, Y, X) or RGB (Z, Y, X, 3), of any type that OME-TIFF knows.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If the data cannot be stored or the file cannot be written; nothing is left behind then.
    """
    target = Path(path)
    shape, dtype = _checked_shape(target, stack)
    description = OmeDescription(
        name=target.name.split(".")[0],
        shape=shape,
        dtype=dtype,
        z_um=stack.z_um,
        pixel_size_um=stack.pixel_size_um,
        objective=stack.objective,
        focus_direction=stack.focus_direction,
    )
    with replacing(target) as temporary:
        _write_pages(temporary, stack, description)
    return target


def _checked_shape(target: Path, stack: ZStack) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"A stack is written as OME-TIFF, but {target.name} does not end in .tif; name it so.")
    first = stack.plane(0)
    if first.dtype.name not in WRITABLE:
        raise InputError(
            f"OME-TIFF cannot store type {first.dtype}; convert the stack to one of {', '.join(WRITABLE)}."
        )
    if first.ndim == 3 and first.shape[2] != 3:
        raise InputError(f"Colour images have 3 samples a pixel; this stack has {first.shape[2]}.")
    return (len(stack), *first.shape), first.dtype


def _write_pages(path: Path, stack: ZStack, description: OmeDescription) -> None:
    bigtiff = int(np.prod(description.shape)) * description.dtype.itemsize > _BIGTIFF_BYTES
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        for index in range(len(stack)):
            _write_page(writer, stack.plane(index), description.to_xml() if index == 0 else None)


def _write_page(writer: tifffile.TiffWriter, plane: npt.NDArray[Any], xml: bytes | None) -> None:
    writer.write(
        np.ascontiguousarray(plane),
        photometric="rgb" if plane.ndim == 3 else "minisblack",
        compression="zlib",
        predictor=plane.dtype.kind in "ui",
        description=xml,
        metadata=None,
        contiguous=False,
    )
