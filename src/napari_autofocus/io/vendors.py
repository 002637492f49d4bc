"""Zeiss CZI and Nikon ND2 through bioio's plugins, which are optional extras."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.axes import z_planes
from napari_autofocus.io.lazy import FileStack, LazyPlanes, Plane, even_steps
from napari_autofocus.io.reading import reading

EXTRAS = {".czi": ("bioio_czi", "czi", "Zeiss CZI"), ".nd2": ("bioio_nd2", "nd2", "Nikon ND2")}
SUFFIXES = tuple(EXTRAS)


def open_vendor(path: Path, *, channel: int | str | None = None, position: int | None = None) -> FileStack:
    """What a CZI or ND2 file says about its stack.

    Raises
    ------
    InputError
        If the extra is not installed (with the command that installs it), or the file does not hold one z-stack.
    """
    image = _open(path)
    with reading(path, _what(path)):
        _choose_scene(image, path, position)
        data = _pixels(image, path)
        numbers, _ = z_planes(str(path), "TCZ", data.shape[:3], list(image.channel_names or ()), channel)
        sizes = image.physical_pixel_sizes
    readers = [partial(_read, data, path, np.unravel_index(i, data.shape[:3])) for i in numbers]
    samples = (3,) if data.ndim == 6 and data.shape[-1] >= 3 else ()
    planes = LazyPlanes(readers, (*data.shape[3:5], *samples), data.dtype)
    pixel_um = sizes.X if sizes.X and sizes.Y and np.isclose(sizes.X, sizes.Y, rtol=0.01) else None
    return FileStack(planes, z_um=even_steps(len(planes), sizes.Z) if sizes.Z else None, pixel_size_um=pixel_um)


def positions_in(path: Path) -> int:
    """How many scenes (stage positions) the file holds."""
    image = _open(path)
    with reading(path, _what(path)):
        return len(image.scenes)


def _what(path: Path) -> str:
    return f"a {EXTRAS[path.suffix.lower()][2]} file"


def _open(path: Path) -> Any:
    module, extra, name = EXTRAS[path.suffix.lower()]
    try:
        plugin = importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{path} is a {name} file, whose reader is not installed; run: pip install 'napari-autofocus[{extra}]'."
        ) from error
    from bioio import BioImage
    from bioio_base.exceptions import UnsupportedFileFormatError

    with reading(path, _what(path)):
        try:
            return BioImage(path, reader=plugin.Reader)
        except UnsupportedFileFormatError as error:
            raise ValueError("not supported by its reader") from error


def _choose_scene(image: Any, path: Path, position: int | None) -> None:
    count = len(image.scenes)
    if position is None and count > 1:
        raise InputError(f"{path} holds {count} scenes (stage positions); name one of them, as in {path}::0.")
    if position is not None and not 0 <= position < count:
        raise InputError(f"{path} has no scene {position}; it holds scenes 0 to {count - 1}.")
    image.set_scene(position or 0)


def _pixels(image: Any, path: Path) -> Any:
    """The image with the axes T, C, Z, Y, X and, for colour, S; unread, where that can be trusted."""
    lazy = image.dask_data
    # bioio-czi 3.0 repeats the first colour when it reads colour planes one by one; all at once they are right.
    return image.data if lazy.ndim == 6 and path.suffix.lower() == ".czi" else lazy


def _read(data: Any, path: Path, index: tuple[int, ...]) -> Plane:
    with reading(path, _what(path)):
        plane = np.asarray(data[index])
    if plane.ndim == 3:
        plane = plane[..., :3] if plane.shape[-1] >= 3 else plane[..., 0]
    return np.ascontiguousarray(plane)
