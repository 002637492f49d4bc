"""Prove a model live: refocus from random defocus on fresh places, each checked against a Brenner sweep made there.

The sweep comes first and the model never sees it. What the model to begin with says of the same first frame is noted,
and the drive never moves by it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from napari_autofocus.errors import DriveHalted, HardwareError
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, ImageOptics
from napari_autofocus.microscope.protocol import Frame, SlideMicroscope, walk_to
from napari_autofocus.records import FocusRecord, RefocusRecord, SweepRecord
from napari_autofocus.routines.refocus import RefocusConfig, RefocusStep, refocus
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.steps import relay
from napari_autofocus.workflows.calibration.record import Proof, SetAside
from napari_autofocus.workflows.calibration.stand import Home, Place, field_size_um, fresh_places, spread_evenly
from napari_autofocus.workflows.calibration.verdict import ended
from napari_autofocus.workflows.calibration_plan import CalibrationPlan, direction_of

PLACES_A_PROOF = 4
"""So many places are tried for each live run; empty ones give none."""
SURE_DOF = 0.25
"""A sweep whose focus is less certain than this proves nothing, in depths of field."""
SWEEP_S, REFOCUS_S = 180.0, 120.0
"""Time for one sweep and for one refocus, s."""
_STREAM = 31


@dataclass(frozen=True, eq=False)
class ProofStep:
    """Progress of live run ``number`` of ``total``: a frame was taken, or it has ended.

    Parameters
    ----------
    number, total : int
        Which live run, from 1, of how many.
    doing : str
        ``sweep``, ``refocus``, ``proved`` or ``passed over``.
    frame : Frame or None
        What was seen.
    proof : Proof or None
        The live run that has ended.
    passed_over : SetAside or None
        A place that gives no proof.
    """

    number: int
    total: int
    doing: str
    frame: Frame | None = field(default=None, repr=False)
    proof: Proof | None = None
    passed_over: SetAside | None = None


class _Seen(Protocol):
    @property
    def frame(self) -> Frame: ...


Steps = Generator[ProofStep, None, None]


def prove(
    microscope: SlideMicroscope,
    plan: CalibrationPlan,
    model: FocusPredictor,
    base: FocusPredictor | None,
    home: Home,
    *,
    done: Sequence[Proof] = (),
    taken: Sequence[Place] = (),
) -> Steps:
    """Make the live runs that are missing.

    Parameters
    ----------
    microscope : SlideMicroscope
        Its drive and stage are moved; whoever calls brings them home.
    plan : CalibrationPlan
        How many runs, from how far.
    model, base : FocusPredictor
        The calibrated one, and the one to begin with, which is only asked.
    home : Home
        Places are drawn around it.
    done : sequence of Proof
        Runs of an earlier call.
    taken : sequence of (x, y)
        Places of the stacks that were learned from, µm.

    Yields
    ------
    ProofStep

    Raises
    ------
    HardwareError
        If the microscope fails; DriveHalted if a person halts the drive.
    """
    prover = _Prover(microscope, plan, model, base, home)
    rng = np.random.default_rng([plan.seed, _STREAM])
    apart_um = field_size_um(microscope, plan.objective)
    count = plan.proofs * PLACES_A_PROOF
    drawn = fresh_places(home, plan.area_um, count, apart_um=apart_um, taken=taken, rng=rng)
    offsets = spread_evenly(plan.proofs, plan.model_range_um, rng)
    settled = {proof.number for proof in done}
    for number in range(1, plan.proofs + 1):
        if number not in settled:
            yield from prover.run(number, drawn[number - 1 :: plan.proofs], offsets[number - 1])


class _Prover:
    """One microscope, one model, one run after the other."""

    def __init__(
        self,
        microscope: SlideMicroscope,
        plan: CalibrationPlan,
        model: FocusPredictor,
        base: FocusPredictor | None,
        home: Home,
    ) -> None:
        self._microscope, self._plan, self._model, self._base = microscope, plan, model, base
        self._focus_um = home.z_um
        self._direction = direction_of(microscope.focus, plan)
        self._optics = ImageOptics(plan.objective)
        self._number = 0
        self._first: FocusEstimate | None = None

    def run(self, number: int, places: Sequence[Place], defocus_um: float) -> Steps:
        """Try places until one has a focus that a sweep is sure of; prove the model there."""
        self._number = number
        for place in places:
            walk_to(self._microscope.focus, self._focus_um)
            x_um, y_um = self._microscope.move_xy_to(*place)
            found = yield from self._follow("sweep", sweep(self._microscope, self._sweep_config()))
            reason = self._why_not(found)
            if reason:
                away = SetAside(f"Place {x_um:.0f}, {y_um:.0f} µm", reason)
                yield self._step("passed over", passed_over=away)
                continue
            assert isinstance(found, SweepRecord)
            assert found.best_z_um is not None
            self._focus_um = found.best_z_um
            yield from self._prove_here((x_um, y_um), found, defocus_um)
            return

    def _sweep_config(self) -> SweepConfig:
        plan = self._plan
        reach_um = plan.looking_um
        return SweepConfig(
            range_um=reach_um, furthest_um=reach_um, step_um=plan.plane_step_um, dof_um=plan.dof_um, timeout_s=SWEEP_S
        )

    def _why_not(self, found: FocusRecord) -> str:
        """Why a sweep proves nothing; empty where it does."""
        why = " ".join(found.reasons)
        if found.outcome == "failed":
            raise HardwareError(why)
        if found.outcome == "cancelled":
            raise DriveHalted(why)
        if not isinstance(found, SweepRecord) or found.outcome != "focused" or found.best_z_um is None:
            return f"A sweep found no focus there: {why}"
        unsure_um = found.uncertainty_um or 0.0
        if unsure_um > SURE_DOF * self._plan.dof_um:
            return f"The sweep's focus is uncertain by {unsure_um:.2f} µm, too much to prove anything."
        low, high = self._microscope.focus.limits_um
        if not low <= found.best_z_um <= high:
            return f"Focus lies at {found.best_z_um:.2f} µm, at the limits of the drive."
        return ""

    def _prove_here(self, place: Place, found: SweepRecord, defocus_um: float) -> Steps:
        """From a random defocus to where the model says that focus is."""
        best_um = found.best_z_um or 0.0
        walk_to(self._microscope.focus, self._start_um(best_um, defocus_um))
        config = RefocusConfig(optics=self._optics, focus_direction=self._direction, timeout_s=REFOCUS_S)
        self._first = None
        record = yield from self._follow("refocus", refocus(self._microscope, self._model, config))
        if record.outcome in ("failed", "cancelled"):
            self._why_not(record)
        assert isinstance(record, RefocusRecord)
        yield self._step("proved", proof=self._proof(place, found, record))

    def _start_um(self, best_um: float, defocus_um: float) -> float:
        """The drive position of a defocus; on the other side of focus where the limits are in the way."""
        low, high = self._microscope.focus.limits_um
        wanted = (best_um + sign * self._direction * defocus_um for sign in (1, -1))
        inside = [z_um for z_um in wanted if low <= z_um <= high]
        return inside[0] if inside else min(max(best_um + self._direction * defocus_um, low), high)

    def _proof(self, place: Place, found: SweepRecord, record: RefocusRecord) -> Proof:
        best_um = found.best_z_um or 0.0
        end_um = self._direction * (record.end_um - best_um)
        how = ended(end_um, record.outcome in ("focused", "already_in_focus"), self._plan.dof_um)
        return Proof(
            number=self._number,
            x_um=place[0],
            y_um=place[1],
            sweep_z_um=best_um,
            sweep_uncertainty_um=found.uncertainty_um or 0.0,
            start_um=self._direction * (record.start_um - best_um),
            end_um=end_um,
            before_um=None if self._first is None else self._first.defocus_um,
            said_um=record.before_um,
            outcome=record.outcome,
            ended=how,
            frames=record.frames,
            moves=record.moves,
            seconds=record.seconds,
            reason=" ".join(record.reasons) if how == "declined" else "",
        )

    def _follow(
        self, doing: str, steps: Generator[_Seen, None, FocusRecord]
    ) -> Generator[ProofStep, None, FocusRecord]:
        """Pass on each frame of a routine; the first one of a refocus is shown to the base, too."""

        def shown(step: _Seen) -> ProofStep:
            if isinstance(step, RefocusStep) and step.index == 0:
                self._first = self._ask_base(step.frame)
            return self._step(doing, frame=step.frame)

        return relay(steps, shown)

    def _ask_base(self, frame: Frame) -> FocusEstimate | None:
        """What the model to begin with says; its optics may be others, which is what is to be shown."""
        if self._base is None:
            return None
        return self._base.estimate(frame.image, optics=self._optics, insist=True, bit_depth=frame.bit_depth)

    def _step(self, doing: str, **told: Any) -> ProofStep:
        return ProofStep(self._number, self._plan.proofs, doing, **told)
