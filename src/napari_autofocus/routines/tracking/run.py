"""One hold of focus, round by round: what was seen, where best focus lies, when to move, to give way and to stop.

``track.py`` says in which order things happen; here is each thing.
"""

from __future__ import annotations

import math

from napari_autofocus.errors import (
    DriveHalted,
    ForeignMove,
    FrameError,
    HardwareError,
    InputError,
    MicroscopeTaken,
    MoveRefused,
)
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, refocus_z_um
from napari_autofocus.focus.transparent import is_for_transparent
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.records import HoldEnd, TrackRecord, TrackSample
from napari_autofocus.routines.running.looking import estimate_frame
from napari_autofocus.routines.running.owning import owned
from napari_autofocus.routines.running.watch import WatchedDrive
from napari_autofocus.routines.track_config import HoldState, TrackConfig, TrackStep
from napari_autofocus.routines.tracking.books import Place, RestWatch, RunningBest
from napari_autofocus.routines.tracking.misses import Misses, is_usable, why_not_used
from napari_autofocus.routines.tracking.sharpness import SharpnessWatch
from napari_autofocus.routines.tracking.side import likely_defocus_um
from napari_autofocus.routines.tracking.way import WayWatch

RESTING_LOOKS = 3
"""Looks that are taken while a stage has to rest."""

Told = tuple[HoldState, str]


