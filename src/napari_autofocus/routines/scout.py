"""Scout a slide: a coarse overview with the same camera, tile by tile in serpentine order, that says where sample is.

The drive stays where it is: an overview need not be sharp. However it ends, camera, shutter and live mode are put back,
the slide goes where it was, and what was seen until then stays in the record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np

from napari_autofocus.errors import FrameError, InputError, MoveRefused
from napari_autofocus.microscope.protocol import Frame, Microscope, SlideMicroscope
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.running.end import RunEnd, cut_short, slide_comes_back
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.scanning.canvas import Canvas
from napari_autofocus.routines.scout_config import ScoutConfig, ScoutPhase, ScoutRecord, ScoutStep
from napari_autofocus.slide.area import MOST_POINTS, Area
from napari_autofocus.slide.scout import Overview
from napari_autofocus.slide.stitching import serpentine

__all__ = ["ScoutConfig", "ScoutRecord", "ScoutStep", "scout", "tiles_over"]

Steps = Generator[ScoutStep, None, None]

TRIES = 2
"""A tile at which the camera fails is tried so often."""
FAILURES_IN_A_ROW = 3
"""After so many tiles in succession that failed, the run ends: it is the camera, not the tile (ours)."""
_SAME_PLACE_UM = 0.5


def tile_grid(area: Area, field_um: tuple[float, float], config: ScoutConfig) -> tuple[int, int]:
    """Columns and rows of the tiles that cover the bounds of an area; as for :func:`tiles_over`, told at once."""
    x0, y0, x1, y1 = area.bounds_um
    height_um, width_um = _pitch_um(field_um, config)
    return max(1, math.ceil((x1 - x0) / width_um)), max(1, math.ceil((y1 - y0) / height_um))


def tiles_over(area: Area, field_um: tuple[float, float], config: ScoutConfig) -> list[Place]:
    """Stage positions of the tiles that touch an area, in serpentine order.

    Parameters
    ----------
    area : Area
        What the overview shall show.
    field_um : tuple of float
        Height and width of a frame, µm.
    config : ScoutConfig
        Overlap, and how many tiles are left out between two.

    Raises
    ------
    InputError
        If the tiles would be too many.
    """
    x0, y0, x1, y1 = area.bounds_um
    height_um, width_um = _pitch_um(field_um, config)
    columns, rows = tile_grid(area, field_um, config)
    if columns * rows > MOST_POINTS:
        raise InputError(
            f"An overview of {x1 - x0:g} x {y1 - y0:g} µm takes {columns * rows} tiles, more than {MOST_POINTS}; take a"
            " smaller area or leave out more tiles."
        )
    spread = (height_um / (1 - config.overlap), width_um / (1 - config.overlap))
    tiles = serpentine(((x0 + x1) / 2, (y0 + y1) / 2), columns, rows, spread, config.overlap)
    return [tile for tile in tiles if _touches(area, tile, (height_um, width_um))]


def _pitch_um(field_um: tuple[float, float], config: ScoutConfig) -> tuple[float, float]:
    """Distance of neighbouring tiles down and across, µm."""
    height_um, width_um = (side * (1 - config.overlap) * config.every for side in field_um)
    return height_um, width_um


def _touches(area: Area, tile: Place, size_um: tuple[float, float]) -> bool:
    """Whether a tile shows any of an area, by a few places in it and the corners of the area."""
    half = np.array([size_um[1], size_um[0]]) / 2
    x, y = np.meshgrid(*(tile[axis] + half[axis] * np.linspace(-1, 1, 7) for axis in (0, 1)))
    near = np.abs(np.asarray(area.corners) - tile) <= half
    return bool(np.any(area.inside(x, y)) or near.all(axis=1).any())


def scout(
    microscope: Microscope,
    config: ScoutConfig,
    area: Area,
    *,
    keep: Callable[[ScoutRecord], None] | None = None,
) -> Generator[ScoutStep, None, ScoutRecord]:
    """Take one frame a tile and lay them into one coarse image; then mark where the sample is.

    Cancel by closing the generator: the slide is back when ``close`` returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through; it must move its slide and know its pixel size. Its drive is not moved.
    config : ScoutConfig
        How coarse, and which tiles.
    area : Area
        What to show.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    ScoutStep
        After each tile, and when the sample is marked.

    Returns
    -------
    ScoutRecord
        Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the slide cannot be moved. Nothing has moved.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    if not isinstance(microscope, SlideMicroscope) or math.isnan(microscope.xy_um()[0]):
        raise InputError("This microscope cannot move its slide; select an XY stage to take an overview.")
    run = _ScoutRun(microscope, config)
    try:
        yield from run.guard.supervise(_scout(run, area))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


