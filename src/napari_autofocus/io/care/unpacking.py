"""Compressed bytes unpacked up to a size that is known beforehand, and not a byte further."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from typing import Any

PACKERS = ("blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma")
"""What can be unpacked so, by the names that zarr gives them."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_HEADER = 18  # bytes of the longest


class UnpacksToMore(ValueError):
    """Something would unpack to more than there is room for."""


def stated_size(packer: str, packed: memoryview) -> int | None:
    """The size that stands in front of what is packed, and that its library keeps to; None where there is none.

    Parameters
    ----------
    packer : str
        One of :data:`PACKERS`.
    packed : memoryview
        All of it, as bytes.

    Raises
    ------
    ValueError
        If it is shorter than it says.
    """
    if packer == "blosc":
        if int.from_bytes(packed[12:16], "little") > len(packed):  # its library would read on behind the end
            raise ValueError("compressed data are cut short")
        return int.from_bytes(packed[4:8], "little")
    if packer == "lz4":
        return int.from_bytes(packed[:4], "little")
    return _zstd_size(packed) if packer == "zstd" else None


def unpacked(packer: str, options: Mapping[str, Any], packed: bytes, room: int) -> bytes:
    """What something unpacks to that states no size.

    Parameters
    ----------
    packer : str
        One of :data:`PACKERS`, other than blosc and lz4.
    options : mapping
        How it was packed.
    packed : bytes
        What to unpack.
    room : int
        Bytes that may come out.

    Raises
    ------
    UnpacksToMore
        If there is more in it.
    Exception
        Of the library, if it is damaged.
    """
    if packer == "zlib":
        found = _inflated(packed, room + 1)
    else:
        with _OPENERS[packer](packed, options) as stream:
            found = stream.read(room + 1)
    if len(found) > room:
        raise UnpacksToMore
    return found


def _zstd_size(packed: memoryview) -> int | None:
    """Content size of the first frame (RFC 8878, 3.1.1.1); the library makes no room for others."""
    if packed[:4] != _ZSTD_MAGIC or len(packed) < _ZSTD_HEADER:
        return None
    descriptor = packed[4]
    is_single = descriptor >> 5 & 1
    width = (is_single, 2, 4, 8)[descriptor >> 6]
    at = 6 - is_single + (0, 1, 2, 4)[descriptor & 3]
    size = int.from_bytes(packed[at : at + width], "little")
    return (size + 256 if width == 2 else size) if width else None


def _inflated(packed: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    found = stream.decompress(packed, most)
    if len(found) < most and not stream.eof:
        raise ValueError("compressed data are cut short")
    return found


def _zstd(packed: bytes, _options: Mapping[str, Any]) -> Any:
    import pyarrow as pa  # slow to import

    return pa.CompressedInputStream(pa.BufferReader(packed), "zstd")


def _gzip(packed: bytes, _options: Mapping[str, Any]) -> Any:
    return gzip.GzipFile(fileobj=io.BytesIO(packed))


def _bz2(packed: bytes, _options: Mapping[str, Any]) -> Any:
    import bz2  # not in every Python

    return bz2.BZ2File(io.BytesIO(packed))


def _lzma(packed: bytes, options: Mapping[str, Any]) -> Any:
    import lzma  # not in every Python

    return lzma.LZMAFile(io.BytesIO(packed), format=options.get("format"), filters=options.get("filters"))


_OPENERS: dict[str, Callable[[bytes, Mapping[str, Any]], Any]] = {
    "zstd": _zstd,
    "gzip": _gzip,
    "bz2": _bz2,
    "lzma": _lzma,
}
