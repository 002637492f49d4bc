"""Images and z-stacks of every form that is read."""

from __future__ import annotations

import functools
import io
import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from fuzz.targets import Target, as_file, in_copy_of
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.fused import fused_origin
from napari_autofocus.io.micromanager import NDTIFF_INDEX, SEPARATE_METADATA
from napari_autofocus.io.napari import napari_get_reader
from napari_autofocus.io.stacks import find_stacks
from napari_autofocus.io.virtual import VirtualOrigin, virtual_origin, write_virtual_image
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.optics import Objective

_PLANES, _SIDE = 4, 12
DATA = np.random.default_rng(5).integers(0, 4000, (_PLANES, _SIDE, _SIDE), dtype=np.uint16)


def look(path: Path) -> None:
    """What opening an image does: find stacks around it, open the stack, look at a plane, take it as a frame."""
    napari_get_reader(str(path))
    stacks = find_stacks([path])
    stack = open_stack(stacks[0])
    np.asarray(stack.data[0])
    open_frame(stacks[0], plane=len(stack.data) - 1)


@functools.cache
def kept() -> Path:
    """A folder for good inputs, gone with the process."""
    _KEEP.append(tempfile.TemporaryDirectory(prefix="fuzz-seeds-"))
    return Path(_KEEP[-1].name)


_KEEP: list[tempfile.TemporaryDirectory[str]] = []


def _stack() -> ZStack:
    lens = Objective.parse("20x/0.75", pixel_size_um=0.325)
    return ZStack(DATA, np.arange(_PLANES) * 0.5, pixel_size_um=0.325, objective=lens, source="made")


def _ome_tiffs() -> list[bytes]:
    return [write_stack(kept() / "ours.ome.tif", _stack()).read_bytes()]


def _tiffs() -> list[bytes]:
    made: list[bytes] = []
    for options in (
        {"imagej": True, "metadata": {"spacing": 0.5, "unit": "um", "axes": "ZYX"}},
        {"metadata": None, "compression": "zlib"},
        {"metadata": {"axes": "ZYX"}, "bigtiff": True, "tile": (16, 16)},
        {"metadata": None, "byteorder": ">", "photometric": "minisblack", "compression": "lzw"},
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, DATA, **options)  # type: ignore[arg-type]
        made.append(buffer.getvalue())
    return made


