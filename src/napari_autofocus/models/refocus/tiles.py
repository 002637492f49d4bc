"""How an image of any size is cut into overlapping tiles for a network, and how the answers are joined without seams.

Along each side, neighbouring tiles share a strip. In its middle half one fades into the other; the outer quarters,
where a tile's answer is disturbed by its own border, do not count. The weights of all tiles add up to one everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Span:
    """One tile along one side of the image.

    Parameters
    ----------
    start, stop : int
        What it reads, px.
    weights : np.ndarray, shape (stop - start,), float32
        How much its answer counts.
    """

    start: int
    stop: int
    weights: Float32

    @property
    def part(self) -> slice:
        """What it reads."""
        return slice(self.start, self.stop)


def spans(size: int, tile_px: int, overlap_px: int, stride_px: int) -> tuple[Span, ...]:
    """Tiles along a side, as few as can be and of about one length; they begin at multiples of the stride.

    Parameters
    ----------
    size : int
        Of the image, px.
    tile_px : int
        Longest tile, px.
    overlap_px : int
        How far from its border a tile's answer is disturbed, px; neighbours share twice that or more.
    stride_px : int
        Lengths that the network takes are multiples of this, px.

    Raises
    ------
    InputError
        If tiles of that length leave no room between their overlaps.
    """
    shared = -(-2 * overlap_px // stride_px) * stride_px
    longest = tile_px // stride_px * stride_px
    if longest < shared + stride_px:
        raise InputError(
            f"Tiles of {tile_px} px are too small for this model: neighbours share {shared} px; use"
            f" {shared + stride_px} px or more."
        )
    if size <= longest:
        return (Span(0, size, np.ones(size, np.float32)),)
    count = -(-(size - shared) // (longest - shared))
    length = -(-(size + (count - 1) * shared) // (count * stride_px)) * stride_px
    starts = [number * (length - shared) for number in range(count)]
    edges = [(start, min(start + length, size)) for start in starts if start + shared < size or start == 0]
    around: list[tuple[int, int] | None] = [None, *edges, None]
    raw = [_weights(edge, around[number], around[number + 2]) for number, edge in enumerate(edges)]
    total = np.zeros(size)  # one, but where three tiles meet
    for (start, stop), weights in zip(edges, raw, strict=True):
        total[start:stop] += weights
    return tuple(
        Span(start, stop, (weights / total[start:stop]).astype(np.float32))
        for (start, stop), weights in zip(edges, raw, strict=True)
    )


def _weights(own: tuple[int, int], before: tuple[int, int] | None, after: tuple[int, int] | None) -> Float64:
    at = np.arange(*own)
    weights = np.ones(at.size)
    if before is not None:
        weights *= _fade(at, own[0], before[1])
    if after is not None:
        weights *= 1 - _fade(at, after[0], own[1])
    return weights


def _fade(at: npt.NDArray[Any], start: int, stop: int) -> Float64:
    """From 0 to 1 over the middle half of a strip that two tiles share, smoothly."""
    share = np.clip((at + 0.5 - start) / max(stop - start, 1) * 2 - 0.5, 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * share), np.float64)


def padded(values: Float32, stride_px: int) -> Float32:
    """Channels first (C, Y, X), mirrored below and on the right until the sides are whole strides."""
    missing = [(-side) % stride_px for side in values.shape[1:]]
    if not any(missing):
        return values
    mode: Any = "reflect" if min(values.shape[1:]) > 1 else "edge"
    return np.pad(values, ((0, 0), (0, missing[0]), (0, missing[1])), mode=mode)


class Joined:
    """Joins tiles, row by row of tiles: only the pixels that are still being added to are held.

    Parameters
    ----------
    rows, columns : tuple of Span
        Of the image.
    channels : int
        Of the answers.
    """

    def __init__(self, rows: tuple[Span, ...], columns: tuple[Span, ...], channels: int) -> None:
        self._rows, self._columns = rows, columns
        self._strip = np.zeros((channels, 0, columns[-1].stop), np.float32)

    def add(self, row: int, column: int, answer: Float32) -> None:
        """Add a tile's answer (C, y, x); tiles come row by row."""
        down, right = self._rows[row], self._columns[column]
        missing = down.stop - down.start - self._strip.shape[1]
        if missing > 0:
            self._strip = np.pad(self._strip, ((0, 0), (0, missing), (0, 0)))
        self._strip[:, :, right.part] += answer * (down.weights[:, None] * right.weights[None])

    def finished(self, row: int) -> tuple[slice, Float32]:
        """What no later row of tiles adds to, once this row is done: which rows of the image, and their (C, y, X)."""
        own = self._rows[row]
        stop = self._rows[row + 1].start if row + 1 < len(self._rows) else own.stop
        ready, self._strip = np.split(self._strip, [stop - own.start], axis=1)
        return slice(own.start, stop), ready
