"""Folders with one image file a plane: which files are planes, and where each was taken."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.io import tiff
from napari_autofocus.io.care.limits import check_size
from napari_autofocus.io.lazy import FileStack, FloatArray, LazyPlanes, Plane, to_um
from napari_autofocus.io.reading import reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", *tiff.SUFFIXES)
PICTURES = ("PNG", "JPEG", "BMP", "DIB")
"""What Pillow may take a file without the end of a TIFF for, whatever its name: it knows forty formats, and would hand
PostScript to Ghostscript to run."""
SIDECAR = "z_um.csv"
_CODECS: list[Any] = ["png", "jpeg8"]  # the library would try every format that it knows
_MOST_CHANNELS = 4
_Z_IN_NAME = re.compile(
    r"(?<![a-z])(?:z|defocus)[ _=]?(?P<z>[+-]?\d+(?:\.\d+)?)[ _]?(?P<unit>um|µm|μm|micron|nm)(?![a-z])", re.I
)


def image_files(folder: Path) -> list[Path]:
    """Files of a folder that hold images, in natural order (``img_2`` before ``img_10``)."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
    return sorted((f for f in files if f.is_file()), key=_natural_key)


def _natural_key(path: Path) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part.lower()) for part in re.split(r"(\d+)", path.name)]


def z_from_name(name: str) -> float | None:
    """The z that a file name states with its unit, µm: ``z-010.2260um.tiff``, ``cell_z+000um.png``; else None."""
    match = _Z_IN_NAME.search(Path(name).stem if name.lower().endswith(SUFFIXES) else name)
    return to_um(match["z"], match["unit"]) if match else None


def open_folder(folder: Path, *, need_z: bool = True) -> FileStack:
    """What a folder of plane images says about its stack.

    Parameters
    ----------
    folder : Path
        Holds one image file for each plane.
    need_z : bool
        False when the user gives z: then a faulty sidecar or name is no reason to refuse.

    Raises
    ------
    InputError
        If it holds no images, images of different size, or says z for some planes only.
    """
    files = image_files(folder)
    if not files:
        raise InputError(f"{folder} holds no images ({', '.join(SUFFIXES)}); give a folder of planes or a stack file.")
    _refuse_mixed_sizes(files)
    first = read_plane(files[0])
    planes = LazyPlanes([partial(read_plane, file) for file in files], first.shape, first.dtype)
    said = FileStack(
        planes,
        names=tuple(file.name for file in files),
        unknown_z=f"does not say at which z its planes were taken (no {SIDECAR}, no z in µm in the file names)",
    )
    if not need_z:
        return said
    return _with_z(said, folder, files)


def _with_z(said: FileStack, folder: Path, files: Sequence[Path]) -> FileStack:
    """The stack with z from the sidecar, else the file names, else the files' own metadata."""
    sidecar = folder / SIDECAR
    if sidecar.is_file():
        return replace(said, z_um=_z_from_sidecar(sidecar, files))
    from_names = _z_from_names(folder, files)
    if from_names is not None:
        return replace(said, z_um=from_names)
    return _with_metadata(said, files)


def _z_from_names(folder: Path, files: Sequence[Path]) -> FloatArray | None:
    stated = [z_from_name(file.name) for file in files]
    found = [z for z in stated if z is not None]
    # The same z in every name is a setting of the whole stack (its step, say), not the position of a plane.
    if not found or (len(set(found)) == 1 and len(files) > 1 and len(found) > 1):
        return None
    if len(found) < len(files):
        without = files[stated.index(None)].name
        raise InputError(
            f"{folder}: {len(found)} of {len(files)} file names state z in µm, but {without} does not; rename it, move"
            f" it away, or list every plane in {SIDECAR} (columns file, z_um)."
        )
    return np.array(found, np.float64)


