"""One image that no camera took as an OME-TIFF that says so, in its description and in an annotation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.io.care.tiff_opening import opened_tiff
from napari_autofocus.io.ome import WRITABLE, OmeDescription
from napari_autofocus.io.reading import reading
from napari_autofocus.optics import Objective

_BIGTIFF_BYTES = 2**31


def write_made_tiff(
    path: Path,
    image: npt.NDArray[Any],
    text: str,
    entries: Mapping[str, str],
    pixel_size_um: float | None,
    objective: Objective | None,
) -> None:
    """Write an image with what it was made of.

    Parameters
    ----------
    path : Path
        An existing file is replaced.
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        Of a type that OME-TIFF stores.
    text : str
        Its origin for people.
    entries : mapping
        Its origin for programs, plain texts by name.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm.
    objective : Objective or None
        With the camera behind it.

    Raises
    ------
    InputError
        If OME-TIFF does not store the image's type, or the file cannot be written.
    """
    if image.dtype.name not in WRITABLE:
        raise InputError(f"OME-TIFF cannot store type {image.dtype}; convert it to one of {', '.join(WRITABLE)}.")
    description = OmeDescription(
        name=path.name.split(".")[0],
        shape=(1, *image.shape),
        dtype=image.dtype,
        z_um=np.empty(0),
        pixel_size_um=pixel_size_um,
        objective=objective,
        focus_direction=1,
        text=text,
        entries=dict(entries),
    )
    with (
        replacing(path) as unfinished,
        tifffile.TiffWriter(unfinished, bigtiff=image.nbytes > _BIGTIFF_BYTES) as writer,
    ):
        writer.write(
            np.ascontiguousarray(image),
            photometric="rgb" if image.ndim == 3 else "minisblack",
            compression="zlib",
            predictor=image.dtype.kind in "ui",
            description=description.to_xml(),
            metadata=None,
        )


def made_tiff_entries(path: Path) -> dict[str, str]:
    """What a TIFF says of its making, texts by name; empty where it says nothing.

    Raises
    ------
    InputError
        If it holds no image.
    """
    with reading(path, "a TIFF"), opened_tiff(path) as tif:
        if not tif.pages:
            raise InputError(f"{path} holds no image; it is damaged or cut short: copy or export it again.")
        return OmeDescription.entries_in(tif.ome_metadata) if tif.is_ome and tif.ome_metadata else {}
