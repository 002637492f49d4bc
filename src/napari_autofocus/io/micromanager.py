"""Data sets of Micro-Manager: image-stack files, separate image files, and NDTiff; every plane carries its own z."""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.io import planes, tiff
from napari_autofocus.io.axes import choose_channel, refuse_other_axes
from napari_autofocus.io.care.tiff_opening import opened_tiff
from napari_autofocus.io.lazy import FileStack, LazyPlanes, Plane, even_steps, to_um
from napari_autofocus.io.reading import reading

NDTIFF_INDEX = "NDTiff.index"
SEPARATE_METADATA = "metadata.txt"
_WHAT = "Micro-Manager data"
_CONTINUATION = re.compile(r"^(?P<first>.+)_(?P<part>[1-9]\d*)(?P<suffix>\.ome\.tiff?)$")


@dataclass(frozen=True)
class _Image:
    """One image of a data set: where it belongs, how to read it, and what its own metadata say."""

    position: int
    time: int
    channel: int | str
    z: int
    read: Callable[[], Plane]
    metadata: Mapping[str, Any]


def is_image_stack(path: Path) -> bool:
    """Whether a TIFF was written by Micro-Manager. Raises InputError if it is no TIFF."""
    with reading(path, "a TIFF"), opened_tiff(path) as tif:
        return bool(tif.pages.first.is_micromanager)


def is_ndtiff(folder: Path) -> bool:
    """Whether a folder is an NDTiff data set."""
    return (folder / NDTIFF_INDEX).is_file() or (folder / "Full resolution" / NDTIFF_INDEX).is_file()


def is_continuation(path: Path) -> bool:
    """Whether a file only continues another one that had grown to 4 GB (``..._Pos0_1.ome.tif``)."""
    match = _CONTINUATION.match(path.name)
    return match is not None and path.with_name(match["first"] + match["suffix"]).exists()


def open_image_stack(path: Path, *, channel: int | str | None = None, position: int | None = None) -> FileStack:
    """A stack from an image-stack file (and those that continue it), by the metadata of each plane."""
    if is_ndtiff(path.parent):
        return open_ndtiff(path.parent, channel=channel, position=position)
    images: list[_Image] = []
    summary: Mapping[str, Any] = {}
    for file in [path, *_continuations(path)]:
        with reading(file, _WHAT) as complaints, opened_tiff(file) as tif:
            tiff.refuse_truncated(tif, file, complaints)
            summary = summary or _summary(tif)
            lock = threading.Lock()
            images += [_page_image(page, file, lock) for page in tif.pages]
    return _one_stack(str(path), images, summary, channel, position)


def _summary(tif: Any) -> Mapping[str, Any]:
    """What the file's own header says of the whole acquisition; copies made by other programs have lost it."""
    try:
        found = tifffile.read_micromanager_metadata(tif.filehandle, {"Summary"}).get("Summary")
    except (ValueError, struct.error):
        return {}
    return found if isinstance(found, Mapping) else {}


def _continuations(path: Path) -> list[Path]:
    stem, suffix = re.sub(r"\.ome\.tiff?$", "", path.name), "".join(path.suffixes[-2:])
    later = [path.with_name(f"{stem}_{part}{suffix}") for part in range(1, 1000)]
    return [file for file in later if file.exists()] if suffix.startswith(".ome") else []


def _page_image(page: Any, file: Path, lock: threading.Lock) -> _Image:
    metadata = page.tags["MicroManagerMetadata"].value if "MicroManagerMetadata" in page.tags else {}
    read = partial(tiff.read_series_page, page, file, page.axes, lock)
    return _image(metadata, read)


def _image(metadata: Mapping[str, Any], read: Callable[[], Plane]) -> _Image:
    return _Image(
        position=int(metadata.get("PositionIndex", 0)),
        time=int(metadata.get("FrameIndex", metadata.get("Frame", 0))),
        channel=int(metadata.get("ChannelIndex", 0)),
        z=int(metadata.get("SliceIndex", metadata.get("Slice", 0))),
        read=read,
        metadata=metadata,
    )


def open_separate(folder: Path, *, channel: int | str | None = None, position: int | None = None) -> FileStack:
    """A stack from a folder of separate image files beside Micro-Manager's ``metadata.txt``."""
    sidecar = folder / SEPARATE_METADATA
    with reading(sidecar, _WHAT):
        entries = json.loads(sidecar.read_text("utf-8", errors="replace"))
        told = _metadata_by_file(entries)
    files = planes.image_files(folder)
    missing = [file.name for file in files if file.name not in told]
    if missing:
        raise InputError(f"{sidecar} does not mention {missing[0]}; move files of other origin out of the folder.")
    with reading(sidecar, _WHAT):
        images = [_image(told[file.name], partial(planes.read_plane, file)) for file in files]
    return _one_stack(str(folder), images, entries.get("Summary", {}), channel, position)


def is_separate(folder: Path) -> bool:
    """Whether a folder holds separate image files with Micro-Manager's metadata."""
    sidecar = folder / SEPARATE_METADATA
    if not sidecar.is_file():
        return False
    with sidecar.open("r", encoding="utf-8", errors="replace") as handle:
        return '"Summary"' in handle.read(65536)


