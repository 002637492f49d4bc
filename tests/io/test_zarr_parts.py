"""Zarr arrays whose parts unpack to more than they say, and that honest ones are read as they are."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import LZ4, Blosc, Delta, FixedScaleOffset, Zstd

from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack
from napari_autofocus.io.care import limits, zarr_parts
from napari_autofocus.io.care.zarr_parts import bounded, read_part
from napari_autofocus.io.zarr_slide import open_slide

PLANES = np.random.default_rng(3).integers(0, 4000, (3, 16, 16), dtype=np.uint16)
MORE = "larger than the image says"
GIGABYTES = 4 * 2**30
SHARD_INDEX = 3 * 4 * 16 + 4  # bytes: place and length of 12 parts, and a checksum
NAME = Path("a.zarr")


def _streamed_zstd(data: bytes) -> bytes:
    """Zstandard that does not say how long its content is."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def _repeated(pack: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Four gigabytes of zeros, from a format whose files may be joined."""
    return lambda: pack(bytes(2**24)) * (GIGABYTES // 2**24)


def _zstd_bomb() -> bytes:
    """One frame that states four gigabytes, and blocks that each say: 128 kB of zeros."""
    count = GIGABYTES // 2**17
    blocks = [(2**17 << 3 | 1 << 1 | (number == count - 1)).to_bytes(3, "little") + b"\0" for number in range(count)]
    return b"\x28\xb5\x2f\xfd\xe0" + GIGABYTES.to_bytes(8, "little") + b"".join(blocks)


def _zlib_bomb() -> bytes:
    stream = zlib.compressobj(1)
    return b"".join([stream.compress(bytes(2**24)) for _ in range(32)]) + stream.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zlib": lambda data: zlib.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "lzma": lambda data: lzma.compress(data, preset=0),
    "zstd": Zstd(1).encode,
    "zstd, streamed": _streamed_zstd,
    "lz4": LZ4().encode,
    "blosc": Blosc("lz4").encode,
}
BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": _repeated(PACK["gzip"]),
    "zlib": _zlib_bomb,
    "bz2": _repeated(PACK["bz2"]),
    "lzma": _repeated(PACK["lzma"]),
    "zstd": _zstd_bomb,
    "zstd, streamed": _repeated(_streamed_zstd),
    "lz4": lambda: LZ4().encode(bytes(2**28)),
    "blosc": lambda: Blosc("lz4").encode(bytes(2**28)),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "gzip": {"level": 1},
    "zstd": {"level": 1, "checksum": False},
    "blosc": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0, "typesize": 2},
}
KINDS = [(zarr_format, name) for zarr_format in (2, 3) for name in PACK]


def _image(folder: Path, zarr_format: int, **options: Any) -> Path:
    group = zarr.open_group(str(folder), mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    options = {"chunks": (1, 16, 16), "compressors": None, **options}
    group.create_array("0", shape=PLANES.shape, dtype="uint16", **options)[:] = PLANES
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [0.5, 0.3, 0.3]}]
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group.attrs.update({"multiscales": multiscales} if zarr_format == 2 else {"ome": {"multiscales": multiscales}})
    return folder


def _packed(folder: Path, zarr_format: int, name: str) -> Path:
    """An image whose parts were packed by other hands than zarr's."""
    _image(folder, zarr_format)
    codec = name.partition(",")[0]
    described = folder / "0" / (".zarray" if zarr_format == 2 else "zarr.json")
    said = json.loads(described.read_text())
    if zarr_format == 2:
        said["compressor"] = {"id": codec}
    else:
        named = codec if codec in SETTINGS else f"numcodecs.{codec}"
        said["codecs"].append({"name": named, "configuration": SETTINGS.get(codec, {})})
    described.write_text(json.dumps(said))
    for number, plane in enumerate(PLANES):
        _part(folder, zarr_format, number).write_bytes(PACK[name](plane.tobytes()))
    return folder


def _part(folder: Path, zarr_format: int, number: int) -> Path:
    return folder / "0" / (f"{number}.0.0" if zarr_format == 2 else f"c/{number}/0/0")


