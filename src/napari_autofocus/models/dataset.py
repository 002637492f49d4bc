"""Patches and overviews on disk, ready to be learned from: written once in shards, read through memory maps.

What a field is stands in ``samples.py``; how networks are shown it, in ``training.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.seeing.overview import overview_of
from napari_autofocus.models.shards import finished_shards, read_array, read_names, write_names, writing_shard

Pixels = npt.NDArray[np.uint8 | np.uint16]

PATCH_RECORD = np.dtype(
    [("defocus_um", "f4"), ("importance", "f4"), ("signed", "?"), ("slide", "i4"), ("stain", "i2"), ("density", "i2")]
)
OVERVIEW_RECORD = np.dtype([("slide", "i4"), ("defocus_um", "f4"), ("rows", "i2"), ("columns", "i2")])
_FORMAT = 1


@dataclass(frozen=True)
class Picking:
    """Which patches of a field are stored, and how overviews are made.

    Parameters
    ----------
    patches_per_plane : int
        At most; drawn at random, likelier the more important.
    least_importance : float
        Below it a patch is not learned from.
    reduction : int
        Factor by which an overview is smaller than the frame.
    overviews_per_field : int
        Planes of which the overview is kept.
    """

    patches_per_plane: int = 12
    least_importance: float = 0.3
    reduction: int = 8
    overviews_per_field: int = 6


def write_shard(folder: Path, samples: Iterable[FieldSample], picking: Picking, rng: np.random.Generator) -> Path:
    """Write one shard; it appears whole or not at all.

    Parameters
    ----------
    folder : Path
        The shard's own folder; must not exist yet.
    samples : iterable of FieldSample
        Fields; those of one shape.
    picking : Picking
        What to keep of them.
    rng : np.random.Generator
        Picks.

    Raises
    ------
    InputError
        If it cannot be written, because the disk is full for instance; nothing is left of it then.
    """
    kept = _Kept(picking, rng)
    for sample in samples:
        kept.add(sample)
    with writing_shard(folder) as unfinished:
        kept.write(unfinished)
    return folder


class _Kept:
    """What was picked of the fields so far."""

    def __init__(self, picking: Picking, rng: np.random.Generator) -> None:
        self.picking, self.rng = picking, rng
        self.patches: list[Pixels] = []
        self.patch_labels: list[tuple[Any, ...]] = []
        self.overviews: list[Pixels] = []
        self.overview_labels: list[tuple[Any, ...]] = []
        self.importances: list[npt.NDArray[np.float16]] = []
        self.slides, self.stains, self.densities = _Names(), _Names(), _Names()

    def add(self, sample: FieldSample) -> None:
        slide = self.slides.number(sample.slide)
        kinds = self.stains.number(sample.stain), self.densities.number(sample.density)
        for plane, frame in enumerate(sample.frames):
            pixels = as_stored(frame)
            if plane < self.picking.overviews_per_field:
                overview = overview_of(pixels, sample.grid, self.picking.reduction)
                self.overviews.append(overview.reshape(*overview.shape[:2], -1))
                self.importances.append(sample.importance.astype(np.float16))
                known = sample.defocus_um[plane][np.isfinite(sample.defocus_um[plane])]
                middle = float(np.median(known)) if known.size else math.nan
                self.overview_labels.append((slide, middle, *sample.grid.shape))
            for index in self._picked(sample, plane):
                label = float(sample.defocus_um[plane].flat[index]), float(sample.importance.flat[index])
                self.patches.append(np.ascontiguousarray(pixels[sample.grid.slices(index)]))
                self.patch_labels.append((*label, sample.signed, slide, *kinds))

    def _picked(self, sample: FieldSample, plane: int) -> npt.NDArray[np.intp]:
        usable = (sample.importance >= self.picking.least_importance) & np.isfinite(sample.defocus_um[plane])
        places = np.flatnonzero(usable)
        if places.size == 0:
            return places
        chance = sample.importance.ravel()[places].astype(np.float64)
        count = min(self.picking.patches_per_plane, places.size)
        return self.rng.choice(places, count, replace=False, p=chance / chance.sum())

    def write(self, folder: Path) -> None:
        def stacked(images: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
            return np.stack(images) if images else np.empty((0, 0, 0, 0), np.uint8)

        np.save(folder / "patches.npy", stacked(self.patches))
        np.save(folder / "labels.npy", np.array(self.patch_labels, PATCH_RECORD))
        np.save(folder / "overviews.npy", stacked(self.overviews))
        np.save(folder / "overview_labels.npy", np.array(self.overview_labels, OVERVIEW_RECORD))
        np.save(folder / "importances.npy", stacked(self.importances))
        names = {"slides": self.slides.names, "stains": self.stains.names, "densities": self.densities.names}
        write_names(folder, _FORMAT, names)


class _Names:
    """Numbers given to names in the order of their coming."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def number(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)


