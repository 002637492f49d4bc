"""The books of one refocus: what was seen and read, and which way the drive has to go.

``refocus.py`` says in which order things happen, ``running/guard.py`` what may end them, ``belief.py`` whether the
result is to be believed; here is each thing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from napari_autofocus.errors import HardwareError, MoveRefused
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, PairPredictor, PredictorCard, refocus_z_um
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.records import CurvePoint, Outcome
from napari_autofocus.routines.refocus_config import Composite, Phase, Proposal, RefocusConfig, RefocusStep
from napari_autofocus.routines.running.guard import SAME_FIELD_UM, RunGuard
from napari_autofocus.routines.running.looking import estimate_frame, estimate_frames, patch_sharpness

RANGES_ALLOWED = 2.0
"""Way from the start that estimates may ask for, in ranges of the model, unless the settings say otherwise."""
DISTANCE_TOLERANCE = 0.1
"""How far the distance of two shots may differ from the one asked for, as a share of it."""


@dataclass(frozen=True, eq=False)
class Look:
    """A frame that was taken, what it was for, and what the model read in it (and in ``first``, where it took two)."""

    phase: Phase
    frame: Frame
    estimate: FocusEstimate | None
    sharpness: float | None
    first: Frame | None = None

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
    predictor : FocusPredictor or None
        What reads the frames; None: two shots from the first look on.
    config : RefocusConfig
        The settings.
    pair : PairPredictor, optional
        What reads two shots.

    Attributes
    ----------
    by_pair : bool
        Whether two shots are taken of every place that is to be read.
    left : tuple of (float, float or None), or None
        Defocus of the last place and its uncertainty, µm, where a frame beside it told and none of itself could.
    is_assumed : bool
        Whether :attr:`direction` is nobody's knowledge: nothing may rest on it but the order of two shots.

    Raises
    ------
    HardwareError
        If the position of the drive cannot be read.
    """

    def __init__(
        self,
        microscope: Microscope,
        predictor: FocusPredictor | None,
        config: RefocusConfig,
        pair: PairPredictor | None = None,
    ) -> None:
        self.config = config
        self.predictor, self.pair = predictor, pair
        self.guard = RunGuard(microscope, "refocus", same_place_um=config.same_place_um, timeout_s=config.timeout_s)
        self.direction = microscope.focus.focus_direction or config.focus_direction
        self.is_assumed = False
        self.by_pair = predictor is None
        self.models = [model for model in (predictor or pair,) if model is not None]
        self.looks: list[Look] = []
        self.curve: list[CurvePoint] = []
        self.corrections = 0
        self.methods = ["two-shot" if self.by_pair else "one-shot"]
        self.tried: set[str] = set()
        self.left: tuple[float, float | None] | None = None
        self._judged_from = 0

    @property
    def card(self) -> PredictorCard:
        """What the model in use was made for."""
        return self.models[-1].card

    @property
    def may_ask_pair(self) -> bool:
        """Whether two shots may still decide."""
        return self.pair is not None and not self.by_pair

    def use_pair(self) -> None:
        """From here on two shots are taken, and what one shot said counts no more."""
        assert self.pair is not None
        self.by_pair = True
        self.models.append(self.pair)
        self.methods.append("two-shot")
        self._judged_from, self.corrections = len(self.looks), 0

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
    def base(self) -> Look:
        """The first look that the model in use has read."""
        return next(look for look in self.looks[self._judged_from :] if look.estimate is not None)

    @property
    def dof_um(self) -> float:
        """Depth of field of the model's optics, µm."""
        return self.card.dof_um

    @property
    def accept_um(self) -> float:
        """Residual defocus that counts as in focus, µm."""
        return self.config.accept_dof * self.dof_um

    @property
    def dz_um(self) -> float:
        """How far apart two shots are taken, µm."""
        assert self.pair is not None
        return self.pair.card.dz_um if self.config.dz_um is None else self.config.dz_um

    def look(self, phase: Phase, frame: Frame | None = None, estimate: FocusEstimate | None = None) -> RefocusStep:
        """Take a frame where the drive stands (unless one is given) and have the model of one shot read it."""
        frame = frame or self.guard.snap()
        if estimate is None:
            assert self.predictor is not None
            config = self.config
            estimate = estimate_frame(
                frame, self.predictor, optics=config.optics, insist=config.insist, region=config.region
            )
        return self.note(phase, frame, estimate)

    def note(
        self, phase: Phase, frame: Frame, estimate: FocusEstimate | None = None, first: Frame | None = None
    ) -> RefocusStep:
        """Put down a frame that was taken, and what was read in it."""
        self.looks.append(Look(phase, frame, estimate, self._sharpness(frame, estimate), first))
        return self.step()

    def reread(self, estimate: FocusEstimate) -> None:
        """Put down what the newest frame says beside an earlier one, in place of what it said alone."""
        self.looks[-1] = replace(self.newest, estimate=estimate)
        self.guard.reasons += estimate.reasons

    def read_pair(self, first: Frame, second: Frame, direction: int) -> FocusEstimate:
        """Have two shots read; the estimate is of the second.

        Raises
        ------
        HardwareError
            If the drive has not moved as far between them as it was told.
        """
        assert self.pair is not None
        config, dz_um = self.config, direction * (second.z_um - first.z_um)
        if not abs(abs(dz_um) - self.dz_um) <= DISTANCE_TOLERANCE * self.dz_um:
            raise HardwareError(
                f"{self.guard.drive.label} moved by {abs(dz_um):.2f} µm between two shots, where {self.dz_um:g} µm were"
                " asked for, so they cannot be read; look whether the drive sticks, or how small its steps are."
            )
        return estimate_frames(
            first, second, self.pair, dz_um=dz_um, optics=config.optics, insist=config.insist, region=config.region
        )

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

    def step(self, *, target_um: float | None = None, composite: Composite | None = None) -> RefocusStep:
        """Progress after the newest frame."""
        newest = self.newest
        phase: Phase = newest.phase if composite is None else "composite"
        return RefocusStep(
            phase,
            newest.frame,
            len(self.looks) - 1,
            newest.estimate,
            target_um,
            newest.sharpness,
            composite,
            newest.first,
        )

    def _still_there(self, frame: Frame) -> bool:
        if abs(frame.z_um - self.guard.start_um) > self.config.same_place_um:
            return False
        xy_um = getattr(self.guard.microscope, "xy_um", None)
        return xy_um is None or not math.dist(xy_um(), (frame.x_um, frame.y_um)) > SAME_FIELD_UM

    def _sharpness(self, frame: Frame, estimate: FocusEstimate | None) -> float | None:
        """On the patches of the first estimate that read any, so that values of one run can be compared."""
        read = next((look.estimate.chosen_patches for look in self.looks if look.estimate is not None), ())
        return patch_sharpness(frame.image, read or (estimate.chosen_patches if estimate is not None else ()))

    # Where to go.

    def target_um(self) -> float:
        """Where the newest estimate puts best focus, µm. Raises InputError where it is no number."""
        defocus = self.estimate.defocus_um
        return refocus_z_um(self.newest.z_um, math.nan if defocus is None else defocus, self.direction)

    def require_near(self, z_um: float) -> None:
        """Raises MoveRefused where an estimate asks for more way than it may."""
        most = self.config.largest_move_um or RANGES_ALLOWED * self.card.range_um
        if not abs(z_um - self.guard.start_um) <= most:
            raise MoveRefused(
                f"The estimate asks for {z_um:.2f} µm, {abs(z_um - self.guard.start_um):.2f} µm from the start, where"
                f" {most:g} µm are allowed; come nearer to focus by hand, or run a sweep."
            )

    def is_in_focus(self) -> bool:
        """Whether the newest estimate, of whatever trust, lies within the accepted residual."""
        value = self.estimate.defocus_um
        return value is not None and abs(value) <= self.accept_um

    def may_go(self, z_um: float) -> bool:
        """Whether the limits of the drive allow a place."""
        low, high = self.guard.drive.limits_um
        return low <= z_um <= high

    @property
    def stands_at_start(self) -> bool:
        """Whether the drive stands where it began, and no estimate has moved it."""
        return (
            self.corrections == 0 and abs(self.guard.drive.last_um - self.guard.start_um) <= self.config.same_place_um
        )

    # How it ends.

    def end(self, outcome: Outcome, reason: str, *, stay: bool = False) -> None:
        """The run is over."""
        self.guard.stay = stay or self.guard.stay or (self.by_pair and self.stands_at_start)
        self.guard.end(outcome, reason)