class TrackRun:
    """State of one hold over one microscope.

    Raises
    ------
    HardwareError
        If the position of the drive cannot be read.
    """

    def __init__(self, microscope: Microscope, predictor: FocusPredictor, config: TrackConfig) -> None:
        self.config = config
        self._microscope = microscope
        self._predictor = predictor
        self._dof_um = predictor.card.dof_um
        self._direction = microscope.focus.focus_direction or config.focus_direction
        self.drive = WatchedDrive(microscope.focus, config.same_place_um)
        self._start_um = self.drive.last_um
        self._started_s = microscope.clock.now_s()
        self._band_um = config.dead_band_for(self._dof_um)
        self._best = RunningBest(config.window, config.average, most_ahead_um=self._band_um / 2)
        self._way = WayWatch(self._direction, self._dof_um)
        self._rest = RestWatch(config.rest_s, config.same_place_um)
        transparent = is_for_transparent(predictor.card)
        self._sharpness = SharpnessWatch(config.least_sharpness, self._dof_um, is_transparent=transparent)
        self._misses = Misses(config.misses)
        self._place: Place | None = None
        self._waited_s = 0.0
        self._paused = False
        self._moves_before = 0
        self._frame: Frame | None = None
        self._estimate: FocusEstimate | None = None
        self._moved_um = 0.0
        self._warnings: dict[str, None] = {}
        self._samples: list[TrackSample] = []
        self._pauses = 0
        self._reasons: list[str] = []
        self.ended: HoldEnd | None = None

    @property
    def rounds(self) -> int:
        """Rounds so far."""
        return len(self._samples)

    def check_start(self) -> None:
        """End the hold before it begins where nothing may be moved."""
        low, high = self.drive.limits_um
        if self._direction == 0:
            self.end(
                "refused",
                f"It is unknown whether a growing z of {self.drive.label} brings sample and objective together: state"
                " it, or run a refocus first, which can find it out.",
            )
        elif not low <= self._start_um <= high:
            self.end(
                "refused",
                f"{self.drive.label} stands at {self._start_um:.2f} µm, outside its limits {low:g} to {high:g} µm;"
                " bring it inside or set other limits.",
            )

    def end(self, ended: HoldEnd, reason: str) -> None:
        """Name what ended the hold, once, and say why."""
        self.ended = self.ended or ended
        self._reasons.append(reason)

    # One round.

    def round(self) -> TrackStep:
        """Look, and do what has to be done; never raises for what hardware or a person may do."""
        began_s = self._microscope.clock.now_s()
        self._frame, self._estimate, self._moved_um = None, None, 0.0
        state, sentence = self._guarded()
        if self.ended is not None:
            state, sentence = "stopped", self._reasons[-1]
            self.drive.look_again()
        spent_s = self._microscope.clock.now_s() - began_s
        self._waited_s = self._wait_s(state, spent_s)
        return self._step(state, sentence)

    def _guarded(self) -> Told:
        """One round, with everything that may go wrong in it given its name."""
        try:
            with owned(self._microscope, "hold focus", brief=True), self._microscope.restoring():
                return self._wait_for_rest() if self._paused else self._hold()
        except (ForeignMove, MicroscopeTaken) as error:
            return self._give_way(str(error))
        except FrameError as error:
            return self._miss("hardware", str(error))
        except DriveHalted as error:
            self.end("halted", str(error))
        except HardwareError as error:
            self.end("hardware", str(error))
        except MoveRefused as error:
            self.end("at_limit", f"The drive refused to move: {error}")
        except InputError as error:
            self.end("refused", str(error))
        return "stopped", ""

    def _hold(self) -> Told:
        """Look, learn where best focus lies, and follow it."""
        frame = self._snap()
        self.drive.expect(frame.z_um)
        here = Place.of(frame)
        self._place = self._place or here
        if here.is_other_field(self._place):
            return self._give_way(f"The slide was moved by {here.shift_um(self._place):.1f} µm.")
        estimate = self._read(frame)
        if not is_usable(estimate):
            return self._miss_estimate(frame, estimate)
        share = self._sharpness.share_of_best(frame.image, estimate)
        if self._sharpness.contradicts(share):
            return self._miss("sharpness_fell", f"Sharpness fell to {share:.0%}, while the model claims focus.")
        self._misses.clear()
        assert estimate.defocus_um is not None
        if self._way.is_wrong(frame.z_um, estimate.defocus_um):
            return self._turn_back()
        return self._learn(frame, estimate.defocus_um)

    def _learn(self, frame: Frame, defocus_um: float) -> Told:
        self._best.add(frame.started_s, refocus_z_um(frame.z_um, defocus_um, self._direction))
        return self._follow(frame.z_um, defocus_um)

    def _turn_back(self) -> Told:
        """Corrections went away from focus: the drive goes back to before the first of them, and the hold ends."""
        if self._way.safe_um is not None:
            self.drive.go(self._way.safe_um)
        self.end(
            "wrong_way",
            "Two corrections in a row took the field farther from focus: either the focus direction stated for this"
            f" drive is wrong, or the model is for other optics. The drive is back at {self.drive.last_um:.2f} µm.",
        )
        return "stopped", ""

    def _snap(self) -> Frame:
        self._frame = frame = self._microscope.snap()
        return frame

    def _read(self, frame: Frame) -> FocusEstimate:
        config = self.config
        self._estimate = estimate = estimate_frame(
            frame, self._predictor, optics=config.optics, insist=config.insist, region=config.region
        )
        self._warnings |= dict.fromkeys(estimate.warnings)
        return estimate

    # Where best focus lies, and going there.

    def _follow(self, z_um: float, defocus_um: float) -> Told:
        """Move to average best focus if it has left the dead band; no farther than one round may."""
        best_um = self._best.z_um
        if best_um is None:
            return "holding", "Looking once more before anything moves."
        off_um = best_um - z_um
        if abs(off_um) <= self._band_um:
            return "holding", f"In focus: {_signed(off_um)} to average best focus, dead band {self._band_um:.2f} µm."
        if not self._may_follow(best_um):
            return "stopped", ""
        reach_um = self.config.largest_correction_for(self._dof_um)
        self._way.corrected(z_um, defocus_um)
        self.drive.go(z_um + min(max(off_um, -reach_um), reach_um))
        self._moved_um = self.drive.last_um - z_um
        return "corrected", f"Moved {_signed(self._moved_um)} after best focus."

    def _may_follow(self, best_um: float) -> bool:
        low, high = self.drive.limits_um
        drift_um, most_um = self._best.drift_um or 0.0, self.config.most_drift_for(self._dof_um)
        if not low <= best_um <= high:
            self.end(
                "at_limit",
                f"Best focus has gone to {best_um:.2f} µm, beyond the limits of {self.drive.label}, {low:g} to"
                f" {high:g} µm; set other limits if that place is safe.",
            )
        elif abs(drift_um) > most_um:
            self.end(
                "drifted_away",
                f"Best focus has moved by {_signed(drift_um)}, more than the {most_um:g} µm that count as drift; look"
                " whether the slide is still clamped.",
            )
        return self.ended is None

    # What is not trusted, and stopping for it.

    def _miss(self, kind: HoldEnd, why: str) -> Told:
        """A round that says nothing about focus: nothing moves, and too many in a row end the hold."""
        self._misses.add(kind, why)
        return self._missed(why)

    def _miss_estimate(self, frame: Frame, estimate: FocusEstimate) -> Told:
        """The same for an estimate that is not usable.

        So close to focus the model may not know the side; what is known of best focus tells it, and the frame counts.
        """
        why = why_not_used(estimate)
        if estimate.verdict == "unsure" and self._sharpness.vouches_for(frame.image, estimate):
            likely_um = likely_defocus_um(frame.z_um, estimate, self._best.z_um, self._direction, self._dof_um)
            if likely_um is not None:
                self._misses.clear()
                return self._learn(frame, likely_um)
            self._misses.excuse()
            return "missed", f"Near focus and still sharp, but on which side is not clear. {why}"
        self._misses.add_estimate(estimate)
        return self._missed(why)

    def _missed(self, why: str) -> Told:
        if (verdict := self._misses.verdict) is not None:
            self.end(*verdict)
        return ("paused" if self._paused else "missed"), why

    # Giving way to a person.

    def _give_way(self, why: str) -> Told:
        """Somebody moves the stage: wait until it rests, and forget what was known of the place before."""
        self._pauses += not self._paused
        self._paused = True
        self.drive.look_again()
        self._rest.begin()
        self._best.forget()
        self._way.forget()
        self._sharpness.forget()
        self._misses.clear()
        return "paused", f"{why} Focus is held again once the stage has rested for {self.config.rest_s:g} s."

    def _wait_for_rest(self) -> Told:
        """Look whether the stage still moves; go on from its new place once it has rested."""
        frame = self._snap()
        self._misses.clear()
        self._place = Place.of(frame)
        self.drive.look_again()
        if not self._rest.has_rested(self._place, self._waited_s):
            return "paused", "The stage was moved; waiting until it rests."
        self._moves_before += self.drive.moves
        self.drive = WatchedDrive(self._microscope.focus, self.config.same_place_um)
        self._paused = False
        return "resumed", f"The stage rests: held from here on, {self.drive.last_um:.2f} µm."

    # What is told.

    def _wait_s(self, state: HoldState, spent_s: float) -> float:
        if state in ("stopped", "resumed"):
            return 0.0
        if self._paused:
            return self.config.rest_s / RESTING_LOOKS
        return max(self.config.interval_s - spent_s, 0.0)

    def _step(self, state: HoldState, sentence: str) -> TrackStep:
        estimate = self._estimate
        sample = TrackSample(
            at_s=self._microscope.clock.now_s() - self._started_s,
            state=state,
            z_um=float(self.drive.last_um),
            best_z_um=self._best.z_um,
            defocus_um=None if estimate is None or not is_usable(estimate) else estimate.defocus_um,
            drift_um=self._best.drift_um,
            moved_um=float(self._moved_um),
        )
        self._samples.append(sample)
        return TrackStep(
            index=self.rounds - 1,
            at_s=sample.at_s,
            state=state,
            wait_s=self._waited_s,
            z_um=sample.z_um,
            sentence=sentence,
            frame=self._frame,
            estimate=estimate,
            best_z_um=sample.best_z_um,
            drift_um=sample.drift_um,
            moved_um=sample.moved_um,
        )

    def record(self) -> TrackRecord:
        """What the hold leaves behind."""
        return TrackRecord(
            ended=self.ended or "hardware",
            reasons=tuple(self._reasons),
            start_um=float(self._start_um),
            end_um=float(self.drive.last_um),
            x_um=None if self._place is None else _known(self._place.x_um),
            y_um=None if self._place is None else _known(self._place.y_um),
            dof_um=float(self._dof_um),
            focus_direction=self._direction,
            model=self._predictor.name,
            fingerprint=self._predictor.fingerprint,
            warnings=tuple(self._warnings),
            rounds=self.rounds,
            misses=self._misses.count,
            pauses=self._pauses,
            moves=self._moves_before + self.drive.moves,
            seconds=self._microscope.clock.now_s() - self._started_s,
            samples=tuple(self._samples),
        )


def _known(value_um: float) -> float | None:
    return value_um if math.isfinite(value_um) else None


def _signed(value_um: float) -> str:
    return f"{value_um:+.2f} µm".replace("-", "−")
