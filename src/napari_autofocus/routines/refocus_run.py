"""The books of one refocus: what was seen and read, which way the drive has to go, and whether to believe the result.

``refocus.py`` says in which order things happen, ``run_guard.py`` what may end them; here is each thing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_autofocus.errors import MoveRefused
from napari_autofocus.focus.blur_order import blur_order, sharpness_means_focus
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, refocus_z_um
from napari_autofocus.microscope.protocol import Frame, Image, Microscope
from napari_autofocus.records import CurvePoint, Outcome, RefocusRecord, Shot
from napari_autofocus.routines.looking import estimate_frame, patch_sharpness
from napari_autofocus.routines.refocus_config import Phase, Proposal, RefocusConfig, RefocusStep
from napari_autofocus.routines.run_guard import SAME_FIELD_UM, RunGuard

CONTRADICTION_DOF = 2.0
"""A verifying shot that differs from what the move should have left by more than this many depths of field …"""
CONTRADICTION_SHARE = 0.5
"""… and by more than this share of the way contradicts the model's own first answer."""
RANGES_ALLOWED = 2.0
"""Way from the start that estimates may ask for, in ranges of the model, unless the settings say otherwise."""


@dataclass(frozen=True, eq=False)
class Look:
    """A frame that was taken, what it was for, and what the model read in it."""

    phase: Phase
    frame: Frame
    estimate: FocusEstimate | None
    sharpness: float | None

    @property
    def z_um(self) -> float:
        """Where it was taken, µm."""
        return self.frame.z_um