def as_stored(frame: npt.NDArray[Any]) -> Pixels:
    """A frame in its own type, 8 or 16 bit, shape (Y, X, C); a camera's 12 bits are not cut to 8."""
    if frame.dtype not in (np.uint8, np.uint16):
        raise InputError(f"Training data are frames of 8 or 16 bit; found {frame.dtype}.")
    return np.asarray(frame if frame.ndim == 3 else frame[..., None])


def _light(stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Stored pixels as networks see them: over the full scale of their type, in [0, 1]."""
    return np.asarray(stored, np.float32) / np.float32(np.iinfo(stored.dtype).max)


class Dataset:
    """All finished shards of a folder as one sequence of patches and one of overviews.

    Parameters
    ----------
    folder : Path
        Holds ``shard-*`` folders.

    Raises
    ------
    InputError
        If there is none, or one was written by another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = [_Shard(path) for path in finished_shards(folder)]
        self.labels = np.concatenate([shard.labels for shard in self.shards])
        self.overview_labels = np.concatenate([shard.overview_labels for shard in self.shards])
        self.stains, self.densities = self._names("stains", "stain"), self._names("densities", "density")
        self.slides = self._names("slides", "slide")
        self.overview_slides = np.concatenate(
            [np.array(shard.names["slides"])[shard.overview_labels["slide"]] for shard in self.shards]
        )
        self._patch_starts = np.cumsum([0] + [shard.labels.size for shard in self.shards])
        self._overview_starts = np.cumsum([0] + [shard.overview_labels.size for shard in self.shards])

    def __len__(self) -> int:
        return int(self.labels.size)

    def _names(self, table: str, column: str) -> npt.NDArray[np.str_]:
        """Name of each patch's slide, stain or density, shape (patches,)."""
        each = [
            np.array(shard.names[table] or [""])[shard.labels[column]] for shard in self.shards if shard.labels.size
        ]
        return np.concatenate(each) if each else np.empty(0, "U1")

    def patch(self, index: int) -> npt.NDArray[np.float32]:
        """One patch, shape (Y, X, C), in [0, 1]."""
        shard = int(np.searchsorted(self._patch_starts, index, side="right")) - 1
        return _light(self.shards[shard].patches[index - self._patch_starts[shard]])

    def overview(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """One overview, shape (y, x, C), in [0, 1], and the importance of its patches, shape (rows, columns)."""
        shard = int(np.searchsorted(self._overview_starts, index, side="right")) - 1
        place = index - self._overview_starts[shard]
        overview = _light(self.shards[shard].overviews[place])
        return overview, np.asarray(self.shards[shard].importances[place], np.float32)


class _Shard:
    """One finished shard, its images left on disk."""

    def __init__(self, folder: Path) -> None:
        self.names = read_names(folder, _FORMAT)
        self.patches = read_array(folder / "patches.npy", mapped=True)
        self.labels = read_array(folder / "labels.npy")
        self.overviews = read_array(folder / "overviews.npy", mapped=True)
        self.importances = read_array(folder / "importances.npy", mapped=True)
        self.overview_labels = read_array(folder / "overview_labels.npy")
