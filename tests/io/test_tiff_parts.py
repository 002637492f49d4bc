"""TIFF pages whose parts unpack to more than the page says, and that honest ones are read as they are."""

from __future__ import annotations

import contextlib
import io
import lzma
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack
from napari_autofocus.io.frames import open_frame

SIDE, LARGE = 48, 3000
PLANE = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (SIDE, 1))
Pixels = npt.NDArray[np.uint8]


def _by_pillow(kind: str) -> Callable[[Pixels], bytes]:
    def packed(image: Pixels) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, kind)
        return buffer.getvalue()

    return packed


IMAGES: dict[str, Callable[[Pixels], bytes]] = {
    "jpeg": _by_pillow("JPEG"),
    "png": _by_pillow("PNG"),
    "jpeg2000": imagecodecs.jpeg2k_encode,
    "webp": lambda image: imagecodecs.webp_encode(np.dstack([image] * 3)),
}
STREAMS: dict[str, Callable[[Pixels], bytes]] = {
    "zlib": lambda image: zlib.compress(image.tobytes()),
    "lzma": lambda image: lzma.compress(image.tobytes()),
    "zstd": lambda image: bytes(imagecodecs.zstd_encode(image.tobytes())),
    "lzw": lambda image: bytes(imagecodecs.lzw_encode(image.tobytes())),
}


def _tiff(path: Path, compression: str, **options: Any) -> Path:
    plane = np.dstack([PLANE] * 3) if compression == "webp" else PLANE
    tifffile.imwrite(path, plane, compression=compression, metadata=None, **{"rowsperstrip": SIDE, **options})
    return path


def _with_part(path: Path, part: bytes) -> Path:
    """The file, its only strip being something else."""
    with tifffile.TiffFile(path) as tif:
        tags = [tif.pages.first.tags[name].offset for name in ("StripOffsets", "StripByteCounts")]
    data = bytearray(path.read_bytes())
    for place, number in zip(tags, (len(data), len(part)), strict=True):
        data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, number)
    path.write_bytes(bytes(data) + part)
    return path


@pytest.mark.parametrize("compression", [*IMAGES, *STREAMS])
@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 16}, {"rowsperstrip": None, "tile": (16, 32)}])
def test_honest_parts_are_read(tmp_path: Path, compression: str, options: dict[str, Any]) -> None:
    path = _tiff(tmp_path / "a.tif", compression, **options)
    with tifffile.TiffFile(path) as tif:
        expected = tif.pages.first.asarray()
    np.testing.assert_array_equal(open_frame(path).image, expected)


@pytest.mark.parametrize("compression", IMAGES)
def test_a_part_that_is_a_larger_image_takes_no_memory(tmp_path: Path, compression: str) -> None:
    part = IMAGES[compression](np.zeros((LARGE, LARGE), np.uint8))
    path = _with_part(_tiff(tmp_path / "a.tif", compression), part)
    tracemalloc.start()
    with pytest.raises(InputError, match=f"a part of {LARGE} x {LARGE} px where its page says {SIDE} x {SIDE}"):
        open_frame(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LARGE**2 / 2


@pytest.mark.parametrize("compression", STREAMS)
def test_a_part_that_unpacks_to_more_takes_no_memory(tmp_path: Path, compression: str) -> None:
    path = _with_part(_tiff(tmp_path / "a.tif", compression), STREAMS[compression](np.zeros((LARGE, LARGE), np.uint8)))
    tracemalloc.start()
    with contextlib.suppress(InputError):
        assert open_frame(path).image.shape == (SIDE, SIDE)  # as much as the page says
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LARGE**2 / 2


@pytest.mark.parametrize("compression", ["lerc", "jpegxl"])
def test_what_cannot_be_looked_into_is_refused_by_name(tmp_path: Path, compression: str) -> None:
    with pytest.raises(InputError, match=f"is compressed as {compression.upper()}"):
        open_frame(_tiff(tmp_path / "a.tif", compression))


def test_a_plane_of_a_stack_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(2):
            writer.write(PLANE, compression="jpeg", metadata=None, rowsperstrip=SIDE, contiguous=False)
    stack = open_stack(_with_part(path, IMAGES["jpeg"](np.zeros((LARGE, LARGE), np.uint8))), step_um=1)
    with pytest.raises(InputError, match="a part of 3000 x 3000 px"):
        np.asarray(stack.data[0])
    assert np.asarray(stack.data[1]).shape == (SIDE, SIDE)


@pytest.mark.parametrize("part", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00\xff", bytes(100), b"\xff" * 100])
def test_a_damaged_jpeg_is_one_sentence(tmp_path: Path, part: bytes) -> None:
    with pytest.raises(InputError, match="cannot be read as a TIFF"):
        open_frame(_with_part(_tiff(tmp_path / "a.tif", "jpeg"), part or b"\0"))