def _opened_with_little_memory(folders: list[Path]) -> list[tuple[str, float]]:
    """What each image's second plane says, and MB that this took, in a process with a gigabyte to spare."""
    text = """
import json, resource, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import pyarrow, bz2, lzma
from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
np.asarray(open_stack(sys.argv[1]).data[0])
resource.setrlimit(resource.RLIMIT_AS, (int(status["VmSize"].split()[0]) * 1024 + 2**30,) * 2)
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        np.asarray(open_stack(path).data[1])
        said = "opened"
    except InputError as error:
        said = str(error)
    print(json.dumps([said, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
"""
    line = [sys.executable, "-c", text, *map(str, folders)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(each)) for each in done.stdout.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(("zarr_format", "name"), KINDS)
def test_honest_parts_are_read_whoever_packed_them(tmp_path: Path, zarr_format: int, name: str) -> None:
    np.testing.assert_array_equal(np.asarray(open_stack(_packed(tmp_path / "a.zarr", zarr_format, name)).data), PLANES)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of addresses is kept on Linux")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_part_that_unpacks_to_gigabytes_is_one_sentence_and_takes_no_memory(tmp_path: Path, zarr_format: int) -> None:
    folders = [_packed(tmp_path / f"{name}.zarr", zarr_format, name) for name in PACK]
    for folder, make in zip(folders, BOMBS.values(), strict=True):
        _part(folder, zarr_format, 1).write_bytes(make())
    found = dict(zip(PACK, _opened_with_little_memory(folders), strict=True))
    assert {name: MORE in said for name, (said, _) in found.items()} == dict.fromkeys(PACK, True)
    assert {name: megabytes for name, (_, megabytes) in found.items() if megabytes > 50} == {}


@pytest.mark.parametrize(("zarr_format", "name"), KINDS)
def test_a_part_that_is_cut_short_is_one_sentence(tmp_path: Path, zarr_format: int, name: str) -> None:
    folder = _packed(tmp_path / "a.zarr", zarr_format, name)
    part = _part(folder, zarr_format, 1)
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read as an OME-Zarr image"):
        np.asarray(open_stack(folder).data[1])


def test_a_size_that_a_part_states_falsely_makes_no_room(tmp_path: Path) -> None:
    folder = _packed(tmp_path / "a.zarr", 2, "zstd")
    honest = Zstd(1).encode(bytes(2**20))
    _part(folder, 2, 1).write_bytes(honest[:4] + b"\x20\x40" + _zstd_bomb()[13:])  # one byte: 64
    with pytest.raises(InputError, match="cannot be read"):
        np.asarray(open_stack(folder).data[1])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_part_that_is_larger_on_the_disk_than_any_plane_is_not_fetched(
    tmp_path: Path, zarr_format: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _image(tmp_path / "a.zarr", zarr_format)
    monkeypatch.setattr(limits, "LARGEST_PLANE", 2**20)
    with _part(folder, zarr_format, 1).open("r+b") as file:
        file.truncate(2**21)
    with pytest.raises(InputError, match=MORE):
        np.asarray(open_stack(folder).data[1])


def _crc32c(data: bytes) -> bytes:
    found = 2**32 - 1
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0x82F63B78 if found & 1 else 0)
    return (found ^ 2**32 - 1).to_bytes(4, "little")


def _shard_with(folder: Path, place: tuple[int, int], bomb: bytes = b"") -> Path:
    """An image in one shard, whose fifth part (of the second plane) lies elsewhere."""
    _image(folder, 3, shards=(3, 16, 16), chunks=(1, 8, 8), compressors="auto")
    shard = folder / "0" / "c" / "0" / "0" / "0"
    body, index = shard.read_bytes()[:-SHARD_INDEX], np.frombuffer(shard.read_bytes()[-SHARD_INDEX:-4], "<u8").copy()
    index[8:10] = (len(body), len(bomb)) if bomb else place
    shard.write_bytes(body + bomb + index.tobytes() + _crc32c(index.tobytes()))
    return folder