def _ome_xml() -> list[bytes]:
    with tifffile.TiffFile(write_stack(kept() / "xml.ome.tif", _stack())) as tif:
        own = str(tif.ome_metadata).encode()
    with tempfile.NamedTemporaryFile(suffix=".ome.tif") as file:
        tifffile.imwrite(file.name, DATA, metadata={"axes": "ZYX", "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "um"})
        with tifffile.TiffFile(file.name) as tif:
            other = str(tif.ome_metadata).encode()
    elsewhere = own.replace(
        b'<TiffData IFD="0" PlaneCount="4" />',
        b'<TiffData IFD="0" PlaneCount="4"><UUID FileName="next.ome.tif">urn:uuid:1</UUID></TiffData>',
    )
    return [own, other, elsewhere]


def _with_xml(data: bytes, folder: Path) -> Path:
    """A sound TIFF whose description is the input."""
    path = folder / "a.ome.tif"
    text = data.replace(b"\0", b" ")
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(DATA):
            writer.write(plane, description=text if number == 0 else None, metadata=None, contiguous=False)
    return path


def _how(packed: str) -> dict[str, Any]:
    """How the parts of a zarr array are packed, as zarr wants to hear it."""
    from numcodecs import LZ4, Blosc, GZip
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    return {
        "": {},
        "2-blosc": {"compressors": Blosc("lz4")},
        "2-gzip": {"compressors": GZip(1)},
        "2-lz4": {"compressors": LZ4()},
        "3-blosc": {"compressors": BloscCodec(typesize=2)},
        "3-gzip": {"compressors": GzipCodec()},
        "3-shard": {"shards": DATA.shape, "chunks": (1, _SIDE // 2, _SIDE // 2), "compressors": ZstdCodec()},
    }[packed]


@functools.cache
def _zarr(zarr_format: int, packed: str = "") -> Path:
    import zarr

    folder = kept() / f"v{zarr_format}{packed}" / "a.zarr"
    group = zarr.open_group(str(folder), mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    options = {"chunks": (1, _SIDE, _SIDE), **_how(packed)}
    group.create_array("0", shape=DATA.shape, dtype="uint16", **options)[:] = DATA
    unit = {"type": "space", "unit": "micrometer"}
    multiscale = {
        "version": "0.4",
        "axes": [{"name": name, **unit} for name in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.3, 0.3]}]}],
    }
    own = {"objective": None, "focus_direction": 1, "z_um": [0.0, 0.5, 1.0, 1.5]}
    group.attrs["napari-autofocus"] = own
    if zarr_format == 2:
        group.attrs["multiscales"] = [multiscale]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return folder


def _zarr_target(zarr_format: int, name: str) -> Target:
    return Target(
        f"zarr-{zarr_format}-{name.replace('/', '-').replace('.', '')}",
        lambda: [(_zarr(zarr_format) / name).read_bytes()],
        in_copy_of(functools.partial(_zarr, zarr_format), name),
        look,
    )


def _packed_target(packed: str) -> Target:
    """The first part of an array: compressed, or a shard."""
    zarr_format = int(packed[0])
    name = "0/0.0.0" if zarr_format == 2 else "0/c/0/0/0"
    original = functools.partial(_zarr, zarr_format, packed)
    return Target(f"zarr-{packed}", lambda: [(original() / name).read_bytes()], in_copy_of(original, name), look)


@functools.cache
def _zarr_slide() -> Path:
    import zarr

    folder = kept() / "slide" / "a.zarr"
    group = zarr.open_group(str(folder), mode="w", zarr_format=2)
    group.create_array("0", shape=(3, 24, 24), chunks=(3, 12, 12), dtype="uint8")[:] = 100
    unit = {"type": "space", "unit": "micrometer"}
    axes = [{"name": "c", "type": "channel"}, {"name": "y", **unit}, {"name": "x", **unit}]
    scale = [{"type": "scale", "scale": [1.0, 0.3, 0.3]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    return folder


def _slide(path: Path) -> None:
    slide = open_slide(path)
    slide.read(slice(0, min(64, slide.shape[0])), slice(0, min(64, slide.shape[1])))


@functools.cache
def _ndtiff() -> Path:
    from ndstorage import NDTiffDataset

    dataset = NDTiffDataset(str(kept()), name="nd", summary_metadata={"PixelSize_um": 0.3}, writable=True)
    for z, plane in enumerate(DATA):
        dataset.put_image({"z": z}, plane, {"ZPositionUm": 0.5 * z})
    dataset.finish()
    dataset.close()
    return next(path for path in kept().iterdir() if path.name.startswith("nd_"))


def _ndtiff_file() -> str:
    return next(path.name for path in _ndtiff().iterdir() if path.suffix == ".tif")


@functools.cache
def _separate() -> Path:
    folder = kept() / "Pos0"
    folder.mkdir()
    entries: dict[str, Any] = {"Summary": {"ChNames": ["a"], "z-step_um": 0.5, "PixelSize_um": 0.3, "Slices": _PLANES}}
    for z, plane in enumerate(DATA):
        name = f"img_000000000_a_{z:03d}.tif"
        tifffile.imwrite(folder / name, plane)
        entries[f"FrameKey-0-0-{z}"] = {"FileName": name, "SliceIndex": z, "ChannelIndex": 0, "ZPositionUm": 0.5 * z}
    (folder / SEPARATE_METADATA).write_text(json.dumps(entries))
    return folder


@functools.cache
def _planes() -> Path:
    folder = kept() / "planes"
    folder.mkdir()
    for z, plane in enumerate(DATA):
        Image.fromarray((plane // 16).astype(np.uint8)).save(folder / f"p{z}.png")
    (folder / "z_um.csv").write_text("file,z_um\n" + "".join(f"p{z}.png,{z * 0.5}\n" for z in range(_PLANES)))
    return folder


def _pages_with(data: bytes, folder: Path) -> Path:
    """An image-stack file of Micro-Manager whose second page carries the input as its metadata."""
    path = folder / "a_MMStack_Pos0.ome.tif"
    good = {"SliceIndex": 0, "ChannelIndex": 0, "PositionIndex": 0, "ZPositionUm": 0.0, "PixelSizeUm": 0.3}
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(DATA[:2]):
            text = data if number else json.dumps(good).encode()
            writer.write(plane, metadata=None, contiguous=False, extratags=[(51123, 2, None, text or b" ", True)])
    return path


def _mm_page() -> list[bytes]:
    return [json.dumps({"SliceIndex": 1, "FrameIndex": 0, "ZPositionUm": 0.5, "PixelSizeUm": 0.3}).encode()]


def _mm_header() -> list[bytes]:
    """A file with Micro-Manager's own header and index map in front of a plain TIFF."""
    text = json.dumps({"MicroManagerVersion": "2", "Frames": 1, "Slices": 4, "Channels": 1, "Positions": 1}).encode()
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for z, plane in enumerate(DATA):
            tag = (51123, 2, None, json.dumps({"SliceIndex": z, "ZPositionUm": 0.5 * z}), True)
            writer.write(plane, metadata=None, contiguous=False, extratags=[tag])
    plain = buffer.getvalue()
    header = struct.pack("<2sHI8I", b"II", 42, 8, 54773648, 200, 0, 0, 0, 0, 2355492, len(text))
    return [plain, header + text + plain[8:]]


def _pictures(kind: str) -> list[bytes]:
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(np.random.default_rng(0).integers(0, 255, (16, 16, 3)))).save(buffer, kind)
    return [buffer.getvalue()]


def _virtual(name: str) -> list[bytes]:
    origin = VirtualOrigin("tsva", "f" * 64, "a.tif", "b.tif", (1.0, 2.0), "sharp", ("A note.",))
    image = np.full((16, 16, 3), 120, np.uint8)
    return [write_virtual_image(kept() / name, image, origin, pixel_size_um=0.3).read_bytes()]


def _one(path: Path) -> None:
    open_frame(path)


TARGETS = [
    Target("ome-tiff", _ome_tiffs, as_file("a.ome.tif"), look),
    Target("tiff", _tiffs, as_file("a.tif"), look),
    Target("ome-xml", _ome_xml, _with_xml, look),
    *(_zarr_target(2, name) for name in (".zattrs", ".zgroup", "0/.zarray", "0/0.0.0")),
    *(_zarr_target(3, name) for name in ("zarr.json", "0/zarr.json", "0/c/0/0/0")),
    *(_packed_target(packed) for packed in ("2-blosc", "2-gzip", "2-lz4", "3-blosc", "3-gzip", "3-shard")),
    *(
        Target(
            f"zarr-slide-{name.rpartition('.')[2]}",
            lambda name=name: [(_zarr_slide() / name).read_bytes()],  # type: ignore[misc]
            in_copy_of(_zarr_slide, name),
            _slide,
        )
        for name in (".zattrs", "0/.zarray")
    ),
    Target("ndtiff-index", lambda: [(_ndtiff() / NDTIFF_INDEX).read_bytes()], in_copy_of(_ndtiff, NDTIFF_INDEX), look),
    Target(
        "ndtiff-file",
        lambda: [(_ndtiff() / _ndtiff_file()).read_bytes()],
        lambda data, folder: in_copy_of(_ndtiff, _ndtiff_file())(data, folder),
        look,
    ),
    Target(
        "micro-manager-text",
        lambda: [(_separate() / SEPARATE_METADATA).read_bytes()],
        in_copy_of(_separate, SEPARATE_METADATA),
        look,
    ),
    Target("micro-manager-page", _mm_page, _pages_with, look),
    Target("micro-manager-file", _mm_header, as_file("a_MMStack_Pos0.ome.tif"), look),
    Target("z-table", lambda: [(_planes() / "z_um.csv").read_bytes()], in_copy_of(_planes, "z_um.csv"), look),
    Target("plane-png", lambda: [(_planes() / "p1.png").read_bytes()], in_copy_of(_planes, "p1.png"), look),
    Target("png", lambda: _pictures("PNG"), as_file("a.png"), _one),
    Target("jpeg", lambda: _pictures("JPEG"), as_file("a.jpg"), _one),
    Target("bmp", lambda: _pictures("BMP"), as_file("a.bmp"), _one),
    Target("virtual-png", lambda: _virtual("v.png"), as_file("v.png"), virtual_origin),
    Target("virtual-jpeg", lambda: _virtual("v.jpg"), as_file("v.jpg"), virtual_origin),
    Target("virtual-tiff", lambda: _virtual("v.ome.tif"), as_file("v.ome.tif"), virtual_origin),
    Target("fused-tiff", lambda: _virtual("f.ome.tif"), as_file("f.ome.tif"), fused_origin),
]
