"""The image of an overview while it grows: frames are binned as they come, so memory does not grow with the tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.scout_config import ScoutConfig
from napari_autofocus.slide.scout import Overview, tissue_mask

_KEPT = 40
"""Tiles of which the lamp's unevenness is learnt."""
_BRIGHT = 0.8
"""Of the tiles that are kept, the share that is darker than what counts as the lamp: glass is the brightest."""
_FEWEST = 6
_SMOOTH = 0.1
_DARK = 10  # counts: too few to tell a lamp by


class Canvas:
    """One image that tiles are laid into.

    Parameters
    ----------
    places : sequence of (x, y)
        Stage positions of all tiles, µm.
    first : Frame
        Says size, type and pixel of all frames; it must know its pixel size.
    config : ScoutConfig
        How coarse the image is.
    """

    def __init__(self, places: Sequence[Place], first: Frame, config: ScoutConfig) -> None:
        assert first.pixel_size_um is not None
        self._mirrored = config.mirrored
        height, width = first.image.shape[:2]
        at = np.asarray(places, np.float64)
        extent_um = np.ptp(at, axis=0) + np.array([width, height]) * first.pixel_size_um
        least = math.sqrt(float(np.prod(extent_um)) / config.most_pixels)
        binned = max(1, round(config.pixel_um / first.pixel_size_um), math.ceil(least / first.pixel_size_um))
        self.pixel_um = binned * first.pixel_size_um
        self._tile = max(1, height // binned), max(1, width // binned)
        half_um = (np.array(self._tile[::-1]) - 1) / 2 * self.pixel_um
        self._origin_um = at.min(axis=0) - half_um
        shape = np.rint(np.ptp(at, axis=0) / self.pixel_um).astype(int)[::-1] + self._tile
        self._image = np.zeros((*shape, *first.image.shape[2:]), first.image.dtype)
        self._seen = np.zeros(tuple(shape), bool)
        self._laid: list[tuple[int, int]] = []
        self._kept: list[npt.NDArray[Any]] = []

    @property
    def tiles(self) -> int:
        """How many tiles it holds."""
        return len(self._laid)

    def lay(self, place: Place, frame: Frame) -> None:
        """Put a tile where the stage stood."""
        small = cv2.resize(frame.image, self._tile[::-1], interpolation=cv2.INTER_AREA)
        small = small[:: -1 if self._mirrored[1] else 1, :: -1 if self._mirrored[0] else 1]
        left, top = np.rint((np.asarray(place) - self._tile_reach() - self._origin_um) / self.pixel_um).astype(int)
        part = self._part(int(top), int(left))
        self._image[part], self._seen[part] = small, True
        self._laid.append((int(top), int(left)))
        stride = max(1, len(self._laid) // _KEPT)
        if len(self._laid) % stride == 0:
            self._kept = [*self._kept[-(_KEPT - 1) :], small.copy()]

    def _tile_reach(self) -> npt.NDArray[np.float64]:
        """From the middle of a tile to the centre of its first pixel, µm."""
        return np.asarray((np.array(self._tile[::-1], np.float64) - 1) / 2 * self.pixel_um)

    def _part(self, top: int, left: int) -> tuple[slice, slice]:
        return slice(top, top + self._tile[0]), slice(left, left + self._tile[1])

    def growing(self) -> Overview:
        """The overview so far; its image is the canvas itself."""
        x, y = self._origin_um
        return Overview(self._image, self.pixel_um, (float(x), float(y)), None, self._seen)

    def finished(self, *, mark: bool) -> Overview:
        """The overview with the lamp evened out, and the sample marked."""
        self._even_out()
        grown = self.growing()
        mask = tissue_mask(self._image, self.pixel_um, seen=self._seen) if mark else None
        return Overview(grown.image, grown.pixel_um, grown.origin_um, mask, self._seen)

    def _even_out(self) -> None:
        """Divide every tile by the lamp, which is what the brightest tiles have in common."""
        if len(self._kept) < _FEWEST:
            return
        lamp = np.quantile(np.stack(self._kept), _BRIGHT, axis=0).astype(np.float32)
        sigma = max(1.0, _SMOOTH * max(self._tile))
        lamp = cv2.GaussianBlur(lamp, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        level = lamp.max(axis=(0, 1))
        if not np.all(lamp > 0.3 * level) or (self._image.dtype.kind in "ui" and level.max() < _DARK):
            return  # no lamp is so uneven: this is fluorescence, or a few dark tiles
        gain = level / lamp
        kind = self._image.dtype
        most = np.iinfo(kind).max if kind.kind in "ui" else np.inf
        owner = np.zeros((*self._seen.shape, 2), np.int16)  # where tiles overlap, the last one lies on top
        rows, columns = np.indices(self._tile, np.int16)
        for top, left in self._laid:
            owner[self._part(top, left)] = np.stack([rows, columns], axis=-1)
        for start in range(0, len(self._image), 512):  # some rows at a time: memory stays flat
            part = slice(start, start + 512)
            even = self._image[part] * gain[owner[part, :, 0], owner[part, :, 1]]
            self._image[part] = np.clip(np.rint(even), 0, most) if kind.kind in "ui" else even
