"""A whole slide in an OME-Zarr image (versions 0.4 and 0.5), read a rectangle at a time, whatever its chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.io.lazy import to_um
from napari_autofocus.io.reading import reading
from napari_autofocus.io.zarr import (
    array_of,
    axis_of,
    images_in,
    is_zarr,
    multiscales_of,
    objective_from_json,
    own_facts,
    transform_of,
)
from napari_autofocus.optics import Objective

_WHAT = "a slide in OME-Zarr"
_PROBES = 4  # rectangles looked at for the digest, along each side
_PROBE_PX = 32


@dataclass(frozen=True, eq=False)
class SlideImage:
    """One image of a slide, still in its file.

    Parameters
    ----------
    path : Path
        The group that holds it.
    shape : tuple of int
        Height and width, px.
    channels : int
        3 for red, green and blue, otherwise 1.
    dtype : np.dtype
        Of its grey values.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm; None where the file does not say.
    objective : Objective or None
        With the camera that this pixel size implies; None where the file does not say.
    facts : mapping
        What an image of our own says beyond OME.
    array : zarr array
        Full resolution.
    axes : str
        Letters of its axes.
    """

    path: Path
    shape: tuple[int, int]
    channels: int
    dtype: np.dtype[Any]
    pixel_size_um: float | None
    objective: Objective | None
    facts: Mapping[str, Any] = field(repr=False)
    array: Any = field(repr=False)
    axes: str = "YX"

    @property
    def bit_depth(self) -> int | None:
        """Bits that the camera used; None where the file does not say."""
        bits = self.facts.get("bit_depth")
        return bits if isinstance(bits, int) else None

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """A rectangle that lies inside, shape (Y, X) or (Y, X, 3). Raises InputError if the file is damaged there."""
        from napari_autofocus.io.care.zarr_parts import read_part

        index = tuple(self._index(letter, rows, columns) for letter in self.axes)
        with reading(self.path, _WHAT):
            values = read_part(self.array, index, self.path)
        return np.ascontiguousarray(np.moveaxis(values, 0, -1)) if self.channels == 3 else values

    def _index(self, letter: str, rows: slice, columns: slice) -> slice | int:
        if letter == "C" and self.channels == 3:
            return slice(None)
        return {"Y": rows, "X": columns}.get(letter, 0)

    def digest(self) -> str:
        """What tells this slide from another of the same shape: SHA-256 over a few small rectangles."""
        found = hashlib.sha256()
        for y in np.linspace(0, max(0, self.shape[0] - _PROBE_PX), _PROBES).astype(int):
            for x in np.linspace(0, max(0, self.shape[1] - _PROBE_PX), _PROBES).astype(int):
                found.update(self.read(slice(y, y + _PROBE_PX), slice(x, x + _PROBE_PX)).tobytes())
        return found.hexdigest()[:16]


def open_slide(path: Path) -> SlideImage:
    """What an OME-Zarr image says of a slide.

    Parameters
    ----------
    path : Path
        The image's group, or a store that holds this one image; of several, name the group.

    Raises
    ------
    InputError
        If it is missing, damaged, or no single plane of one channel or of red, green and blue.
    """
    folder = _image_folder(path)
    _, multiscale = multiscales_of(folder)
    with reading(folder, _WHAT):
        axes = [axis_of(axis) for axis in multiscale["axes"]]
        dataset = multiscale["datasets"][0]
        array = array_of(folder, dataset["path"])
        letters = "".join(letter for letter, _ in axes)
        channels = _channels(folder, letters, tuple(array.shape))
        scale, _ = transform_of(multiscale, dataset, len(letters))
        y_um, x_um = (to_um(scale[i], axes[i][1]) for i in (-2, -1))
        pixel_um = x_um if x_um and y_um and np.isclose(x_um, y_um, rtol=0.01) else None
        facts = own_facts(folder)
        lens = facts.get("objective")
        objective = None if lens is None else objective_from_json(lens)
    if objective is not None and pixel_um is not None:
        objective = objective.with_pixel_size(pixel_um)
    height, width = array.shape[-2:]
    return SlideImage(folder, (height, width), channels, array.dtype, pixel_um, objective, facts, array, letters)


def _image_folder(path: Path) -> Path:
    if not path.is_dir() or not is_zarr(path):
        raise InputError(f"{path} is no OME-Zarr slide; give the folder of one (.zarr).")
    images = images_in(path)
    if len(images) > 1:
        names = ", ".join(str(image.relative_to(path)) for image in images)
        raise InputError(f"{path} holds {len(images)} images ({names}); name one of them, as in {images[0]}.")
    return images[0]


def _channels(folder: Path, letters: str, shape: tuple[int, ...]) -> int:
    """1 or 3; every other axis must have length 1."""
    sizes = dict(zip(letters, shape, strict=False))
    known = letters[-2:] == "YX" and len(letters) == len(shape) and len(sizes) == len(shape)
    others = [letter for letter in letters[:-2] if letter != "C" and sizes[letter] != 1]
    if not known or others or sizes.get("C", 1) not in (1, 3):
        raise InputError(
            f"{folder} has the axes {letters.lower()} of shape {shape}; a slide is one plane (y, x) or (c, y, x) with"
            " 1 or 3 channels: export it so."
        )
    return sizes.get("C", 1)
