"""All-in-focus images and depth maps into files that say what they were made of.

The image is written as OME-TIFF, or as a plain picture; the depth map as OME-TIFF with a value in µm for each pixel,
NaN where no depth can be told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.io.made_tiff import made_tiff_entries, write_made_tiff
from napari_autofocus.io.virtual import check_image_path
from napari_autofocus.optics import Objective

FUSED = "all in focus"
DEPTH = "depth of focus"
_TIFF = (".tif", ".tiff")
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class FusedOrigin:
    """What an all-in-focus image, or its depth map, was made of.

    Parameters
    ----------
    source : str
        The stack.
    z_um : tuple of float
        Drive position of each of its planes, µm.
    largest_shift_px : float
        How far planes were moved sideways before they were fused, at most, px.
    """

    source: str
    z_um: tuple[float, ...]
    largest_shift_px: float = 0.0

    def sentence(self, kind: str) -> str:
        """For people."""
        what = (
            "All-in-focus image: no camera took it. Every part comes from the planes in which it is sharp,"
            if kind == FUSED
            else "Depth map: drive position at which each pixel is sharpest, µm, NaN where that cannot be told,"
        )
        low, high = min(self.z_um), max(self.z_um)
        return f"{what} of {len(self.z_um)} planes of {self.source}, z {low:g} to {high:g} µm."

    def entries(self, kind: str) -> dict[str, str]:
        """For programs: plain texts by name."""
        return {
            "kind": kind,
            "source": self.source,
            "z_um": json.dumps([round(float(z_um), 4) for z_um in self.z_um]),
            "largest_shift_px": f"{self.largest_shift_px:.3f}",
        }


def check_depth_path(path: Path) -> None:
    """Refuse a file that could not hold a depth map, before any work is done for it. Raises InputError."""
    if path.suffix.lower() not in _TIFF:
        raise InputError(f"A depth map is written as .ome.tif or .tif; {path.name!r} is neither: change its ending.")
    check_image_path(path)


def write_fused_image(
    path: Path,
    image: npt.NDArray[Any],
    origin: FusedOrigin,
    *,
    pixel_size_um: float | None = None,
    objective: Objective | None = None,
) -> Path:
    """Write an all-in-focus image with its origin.

    Parameters
    ----------
    path : Path
        As for a virtual image (``.ome.tif`` keeps most; ``.png`` and ``.jpg`` hold u8); an existing file is replaced.
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        The image.
    origin : FusedOrigin
        Written into a TIFF.
    pixel_size_um : float, optional
        Size of a pixel in the sample, µm.
    objective : Objective, optional
        With the camera behind it.

    Raises
    ------
    InputError
        If the file cannot hold such an image, or cannot be written.
    """
    check_image_path(path)
    if path.suffix.lower() in _TIFF:
        write_made_tiff(path, image, origin.sentence(FUSED), origin.entries(FUSED), pixel_size_um, objective)
        return path
    if image.dtype != np.uint8:
        raise InputError(f"{path.name} cannot hold an image of type {image.dtype}; name it .ome.tif.")
    kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    with replacing(path) as unfinished:
        Image.fromarray(image).save(unfinished, format=kind, quality=_JPEG_QUALITY)
    return path


def write_depth(
    path: Path,
    depth_um: npt.NDArray[np.float32],
    origin: FusedOrigin,
    *,
    pixel_size_um: float | None = None,
    objective: Objective | None = None,
) -> Path:
    """Write a depth map, float32, µm, NaN where no depth is told.

    Raises
    ------
    InputError
        If the file is no TIFF, or cannot be written.
    """
    check_depth_path(path)
    depth_um = depth_um.astype(np.float32)
    write_made_tiff(path, depth_um, origin.sentence(DEPTH), origin.entries(DEPTH), pixel_size_um, objective)
    return path


def fused_origin(path: Path) -> dict[str, str]:
    """What a TIFF says of its making, texts by name; empty where it is none of ours."""
    said = made_tiff_entries(path)
    return said if said.get("kind") in (FUSED, DEPTH) else {}
