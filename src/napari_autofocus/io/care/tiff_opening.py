"""TIFF files opened with care: what a file says of itself is looked at before the library follows it.

The library follows a chain of pages that goes in circles for ever, makes room for as many planes as a description
announces, and opens the files that one names, wherever they lie.
"""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.io.care.limits import check_count, check_size, is_plain_name

_CLASSIC, _BIG = 42, 43
_MOST_TAGS = 4096  # as the library has it


@contextmanager
def opened_tiff(path: Path) -> Iterator[Any]:
    """A TIFF file whose chain of pages ends; inside of :func:`reading`.

    Raises
    ------
    InputError
        If the chain goes in circles.
    """
    _check_chain(path)
    with tifffile.TiffFile(path) as tif:
        yield tif


def series_of(tif: Any, path: Path) -> Any:
    """The images of a file, after a look at what it says of them.

    Raises
    ------
    InputError
        If it announces more planes than any file has, names files elsewhere, or is part of a data set that has an own
        reader.
    """
    if is_of_a_set(tif):
        raise InputError(f"{path} is part of a Micro-Manager data set without its index; give the folder of the set.")
    if tif.is_ome and tif.ome_metadata:
        page = tif.pages.first
        _check_description(path, tif.ome_metadata, max(1, int(page.imagewidth) * int(page.imagelength)))
    return tif.series


def is_of_a_set(tif: Any) -> bool:
    """Whether the library would look for the file's pages in other files of Micro-Manager."""
    return any(getattr(tif, name, False) for name in ("is_ndtiff", "is_mmstack"))


def check_page(page: Any, path: Path) -> None:
    """Raise InputError if a page, or a part of it that is unpacked at once, is larger than any frame."""
    if page.dtype is None:
        raise InputError(f"{path} holds numbers of a kind that is not known; export it with 8 or 16 bits a pixel.")
    check_size(path, page.shape, page.dtype)
    check_size(path, page.chunks, page.dtype)


def _check_chain(path: Path) -> None:
    with path.open("rb") as file:
        seen: set[int] = set()
        for offset in _chain(file):
            if offset in seen:
                raise InputError(f"{path} is damaged: its chain of pages goes in circles; copy or export it again.")
            seen.add(offset)
            check_count(path, len(seen))


def _chain(file: BinaryIO) -> Iterator[int]:
    """Where the directories of a TIFF lie, as far as their chain can be followed."""
    order = {b"II": "<", b"MM": ">"}.get(file.read(2), "")
    if not order:
        return
    try:
        (version,) = struct.unpack(order + "H", file.read(2))
        is_big = version == _BIG
        if version not in (_CLASSIC, _BIG):
            return
        file.seek(8 if is_big else 4)
        place, count, entry = (order + "Q", order + "Q", 20) if is_big else (order + "I", order + "H", 12)
        size = struct.calcsize(place)
        (offset,) = struct.unpack(place, file.read(size))
        while offset:
            yield offset
            file.seek(offset)
            (entries,) = struct.unpack(count, file.read(struct.calcsize(count)))
            if entries > _MOST_TAGS:
                return
            file.seek(entries * entry, 1)
            (offset,) = struct.unpack(place, file.read(size))
    except (struct.error, OSError, OverflowError):
        return


def _check_description(path: Path, xml: str, page_px: int) -> None:
    root = ET.fromstring(xml)
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "Pixels":
            # The library counts as many pages as hold all the pixels.
            check_count(path, math.prod(max(1, _number(element, f"Size{axis}")) for axis in "CZTYX") // page_px)
        elif tag == "TiffData":
            check_count(path, max(_number(element, name) for name in ("PlaneCount", "NumPlanes", "IFD")))
        elif tag == "UUID" and not is_plain_name(element.get("FileName", "unnamed")):
            raise InputError(
                f"{path} says that some of its planes lie in {element.get('FileName')!r}, outside its own folder, where"
                " nothing is looked for; copy all files of the set into one folder and export it again."
            )


def _number(element: ET.Element, name: str) -> int:
    try:
        return int(element.get(name, "0"))
    except ValueError:
        return 0  # the library complains of it
