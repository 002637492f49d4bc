"""A short film of the window as a GIF: for a README, where a picture cannot show what a button does."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import napari
import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_autofocus.files import replacing

Picture = npt.NDArray[np.uint8]

COLOURS = 256
_STILL_COUNTS = 10
_LEAST_INTERVAL_S = 0.12
_SHORTEST_S = 0.06


class Film:
    """Frames of a napari window.

    Parameters
    ----------
    viewer : napari.Viewer
        Its window is filmed.
    width_px : int
        Width of the film.
    """

    def __init__(self, viewer: napari.Viewer, width_px: int = 900) -> None:
        self._viewer = viewer
        self._width_px = width_px
        self._frames: list[Picture] = []
        self._seconds: list[float] = []
        self._taken_s = -1e9

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def seconds(self) -> float:
        """How long the film lasts, s."""
        return sum(self._seconds)

    def grab(self, seconds: float | None = None) -> None:
        """Add what the window shows now.

        Parameters
        ----------
        seconds : float, optional
            How long it is shown; None: as long as it takes until the next is due, for films that follow what happens.
        """
        now = time.monotonic()
        if seconds is None and now - self._taken_s < _LEAST_INTERVAL_S:
            return
        self._taken_s = now
        whole = self._viewer.screenshot(canvas_only=False, flash=False)[..., :3]
        height = round(whole.shape[0] * self._width_px / whole.shape[1])
        self._frames.append(cv2.resize(whole, (self._width_px, height), interpolation=cv2.INTER_AREA))
        self._seconds.append(_LEAST_INTERVAL_S if seconds is None else max(seconds, _SHORTEST_S))

    def save(self, path: Path) -> None:
        """Write the film; the file appears complete or not at all. Raises InputError if it cannot be written."""
        frames = without_noise(self._frames)
        palette = _common_palette(frames)
        drawn = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        with replacing(path) as unfinished:
            drawn[0].save(
                unfinished,
                format="GIF",
                save_all=True,
                append_images=drawn[1:],
                duration=[round(1000 * seconds) for seconds in self._seconds],
                loop=0,
                optimize=False,
            )


def without_noise(frames: list[Picture]) -> list[Picture]:
    """Frames in which a pixel that changes by no more than camera noise stays as it was, and so costs no room."""
    still: list[Picture] = []
    for frame in frames:
        if not still:
            still.append(frame)
            continue
        change = cv2.absdiff(frame, still[-1]).max(axis=-1)
        moved = cv2.dilate((change > _STILL_COUNTS).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        still.append(np.where(moved[..., None], frame, still[-1]))
    return still


def _common_palette(frames: list[Picture]) -> Image.Image:
    """One palette for all frames, so that what stands still is the same in all; small marks keep their colours."""
    chosen = np.concatenate([frame.reshape(-1, 3) for frame in frames[:: max(1, len(frames) // 8)]])
    cells, counts = np.unique(chosen >> 2, axis=0, return_counts=True)
    weighed = np.repeat((cells << 2) + 2, np.ceil(np.sqrt(counts)).astype(int), axis=0)
    return Image.fromarray(weighed[None]).quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)
