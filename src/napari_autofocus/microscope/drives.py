"""The focus drive over the z stage of any Micro-Manager core: the only place from which our moves reach that stage.

What keeps a drive inside its limits, tells our moves from those of others and reads back where it came to rest is the
same for a tunable lens (``lens_drive.py``); the devices themselves are in ``axes.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import RLock

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import DriveHalted, ForeignMove, HardwareError
from napari_autofocus.microscope.axes import Axis, StageAxis
from napari_autofocus.microscope.edge import DEVICE_ERRORS, POLL_S, require_positive, translated
from napari_autofocus.microscope.foreign import MoveLedger
from napari_autofocus.microscope.ownership import Ownership
from napari_autofocus.microscope.protocol import Clock
from napari_autofocus.microscope.travel import TravelRules

LATE_REPORT_S = 1.0
# A drive that says it is at rest may still be creeping or reporting late: so long it is asked again.
CREEP_S = 0.5


class StageDrive:
    """A z stage as a focus drive that keeps itself inside its limits. Fulfils ``FocusDrive``.

    Every target is approached from the same side. Near the limit where the drive would have to turn, the overshoot is
    cut short to what the limits allow; :attr:`play_left_um` then says how much of the play may not be taken up.

    Moves that others make are noticed by the core's events and by reading back. While the drive stands beyond the
    limits every call raises ForeignMove; if it has been there and is back, the next move does. Inside the limits they
    are counted in :attr:`moved_by_others`, and within :meth:`watch`, while somebody relies on the position, every call
    after them raises ForeignMove: whoever took the drive keeps it.

    Parameters
    ----------
    core : CMMCorePlus
        Any core, C++ or with Python devices.
    label : str
        The stage.
    rules : TravelRules
        Limits, largest step and approach.
    focus_direction : int
        +1, −1, or 0 for unknown.
    clock : Clock
        The clock that the stage lives by.
    tolerance_um : float
        How far from the target the drive may come to rest, µm.
    timeout_s : float
        How long a move may take.
    late_report_s : float
        How long the core's events may lag behind a move, real seconds.
    axis : Axis, optional
        What takes the commands in place of the stage ``label``.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        label: str,
        *,
        rules: TravelRules,
        focus_direction: int,
        clock: Clock,
        tolerance_um: float,
        timeout_s: float,
        late_report_s: float = LATE_REPORT_S,
        axis: Axis | None = None,
    ) -> None:
        require_positive(tolerance_um=tolerance_um, timeout_s=timeout_s)
        self._axis = axis or StageAxis(core, label, clock)
        self._label = label
        self._rules = rules
        self._focus_direction = focus_direction
        self._clock = clock
        self._tolerance_um = tolerance_um
        self._timeout_s = timeout_s
        self._ownership = Ownership.of(core)
        self._lock = RLock()
        self._halts = 0
        self._watchers = 0
        self._ledger = MoveLedger(self._read(), tolerance_um=tolerance_um, late_s=late_report_s)
        self._moved_before_watch = 0
        self._play_taken_up_at: int | None = None
        self.moves = 0
        self.play_left_um = 0.0
        self._stop_listening = self.on_reported(self._ledger.report)

    @property
    def label(self) -> str:
        """Name of the stage."""
        return self._label

    @property
    def kind(self) -> str:
        """What its positions are called: ``z`` of a stage, ``lens``."""
        return self._axis.kind

    @property
    def travel_um(self) -> tuple[float, float]:
        """How far the device itself goes, µm; infinite where it does not say. Raises HardwareError."""
        with translated(f"The focus drive {self._label} does not tell its travel"):
            return self._axis.travel_um()

    @property
    def focus_direction(self) -> int:
        """+1 if a growing z brings sample and objective together, −1 if apart, 0 if unknown."""
        return self._focus_direction

    @property
    def limits_um(self) -> tuple[float, float]:
        """Lowest and highest position that may ever be commanded, µm."""
        return self._rules.limits_um

    @property
    def largest_step_um(self) -> float:
        """Longest single move, µm."""
        return self._rules.largest_step_um

    @property
    def backlash_um(self) -> float:
        """Length of the final stretch that is always travelled in the same direction, µm."""
        return self._rules.backlash_um

    @property
    def moved_by_others(self) -> int:
        """How often somebody else was seen to have moved this drive."""
        return self._ledger.moved_by_others

    def set_limits(self, low_um: float, high_um: float) -> None:
        """Allow other positions from now on. Raises InputError if the two are not finite and in order."""
        self._rules = replace(self._rules, limits_um=(low_um, high_um))

    def approach_from(self, approach: int) -> None:
        """Arrive with growing z (+1) or falling z (−1) from now on: a direction that nobody knew has been found out."""
        self._rules = replace(self._rules, approach=approach)
        self._play_taken_up_at = None

    def position_um(self) -> float:
        """Position as the hardware reports it now, µm. Raises HardwareError, ForeignMove."""
        z_um = self._located_um()
        self._require_inside(z_um)
        self._require_untouched(z_um)
        return z_um

    def move_to(self, z_um: float) -> float:
        """Go to ``z_um`` from the usual side, wait until the drive rests, and return the position read back, µm.

        Raises
        ------
        MoveRefused
            The target is not finite, outside the limits, or farther than the largest step. Nothing has moved.
        MicroscopeTaken
            Somebody else has the microscope. Nothing has moved.
        ForeignMove
            Somebody else moved the drive beyond its limits, or while it was being watched.
        HardwareError
            The drive failed, timed out or did not arrive; DriveHalted if it was halted.
        """
        halts = self._halts
        with self._ownership.claimed(f"a move of {self._label}", brief=True), self._lock:
            self.wait()
            here_um = self._located_um()
            # Asked for before anything can be raised: what is told once is not told again.
            excursion_um = self._ledger.take_farthest_um()
            for seen_um in (here_um, *excursion_um):
                self._require_inside(seen_um)
            self._require_untouched(here_um)
            self._rules.require(here_um, z_um, self._tolerance_um)
            route = self._rules.route(here_um, z_um, play_taken_up=self._play_is_taken_up())
            self._play_taken_up_at = None
            reached_um = self._travel(here_um, route.waypoints_um, halts)
            self.moves += 1
            self.play_left_um = route.play_left_um
            self._play_taken_up_at = self._ledger.moved_by_others if route.play_left_um == 0 else None
            return reached_um

    def stop(self) -> None:
        """Halt the drive at once; a move under way in another thread ends with DriveHalted."""
        self._halts += 1
        with translated(f"The focus drive {self._label} could not be halted"):
            self._axis.halt()

    def wait(self) -> None:
        """Return when the drive is no longer busy. Raises HardwareError after the time-out."""
        self._axis.rest(self._timeout_s)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """While inside, a move that somebody else makes raises ForeignMove on the next call, even inside the limits."""
        if self._watchers == 0:
            self._located_um()
            self._moved_before_watch = self._ledger.moved_by_others
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    def close(self) -> None:
        """Stop listening to the core."""
        self._stop_listening()

    def on_reported(self, listener: Callable[[float], None]) -> Callable[[], None]:
        """Tell each position that the core's events report, µm, in whatever thread; returns what ends it."""
        return self._axis.listen(listener)

    def reported_um(self) -> float:
        """Where the device says it is, µm: to be shown, also while others move it or have left the limits."""
        return self._axis.read_um()

    def _travel(self, here_um: float, way_um: tuple[float, ...], halts: int) -> float:
        reached_um = here_um
        for leg_um in way_um:
            self._require_not_halted(halts, way_um[-1])
            reached_um = self._go(reached_um, leg_um, halts)
        return reached_um

    def _go(self, from_um: float, to_um: float, halts: int) -> float:
        """One command to the stage: nothing else of ours moves it."""
        seen = self._ledger.moved_by_others
        self._ledger.begin(from_um, to_um)
        try:
            reached_um = self._command(to_um, halts)
        except BaseException as error:
            self._ledger.lose_track()
            if isinstance(error, HardwareError):
                self._require_alone(seen, to_um)
            # Whatever the stage is doing now, nobody is waiting for it any more.
            with suppress(*DEVICE_ERRORS):
                self._axis.halt()
            raise
        self._ledger.end(reached_um)
        self._require_alone(seen, to_um)
        return reached_um

    def _command(self, to_um: float, halts: int) -> float:
        self._require_still_allowed(to_um)
        with translated(f"The focus drive {self._label} refused to go to {to_um:g} µm"):
            self._axis.send(to_um)
        # Halted between the last look and the command: the halt came too early to stop it.
        self._require_not_halted(halts, to_um)
        reached_um = self._arrive(to_um)
        self._require_not_halted(halts, to_um)
        self._require_arrival(reached_um, to_um)
        return reached_um

    def _arrive(self, to_um: float) -> float:
        """Wait for the drive to rest, a little longer if it is not yet where it should be; position read back, µm."""
        self.wait()
        deadline_s = self._clock.now_s() + CREEP_S
        reached_um = self._read()
        while abs(reached_um - to_um) > self._tolerance_um and self._clock.now_s() < deadline_s:
            self._clock.sleep(POLL_S)
            reached_um = self._read()
        return reached_um

    def _require_still_allowed(self, to_um: float) -> None:
        """The last look before a command: limits may have been set anew while the drive was on its way."""
        if not self._rules.allows(to_um):
            low, high = self.limits_um
            raise HardwareError(
                f"The focus drive {self._label} was on its way to {to_um:g} µm when its limits were set to {low:g} to"
                f" {high:g} µm; it was halted."
            )

    def _require_arrival(self, reached_um: float, to_um: float) -> None:
        if abs(reached_um - to_um) > self._tolerance_um:
            raise HardwareError(
                f"The focus drive {self._label} was sent to {to_um:g} µm and rests at {reached_um:g} µm; it may be"
                " stuck or at the end of its travel. Move it by hand or restart its controller."
            )

    def _require_not_halted(self, halts: int, to_um: float) -> None:
        if self._halts != halts:
            raise DriveHalted(f"The focus drive {self._label} was halted before it reached {to_um:g} µm.")

    def _require_alone(self, seen: int, to_um: float) -> None:
        if self._ledger.moved_by_others != seen:
            # Told here, whatever it was, and not once more by the next move.
            self._ledger.take_farthest_um()
            raise ForeignMove(
                f"Somebody else moved the focus drive {self._label} while it was on its way to {to_um:g} µm; stop the"
                " other program, then start again."
            )

    def _require_inside(self, z_um: float) -> None:
        if math.isfinite(z_um) and not self._rules.allows(z_um, self._tolerance_um):
            low, high = self.limits_um
            raise ForeignMove(
                f"Somebody else moved the focus drive {self._label} to {z_um:g} µm, beyond its limits ({low:g} to"
                f" {high:g} µm); bring it back between them, or set other limits, before going on.",
                z_um,
            )

    def _require_untouched(self, z_um: float) -> None:
        if self._watchers and self._ledger.moved_by_others != self._moved_before_watch:
            raise ForeignMove(
                f"Somebody else moved the focus drive {self._label} to {z_um:g} µm while a routine relied on its"
                " position; stop the other program, then start again.",
                z_um,
            )

    def _play_is_taken_up(self) -> bool:
        return self._play_taken_up_at == self._ledger.moved_by_others

    def _located_um(self) -> float:
        """Position read back and entered in the books."""
        z_um = self._read()
        self._ledger.read_back(z_um)
        return z_um

    def _read(self) -> float:
        with translated(f"The focus drive {self._label} does not tell its position"):
            z_um = self._axis.read_um()
        if not math.isfinite(z_um):
            raise HardwareError(f"The focus drive {self._label} reports {z_um} as its position; restart it.")
        return z_um
