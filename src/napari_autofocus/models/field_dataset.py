"""Whole fields on disk, for what is learned from a field and not from its patches: written once in shards.

Patches by themselves are in ``dataset.py``; what a field is stands in ``samples.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import as_stored
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.shards import Rows, finished_shards, joined, read_names, write_names, writing_shard

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class FieldPlane:
    """One plane of a field, with what is known of its patches.

    Parameters
    ----------
    frame : np.ndarray, shape (Y, X, C), float32
        In [0, 1].
    grid : PatchGrid
        Where patches lie.
    defocus_um : np.ndarray, shape (rows, columns), float32
        True defocus of each patch, µm; NaN where it is not known.
    importance : np.ndarray, shape (rows, columns), float32
        Content importance of each patch, in [0, 1]; NaN where it is not known.
    signed : bool
        False for even optics, whose direction cannot be told.
    """

    frame: npt.NDArray[np.float32]
    grid: PatchGrid
    defocus_um: npt.NDArray[np.float32]
    importance: npt.NDArray[np.float32]
    signed: bool

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Patches of content whose truth is known, shape (rows, columns)."""
        return np.asarray((self.importance >= SelectionSettings.least_importance) & np.isfinite(self.defocus_um))

    @property
    def field_um(self) -> float:
        """Defocus of the field, µm: the median over its patches of content; NaN where there are none."""
        return float(np.median(self.defocus_um[self.usable])) if self.usable.any() else math.nan


def write_field_shard(folder: Path, samples: Iterable[FieldSample]) -> Path:
    """Write one shard; it appears whole or not at all.

    Parameters
    ----------
    folder : Path
        The shard's own folder; must not exist yet.
    samples : iterable of FieldSample
        At least one; all of one shape, grid and number of planes.

    Raises
    ------
    InputError
        If they differ, or it cannot be written; nothing is left of it then.
    """
    kept = list(samples)
    kinds = {(sample.grid, len(sample.frames), sample.frames[0].shape) for sample in kept}
    if len(kinds) != 1:
        raise InputError(f"Fields of one shard have one shape, grid and number of planes; found {len(kinds)} kinds.")
    grid = kept[0].grid
    with writing_shard(folder) as unfinished:
        frames = [np.stack([as_stored(frame) for frame in sample.frames]) for sample in kept]
        np.save(unfinished / "frames.npy", np.stack(frames))
        np.save(unfinished / "defocus_um.npy", np.stack([sample.defocus_um for sample in kept]).astype(np.float32))
        np.save(unfinished / "importance.npy", np.stack([sample.importance for sample in kept]).astype(np.float32))
        np.save(unfinished / "signed.npy", np.array([sample.signed for sample in kept], bool))
        told = {name: [getattr(each, column) for each in kept] for name, column in _COLUMNS.items()}
        write_names(unfinished, _FORMAT, {"patch_px": grid.size, "stride_px": grid.step, **told})
    return folder


_COLUMNS = {"slides": "slide", "stains": "stain", "densities": "density"}


class FieldDataset:
    """All finished shards of a folder as one sequence of fields, each of as many planes.

    Parameters
    ----------
    folder : Path
        Holds ``shard-*`` folders.

    Raises
    ------
    InputError
        If there is none, one cannot be read or was written by another version, or their grids differ.
    """

    def __init__(self, folder: Path) -> None:
        found = finished_shards(folder)
        names = [read_names(path, _FORMAT) for path in found]
        self._frames = Rows(found, "frames.npy")
        kinds = {
            (part.shape[1:], told["patch_px"], told["stride_px"])
            for part, told in zip(self._frames.parts, names, strict=True)
        }
        if len(kinds) != 1:
            raise InputError(
                f"The shards in {folder} hold fields of {len(kinds)} kinds; keep each kind in its own folder."
            )
        (_, height, width, _), patch_px, stride_px = next(iter(kinds))
        self.grid = PatchGrid((height, width), patch_px, stride_px)
        self.defocus_um = joined(found, "defocus_um.npy")
        self.importance = joined(found, "importance.npy")
        self.signed = joined(found, "signed.npy")
        self.slides, self.stains, self.densities = (
            np.concatenate([np.array(told[name], np.str_) for told in names]) for name in _COLUMNS
        )

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def planes(self) -> int:
        """Planes of each field."""
        return int(self.defocus_um.shape[1])

    @property
    def channels(self) -> int:
        """Channels of a frame."""
        return int(self._frames.parts[0].shape[-1])

    def plane(self, index: int, plane: int) -> FieldPlane:
        """One plane of a field."""
        stored = self._frames[index][plane]
        return FieldPlane(
            np.asarray(stored, np.float32) / np.float32(np.iinfo(stored.dtype).max),
            self.grid,
            self.defocus_um[index, plane],
            self.importance[index],
            bool(self.signed[index]),
        )
