"""What is done to one tile of a slide, in this process or on a worker: only paths and numbers travel.

A tile is read with a margin at least as wide as the network looks, so that its answer is that of the whole slide; which
of the two shots is the sharper one is decided tile by tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.glass import shows_detail
from napari_autofocus.focus.registration import shift_between
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.io.zarr_slide import SlideImage, open_slide
from napari_autofocus.io.zarr_slide_writing import SlideCanvas, halved
from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.refocus.shots import UNMOVED, as_camera, light_of, shots_of
from napari_autofocus.models.refocus.verdict import LEAST_LIKENESS, judge
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.workflows.virtual.slide_shifts import Neighbours, taken_out

Float32 = npt.NDArray[np.float32]
Image = npt.NDArray[Any]
TileState = Literal["recovered", "glass"]

UNCERTAINTY = "uncertainty"
"""Group of the uncertainty, beside the levels of the image."""
UNCERTAINTY_TIMES = 2
"""The uncertainty is kept at a quarter of the resolution: halved so often."""
UNCERTAINTY_FULL = 65535
"""Count that stands for an uncertainty of full scale."""


class TileRefocuser(Protocol):
    """What recovers a tile: :class:`~napari_autofocus.models.refocuser.VirtualRefocuser`."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything in its package."""

    @property
    def card(self) -> VirtualCard:
        """What it was made for."""

    def refocus_tile(self, shots: Float32) -> Float32:
        """Recovered image and uncertainty (C + 1, Y, X) of two shots (2C, Y, X), all with full scale at 1."""


@dataclass(frozen=True)
class TileJob:
    """A tile to be worked on.

    Parameters
    ----------
    shots : tuple of Path
        The two slides.
    canvas : Path
        Of the recovered slide.
    row, column : int
        Of the tile, from 0.
    tile_px, margin_px : int
        Side of a tile, and how much is read around it.
    bit_depth : int or None
        Bits that the camera used.
    neighbours : Neighbours or None
        Shifts of the second shot around this tile; None where there is nothing to take out.
    level : int
        Of the pyramid.
    model : str
        Name or file of the model, for workers.
    """

    shots: tuple[Path, Path]
    canvas: Path
    row: int
    column: int
    tile_px: int
    margin_px: int = 0
    bit_depth: int | None = None
    neighbours: Neighbours | None = None
    level: int = 0
    model: str = ""

    @property
    def tile(self) -> tuple[int, int]:
        """Row and column."""
        return self.row, self.column

    def sides(self, shape: tuple[int, int], margin: int = 0) -> tuple[slice, slice]:
        """Rows and columns of the tile with a margin, inside a slide of that shape."""
        (top, left), (height, width) = (self.row * self.tile_px, self.column * self.tile_px), shape
        rows = slice(max(0, top - margin), min(height, top + self.tile_px + margin))
        return rows, slice(max(0, left - margin), min(width, left + self.tile_px + margin))


@dataclass(frozen=True)
class TileAnswer:
    """What became of a tile.

    Parameters
    ----------
    state : {'recovered', 'glass'}
        Whether the network was asked.
    uncertainty : float
        Mean standard deviation of its pixels, as a share of full scale.
    doubts : tuple of str
        Why not to trust it, a sentence each.
    """

    state: TileState
    uncertainty: float = 0.0
    doubts: tuple[str, ...] = ()


@lru_cache(maxsize=4)
def _slide(path: Path) -> SlideImage:
    return open_slide(path)


@lru_cache(maxsize=1)
def _refocuser(name: str) -> TileRefocuser:
    from napari_autofocus.models.refocuser import load_refocuser

    return load_refocuser(name).on_one_thread()


def forget_slides() -> None:
    """Forget the slides that were opened: others may lie under the same names next time."""
    _slide.cache_clear()


def shift_of_tile(job: TileJob) -> tuple[float, float] | None:
    """Shift (dy, dx) of the second shot of a tile, px; None where there is nothing to measure it by."""
    first, second = (_slide(path).read(*job.sides(_slide(path).shape)) for path in job.shots)
    if not (shows_detail(first) and shows_detail(second)):
        return None
    found = shift_between(first, second)
    return (found.dy, found.dx) if found.quality >= LEAST_LIKENESS else None


def refocus_on_worker(job: TileJob) -> TileAnswer:
    """:func:`refocus_one` where the refocuser has to be opened first."""
    return refocus_one(_refocuser(job.model), job)


