"""What every focusing run does alike: frames that can be trusted, time kept, and a drive that ends where it belongs.

A routine looks and judges; whatever ends it (a failure, a refusal, a cancel, a time-out, a person at the stage) is
named here, and here the drive is brought back to the place that the routine last called home.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TypeVar, cast

from napari_autofocus.errors import (
    DriveHalted,
    ForeignMove,
    FrameError,
    HardwareError,
    MicroscopeTaken,
    MoveRefused,
    RoutineTimeout,
)
from napari_autofocus.microscope.protocol import Frame, Microscope, SlideMicroscope
from napari_autofocus.records import Outcome
from napari_autofocus.routines.running.owning import carried, owned
from napari_autofocus.routines.running.watch import WatchedDrive

Step = TypeVar("Step")

SAME_FIELD_UM = 5.0
"""A slide that moves by more than this between two frames shows another field, µm."""


class RunGuard:
    """State that every run has, and what may end it.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    what : str
        What the run is called in messages: ``sweep``, ``refocus``.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.
    timeout_s : float
        Time for the whole run by the microscope's clock, s; the way back is not cut short.

    Attributes
    ----------
    home_um : float
        Where the drive goes when the run ends without :attr:`stay`: the start, until a better place is verified.
    stay : bool
        Whether the drive is to be left where it stands.

    Raises
    ------
    HardwareError
        If the position of the drive cannot be read.
    """

    def __init__(self, microscope: Microscope, what: str, *, same_place_um: float, timeout_s: float) -> None:
        self.microscope = microscope
        self._what = what
        self._same_place_um = same_place_um
        self._timeout_s = timeout_s
        self.drive = WatchedDrive(microscope.focus, same_place_um)
        self.start_um = self.home_um = self.drive.last_um
        self.started_s = self._arrived_s = microscope.clock.now_s()
        self.outcome: Outcome | None = None
        self.reasons: list[str] = []
        self.stay = False
        self.frames = 0
        self.is_ready = False
        self.interrupted_by: BaseException | None = None
        self._field_um: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Time spent so far, s."""
        return self.microscope.clock.now_s() - self.started_s

    # What a routine may do.

    def check_start(self, room_um: float = 0.0) -> None:
        """Raises MoveRefused if the drive stands where it must not be moved from, or has less room than it takes."""
        low, high = self.drive.limits_um
        if not low <= self.start_um <= high:
            raise MoveRefused(
                f"{self.drive.label} stands at {self.start_um:.2f} µm, outside its limits {low:g} to {high:g} µm;"
                " bring it inside or set other limits."
            )
        if high - low < room_um:
            raise MoveRefused(f"The limits {low:g} to {high:g} µm leave no room for a step of the {self._what}.")

    def check_time(self) -> None:
        """Raises RoutineTimeout once the time given is used up."""
        if self.seconds > self._timeout_s:
            raise RoutineTimeout(
                f"The {self._what} was given {self._timeout_s:g} s and is not done after {self.seconds:.1f} s;"
                " allow more time, a smaller range or a larger step."
            )

    def go(self, z_um: float) -> None:
        """Bring the drive there."""
        self.check_time()
        self.drive.go(z_um)
        self._arrived_s = self.microscope.clock.now_s()

    def snap(self) -> Frame:
        """A frame of this field, exposed after the drive had come to rest where it was sent.

        Raises
        ------
        FrameError
            If the frame is older than the last move, or the slide has been moved.
        HardwareError
            As the microscope's own ``snap``; ForeignMove if somebody else moved the drive.
        """
        self.check_time()
        frame = self.microscope.snap()
        self.drive.expect(frame.z_um)
        if frame.started_s < self._arrived_s:
            raise FrameError(
                f"The camera delivered a frame that was exposed {self._arrived_s - frame.started_s:.2f} s before the"
                " drive had come to rest; its buffer is stale: restart the camera."
            )
        self._check_field(frame)
        self.frames += 1
        return frame

    def forget_field(self) -> None:
        """The routine itself moves the slide: the next frame may show another field."""
        self._field_um = None

    def move_slide(self, x_um: float, y_um: float) -> None:
        """Bring another place under the objective, unless somebody else has the drive in hand.

        Raises
        ------
        ForeignMove
            The objective may be anywhere: nothing has moved.
        MoveRefused, HardwareError
            As the microscope's own ``move_xy_to``, and where the drive does not tell its position.
        """
        self.microscope.focus.position_um()
        self.forget_field()
        cast(SlideMicroscope, self.microscope).move_xy_to(x_um, y_um)

    def bring_slide_back(self, x_um: float, y_um: float) -> None:
        """The slide goes where it was; where it cannot, or a person has the drive in hand, the reasons say so."""
        self.forget_field()
        try:
            self._require_drive_untouched()
            cast(SlideMicroscope, self.microscope).move_xy_to(x_um, y_um)
        except (HardwareError, MoveRefused) as error:
            self.reasons.append(f"The slide could not be brought back: {error}")

    def _require_drive_untouched(self) -> None:
        """Raises ForeignMove; a drive that does not answer keeps no slide from going home."""
        try:
            self.microscope.focus.position_um()
        except ForeignMove:
            raise
        except HardwareError:
            pass

    def _check_field(self, frame: Frame) -> None:
        """Raises FrameError if the slide was moved: frames of two fields say nothing of either."""
        if self._field_um is None:
            self._field_um = frame.x_um, frame.y_um
            return
        shift_um = math.dist(self._field_um, (frame.x_um, frame.y_um))
        if shift_um > SAME_FIELD_UM:  # never true of NaN: no XY stage
            raise FrameError(
                f"The slide was moved by {shift_um:.1f} µm during the {self._what}; start again when it stands still."
            )

    # How it ends.

    def end(self, outcome: Outcome, reason: str) -> None:
        """Name the outcome, once, and say why."""
        self.outcome = self.outcome or outcome
        self.reasons.append(reason)

    def supervise(self, steps: Generator[Step, None, None]) -> Generator[Step, None, None]:
        """Run a routine's steps; camera, shutter and live mode are put back, and the drive ends where it belongs.

        The microscope is the run's own meanwhile. Hardware faults and refusals become outcomes, also that somebody else
        has the microscope. Closing it cancels the run.
        """
        try:
            with owned(self.microscope, f"the {self._what}") as claim, self.microscope.restoring():
                self.is_ready = True
                yield from carried(claim, self._noting(steps))
        except MicroscopeTaken as error:
            self.end("refused", str(error))
        except HardwareError as error:
            self._note_state(error)
            if self.interrupted_by is not None:  # It must not be lost over a shutter that sticks.
                raise self.interrupted_by from error
        finally:
            self.drive.look_again()

    def _noting(self, steps: Generator[Step, None, None]) -> Generator[Step, None, None]:
        """Remember what the caller or a person at the shell broke the run off with."""
        try:
            yield from self._guarded(steps)
        except BaseException as error:
            self.interrupted_by = error
            raise

    def _guarded(self, steps: Generator[Step, None, None]) -> Generator[Step, None, None]:
        """Name what ended the run, and leave the drive at home, where it verified best, or where a person put it."""
        try:
            yield from steps
        except ForeignMove as error:
            self._leave_alone(error)
        except DriveHalted as error:
            self._cancel(f"{error} Cancelled after {self.frames} frames.")
        except RoutineTimeout as error:
            self.end("timed_out", str(error))
        except MoveRefused as error:
            self.end("failed" if self.drive.moves else "refused", f"The drive refused to move: {error}")
        except HardwareError as error:
            self.end("failed", str(error))
        except (GeneratorExit, KeyboardInterrupt):
            self._cancel(f"Cancelled after {self.frames} frames.")
            raise
        finally:
            self._settle()

    def _cancel(self, why: str) -> None:
        """A person who stops a run wants the drive where it was, unless the run had come to its end."""
        self.home_um = self.start_um
        self.end("cancelled", why)

    def _leave_alone(self, error: ForeignMove) -> None:
        """Somebody else has the drive in hand; it is not moved again."""
        self.stay = True
        self.end("failed", f"{error} It is not moved back, so as not to undo a person's move.")

    def _note_state(self, error: HardwareError) -> None:
        """The run could not begin, or camera, shutter or live mode could not be put back."""
        what = "could not be put back" if self.is_ready else f"could not be made ready for a {self._what}"
        self.end("failed", f"The microscope {what}: {error}")

    def _settle(self) -> None:
        """Home, unless the drive stands where it belongs, was moved by a person or never moved."""
        if self.stay:
            return
        if self.drive.moves == 0:
            self._tell_if_elsewhere()
            return
        try:
            self._go_home()
        except ForeignMove as error:
            self._leave_alone(error)
        except (HardwareError, MoveRefused) as error:
            self._note_astray("failed", f"The drive could not be brought back: {error}")
        except BaseException:
            self._note_astray("cancelled", "Interrupted on the way back.")
            raise
        else:
            what = "where it started" if self.home_um == self.start_um else "the best place that was verified"
            self.reasons.append(f"The drive is back at {self.drive.last_um:.2f} µm, {what}.")

    def _tell_if_elsewhere(self) -> None:
        """A search within this run may have been halted on its way home; whose move it was is not known: it is told."""
        self.drive.look_again()
        if not abs(self.drive.last_um - self.start_um) <= self._same_place_um:
            self.reasons.append(self._seen())

    def _go_home(self) -> None:
        """A drive that has just failed or been halted, or a single Ctrl-C, does not end the way home."""
        try:
            self.drive.go(self.home_um)
        except ForeignMove:
            raise
        except HardwareError:
            self.drive.go(self.home_um)
        except KeyboardInterrupt:
            self.drive.go(self.home_um)
            raise

    def _note_astray(self, outcome: Outcome, why: str) -> None:
        self.drive.look_again()
        self.outcome = outcome
        self.reasons.append(f"{why} {self._seen('It')}")

    def _seen(self, what: str = "The drive") -> str:
        return f"{what} started at {self.start_um:.2f} µm and was last seen at {self.drive.last_um:.2f} µm."
