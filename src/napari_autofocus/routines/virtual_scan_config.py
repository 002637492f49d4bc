"""What a scan of two shots a tile is told, what it tells while it runs, and what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.running.end import RunEnd

ScanPhase = Literal["find", "shot", "tile"]
TileEnd = Literal["written", "empty", "out_of_reach", "failed"]


@dataclass(frozen=True)
class VirtualScanConfig:
    """How two shots a tile are taken.

    Parameters
    ----------
    dz_um : float
        Distance of the two shots, one half of it below the initial focal position and one above, µm.
    skip_empty : bool
        Leave out the second shot of tiles whose first shows nothing.
    find_every : int or None
        Find focus again after so many tiles with content, for slides that lie askew; None: once, as in the paper.
    timeout_s : float
        Time for the whole run by the microscope's clock, s; infinite unless given.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    dz_um: float = 2.0
    skip_empty: bool = True
    find_every: int | None = None
    timeout_s: float = math.inf
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.dz_um < math.inf:
            raise InputError(f"The two shots lie a positive number of µm apart; found {self.dz_um:g}.")
        if self.find_every is not None and self.find_every < 1:
            raise InputError(f"Focus is found again after 1 tile or more; found {self.find_every}.")
        for name in ("timeout_s", "same_place_um"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} of a scan must be positive; found {getattr(self, name)}.")


@dataclass(frozen=True, eq=False)
class TakenTile:
    """The shots of one tile.

    Parameters
    ----------
    number : int
        Of the tile, from 0.
    place : tuple of float
        Stage position that was asked for, µm.
    lower, upper : Frame
        At the lower and at the higher drive position; the same frame where the tile is empty.
    """

    number: int
    place: Place
    lower: Frame
    upper: Frame

    @property
    def is_empty(self) -> bool:
        """Whether one shot stands for both."""
        return self.lower is self.upper


TileWriter = Callable[[TakenTile], None]
"""Keeps a tile before it returns; raises InputError where it cannot, which ends the run."""


@dataclass(frozen=True)
class TileResult:
    """What became of one tile.

    Parameters
    ----------
    number : int
        Of the tile, from 0.
    x_um, y_um : float
        Stage position, µm: as read back where the tile was taken, otherwise as asked for.
    state : str
        ``written``; ``empty`` (one shot, which shows nothing); ``out_of_reach`` (beyond the limits of the stage) or
        ``failed`` (the camera failed twice), and then there is no shot.
    reason : str
        A sentence; empty where the tile is written.
    lower_z_um, upper_z_um : float or None
        Where the shots were taken, µm.
    """

    number: int
    x_um: float
    y_um: float
    state: TileEnd
    reason: str = ""
    lower_z_um: float | None = None
    upper_z_um: float | None = None


@dataclass(frozen=True, eq=False)
class ScanStep:
    """Progress: a frame has been taken, or a tile is done.

    Parameters
    ----------
    phase : {'find', 'shot', 'tile'}
        A frame that looks for focus, a shot of a tile, or a tile that ended (with ``result``).
    number : int
        Of the tile, from 0.
    place : tuple of float
        Its stage position, µm.
    done, total : int
        Tiles that ended in this run, and those it has to visit.
    frame : Frame or None
        The frame itself, to be shown.
    result : TileResult or None
        What became of the tile.
    """

    phase: ScanPhase
    number: int
    place: Place
    done: int
    total: int
    frame: Frame | None = field(default=None, repr=False)
    result: TileResult | None = None


@dataclass(frozen=True)
class VirtualScanRecord:
    """What a scan leaves behind.

    Parameters
    ----------
    outcome : str
        ``done``; ``done_in_part`` (tiles without a shot, or nothing to focus on); or what ended it.
    reasons : tuple of str
        Sentences.
    tiles : tuple of TileResult
        What became of each tile that was visited.
    focus_um : tuple of float
        Every focus that was found, in order, µm.
    frames, moves : int
        Frames exposed, and moves of the focus drive, those that looked for focus included.
    seconds : float
        By the microscope's clock.
    start_um, end_um : float
        Focus drive before and after, µm.
    """

    outcome: RunEnd
    reasons: tuple[str, ...]
    tiles: tuple[TileResult, ...]
    focus_um: tuple[float, ...]
    frames: int
    moves: int
    seconds: float
    start_um: float
    end_um: float