def _z_from_sidecar(sidecar: Path, files: Sequence[Path]) -> FloatArray:
    listed = read_sidecar(sidecar)
    missing = [file.name for file in files if file.name not in listed]
    if missing:
        others = f" and {len(missing) - 1} more planes" if len(missing) > 1 else ""
        raise InputError(f"{sidecar} does not list {missing[0]}{others}; add a row for each plane of the folder.")
    present = {file.name for file in files}
    absent = [name for name in listed if name not in present]
    if absent:
        raise InputError(f"{sidecar} lists {absent[0]}, which is not in the folder; add the file or remove the row.")
    return np.array([listed[file.name] for file in files], np.float64)


def read_sidecar(sidecar: Path) -> dict[str, float]:
    """Positions by file name from a table with the columns ``file`` and ``z_um``.

    Raises
    ------
    InputError
        If a column is missing, a file is listed twice or a z is not a number.
    """
    with reading(sidecar, "a table of z positions"), sidecar.open(newline="", encoding="utf-8-sig") as handle:
        table = csv.DictReader(handle)
        columns, rows = tuple(table.fieldnames or ()), list(table)
    if not {"file", "z_um"} <= set(columns):
        raise InputError(f"{sidecar} needs the columns file and z_um; it has {', '.join(columns) or 'none'}.")
    positions: dict[str, float] = {}
    for row in rows:
        name = row["file"] or ""
        if name in positions:
            raise InputError(f"{sidecar} lists {name} twice; every plane has one z.")
        positions[name] = _number(row["z_um"], f"{sidecar}: the z_um of {name}")
    return positions


def _number(text: str | None, what: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"{what} is {text!r}; give a number of µm.")
    return number


def _with_metadata(said: FileStack, files: Sequence[Path]) -> FileStack:
    """The stack with what the planes' own metadata (OME, Micro-Manager) say, if every plane's do."""
    if any(file.suffix.lower() not in tiff.SUFFIXES for file in files):
        return said
    told = [tiff.page_metadata(file) for file in files]
    positions = [z for z, _ in told if z is not None]
    sizes = {size for _, size in told}
    pixel_um = sizes.pop() if len(sizes) == 1 else None
    varied = len(positions) == len(files) and len(set(positions)) > 1
    return replace(said, z_um=np.array(positions) if varied else None, pixel_size_um=pixel_um)


def _refuse_mixed_sizes(files: Sequence[Path]) -> None:
    first = _size(files[0])
    for file in files[1:]:
        if (size := _size(file)) != first:
            raise InputError(
                f"{files[0].parent} holds planes of different size: {files[0].name} has {first[0]} x {first[1]} px,"
                f" {file.name} has {size[0]} x {size[1]} px; keep the planes of one stack in a folder of their own."
            )


def _size(file: Path) -> tuple[int, int]:
    """Height and width, px, from the header."""
    if file.suffix.lower() in tiff.SUFFIXES:
        return tiff.page_size(file)
    with reading(file, "an image"), Image.open(file, formats=PICTURES) as image:
        return image.height, image.width


def read_plane(file: Path) -> Plane:
    """The plane in an image file, shape (Y, X) or (Y, X, C)."""
    if file.suffix.lower() in tiff.SUFFIXES:
        return tiff.read_page(file)
    check_size(file, (*_size(file), _MOST_CHANNELS), np.uint8)
    with reading(file, "an image"):
        pixels = _decode(file)
    if pixels.ndim == 3:  # alpha says nothing about focus
        pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., 0]
    return np.ascontiguousarray(pixels)


def _decode(file: Path) -> Plane:
    with Image.open(file, formats=PICTURES) as image:
        # imagecodecs fills what is missing of a JPEG with grey, without a word, and reads on behind the end of a BMP.
        if image.format in ("BMP", "DIB") or file.suffix.lower() in (".jpg", ".jpeg"):
            return np.array(image.convert({"P": "RGB", "1": "L"}.get(image.mode, image.mode)))
    decoded: Plane = imagecodecs.imread(file, codec=_CODECS)
    return decoded