def _metadata_by_file(entries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Metadata of each image by its file name: version 1.4 names it inside, version 2 in the key."""
    told: dict[str, dict[str, Any]] = {}
    for key, entry in entries.items():
        if not isinstance(entry, Mapping) or key == "Summary":
            continue
        name = key.rpartition("/")[2] if "/" in key else str(entry.get("FileName", key))
        told.setdefault(Path(name).name, {}).update(entry)
    return told


class _OpenNDTiff:
    """An NDTiff data set that is closed when nobody needs its planes any more."""

    def __init__(self, folder: Path) -> None:
        from ndstorage import Dataset

        self._folder, self._lock = folder, threading.Lock()
        # The library reports its progress on standard output, which belongs to our results.
        with reading(folder, _WHAT), contextlib.redirect_stdout(io.StringIO()):
            self._dataset = Dataset(str(folder))
        weakref.finalize(self, self._dataset.close)
        self.summary: Mapping[str, Any] = self._dataset.summary_metadata or {}

    def images(self) -> list[_Image]:
        with reading(self._folder, _WHAT):
            return [self._image(axes) for axes in self._dataset.get_image_coordinates_list()]

    def _image(self, axes: dict[str, Any]) -> _Image:
        return _Image(
            position=_index(axes.get("position", 0)),
            time=_index(axes.get("time", 0)),
            channel=axes.get("channel", 0),
            z=_index(axes.get("z", 0)),
            read=partial(self._read, axes),
            metadata=self._dataset.read_metadata(**axes),
        )

    def _read(self, axes: dict[str, Any]) -> Plane:
        with self._lock, reading(self._folder, _WHAT):
            return np.asarray(self._dataset.read_image(**axes))


def _index(value: Any) -> int:
    """Number of an axis position; names as in ``Pos2`` count by their digits."""
    if isinstance(value, int | np.integer):
        return int(value)
    digits = re.search(r"\d+", str(value))
    return int(digits.group()) if digits else 0


def open_ndtiff(folder: Path, *, channel: int | str | None = None, position: int | None = None) -> FileStack:
    """A stack from an NDTiff data set."""
    dataset = _OpenNDTiff(folder)
    return _one_stack(str(folder), dataset.images(), dataset.summary, channel, position)


def positions_in(path: Path) -> int:
    """How many stage positions a data set (a folder of NDTiff, or an image-stack file) holds."""
    if path.is_dir():
        return len({image.position for image in _OpenNDTiff(path).images()})
    with reading(path, _WHAT), opened_tiff(path) as tif:
        tags = [page.tags.get("MicroManagerMetadata") for page in tif.pages]
        return len({int(tag.value.get("PositionIndex", 0)) for tag in tags if tag is not None})


def _one_stack(
    source: str,
    images: Sequence[_Image],
    summary: Mapping[str, Any],
    channel: int | str | None,
    position: int | None,
) -> FileStack:
    """The images of one position and channel, with the z that each of them states."""
    if not images:
        raise InputError(
            f"{source} holds no images; the acquisition was stopped before its first, or files are missing."
        )
    with reading(Path(source), _WHAT):
        images = _at_position(source, images, position)
        images = _of_channel(source, images, summary, channel)
        lengths = {"T": len({image.time for image in images}), "Z": len({image.z for image in images})}
        refuse_other_axes(source, lengths, "Z")
        images = sorted(images, key=lambda image: image.z)
        first = images[0].read()
        stack = FileStack(LazyPlanes([image.read for image in images], first.shape, first.dtype))
        return _with_metadata(stack, [image.metadata for image in images], summary)


def _at_position(source: str, images: Sequence[_Image], position: int | None) -> list[_Image]:
    positions = sorted({image.position for image in images})
    if position is None and len(positions) > 1:
        raise InputError(
            f"{source} holds {len(positions)} stage positions; name one of them, as in {source}::{positions[0]}."
        )
    if position is not None and not 0 <= position < len(positions):
        raise InputError(f"{source} has no position {position}; it holds positions 0 to {len(positions) - 1}.")
    return [image for image in images if image.position == positions[position or 0]]


def _of_channel(
    source: str, images: Sequence[_Image], summary: Mapping[str, Any], channel: int | str | None
) -> list[_Image]:
    present = sorted({image.channel for image in images}, key=str)
    listed = [str(name) for name in summary.get("ChNames") or ()]
    names = [_channel_name(key, listed) for key in present]
    chosen = present[choose_channel(source, len(present), names, channel)]
    return [image for image in images if image.channel == chosen]


def _channel_name(key: int | str, listed: Sequence[str]) -> str:
    if isinstance(key, str):
        return key
    return listed[key] if key < len(listed) else str(key)


def _with_metadata(stack: FileStack, metadata: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> FileStack:
    stated = [_first_um(each, "ZPositionUm", "ZPosition_um_Intended", "ZPosition_um") for each in metadata]
    positions = [z for z in stated if z is not None]
    step_um = _first_um(summary, "z-step_um")
    pixel_um = _first_um(metadata[0], "PixelSizeUm", "PixelSize_um") or _first_um(summary, "PixelSize_um")
    z_um = even_steps(len(metadata), step_um) if step_um else None
    if len(positions) == len(metadata) and len(set(positions)) > 1:
        z_um = np.array(positions, np.float64)
    return replace(stack, z_um=z_um, pixel_size_um=pixel_um or None)


def _first_um(metadata: Mapping[str, Any], *keys: str) -> float | None:
    lengths = (to_um(metadata.get(key), "um") for key in keys)
    return next((length for length in lengths if length is not None), None)