def test_a_part_inside_a_shard_unpacks_to_no_more_than_it_should(tmp_path: Path) -> None:
    stack = open_stack(_shard_with(tmp_path / "a.zarr", (0, 0), _zstd_bomb()))
    np.testing.assert_array_equal(np.asarray(stack.data[0]), PLANES[0])
    with pytest.raises(InputError, match=MORE):
        np.asarray(stack.data[1])


def test_a_part_of_a_shard_that_states_a_terabyte_takes_no_memory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=MORE):
        np.asarray(open_stack(_shard_with(tmp_path / "a.zarr", (0, 2**40))).data[1])


@pytest.mark.parametrize(
    ("filters", "is_exact"),
    [
        ([Delta("<u2")], True),
        ([Delta("<u2", astype="<u8")], True),
        ([FixedScaleOffset(0, 1, "<u2", "<f4")], True),
        ([Delta("<u2"), Zstd(1)], True),
    ],
)
def test_filters_are_read(tmp_path: Path, filters: list[Any], is_exact: bool) -> None:
    folder = _image(tmp_path / "a.zarr", 2, filters=filters, compressors=Zstd(1))
    assert np.array_equal(np.asarray(open_stack(folder).data), PLANES) is is_exact


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": "astype", "encode_dtype": "u1", "decode_dtype": "U100000"}],
        [{"id": "astype", "encode_dtype": "u1", "decode_dtype": "S100000"}],
        [{"id": "fixedscaleoffset", "scale": 1, "offset": 0, "dtype": "<U100000", "astype": "<u2"}],
        [{"id": "astype", "encode_dtype": "u1", "decode_dtype": "f8"}] * 9,
        [{"id": "vlen-utf8"}],
        [{"id": "base64"}],
    ],
)
def test_filters_that_make_much_of_little_are_refused(tmp_path: Path, filters: list[dict[str, Any]]) -> None:
    folder = _image(tmp_path / "a.zarr", 2)
    described = folder / "0" / ".zarray"
    described.write_text(json.dumps({**json.loads(described.read_text()), "filters": filters}))
    tracemalloc.start()
    with pytest.raises(InputError):
        np.asarray(open_stack(folder).data[1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24


def test_too_many_parts_are_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _image(tmp_path / "a.zarr", 2, chunks=(1, 1, 1))
    monkeypatch.setattr(zarr_parts, "MOST_PARTS", 255)
    with pytest.raises(InputError, match="256 would be read at once, more than 255"):
        np.asarray(open_stack(folder).data[1])


def test_a_slide_is_bounded_too(tmp_path: Path) -> None:
    folder = _packed(tmp_path / "a.zarr", 2, "gzip")
    described = folder / "0" / ".zarray"
    described.write_text(json.dumps({**json.loads(described.read_text()), "shape": [1, 16, 16]}))
    _part(folder, 2, 0).write_bytes(gzip.compress(bytes(2**22)))
    with pytest.raises(InputError, match=MORE):
        open_slide(folder).read(slice(0, 8), slice(0, 8))


@st.composite
def _array_and_index(draw: st.DrawFn) -> tuple[npt.NDArray[Any], tuple[int, ...], tuple[Any, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    chunks = tuple(draw(st.integers(1, side)) for side in shape)
    index: list[Any] = []
    for side in shape:
        start = draw(st.integers(0, side - 1))
        stop = draw(st.integers(start + 1, side))
        index.append(draw(st.sampled_from([start, slice(start, stop), slice(None)])))
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), chunks, tuple(index)


@settings(max_examples=40, deadline=None)
@given(_array_and_index())
def test_large_parts_are_read_one_by_one_and_put_together(
    made: tuple[npt.NDArray[Any], tuple[int, ...], tuple[Any, ...]],
) -> None:
    values, chunks, index = made
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        array = zarr.create_array(folder, shape=values.shape, chunks=chunks, dtype="uint16")
        array[:] = values
        patch.setattr(limits, "LARGEST_PLANE", 1)
        np.testing.assert_array_equal(read_part(bounded(array, NAME), index, NAME), values[index])
