"""Parts of TIFF pages (strips, tiles) that are images of their own, looked at before they are unpacked.

A JPEG inside of a TIFF says itself how large it is, and the library makes room for that, whatever the page says: three
megabytes stand for gigabytes. Other compressions are unpacked up to the size of the part, and no further.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from napari_autofocus.errors import InputError

# Unpacked into as much room as the page says: none, CCITT, LZW, deflate, PackBits, LZMA, Zstandard, EER.
_BOUNDED = {1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 34926, 50000, 65000, 65001, 65002}
_JPEG = {6, 7, 33007, 34892}
_OTHERS = {33003, 33004, 33005, 34712, 34933, 50001, 34927}  # JPEG 2000, PNG, WebP
_FORMATS = ("JPEG2000", "PNG", "WEBP")
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a JPEG's size: all but tables and one reserved
_NO_LENGTH = {0x01, *range(0xD0, 0xDA)}
_MARGIN = 16  # px to which a JPEG may be filled up


def check_parts(page: Any, path: Path) -> None:
    """Look at every part of a page that is an image of its own; the file must be open.

    Raises
    ------
    InputError
        If a part is larger than the page says, or compressed in a way that cannot be looked into.
    """
    frame = page.keyframe
    kind = int(frame.compression)
    if kind in _BOUNDED:
        return
    if kind not in _JPEG | _OTHERS:
        raise InputError(
            f"{path} is compressed as {_name(frame.compression)}, which cannot be kept from filling the memory and is"
            " not read; export it with another compression, such as deflate or LZW."
        )
    height, width = (frame.tilelength, frame.tilewidth) if frame.is_tiled else (frame.rowsperstrip, frame.imagewidth)
    file = page.parent.filehandle
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        data = file.read(count)
        found = _jpeg_size(data) if kind in _JPEG else _image_size(data)
        if found is not None and found[0] * found[1] > (height + _MARGIN) * (width + _MARGIN):
            raise InputError(
                f"{path} holds a part of {found[0]} x {found[1]} px where its page says {height} x {width}; it is"
                " damaged or made to do harm: copy or export it again."
            )


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG states; None if it states none, for the library to complain of."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:  # the library looks for the next marker, whatever stands in between
            at += 1
            continue
        marker = data[at + 1]
        if marker in _FRAMES:
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _image_size(data: bytes) -> tuple[int, int] | None:
    if not data:  # a part that is left out
        return None
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        return image.height, image.width


def _name(compression: Any) -> str:
    return str(getattr(compression, "name", compression))
