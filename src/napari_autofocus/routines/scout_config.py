"""What an overview is told, what it tells while it grows, and what it leaves behind."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Literal

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.plain_json import UNUSABLE, read_plain_json
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.running.end import RunEnd
from napari_autofocus.slide.scout import Overview

ScoutPhase = Literal["tile", "missed", "done"]


@dataclass(frozen=True)
class ScoutConfig:
    """How an overview is taken. Numbers are ours.

    Parameters
    ----------
    pixel_um : float
        Finest pixel of the overview, µm: frames are binned to it or coarser.
    every : int
        Take every so many-th tile along and across; what lies between stays unseen.
    overlap : float
        Share of a tile's side that it has in common with the next, from 0 to below 1.
    most_pixels : int
        The overview is binned further until it has no more.
    mirrored : tuple of bool
        Whether the camera's columns grow against x, and its rows against y.
    mark : bool
        Look where the sample is.
    timeout_s : float
        Time for the whole run by the microscope's clock, s; infinite unless given.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    pixel_um: float = 4.0
    every: int = 1
    overlap: float = 0.05
    most_pixels: int = 16_000_000
    mirrored: tuple[bool, bool] = (False, False)
    mark: bool = True
    timeout_s: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.pixel_um < math.inf:
            raise InputError(f"The pixel of an overview is a positive number of µm; found {self.pixel_um:g}.")
        if self.every < 1 or self.most_pixels < 10_000:
            raise InputError(
                "An overview takes every first tile or every so many-th, and at least 10000 pixels; found"
                f" {self.every} and {self.most_pixels}."
            )
        if not 0 <= self.overlap < 0.9:
            raise InputError(f"Tiles share from 0 to below 0.9 of a side; found {self.overlap:g}.")
        if not self.timeout_s > 0:
            raise InputError(f"timeout_s of an overview must be positive; found {self.timeout_s}.")


@dataclass(frozen=True, eq=False)
class ScoutStep:
    """Progress: a tile was taken or missed, or the overview is done.

    Parameters
    ----------
    phase : {'tile', 'missed', 'done'}
        What happened.
    number, total : int
        Tiles behind us, and tiles in all.
    place : tuple of float
        Stage position of the tile, µm.
    frame : Frame or None
        What the camera saw.
    overview : Overview or None
        As far as it has grown; its image goes on growing in place. With a mask once it is done.
    reason : str
        Why a tile was missed.
    """

    phase: ScoutPhase
    number: int
    total: int
    place: Place
    frame: Frame | None = field(default=None, repr=False)
    overview: Overview | None = field(default=None, repr=False)
    reason: str = ""


@dataclass(frozen=True, eq=False)
class ScoutRecord:
    """What taking an overview leaves behind.

    Parameters
    ----------
    outcome : str
        ``done``; ``done_in_part`` (tiles missed); or what ended it: ``cancelled``, ``timed_out``, ``refused``,
        ``failed``.
    reasons : tuple of str
        Sentences.
    tiles, missed : int
        Tiles in the overview, and those that could not be taken.
    frames : int
        Frames exposed.
    seconds : float
        By the microscope's clock.
    overview : Overview or None
        None where no tile was taken; not part of the JSON.
    """

    outcome: RunEnd
    reasons: tuple[str, ...]
    tiles: int
    missed: int
    frames: int
    seconds: float
    overview: Overview | None = field(default=None, repr=False)

    def to_json(self) -> str:
        """The record as one JSON object, without the image."""
        told = {key: value for key, value in vars(self).items() if key != "overview"}
        if self.overview is not None:
            told |= {"pixel_um": self.overview.pixel_um, "origin_um": list(self.overview.origin_um)}
        return json.dumps(told, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ScoutRecord:
        """The record that :meth:`to_json` wrote, without the image. Raises InputError if the text is not one."""
        try:
            found = read_plain_json(text)
            kept = {key: found[key] for key in ("outcome", "tiles", "missed", "frames", "seconds")}
            return cls(**kept, reasons=tuple(found["reasons"]))
        except UNUSABLE as error:
            raise InputError(f"This is not the record of an overview ({error}); it may be of another run.") from error