class RefocusRun:
    """State of one refocus over one microscope.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    predictor : FocusPredictor
        What reads the frames.
    config : RefocusConfig
        The settings.

    Raises
    ------
    HardwareError
        If the position of the drive cannot be read.
    """

    def __init__(self, microscope: Microscope, predictor: FocusPredictor, config: RefocusConfig) -> None:
        self.config = config
        self.predictor = predictor
        self.guard = RunGuard(microscope, "refocus", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self.direction = microscope.focus.focus_direction or config.focus_direction
        self.looks: list[Look] = []
        self.curve: list[CurvePoint] = []
        self.corrections = 0
        self.methods = ["one-shot"]
        self.tried: set[str] = set()

    # What is seen.

    @property
    def newest(self) -> Look:
        """The newest frame."""
        return self.looks[-1]

    @property
    def estimate(self) -> FocusEstimate:
        """The newest estimate."""
        found = next(look.estimate for look in reversed(self.looks) if look.estimate is not None)
        assert found is not None
        return found

    @property
    def dof_um(self) -> float:
        """Depth of field of the model's optics, µm."""
        return self.predictor.card.dof_um

    @property
    def accept_um(self) -> float:
        """Residual defocus that counts as in focus, µm."""
        return self.config.accept_dof * self.dof_um

    def look(self, phase: Phase, frame: Frame | None = None, estimate: FocusEstimate | None = None) -> RefocusStep:
        """Take a frame where the drive stands (unless one is given) and have the model read it."""
        frame = frame or self.guard.snap()
        if estimate is None:
            config = self.config
            estimate = estimate_frame(
                frame, self.predictor, optics=config.optics, insist=config.insist, region=config.region
            )
        self.looks.append(Look(phase, frame, estimate, self._sharpness(frame, estimate)))
        return self.step()

    def scan_look(self) -> RefocusStep:
        """Take a frame of a scan: only its sharpness is measured, on the patches of the newest estimate."""
        frame = self.guard.snap()
        value = self._sharpness(frame, self.estimate) or 0.0
        self.looks.append(Look("scan", frame, None, value))
        self.curve.append(CurvePoint(float(frame.z_um), value))
        return self.step()

    def first(self, proposal: Proposal | None) -> RefocusStep:
        """The first shot: that of a proposal, if the stage has not moved since, otherwise a new one."""
        if proposal is not None and self._still_there(proposal.frame):
            self.guard.frames += 1
            return self.look("shot", proposal.frame, proposal.estimate)
        return self.look("shot")

    def step(self, *, target_um: float | None = None, composite: Image | None = None) -> RefocusStep:
        """Progress after the newest frame."""
        newest = self.newest
        phase: Phase = newest.phase if composite is None else "composite"
        return RefocusStep(
            phase, newest.frame, len(self.looks) - 1, newest.estimate, target_um, newest.sharpness, composite
        )

    def _still_there(self, frame: Frame) -> bool:
        if abs(frame.z_um - self.guard.start_um) > self.config.same_place_um:
            return False
        xy_um = getattr(self.guard.microscope, "xy_um", None)
        return xy_um is None or not math.dist(xy_um(), (frame.x_um, frame.y_um)) > SAME_FIELD_UM

    def _sharpness(self, frame: Frame, estimate: FocusEstimate) -> float | None:
        """On the patches of the first estimate that read any, so that values of one run can be compared."""
        read = next((look.estimate.chosen_patches for look in self.looks if look.estimate is not None), ())
        return patch_sharpness(frame.image, read or estimate.chosen_patches)

    # Where to go.

    def target_um(self) -> float:
        """Where the newest estimate puts best focus, µm. Raises InputError where it is no number."""
        defocus = self.estimate.defocus_um
        return refocus_z_um(self.newest.z_um, math.nan if defocus is None else defocus, self.direction)

    def require_near(self, z_um: float) -> None:
        """Raises MoveRefused where an estimate asks for more way than it may."""
        most = self.config.largest_move_um or RANGES_ALLOWED * self.predictor.card.range_um
        if not abs(z_um - self.guard.start_um) <= most:
            raise MoveRefused(
                f"The estimate asks for {z_um:.2f} µm, {abs(z_um - self.guard.start_um):.2f} µm from the start, where"
                f" {most:g} µm are allowed; come nearer to focus by hand, or run a sweep."
            )

    def may_go(self, z_um: float) -> bool:
        """Whether the limits of the drive allow a place."""
        low, high = self.guard.drive.limits_um
        return low <= z_um <= high

    # Whether to believe it.

    def is_in_focus(self) -> bool:
        """Whether the newest estimate, of whatever trust, lies within the accepted residual."""
        value = self.estimate.defocus_um
        return value is not None and abs(value) <= self.accept_um

    def doubt(self, base: Look) -> str:
        """Why the newest frame does not prove that the move from ``base`` was right; empty where it does."""
        before = base.estimate.defocus_um if base.estimate is not None and base.estimate.trusted else None
        after, way = self.estimate.defocus_um, self.direction * (self.newest.z_um - base.z_um)
        if before is not None and after is not None:
            went_away = abs(way) > self.dof_um and abs(after - (before - way)) <= CONTRADICTION_SHARE * abs(way)
            if went_away:
                return (
                    f"The defocus went from {before:+.2f} to {after:+.2f} µm, away from focus by as much as it should"
                    " have come nearer: either the focus direction stated for this drive is wrong, or the model is for"
                    " other optics."
                )
            if abs(after) > abs(before) + self.accept_um:
                return f"It became worse: the defocus was {before:+.2f} µm before the move and is {after:+.2f} µm now."
        if after is None or not self.can_be_judged():
            verdict = self.estimate.verdict.replace("_", " ")
            return f"The frame after the move cannot be judged ({verdict}), so the move is not verified."
        return "" if before is None else self._contradiction(before + way, after, abs(before))

    def _contradiction(self, expected: float, found: float, way: float) -> str:
        if abs(found - expected) <= max(CONTRADICTION_DOF * self.dof_um, CONTRADICTION_SHARE * way):
            return ""
        return (
            f"The two frames contradict each other: the move should have left {expected:+.2f} µm, and the model says"
            f" {found:+.2f} µm; it may not fit this microscope: check the optics, or train it on stacks of it."
        )

    def may_be_play(self, base: Look) -> bool:
        """Whether a short move may have been eaten by play that nobody had taken up: the next one will not be.

        Somebody who turned a drive by hand leaves its play on the wrong side; after our own approach it is taken up.
        """
        trusted = base.estimate is not None and base.estimate.trusted and self.estimate.trusted
        return trusted and len(self.looks) == 2 and abs(self.newest.z_um - base.z_um) <= self.dof_um

    def can_be_judged(self) -> bool:
        """Whether the newest estimate may verify a move.

        Within a depth of field the model may be unsure on which side of focus a frame lies and yet know that it is
        near; then the pictures have to agree that it became sharper.
        """
        estimate = self.estimate
        if estimate.verdict != "unsure":
            return estimate.verdict in ("flat", "tilted", "uneven")
        numbers = estimate.defocus_um, estimate.uncertainty_um
        near = all(value is not None and abs(value) <= self.dof_um for value in numbers)
        return near and self.sharper_than_start() is True

    def blurred_since_start(self) -> str:
        """That the newest frame is a blurred copy of the first one, where that means anything; empty if not."""
        if self.sharper_than_start() is not False:
            return ""
        return (
            "The frame after the move is a blurred copy of the one before it, although the model says that it is in"
            " focus; the model may not fit this microscope: check the optics, or train it on stacks of it."
        )

    def sharper_than_start(self) -> bool | None:
        """Whether the newest frame is sharper than the first one by the pictures; None where they do not tell."""
        first, newest = self.looks[0], self.newest
        if self.config.sharpness == "never" or first.frame.image.shape != newest.frame.image.shape:
            return None
        read = (first.estimate.chosen_patches if first.estimate else ()) or self.estimate.chosen_patches
        where = np.zeros(first.frame.image.shape[:2], bool)
        for patch in read:
            where[patch.y : patch.y + patch.size, patch.x : patch.x + patch.size] = True
        if not where.any() or not all(sharpness_means_focus(look.frame.image, where) for look in (first, newest)):
            return None
        order = blur_order(first.frame.image, newest.frame.image, where)
        return True if order.is_sharper else False if order.is_blurrier else None

    # What is left behind.

    def end(self, outcome: Outcome, reason: str, *, stay: bool = False) -> None:
        """The run is over."""
        self.guard.stay = stay or self.guard.stay
        self.guard.end(outcome, reason)

    def record(self) -> RefocusRecord:
        """What the run leaves behind."""
        guard, estimates = self.guard, [look.estimate for look in self.looks if look.estimate is not None]
        first, last = (estimates[0], estimates[-1]) if estimates else (None, None)
        came_back = abs(guard.drive.last_um - self.newest.z_um) > self.config.same_place_um if self.looks else True
        place = (self.looks[0].frame.x_um, self.looks[0].frame.y_um) if self.looks else (math.nan, math.nan)
        return RefocusRecord(
            method=", ".join(self.methods),
            outcome=guard.outcome or "failed",
            start_um=guard.start_um,
            end_um=guard.drive.last_um,
            x_um=_plain(place[0]),
            y_um=_plain(place[1]),
            before_um=_plain(first.defocus_um) if first else None,
            after_um=_plain(last.defocus_um) if last and not came_back else None,
            after_uncertainty_um=_plain(last.uncertainty_um) if last and not came_back else None,
            dof_um=self.dof_um,
            focus_direction=self.direction,
            verdict=first.verdict if first else "",
            model=self.predictor.name,
            fingerprint=self.predictor.fingerprint,
            warnings=tuple(dict.fromkeys(warning for estimate in estimates for warning in estimate.warnings)),
            reasons=tuple(guard.reasons),
            frames=guard.frames,
            moves=guard.drive.moves,
            seconds=guard.seconds,
            shots=tuple(_shot(look) for look in self.looks),
            curve=tuple(self.curve),
        )


def _shot(look: Look) -> Shot:
    estimate = look.estimate
    if estimate is None:
        return Shot(look.z_um, look.phase, sharpness=_plain(look.sharpness))
    return Shot(
        z_um=look.z_um,
        phase=look.phase,
        verdict=estimate.verdict,
        defocus_um=_plain(estimate.defocus_um),
        uncertainty_um=_plain(estimate.uncertainty_um),
        direction_probability=estimate.direction_probability,
        patches_read=len(estimate.chosen_patches),
        patches=len(estimate.patches),
        sharpness=_plain(look.sharpness),
    )


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
