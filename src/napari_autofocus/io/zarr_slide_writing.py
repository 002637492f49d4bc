"""A whole slide into an OME-Zarr image (version 0.5) with a pyramid, tile by tile, in any order, by several processes.

Tiles that begin and end on borders of chunks never meet in one file, and zarr replaces a file as a whole: whatever was
killed is written again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import OWN_KEY
from napari_autofocus.io.zarr_writing import VERSION

CHUNK_PX = 512
COARSEST_PX = 1024
"""Levels follow until both sides of one are shorter."""
Plane = npt.NDArray[Any]
_RGB = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}


@dataclass(frozen=True)
class SlideCanvas:
    """An image that is being written; it may be opened in several processes, and pickled.

    Parameters
    ----------
    path : Path
        Its group.
    """

    path: Path

    @classmethod
    def create(
        cls, path: Path, shape: tuple[int, int], channels: int, dtype: npt.DTypeLike, *, chunk_px: int = CHUNK_PX
    ) -> SlideCanvas:
        """Begin an image, in place of whatever lies there.

        Parameters
        ----------
        path : Path
            Its group.
        shape : tuple of int
            Height and width, px.
        channels : int
            3 for red, green and blue, otherwise 1.
        dtype : dtype
            Of the grey values.
        chunk_px : int
            Side of a chunk, px.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        import zarr

        with writing(path):
            shutil.rmtree(path, ignore_errors=True)
            group = zarr.open_group(str(path), mode="w", zarr_format=3)
            colour = (3,) if channels == 3 else ()
            for level, sides in enumerate(level_shapes(shape)):
                group.create_array(
                    str(level),
                    shape=(*colour, *sides),
                    chunks=(*colour, chunk_px, chunk_px),
                    dtype=dtype,
                    fill_value=0,
                    dimension_names=["c", "y", "x"] if colour else ["y", "x"],
                )
        return cls(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return SlideCanvas, (self.path,)

    @cached_property
    def _arrays(self) -> list[Any]:
        import zarr

        names = sorted((each.name for each in self.path.iterdir() if each.name.isdigit()), key=int)
        return [zarr.open_array(str(self.path / name), mode="r+") for name in names]

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Height and width of each level, px."""
        return [array.shape[-2:] for array in self._arrays]

    def write(self, level: int, y: int, x: int, image: Plane) -> None:
        """Put an image (Y, X) or (Y, X, 3) with its upper left corner at (y, x); what hangs over is cut off.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        array = self._arrays[level]
        height, width = array.shape[-2:]
        part = image[: height - y, : width - x]
        where = slice(y, y + part.shape[0]), slice(x, x + part.shape[1])
        with writing(self.path):
            if array.ndim == 3:
                array[(slice(None), *where)] = np.moveaxis(part, -1, 0)
            else:
                array[where] = part

    def read(self, level: int, rows: slice, columns: slice) -> Plane:
        """What stands there so far, shape (Y, X) or (Y, X, 3); zero where nothing does."""
        array = self._arrays[level]
        if array.ndim == 3:
            return np.ascontiguousarray(np.moveaxis(np.asarray(array[:, rows, columns]), 0, -1))
        return np.asarray(array[rows, columns])

    def halve(self, level: int, y: int, x: int, side: int) -> None:
        """Fill a square of a level with the means of 2 x 2 px of the level before it."""
        height, width = self.levels[level]
        rows, columns = min(side, height - y), min(side, width - x)
        source = self.read(level - 1, slice(2 * y, 2 * (y + rows)), slice(2 * x, 2 * (x + columns)))
        self.write(level, y, x, halved(source))

    def finish(self, facts: Mapping[str, Any], *, name: str, pixel_size_um: float | None, reduction: int = 1) -> None:
        """Say what the image is, which makes it valid.

        Parameters
        ----------
        facts : mapping
            Plain values, kept under our own key.
        name : str
            Of the image.
        pixel_size_um : float or None
            Of the finest level, µm; None where nobody knows.
        reduction : int
            Side of the square that a pixel of the finest level stands for, px of the image that this one lies over.
        """
        import zarr

        is_rgb = self._arrays[0].ndim == 3
        ome: dict[str, Any] = {
            "version": VERSION,
            "multiscales": [_multiscale(name, len(self._arrays), pixel_size_um, is_rgb, reduction)],
        }
        if is_rgb:
            ome["omero"] = {"channels": _colours(self._arrays[0].dtype, facts.get("bit_depth"))}
        with writing(self.path):
            zarr.open_group(str(self.path), mode="r+").attrs.update({"ome": ome, OWN_KEY: dict(facts)})


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Heights and widths from full resolution down, each half of the one before, px."""
    shapes = [shape]
    while max(shapes[-1]) >= COARSEST_PX:
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))
    return shapes


def halved(image: Plane, times: int = 1) -> Plane:
    """Means of 2 x 2 px, as often as said; an odd last row or column stands for two."""
    for _ in range(times):
        height, width = image.shape[:2]
        even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        image = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return image


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence, an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); make room on the disk or choose another folder,"
            " then give the same command: finished tiles are kept."
        ) from error


def _multiscale(name: str, levels: int, pixel: float | None, is_rgb: bool, reduction: int) -> dict[str, Any]:
    colour = [{"name": "c", "type": "channel"}] if is_rgb else []
    unit = {"unit": "micrometer"} if pixel else {}
    lead = [1.0] if is_rgb else []
    datasets = []
    finest = pixel or float(reduction)
    for level in range(levels):
        step = finest * 2**level
        start = (step - finest / reduction) / 2  # a coarse pixel lies in the middle of those that it stands for
        steps = [
            {"type": "scale", "scale": [*lead, step, step]},
            {"type": "translation", "translation": [*(0.0 for _ in lead), start, start]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    axes = [*colour, *({"name": axis, "type": "space", **unit} for axis in "yx")]
    return {"name": name, "axes": axes, "datasets": datasets, "type": "mean of 2 x 2"}


def _colours(dtype: np.dtype[Any], bit_depth: int | None) -> list[dict[str, Any]]:
    most = 1 if dtype.kind == "f" else 2 ** (bit_depth or 8 * dtype.itemsize) - 1
    window = {"min": 0, "start": 0, "end": most, "max": most}
    return [{"label": name, "color": code, "active": True, "window": window} for name, code in _RGB.items()]
