"""Scan an area for virtual refocusing: focus once, then take two shots a tile either side of that focal position.

After Li et al., arXiv:2003.06630: a z-stack of the first tile gives the initial focal position F, every tile is shot at
F - ΔD and F + ΔD, and the image in focus is recovered offline. Whatever ends a scan, camera, shutter and live mode are
put back, and slide and drive go where they were; tiles that were handed to the writer stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence

from napari_autofocus.errors import FrameError, InputError, MoveRefused
from napari_autofocus.microscope.protocol import Microscope, SlideMicroscope
from napari_autofocus.routines.acquire import Finder
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.running.end import slide_comes_back
from napari_autofocus.routines.scanning.run import MOST_SEARCHES, TRIES, VirtualScanRun
from napari_autofocus.routines.virtual_scan_config import (
    ScanStep,
    TakenTile,
    TileResult,
    TileWriter,
    VirtualScanConfig,
    VirtualScanRecord,
)
from napari_autofocus.steps import relay

__all__ = [
    "ScanStep",
    "TakenTile",
    "TileResult",
    "TileWriter",
    "VirtualScanConfig",
    "VirtualScanRecord",
    "virtual_scan",
]

Steps = Generator[ScanStep, None, None]


def virtual_scan(
    microscope: Microscope,
    config: VirtualScanConfig,
    write: TileWriter,
    *,
    tiles: Sequence[Place],
    find: Finder,
    done: Collection[int] = (),
    keep: Callable[[VirtualScanRecord], None] | None = None,
) -> Generator[ScanStep, None, VirtualScanRecord]:
    """Take two shots of each tile, one below and one above the focus of the first tile that shows something.

    Cancel by closing the generator: slide and drive are back when ``close`` returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move; it must move its slide.
    config : VirtualScanConfig
        How shots are taken.
    write : callable
        Keeps a tile: two frames in memory at a time.
    tiles : sequence of (x, y)
        Stage positions of the tiles' centres, µm, in the order to visit.
    find : callable
        Makes a run that focuses a tile: a sweep, or a refocus by a model.
    done : collection of int
        Numbers of tiles that an earlier run has taken.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    ScanStep
        After each frame and each tile.

    Returns
    -------
    VirtualScanRecord
        Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the slide cannot be moved, or the writer cannot write. Slide and drive are back.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    if not isinstance(microscope, SlideMicroscope):
        raise InputError("This microscope cannot move its slide; select an XY stage to scan.")
    run = VirtualScanRun(microscope, config, tiles, done)
    try:
        yield from run.guard.supervise(_scan(run, write, find))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _scan(run: VirtualScanRun, write: TileWriter, find: Finder) -> Steps:
    """Focus, then one tile after the other, then back to where the slide stood."""
    run.guard.check_start(run.config.dz_um)
    with slide_comes_back(run.bring_slide_back):
        yield from _find_first_focus(run, find)
        for number in run.numbers():
            yield from _visit(run, number, write, find)


def _find_first_focus(run: VirtualScanRun, find: Finder) -> Steps:
    """Focus the first tile that can be focused; a few that show something are tried. On bare glass there is no need."""
    searches = 0
    for number in run.numbers():
        try:
            run.move_slide(number)
        except MoveRefused:
            continue  # said when its turn comes
        frame = run.guard.snap()
        yield run.step("find", number, frame)
        if run.is_glass(frame):
            continue
        if (yield from _find_focus(run, number, find)):
            return
        searches += 1
        if searches >= MOST_SEARCHES:
            break
    if searches:
        run.guard.end("failed", f"No focus was found at {searches} tiles that show something; focus there first.")


def _find_focus(run: VirtualScanRun, number: int, find: Finder) -> Generator[ScanStep, None, bool]:
    """Have the finder focus the tile under the objective; whether it did."""
    steps = find(run.guard.microscope)
    return run.take_over((yield from relay(steps, lambda step: run.step("find", number, step.frame))))


def _visit(run: VirtualScanRun, number: int, write: TileWriter, find: Finder) -> Steps:
    """One tile: its shots, or why there are none; a camera that fails is given one more chance."""
    for tries in range(1, TRIES + 1):
        try:
            run.move_slide(number)
        except MoveRefused as error:
            yield run.give_up(number, "out_of_reach", str(error))
            return
        try:
            tile = yield from _take(run, number, find)
        except FrameError as error:
            if tries == TRIES:
                yield run.give_up(number, "failed", f"The camera failed {TRIES} times here: {error}")
            continue
        write(tile)
        yield run.settle(tile)
        return


def _take(run: VirtualScanRun, number: int, find: Finder) -> Generator[ScanStep, None, TakenTile]:
    """Both shots of the tile under the objective, or one of glass."""
    here_um, there_um = run.sides_um()
    first = run.shot_at(here_um)
    yield run.step("shot", number, first)
    if run.is_glass(first) or not run.focus_um:
        return run.taken(number, first, first)
    if run.wants_focus and (yield from _find_focus(run, number, find)):
        here_um, there_um = run.sides_um()
        first = run.shot_at(here_um)
        yield run.step("shot", number, first)
    second = run.shot_at(there_um)
    yield run.step("shot", number, second)
    return run.taken(number, first, second)
