"""Parts (chunks) of zarr arrays, read and unpacked no further than the array itself says that they are large.

The zarr library unpacks whatever a part holds before it looks at its size: twelve kilobytes become four hundred
megabytes. So each of its codecs is put behind one that knows how much may come out, and its store behind one that knows
how much a part may take on the disk. A codec that is not known here is refused.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from numcodecs.abc import Codec as Numcodec  # type: ignore[import-untyped]
from numcodecs.compat import ensure_ndarray  # type: ignore[import-untyped]
from zarr.abc.codec import BytesBytesCodec
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.codecs import ShardingCodec
from zarr.storage import StorePath, WrapperStore

from napari_autofocus.errors import InputError
from napari_autofocus.io.care import limits
from napari_autofocus.io.care.unpacking import PACKERS, UnpacksToMore, stated_size, unpacked

MOST_PARTS = 25_000
"""Parts that are read at once; each takes a tenth of a millisecond and two kilobytes, whether it is there or not."""
_WIDEST = 16  # bytes of the widest number, which a filter may have made of a byte
_HARMLESS = (
    *("bytes", "transpose", "crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"),
    *("shuffle", "delta", "bitround", "fixedscaleoffset", "quantize", "astype"),
)


def bounded(array: Any, source: Path) -> Any:
    """The same array, no part of which takes more memory than its description states.

    Parameters
    ----------
    array : zarr.Array
        Opened for reading.
    source : Path
        What to name in a refusal.

    Raises
    ------
    InputError
        If a codec is not known. Reading the result raises it where a part is too large.
    """
    metadata = array.metadata
    if metadata.zarr_format == 2:
        size = math.prod(metadata.chunks) * array.dtype.itemsize
        compressor, filters = _bounded_numcodecs(metadata.compressor, metadata.filters or (), size, source)
        metadata = replace(metadata, compressor=compressor, filters=filters)
    else:
        metadata = replace(metadata, codecs=_bounded_codecs(metadata.codecs, source))
    place = StorePath(_BoundedStore(array.store, source), array.path)
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=place))


def read_part(array: Any, index: tuple[Any, ...], source: Path) -> npt.NDArray[Any]:
    """A rectangle of an array: its parts side by side where they are small, one after the other where they are large.

    Parameters
    ----------
    array : zarr.Array
        From :func:`bounded`.
    index : tuple of int or slice
        One an axis; slices with a step of one.
    source : Path
        What to name in a refusal.

    Raises
    ------
    InputError
        If the rectangle is cut into too many parts, or one of them is too large.
    """
    cuts = [_cuts(*each) for each in zip(index, array.shape, array.chunks, strict=True)]
    parts = math.prod(len(each) for each in cuts)
    if parts > MOST_PARTS:
        raise InputError(
            f"{source} is cut into parts of {' x '.join(map(str, array.chunks))} px, of which {parts} would be read at"
            f" once, more than {MOST_PARTS}; export it with larger chunks."
        )
    at_once = min(parts, zarr.config.get("async.concurrency"))
    if at_once <= 1 or math.prod(array.chunks) * array.dtype.itemsize * at_once <= limits.LARGEST_PLANE:
        return np.asarray(array[index])
    whole = [each for each, at in zip(cuts, index, strict=True) if isinstance(at, slice)]
    found = np.empty([each[-1].stop - each[0].start for each in whole], array.dtype)
    for part in itertools.product(*cuts):
        slices = [each for each in part if isinstance(each, slice)]
        firsts = [each[0].start for each in whole]
        place = tuple(slice(s.start - f, s.stop - f) for s, f in zip(slices, firsts, strict=True))
        found[place] = array[part]
    return found


def _cuts(at: int | slice, length: int, part: int) -> list[Any]:
    """What is asked for along one axis, cut where the array's parts meet."""
    if not isinstance(at, slice):
        return [at]
    start, stop, _ = at.indices(length)
    inner = range((start // part + 1) * part, stop, part)
    return [slice(*each) for each in itertools.pairwise([start, *inner, stop])]


class _BoundedStore(WrapperStore[Any]):  # type: ignore[misc]
    """A store that reads no part which is larger on the disk than any part may be in memory."""

    def __init__(self, store: Any, source: Path) -> None:
        super().__init__(store)
        self._source = source

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Bytes of a part, None where there are none."""
        if isinstance(byte_range, RangeByteRequest):
            size = byte_range.end - byte_range.start
        elif isinstance(byte_range, SuffixByteRequest):
            size = byte_range.suffix
        else:
            try:
                size = await self._store.getsize(key)
            except FileNotFoundError:
                return None
        if size > _room(limits.LARGEST_PLANE):
            raise _too_large(self._source)
        return await self._store.get(key, prototype, byte_range)


@dataclass(frozen=True)
class _BoundedCodec(BytesBytesCodec):  # type: ignore[misc]
    """A codec of version 3 that unpacks no more than the part it belongs to."""

    inner: BytesBytesCodec
    source: Path
    is_fixed_size = False

    def to_dict(self) -> dict[str, Any]:
        return dict(self.inner.to_dict())

    def evolve_from_array_spec(self, array_spec: Any) -> _BoundedCodec:
        return replace(self, inner=self.inner.evolve_from_array_spec(array_spec))

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        packer, options = _named(self.inner)
        room = _room(math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize)
        packed = chunk_data.as_numpy_array()
        if _is_stated(packer, packed, room, self.source):
            (result,) = await self.inner.decode([(chunk_data, chunk_spec)])
            return result
        found = await asyncio.to_thread(_unpacked, packer, options, packed, room, self.source)
        return chunk_spec.prototype.buffer.from_bytes(found)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        return int(self.inner.compute_encoded_size(input_byte_length, chunk_spec))


class _BoundedNumcodec(Numcodec):  # type: ignore[misc]
    """A compressor or filter of version 2 that makes no more than there is room for."""

    codec_id = "bounded"

    def __init__(self, inner: Any, grows: float, room: int, source: Path) -> None:
        self._inner, self._grows, self._room, self._source = inner, grows, room, source

    def decode(self, buf: Any, out: Any = None) -> Any:
        packer, options = self._inner.codec_id, self._inner.get_config()
        packed = ensure_ndarray(buf)
        if packer not in PACKERS:
            if packed.nbytes * self._grows > self._room:
                raise _too_large(self._source)
        elif not _is_stated(packer, packed, self._room, self._source):
            return _unpacked(packer, options, packed, self._room, self._source)
        return self._inner.decode(buf, out)

    def encode(self, buf: Any) -> Any:
        return self._inner.encode(buf)

    def get_config(self) -> dict[str, Any]:
        return dict(self._inner.get_config())


def _bounded_codecs(codecs: Iterable[Any], source: Path) -> tuple[Any, ...]:
    found: list[Any] = []
    for codec in codecs:
        if isinstance(codec, ShardingCodec):
            inner = _bounded_codecs(codec.codecs, source)
            found.append(replace(codec, codecs=inner, index_codecs=_bounded_codecs(codec.index_codecs, source)))
            continue
        name, options = _named(codec)
        if name in PACKERS:
            found.append(_BoundedCodec(codec, source))
        else:
            _growth(name, options, source)
            found.append(codec)
    return tuple(found)


def _bounded_numcodecs(compressor: Any, filters: Iterable[Any], size: int, source: Path) -> tuple[Any, Any]:
    """Compressor and filters with the room that each has: what comes out of one goes into the next."""
    widest, bound = size * _WIDEST, []
    for codec in filters:
        grows = _growth(codec.codec_id, codec.get_config(), source)
        bound.append(_BoundedNumcodec(codec, grows, _room(size), source))
        size = min(int(size / grows), widest)
    if compressor is not None:
        _growth(compressor.codec_id, {}, source)
        compressor = _BoundedNumcodec(compressor, 1, _room(size), source)
    return compressor, tuple(bound) or None


def _growth(name: str, options: Mapping[str, Any], source: Path) -> float:
    """How many bytes a codec makes of one, as far as the type of its numbers says. Raises InputError if unknown."""
    if name not in (*PACKERS, *_HARMLESS):
        raise InputError(
            f"{source} is packed with {name!r}, which cannot be kept from filling the memory and is not read; export"
            " it again with blosc, zstd, gzip or uncompressed."
        )
    decoded = np.dtype(options.get("decode_dtype") or options.get("dtype") or "u1")
    encoded = np.dtype(options.get("encode_dtype") or options.get("astype") or decoded)
    if decoded.kind not in "uifb" or encoded.kind not in "uifb":
        raise InputError(f"{source} holds {decoded} packed as {encoded} instead of numbers; export it again.")
    return decoded.itemsize / encoded.itemsize


def _named(codec: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and options of a codec of version 3, whoever defines it."""
    said = codec.to_dict()
    return said["name"].removeprefix("numcodecs."), said.get("configuration", {})


def _is_stated(packer: str, packed: npt.NDArray[Any], room: int, source: Path) -> bool:
    """Whether a size stands in front of what is packed. Raises InputError if there is no room for it."""
    size = stated_size(packer, packed.reshape(-1).view(np.uint8).data)
    if size is not None and size > room:
        raise _too_large(source)
    return size is not None


def _unpacked(packer: str, options: Mapping[str, Any], packed: npt.NDArray[Any], room: int, source: Path) -> bytes:
    try:
        return unpacked(packer, options, packed.tobytes(), room)
    except UnpacksToMore:
        raise _too_large(source) from None


def _room(size: int) -> int:
    """Bytes for what has this size, and may itself be packed once more: what cannot be packed grows a little."""
    return size + size // 8 + 2**12


def _too_large(source: Path) -> InputError:
    return InputError(
        f"{source} holds a part that is larger than the image says; it is damaged or made to do harm: copy or export it"
        " again."
    )
