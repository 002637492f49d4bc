"""Follow a focus map: where the slide goes, by hand or by a program, the focus drive goes to the map's z.

Nothing is imaged. Following ends by itself, with a reason, where the map does not reach, where the drive would have to
go farther than it may, and when the hardware fails; the drive then stays where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

from napari_autofocus.errors import DriveHalted, ForeignMove, HardwareError, MicroscopeTaken, MoveRefused
from napari_autofocus.microscope.protocol import SlideMicroscope
from napari_autofocus.routines.follow_config import (
    FollowConfig,
    FollowEnd,
    FollowRecord,
    FollowState,
    FollowStep,
    Surface,
)
from napari_autofocus.routines.running.owning import owned
from napari_autofocus.routines.running.watch import WatchedDrive

__all__ = ["FollowConfig", "FollowRecord", "FollowStep", "follow"]

Told = tuple[FollowState, str]


def follow(
    microscope: SlideMicroscope,
    surface: Surface,
    config: FollowConfig,
    *,
    keep: Callable[[FollowRecord], None] | None = None,
) -> Generator[FollowStep, None, FollowRecord]:
    """Keep the drive at the map's z until it is closed or stops itself.

    It never waits: each step says for how long the caller should, and anybody may use the microscope meanwhile. Live
    mode goes on. Cancel by closing the generator: the drive stays where it is.

    Parameters
    ----------
    microscope : SlideMicroscope
        Whose stage is watched and whose drive moves.
    surface : Surface
        A focus map.
    config : FollowConfig
        Offset and what may be moved.
    keep : callable, optional
        Told the record however it ends, cancelled included (a closed generator returns nothing).

    Yields
    ------
    FollowStep
        After each look; the state of the last one is ``stopped`` where it stopped itself.

    Returns
    -------
    FollowRecord
        What ended it, with reasons. Hardware faults and refusals are ends, not exceptions.

    Raises
    ------
    HardwareError
        If not even the position of the drive can be read. Nothing has moved.
    """
    run = _FollowRun(microscope, surface, config)
    try:
        while run.ended is None:
            yield run.look()
    except (GeneratorExit, KeyboardInterrupt):
        run.end("cancelled", "Ended by the user; the drive stays where it is.")
        raise
    finally:
        run.drive.look_again()
        record = run.record()
        if keep is not None:
            keep(record)
    return record


class _FollowRun:
    """State of one following."""

    def __init__(self, microscope: SlideMicroscope, surface: Surface, config: FollowConfig) -> None:
        self._microscope, self._surface, self._config = microscope, surface, config
        self.drive = WatchedDrive(microscope.focus, config.same_place_um)
        self._start_um = self.drive.last_um
        self._started_s = microscope.clock.now_s()
        self._offset_um = config.offset_um
        self._here = (math.nan, math.nan)
        self._looks = 0
        self._reasons: list[str] = []
        self.ended: FollowEnd | None = None

    def end(self, ended: FollowEnd, reason: str) -> None:
        """Name what ended it, once, and say why."""
        self.ended = self.ended or ended
        self._reasons.append(reason)

    def look(self) -> FollowStep:
        """Look where the stage stands, and bring the drive to the map's z there; faults end it."""
        state, sentence = self._guarded()
        self._looks += 1
        if self.ended is not None:
            state, sentence = "stopped", self._reasons[-1]
            self.drive.look_again()
        return FollowStep(
            state,
            *self._here,
            self.drive.last_um,
            self._offset_um,
            self._config.interval_s * (not self.ended),
            sentence,
        )

    def _guarded(self) -> Told:
        try:
            with owned(self._microscope, "the focus map that is followed", brief=True):
                self._here = self._microscope.xy_um()
                return self._go()
        except MicroscopeTaken as error:
            return "following", f"{error} The map is followed again then."
        except ForeignMove as error:
            return self._take_over(error)
        except DriveHalted as error:
            self.end("halted", str(error))
        except HardwareError as error:
            self.end("hardware", str(error))
        except MoveRefused as error:
            self.end("at_limit", f"The drive refused to move: {error}")
        return "stopped", ""

    def _go(self) -> Told:
        wanted_um = self._wanted_um()
        if wanted_um is None:
            return "stopped", ""
        off_um = wanted_um - self.drive.position_um()
        if abs(off_um) <= self._config.dead_band_um:
            return "following", f"At the map's z, {_plain(self.drive.last_um)}."
        if not self._may_go(wanted_um, off_um):
            return "stopped", ""
        self.drive.go(wanted_um)
        return "moved", f"Went {_signed(off_um)} to {_plain(self.drive.last_um)}."

    def _wanted_um(self) -> float | None:
        """The map's z here with the offset, µm; None, and the end, where there is none."""
        x_um, y_um = self._here
        if not (math.isfinite(x_um) and math.isfinite(y_um)):
            self.end("refused", "The microscope has no XY stage, so there is no place on the map; select one.")
            return None
        wanted_um = float(self._surface.z_um(x_um, y_um)) + self._offset_um
        if not (bool(self._surface.covers(x_um, y_um)) and math.isfinite(wanted_um)):
            self.end(
                "left_map" if self._looks else "refused",
                f"The stage stands at {_place(self._here)}, outside the focus map; the drive stays at"
                f" {_plain(self.drive.last_um)}. Go back over the map and follow it again.",
            )
            return None
        return wanted_um

    def _may_go(self, wanted_um: float, off_um: float) -> bool:
        low, high = self.drive.limits_um
        if not low <= wanted_um <= high:
            self.end(
                "at_limit",
                f"The map's focus at {_place(self._here)} lies at {_plain(wanted_um)}, beyond the limits of"
                f" {self.drive.label}, {low:g} to {high:g} µm; set other limits if that place is safe.",
            )
        elif abs(off_um) > self._config.largest_step_um:
            self.end(
                "too_far",
                f"The map's focus at {_place(self._here)} lies {_signed(off_um)} from the drive, more than the"
                f" {self._config.largest_step_um:g} µm allowed in one step; go nearer by hand, or allow more.",
            )
        return self.ended is None

    def _take_over(self, error: ForeignMove) -> Told:
        """A person moved the drive: where it stands now is the focus they want, so the distance is the offset."""
        try:
            self.drive.adopt()
        except HardwareError:  # beyond the limits, or dumb: nobody may rely on it
            self.end("at_limit", str(error))
            return "stopped", ""
        offset_um = self.drive.last_um - float(self._surface.z_um(*self._here))
        if not abs(offset_um) <= self._config.most_offset_um:
            self.end(
                "too_far",
                f"{error} That is {_signed(offset_um)} from the map, more than the {self._config.most_offset_um:g} µm"
                " that count as an offset.",
            )
            return "stopped", ""
        self._offset_um = offset_um
        return "offset", f"The drive was moved by hand: {_signed(offset_um)} from the map is the offset from now on."

    def record(self) -> FollowRecord:
        """What it leaves behind."""
        return FollowRecord(
            ended=self.ended or "hardware",
            reasons=tuple(self._reasons),
            start_um=float(self._start_um),
            end_um=float(self.drive.last_um),
            offset_um=float(self._offset_um),
            moves=self.drive.moves,
            seconds=self._microscope.clock.now_s() - self._started_s,
        )


def _signed(value_um: float) -> str:
    return f"{value_um:+.2f} µm".replace("-", "−")


def _plain(value_um: float) -> str:
    return f"{value_um:.2f} µm".replace("-", "−")


def _place(place: tuple[float, float]) -> str:
    return f"x {place[0]:.0f}, y {place[1]:.0f} µm".replace("-", "−")
