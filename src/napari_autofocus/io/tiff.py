"""TIFF files that hold a stack: OME-TIFF, ImageJ's, plain multi-page; pages are read when they are needed."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.axes import z_planes
from napari_autofocus.io.care.limits import check_count, check_size
from napari_autofocus.io.care.tiff_opening import check_page, is_of_a_set, opened_tiff, series_of
from napari_autofocus.io.care.tiff_parts import check_parts
from napari_autofocus.io.lazy import FileStack, LazyPlanes, Plane, even_steps, to_um
from napari_autofocus.io.ome import OmeImage, parse_ome
from napari_autofocus.io.reading import reading

SUFFIXES = (".tif", ".tiff")
_WHAT = "a TIFF"
# What tifffile logs where the chain of pages or the description (tag 270, with the metadata) breaks off; complaints
# about other tags are no reason to refuse a file.
_CHAIN_BROKEN = re.compile(r"invalid page|invalid offset to page|corrupted tag list|invalid or corrupted|TiffTag 270 ")


def open_tiff(path: Path, *, channel: int | str | None = None, position: int | None = None) -> FileStack:
    """What a TIFF file says about its stack.

    Parameters
    ----------
    path : Path
        OME-TIFF, ImageJ TIFF or plain TIFF.
    channel : int, str or None
        Which channel, where there are several.
    position : int or None
        Which image (stage position), where an OME-TIFF holds several.

    Raises
    ------
    InputError
        If the file is damaged, is no TIFF, or does not hold one z-stack.
    """
    with reading(path, _WHAT) as complaints, opened_tiff(path) as tif:
        series = _choose_series(series_of(tif, path), tif.is_ome, path, position)
        refuse_truncated(tif, path, complaints)
        image = _ome_image(tif, position or 0)
        readers, page_axes = _readers(tif, series, path)
        axes, shape = series.axes[: -len(page_axes)], series.shape[: -len(page_axes)]
        numbers, number = z_planes(str(path), axes, shape, image.channels if image else (), channel)
        planes = _lazy_planes([readers[i] for i in numbers], series, page_axes)
        if image is not None:
            return _from_ome(planes, image, number)
        return _from_imagej(planes, tif) if tif.is_imagej else FileStack(planes)


def positions_in(path: Path) -> int:
    """How many images (stage positions) a TIFF file holds; 1 for anything but a multi-image OME-TIFF."""
    with reading(path, _WHAT), opened_tiff(path) as tif:
        return len(series_of(tif, path)) if tif.is_ome else 1


def is_multi_page(path: Path) -> bool:
    """Whether a TIFF holds more than one plane. Raises InputError if it is no TIFF."""
    with reading(path, _WHAT), opened_tiff(path) as tif:
        if len(tif.pages) > 1 or bool(tif.is_imagej and (tif.imagej_metadata or {}).get("images", 1) > 1):
            return True
        if is_of_a_set(tif):
            return False
        return int(np.prod(series_of(tif, path)[0].shape)) > int(np.prod(tif.pages.first.shape))


def read_page(path: Path) -> Plane:
    """The only page of a TIFF, shape (Y, X) or (Y, X, C)."""
    with reading(path, _WHAT) as complaints, opened_tiff(path) as tif:
        refuse_truncated(tif, path, complaints)
        if len(tif.pages) > 1:
            raise InputError(f"{path} holds {len(tif.pages)} planes among files of one plane each; open it on its own.")
        page = tif.pages.first
        check_page(page, path)
        check_parts(page, path)
        return _colour_last(page.asarray(), page.axes)


def page_size(path: Path) -> tuple[int, int]:
    """Height and width of the first page, px, without reading it."""
    with reading(path, _WHAT), opened_tiff(path) as tif:
        page = tif.pages.first
        return int(page.imagelength), int(page.imagewidth)


def page_metadata(path: Path) -> tuple[float | None, float | None]:
    """Position z and pixel size of the only page of a TIFF, µm, where its OME or Micro-Manager metadata say so."""
    with reading(path, _WHAT), opened_tiff(path) as tif:
        tag = tif.pages.first.tags.get("MicroManagerMetadata")
        if tag is not None and isinstance(tag.value, dict):
            return to_um(tag.value.get("ZPositionUm"), "um"), to_um(tag.value.get("PixelSizeUm") or None, "um")
        image = _ome_image(tif, 0)
        if image is None or len(image.position_um) != 1:
            return None, image.pixel_size_um if image else None
        return next(iter(image.position_um.values())), image.pixel_size_um


def _choose_series(series: Any, is_ome: bool, path: Path, position: int | None) -> Any:
    if not series:
        raise InputError(f"{path} holds no image; it is damaged or cut short: copy or export it again.")
    if position is not None and not 0 <= position < len(series):
        raise InputError(f"{path} has no image {position}; it holds images 0 to {len(series) - 1}.")
    if len(series) == 1 or position is not None:
        return series[position or 0]
    if is_ome:
        raise InputError(f"{path} holds {len(series)} images (stage positions); name one of them, as in {path}::0.")
    raise InputError(
        f"{path} holds planes of different size or type, {_size(series[0])} and {_size(series[1])}; a z-stack's planes"
        " are alike, so take the odd ones out."
    )


def _size(series: Any) -> str:
    return f"{series.keyframe.imagelength} x {series.keyframe.imagewidth} px ({series.dtype})"


def refuse_truncated(tif: Any, path: Path, complaints: list[str]) -> None:
    """Refuse a file that ends before its pages do: the library would leave them out, or invent their pixels."""
    found = len(tif.pages)
    ends = [max((o + n for o, n in zip(p.dataoffsets, p.databytecounts, strict=False)), default=0) for p in tif.pages]
    cut = [number for number, end in enumerate(ends) if end > tif.filehandle.size]
    if cut or any(_CHAIN_BROKEN.search(message) for message in complaints):
        whole = found - len(cut)
        raise InputError(
            f"{path} is cut short or damaged: it ends after {tif.filehandle.size} bytes, with {whole} whole planes"
            " found; copy or export it again."
        )


def _readers(tif: Any, series: Any, path: Path) -> tuple[list[Callable[[], Plane]], str]:
    """One reader for each page-like part of the series, in C order, and the axes of such a part."""
    axes = series.keyframe.axes
    if len(axes) > 2 and "S" not in axes:
        axes = "YX"  # a volume in one page
    count = math.prod(series.shape[: -len(axes)])
    check_count(path, count)
    if series.dataoffset is not None:
        return _mapped_readers(tif, series, path, count, axes), axes
    if len(series.pages) != count or any(page is None for page in series.pages):
        present = sum(page is not None for page in series.pages)
        raise InputError(
            f"{path} announces {count} planes but holds {present}; the file is cut short or parts of the set are"
            " missing: copy it again with all its files."
        )
    lock = threading.Lock()
    return [partial(read_series_page, page, path, axes, lock) for page in series.pages], axes


def read_series_page(page: Any, path: Path, axes: str, lock: threading.Lock) -> Plane:
    """One page of a TIFF that has been closed since it was opened, shape (Y, X) or (Y, X, C)."""
    file = page.parent.filehandle
    with lock, reading(path, _WHAT):
        check_page(page.keyframe, path)
        file.open()
        try:
            check_parts(page, path)
            return _colour_last(page.asarray(), axes)
        finally:
            file.close()


def _mapped_readers(tif: Any, series: Any, path: Path, count: int, axes: str) -> list[Callable[[], Plane]]:
    """Readers of uncompressed planes that lie one behind the other (in files of over 4 GB under a single header)."""
    dtype = np.dtype(tif.byteorder + series.dtype.char)
    shape = series.shape[-len(axes) :]
    check_size(path, shape, dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if series.dataoffset + count * nbytes > tif.filehandle.size:
        whole = max(0, tif.filehandle.size - series.dataoffset) // nbytes
        raise InputError(
            f"{path} is cut short: it announces {count} planes and holds {whole}; copy or export it again."
        )
    return [partial(_read_mapped, path, dtype, shape, series.dataoffset + i * nbytes, axes) for i in range(count)]


def _read_mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, axes: str) -> Plane:
    with reading(path, _WHAT):
        values = np.fromfile(path, dtype, int(np.prod(shape)), offset=offset)
        return _colour_last(values.reshape(shape), axes)


def _colour_last(page: Plane, axes: str) -> Plane:
    """(Y, X) or (Y, X, C) with at most three colours: an alpha channel says nothing about focus."""
    if "S" not in axes:
        return page
    page = np.moveaxis(page, axes.index("S"), -1)
    return np.ascontiguousarray(page[..., :3] if page.shape[-1] >= 3 else page[..., 0])


def _lazy_planes(readers: list[Callable[[], Plane]], series: Any, axes: str) -> LazyPlanes:
    stored = dict(zip(axes, series.shape[-len(axes) :], strict=True))
    samples = (3,) if stored.get("S", 1) >= 3 else ()
    return LazyPlanes(readers, (stored["Y"], stored["X"], *samples), series.dtype)


def _ome_image(tif: Any, index: int) -> OmeImage | None:
    if not tif.is_ome:
        return None
    images = parse_ome(tif.ome_metadata)
    return images[index] if index < len(images) else None


def _from_ome(planes: LazyPlanes, image: OmeImage, channel: int) -> FileStack:
    return FileStack(
        planes,
        z_um=image.z_um(channel, len(planes)),
        pixel_size_um=image.pixel_size_um,
        objective=image.objective,
        focus_direction=image.focus_direction,
    )


def _from_imagej(planes: LazyPlanes, tif: Any) -> FileStack:
    metadata = tif.imagej_metadata or {}
    unit = str(metadata.get("unit", ""))
    step_um = to_um(metadata.get("spacing"), unit)
    z_um = even_steps(len(planes), step_um) if step_um else None
    pixel_um = _imagej_pixel_um(tif.pages.first, unit)
    if metadata.get("spacing") and z_um is None:
        said = f"states a z spacing of {metadata['spacing']:g} {unit or 'without a unit'}, which is no length"
        return FileStack(planes, pixel_size_um=pixel_um, unknown_z=said)
    return FileStack(planes, z_um=z_um, pixel_size_um=pixel_um)


def _imagej_pixel_um(page: Any, unit: str) -> float | None:
    """ImageJ keeps pixels per unit of length in the resolution tags."""
    tags = [page.tags.get(name) for name in ("XResolution", "YResolution")]
    if any(tag is None or not all(tag.value) for tag in tags):
        return None
    x, y = (to_um(tag.value[1] / tag.value[0], unit) for tag in tags)
    return x if x is not None and y is not None and np.isclose(x, y, rtol=0.01) else None