class _ScoutRun:
    """State of one overview."""

    def __init__(self, microscope: SlideMicroscope, config: ScoutConfig) -> None:
        self.config, self.microscope = config, microscope
        self._slide_um = microscope.xy_um()
        self.guard = RunGuard(microscope, "overview", same_place_um=_SAME_PLACE_UM, timeout_s=config.timeout_s)
        self.tiles: Sequence[Place] = ()
        self.canvas: Canvas | None = None
        self.overview: Overview | None = None
        self.behind = self.missed = self._failures = 0

    def plan(self, first: Frame, area: Area) -> None:
        """Lay out the tiles by what the first frame shows. Raises MoveRefused if that is not possible."""
        if first.pixel_size_um is None:
            raise MoveRefused("the microscope does not know the size of its pixels; set it for this objective.")
        height, width = first.image.shape[:2]
        try:
            field_um = height * first.pixel_size_um, width * first.pixel_size_um
            self.tiles = tiles_over(area, field_um, self.config)
        except InputError as error:
            raise MoveRefused(str(error)) from error
        self.canvas = Canvas(self.tiles, first, self.config)

    def go(self, place: Place) -> None:
        """Bring a tile under the objective. Raises MoveRefused beyond the limits of the stage."""
        self.guard.check_time()
        self.guard.move_slide(*place)

    def bring_slide_back(self) -> None:
        """Where the slide stood at the start."""
        self.guard.bring_slide_back(*self._slide_um)

    def laid(self, place: Place, frame: Frame) -> ScoutStep:
        """A tile that is in the overview: where the stage says that it stood."""
        assert self.canvas is not None
        self._failures = 0
        self.canvas.lay(place, frame)
        self.overview = self.canvas.growing()
        return self._step("tile", place, frame)

    def lost(self, place: Place, reason: str, *, counts: bool) -> ScoutStep:
        """A tile that is not; too many failures of the camera in a row end the run."""
        self.missed += 1
        self._failures = self._failures + 1 if counts else 0
        if self._failures >= FAILURES_IN_A_ROW:
            self.guard.end("failed", f"{self._failures} tiles in succession failed, the last one so: {reason}")
        return self._step("missed", place, reason=reason)

    def _step(self, phase: ScoutPhase, place: Place, frame: Frame | None = None, reason: str = "") -> ScoutStep:
        self.behind += 1
        return ScoutStep(phase, self.behind, len(self.tiles), place, frame, self.overview, reason)

    def finish(self) -> ScoutStep:
        """Even out the lamp and mark the sample."""
        if self.canvas is not None and self.canvas.tiles:
            self.overview = self.canvas.finished(mark=self.config.mark)
        return ScoutStep("done", self.behind, len(self.tiles), self._slide_um, overview=self.overview)

    def record(self) -> ScoutRecord:
        """What the run leaves behind."""
        outcome, reasons = self._end()
        taken = 0 if self.canvas is None else self.canvas.tiles
        seconds, frames = self.guard.seconds, self.guard.frames
        return ScoutRecord(outcome, reasons, taken, self.missed, frames, seconds, self.overview)

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        if (ended := cut_short(self.guard)) is not None:
            return ended
        reasons = tuple(self.guard.reasons)
        if self.missed:
            return "done_in_part", (f"{self.missed} of {len(self.tiles)} tiles could not be taken.", *reasons)
        return "done", reasons


def _scout(run: _ScoutRun, area: Area) -> Steps:
    """A first frame, the tiles, the slide back, the mask."""
    run.plan(run.guard.snap(), area)
    with slide_comes_back(run.bring_slide_back):
        for place in run.tiles:
            if run.guard.outcome is not None:
                break
            yield _visit(run, place)
    yield run.finish()


def _visit(run: _ScoutRun, place: Place) -> ScoutStep:
    """One tile, or why there is none; a camera that fails is given one more chance."""
    reason = ""
    for _ in range(TRIES):
        try:
            run.go(place)
            return run.laid(place, run.guard.snap())
        except MoveRefused as error:
            return run.lost(place, str(error), counts=False)
        except FrameError as error:
            reason = f"The camera failed {TRIES} times here: {error}"
    return run.lost(place, reason, counts=True)
