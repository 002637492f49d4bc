"""The books of a scan of two shots a tile: where the stage goes, where the drive goes, what became of each tile.

``virtual_scan.py`` says in which order things happen, ``running/guard.py`` what may end them; here is each thing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from napari_autofocus.errors import DriveHalted, FrameError, InputError, MoveRefused
from napari_autofocus.focus.glass import shows_detail
from napari_autofocus.microscope.protocol import Frame, SlideMicroscope
from napari_autofocus.records import FocusRecord
from napari_autofocus.routines.acquire_config import Place
from napari_autofocus.routines.running.end import RunEnd, cut_short
from napari_autofocus.routines.running.guard import RunGuard
from napari_autofocus.routines.virtual_scan_config import (
    ScanPhase,
    ScanStep,
    TakenTile,
    TileEnd,
    TileResult,
    VirtualScanConfig,
    VirtualScanRecord,
)

TRIES = 2
"""A tile at which the camera fails is tried so often."""
FAILURES_IN_A_ROW = 3
"""After so many tiles in succession that failed, the run ends: it is the camera, not the tile (ours)."""
MOST_SEARCHES = 5
"""Tiles with something to see at which focus is looked for in vain, after which the run ends (ours)."""
_FOUND = ("focused", "already_in_focus")


class VirtualScanRun:
    """State of one scan.

    Raises
    ------
    InputError
        If there are no tiles, or the stage tells no position.
    HardwareError
        If the position of a drive cannot be read.
    """

    def __init__(
        self, microscope: SlideMicroscope, config: VirtualScanConfig, tiles: Sequence[Place], done: Collection[int]
    ) -> None:
        if not tiles or not all(math.isfinite(value) for place in tiles for value in place):
            raise InputError(f"A scan takes finite stage positions of one tile or more; found {len(tiles)}.")
        self._slide_um = microscope.xy_um()
        if math.isnan(self._slide_um[0]):
            raise InputError("This microscope cannot move its slide; select an XY stage to scan.")
        self.config, self._microscope, self._tiles = config, microscope, tiles
        self.guard = RunGuard(microscope, "scan", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self.left = [number for number in range(len(tiles)) if number not in done]
        self.results: list[TileResult] = []
        self.focus_um: list[float] = []
        self.has_begun = False
        self._since_found = 0
        self._failures = 0
        self._slide_moved = False

    def numbers(self) -> Iterator[int]:
        """Tiles to visit, in order."""
        for number in self.left:
            if self.guard.outcome is not None:
                return
            yield number

    def move_slide(self, number: int) -> None:
        """Bring a tile under the objective. Raises MoveRefused beyond the limits of the stage."""
        self.guard.check_time()
        self._slide_moved = True
        self.guard.move_slide(*self._tiles[number])

    def bring_slide_back(self) -> None:
        """Where the slide stood at the start, unless it never moved."""
        if self._slide_moved:
            self.guard.bring_slide_back(*self._slide_um)

    # Focus.

    @property
    def wants_focus(self) -> bool:
        """Whether focus is to be found again at the next tile that shows something."""
        return self.config.find_every is not None and self._since_found >= self.config.find_every

    def take_over(self, record: FocusRecord) -> bool:
        """What a finder left behind; whether it found focus.

        Raises
        ------
        HardwareError
            The drive does not answer, was moved by somebody else, or was halted.
        """
        self.guard.frames += record.frames
        self.guard.drive.moves += record.moves
        self.guard.drive.adopt()
        why = " ".join(record.reasons)
        if record.outcome == "cancelled":
            raise DriveHalted(why)
        if record.outcome == "failed":
            raise FrameError(why)
        if record.outcome not in _FOUND:
            return False
        focus_um = self.guard.drive.last_um
        self._check_room(focus_um)
        self.focus_um.append(focus_um)
        self._since_found = 0
        return True

    def _check_room(self, focus_um: float) -> None:
        """Raises MoveRefused where the drive may not go to both shots."""
        (low, high), half = self.guard.drive.limits_um, self.config.dz_um / 2
        if not low <= focus_um - half <= focus_um + half <= high:
            raise MoveRefused(
                f"shots at {focus_um - half:.2f} and {focus_um + half:.2f} µm reach beyond its limits {low:g} to"
                f" {high:g} µm; take shots nearer to each other, or set other limits if you know that they are safe."
            )

    # Shots.

    def sides_um(self) -> tuple[float, float]:
        """Where the drive goes for the first and for the second shot of a tile: first to the side where it stands.

        Going on from there saves a move and a settling for each tile. On either side the drive arrives as it always
        does, whatever the play of its gears.
        """
        if not self.focus_um:
            return self.guard.drive.last_um, self.guard.drive.last_um
        middle, half = self.focus_um[-1], self.config.dz_um / 2
        lower, upper = middle - half, middle + half
        is_above = self.has_begun and self.guard.drive.last_um > middle
        return (upper, lower) if is_above else (lower, upper)

    def shot_at(self, z_um: float) -> Frame:
        """A frame from there."""
        near_um = min(self.config.same_place_um, self.config.dz_um / 20)
        if abs(self.guard.drive.last_um - z_um) > near_um:
            self.guard.go(z_um)
        self.has_begun = True
        return self.guard.snap()

    def is_glass(self, frame: Frame) -> bool:
        """Whether a tile needs no second shot."""
        return self.config.skip_empty and not shows_detail(frame.image)

    # What becomes of tiles.

    def taken(self, number: int, first: Frame, second: Frame) -> TakenTile:
        """Both shots in order of z; twice the same frame stands for an empty tile."""
        lower, upper = sorted((first, second), key=lambda frame: frame.z_um)
        return TakenTile(number, self._tiles[number], lower, upper)

    def settle(self, tile: TakenTile) -> ScanStep:
        """A tile that was kept."""
        self._failures = 0
        if tile.is_empty:
            state, reason = "empty", "The first shot shows nothing; it stands for both."
        else:
            state, reason = "written", ""
            self._since_found += 1
        place = tile.lower.x_um, tile.lower.y_um
        return self._settled(tile.number, place, state, reason, tile.lower.z_um, tile.upper.z_um)  # type: ignore[arg-type]

    def give_up(self, number: int, state: TileEnd, reason: str) -> ScanStep:
        """A tile without a shot; too many failures in a row end the run."""
        self._failures = self._failures + 1 if state == "failed" else 0
        if self._failures >= FAILURES_IN_A_ROW:
            self.guard.end("failed", f"{self._failures} tiles in succession failed, the last one so: {reason}")
        return self._settled(number, self._tiles[number], state, reason)

    def _settled(self, number: int, place: Place, state: TileEnd, reason: str, *z_um: float) -> ScanStep:
        result = TileResult(number, *place, state, reason, *z_um)
        self.results.append(result)
        return self.step("tile", number, result=result)

    def step(
        self, phase: ScanPhase, number: int, frame: Frame | None = None, result: TileResult | None = None
    ) -> ScanStep:
        """Progress."""
        return ScanStep(phase, number, self._tiles[number], len(self.results), len(self.left), frame, result)

    def record(self) -> VirtualScanRecord:
        """What the run leaves behind."""
        outcome, reasons = self._end()
        return VirtualScanRecord(
            outcome=outcome,
            reasons=reasons,
            tiles=tuple(self.results),
            focus_um=tuple(self.focus_um),
            frames=self.guard.frames,
            moves=self.guard.drive.moves,
            seconds=self.guard.seconds,
            start_um=self.guard.start_um,
            end_um=self.guard.drive.last_um,
        )

    def _end(self) -> tuple[RunEnd, tuple[str, ...]]:
        if (ended := cut_short(self.guard)) is not None:
            return ended
        reasons = tuple(self.guard.reasons)
        lacking = [each for each in self.results if each.state in ("out_of_reach", "failed")]
        if lacking:
            return "done_in_part", (f"{len(lacking)} of {len(self.left)} tiles could not be taken.", *reasons)
        if not any(each.state == "written" for each in self.results) and self.left:
            return "done_in_part", (f"None of {len(self.left)} tiles shows anything to focus on.", *reasons)
        return "done", reasons