def refocus_one(refocuser: TileRefocuser, job: TileJob) -> TileAnswer:
    """Recover a tile and write it; glass is copied from the sharper shot.

    Raises
    ------
    InputError
        If a shot cannot be read or the tile not be written.
    """
    slides = _slide(job.shots[0]), _slide(job.shots[1])
    core, around = job.sides(slides[0].shape), job.sides(slides[0].shape, job.margin_px)
    inner = tuple(slice(own.start - wide.start, own.stop - wide.start) for own, wide in zip(core, around, strict=True))
    one, other = slides[0].read(*around), slides[1].read(*around)
    if not (shows_detail(one) or shows_detail(other)):
        image = _sharper(one, other)[inner]
        return _put(job, image, np.zeros(image.shape[:2], np.float32), "glass")
    other = _second(slides[1], job, around) if job.neighbours is not None else other
    frames, whole = shots_of(one, other, job.bit_depth), (slice(None), slice(None))
    answer = _recovered(refocuser, light_of(frames[0], whole), light_of(frames[1], whole))[(slice(None), *inner)]
    image = as_camera(answer[:-1], frames[0]).reshape(*answer.shape[1:], *one.shape[2:])
    _, doubts, findings = judge(_cut(frames, inner), image, answer[-1], UNMOVED, refocuser.card.stains)
    return _put(job, image, answer[-1], "recovered", doubts if findings.content else ())


def halve_one(job: TileJob) -> None:
    """Fill a tile of a coarser level."""
    SlideCanvas(job.canvas).halve(job.level, job.row * job.tile_px, job.column * job.tile_px, job.tile_px)


def _sharper(first: Image, second: Image) -> Image:
    """The sharper of two shots."""
    if min(first.shape[:2]) < 3:
        return first
    return second if float(sharpness(second)) > float(sharpness(first)) else first


def _second(slide: SlideImage, job: TileJob, around: tuple[slice, slice]) -> Image:
    """The second shot of a tile, its shift taken out."""
    assert job.neighbours is not None
    reach = job.neighbours.reach_px
    rows, columns = around
    height, width = slide.shape
    wide = (
        slice(max(0, rows.start - reach), min(height, rows.stop + reach)),
        slice(max(0, columns.start - reach), min(width, columns.stop + reach)),
    )
    moved = taken_out(slide.read(*wide), wide, around, job.neighbours, job.tile, job.tile_px)
    if slide.dtype.kind != "u":
        return np.clip(moved, 0, 1).astype(slide.dtype)
    most = 2 ** (job.bit_depth or 8 * slide.dtype.itemsize) - 1
    return np.clip(np.rint(moved), 0, most).astype(slide.dtype)


def _recovered(refocuser: TileRefocuser, first: Float32, second: Float32) -> Float32:
    """Image and uncertainty (P + 1, Y, X) of two shots (P, Y, X), be they of the model's colours or not.

    A model for colour sees a grey slide as three equal colours, one for grey images sees each colour by itself.
    """
    planes, channels = first.shape[0], refocuser.card.optics.channels
    if planes == channels:
        return refocuser.refocus_tile(np.concatenate([first, second]))
    if planes < channels:
        answer = refocuser.refocus_tile(np.concatenate([first] * channels + [second] * channels))
        return np.stack([answer[:-1].mean(axis=0), answer[-1]])
    answers = [refocuser.refocus_tile(np.stack(pair)) for pair in zip(first, second, strict=True)]
    return np.stack([*(answer[0] for answer in answers), np.max([answer[1] for answer in answers], axis=0)])


def _cut(frames: Sequence[ModelFrame], part: tuple[slice, ...]) -> tuple[ModelFrame, ModelFrame]:
    first, second = (ModelFrame(frame.pixels[part], frame.full_scale) for frame in frames)
    return first, second


def _put(
    job: TileJob, image: Image, uncertainty: Float32, state: TileState, doubts: tuple[str, ...] = ()
) -> TileAnswer:
    SlideCanvas(job.canvas).write(0, job.row * job.tile_px, job.column * job.tile_px, image)
    side = job.tile_px >> UNCERTAINTY_TIMES
    coarse = halved(np.ascontiguousarray(uncertainty), UNCERTAINTY_TIMES)
    counts = np.clip(np.rint(coarse * UNCERTAINTY_FULL), 0, UNCERTAINTY_FULL).astype(np.uint16)
    SlideCanvas(job.canvas / UNCERTAINTY).write(0, job.row * side, job.column * side, counts)
    return TileAnswer(state, round(float(uncertainty.mean()), 6), doubts)
