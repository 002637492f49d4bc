"""One run of a log: when it was, what it left behind, and small pictures of the field before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.records import FocusRecord, TrackRecord

Picture = npt.NDArray[np.uint8]
DepthMap = npt.NDArray[np.float32]
RunRecord = FocusRecord | TrackRecord
"""What a run of a log leaves behind: focusing runs, and holds of focus."""

THUMBNAIL_WIDTH_PX = 160
_CLIPPED_PERCENT = 0.2


@dataclass(frozen=True, eq=False)
class RunEntry:
    """One run in the log.

    Parameters
    ----------
    number : int
        From 1, in the order of the runs.
    when : datetime
        When it ended, with its time zone.
    record : SweepRecord, RefocusRecord or TrackRecord
        What the run left behind.
    before, after : np.ndarray, shape (Y, X) or (Y, X, 3), u8, or None
        The first and the last frame, small; None where there is none.
    composite : np.ndarray, shape (Y, X) or (Y, X, 3), u8, or None
        The all-in-focus image of an uneven field, small.
    depth_um : np.ndarray, shape (Y, X), float32, or None
        Drive position at which each of its pixels is sharpest, µm; NaN where that cannot be told.
    """

    number: int
    when: datetime
    record: RunRecord
    before: Picture | None = field(default=None, repr=False)
    after: Picture | None = field(default=None, repr=False)
    composite: Picture | None = field(default=None, repr=False)
    depth_um: DepthMap | None = field(default=None, repr=False)

    @property
    def outcome(self) -> str:
        """How the run ended, as its record spells it."""
        return self.record.ended if isinstance(self.record, TrackRecord) else self.record.outcome

    @property
    def method(self) -> str:
        """How it focused; ``hold`` for a hold of focus."""
        return "hold" if isinstance(self.record, TrackRecord) else self.record.method

    @property
    def frames(self) -> int:
        """Frames exposed; a hold takes one each round."""
        return self.record.rounds if isinstance(self.record, TrackRecord) else self.record.frames

    @property
    def defocus_um(self) -> tuple[float | None, float | None]:
        """Estimated defocus of the first and of the last frame that had a trusted estimate, µm."""
        record = self.record
        if isinstance(record, TrackRecord):
            known = [sample.defocus_um for sample in record.samples if sample.defocus_um is not None]
            return (known[0], known[-1]) if known else (None, None)
        return getattr(record, "before_um", None), getattr(record, "after_um", None)


def thumbnails(
    before: npt.NDArray[Any] | None, after: npt.NDArray[Any] | None
) -> tuple[Picture | None, Picture | None]:
    """Small copies of two frames of one field, in the same range of grey, so that they can be compared.

    Parameters
    ----------
    before, after : np.ndarray, shape (Y, X) or (Y, X, 3), or None
        The frames, any kind of number.

    Returns
    -------
    tuple of np.ndarray or None
        u8, at most ``THUMBNAIL_WIDTH_PX`` wide.
    """
    small = [None if image is None else _shrunk(np.asarray(image)) for image in (before, after)]
    low, high = _range_of([image for image in small if image is not None])
    first, second = (None if image is None else _eight_bit(image, low, high) for image in small)
    return first, second


def small_depth(depth_um: DepthMap) -> DepthMap:
    """A small copy of a depth map, as large as the pictures; no depths are mixed."""
    return np.asarray(cv2.resize(depth_um, _small_size(depth_um), interpolation=cv2.INTER_NEAREST), np.float32)


def _shrunk(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy, at most so wide; the mean of the pixels that fall together."""
    if image.dtype != np.uint8:
        image = image.astype(np.float32)
    return np.array(cv2.resize(image, _small_size(image), interpolation=cv2.INTER_AREA))


def _small_size(image: npt.NDArray[Any]) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL_WIDTH_PX / width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _range_of(images: Sequence[npt.NDArray[Any]]) -> tuple[float, float]:
    """What is black and what is white in both."""
    if not images or all(image.dtype == np.uint8 for image in images):
        return 0.0, 255.0
    values = np.concatenate([image[np.isfinite(image)].ravel() for image in images])
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (_CLIPPED_PERCENT, 100 - _CLIPPED_PERCENT))
    return float(low), float(max(high, low + 1e-9))


def _eight_bit(image: npt.NDArray[Any], low: float, high: float) -> Picture:
    if image.dtype == np.uint8:
        return image
    share = np.nan_to_num((image - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray(np.clip(255 * share, 0, 255), dtype=np.uint8)
