"""One attempt to focus during an acquisition: the routine is run, and what came of it is told."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

from useq import MDAEvent

from napari_autofocus.errors import AutofocusError, HardwareError, MoveRefused
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.records import FocusRecord, RefocusRecord
from napari_autofocus.workflows.mda.checks import MdaMicroscope
from napari_autofocus.workflows.mda.config import MdaFocusConfig
from napari_autofocus.workflows.mda.finders import MdaFinder, best_z_um, neighbours_z_um, residual_um
from napari_autofocus.workflows.mda.light import focus_light
from napari_autofocus.workflows.mda.places import XY
from napari_autofocus.workflows.mda.record import FocusEvent
from napari_autofocus.workflows.mda.run import MdaRun, plain_xy
from napari_autofocus.workflows.mda.sequences import xy_of

WORTH_ANOTHER = ("failed", "timed_out")


class FocusAttempt:
    """Runs the routine at the field under the objective, again if a failure of the hardware ended it."""

    def __init__(self, microscope: MdaMicroscope, finder: MdaFinder, config: MdaFocusConfig) -> None:
        self._microscope = microscope
        self._finder = finder
        self._config = config
        self._record: FocusRecord | None = None
        self._failure: tuple[str, str] = ("failed", "")
        self._frames = self._moves = 0
        self._start_um = math.nan
        self._began_s = microscope.clock.now_s()

    def run(self, start_um: float, is_cancelled: Callable[[], bool]) -> None:
        """Focus, starting the search at ``start_um`` (µm). Raises InputError if a model refuses the frames."""
        self._start_um = start_um
        for _ in range(1 + self._config.retries):
            self._once(is_cancelled)
            if self._outcome not in WORTH_ANOTHER or is_cancelled():
                break

    def not_there(self, error: AutofocusError) -> FocusAttempt:
        """The place could not be reached, so nothing was tried."""
        self._failure = "failed", f"The microscope did not get there: {error}"
        return self

    @property
    def _outcome(self) -> str:
        return self._record.outcome if self._record is not None else self._failure[0]

    def _once(self, is_cancelled: Callable[[], bool]) -> None:
        self._record = None
        try:
            walk_to(self._microscope.focus, self._start_um)
            with focus_light(self._microscope.core, self._config.channel):
                self._record = self._run_to_end(is_cancelled)
        except MoveRefused as error:
            self._failure = "refused", f"The search cannot begin there: {error}"
        except HardwareError as error:
            self._record, self._failure = None, ("failed", str(error))
        if self._record is not None:
            self._frames += self._record.frames
            self._moves += self._record.moves

    def _run_to_end(self, is_cancelled: Callable[[], bool]) -> FocusRecord | None:
        with contextlib.closing(self._finder.find(self._microscope)) as steps:
            while True:
                try:
                    next(steps)
                except StopIteration as finished:
                    record: FocusRecord = finished.value
                    return record
                if is_cancelled():
                    self._failure = "cancelled", "The acquisition was cancelled while focusing."
                    return None

    # what came of it

    def told(self, event: MDAEvent, run: MdaRun, has_map: bool) -> FocusEvent:
        """What goes into the record of the run, the policy for failures applied."""
        record, xy_um = self._record, self._place_um(event)
        found_um = _sound(best_z_um(record)) if record is not None else None
        planned_um, expected_um = run.planned_um(event), run.expected_um(event)
        reason = " ".join(record.reasons) if record is not None else self._failure[1]
        used_um, policy, why = found_um, "", ""
        if found_um is None:
            beside_um = _sound(neighbours_z_um(record)) if record is not None else None
            used_um, policy, why = self._fall_back(run, xy_um, expected_um, beside_um, has_map)
        x_um, y_um = plain_xy(xy_um)
        refocus = record if isinstance(record, RefocusRecord) else None
        return FocusEvent(
            number=len(run.events),
            index={str(axis): int(number) for axis, number in event.index.items() if axis in ("t", "p", "g")},
            position=event.pos_name or "",
            x_um=x_um,
            y_um=y_um,
            planned_um=planned_um,
            start_um=self._start_um if math.isfinite(self._start_um) else expected_um,
            found_um=found_um,
            used_um=used_um,
            outcome=self._outcome,
            verdict=record.verdict if record is not None else "",
            defocus_um=refocus.before_um if refocus is not None else None,
            residual_um=residual_um(refocus) if refocus is not None else None,
            uncertainty_um=_uncertainty_um(record),
            model=(refocus.model if refocus is not None else "") or self._finder.name,
            fingerprint=(refocus.fingerprint if refocus is not None else "") or self._finder.fingerprint,
            policy=policy,
            reason=f"{reason} {why}".strip(),
            frames=self._frames,
            moves=self._moves,
            seconds=self._microscope.clock.now_s() - self._began_s,
        )

    def _fall_back(
        self, run: MdaRun, xy_um: XY, expected_um: float, beside_um: float | None, has_map: bool
    ) -> tuple[float | None, str, str]:
        """What the frames use where nothing was found: (z in µm, policy, sentence)."""
        if beside_um is not None:
            return beside_um, "neighbours", f"The focus between neighbouring fields, {beside_um:.2f} µm, is used."
        if self._config.on_failure == "skip":
            return None, "skip", "Frames of this place are left out until it is focused again."
        if self._config.on_failure == "stop":
            return None, "stop", ""
        mapped_um = run.book.mapped_um(xy_um) if self._config.on_failure == "map" and has_map else None
        if mapped_um is not None:
            return mapped_um, "map", f"The focus map is used: {mapped_um:.2f} µm."
        kept = f"The last focus is kept: {expected_um:.2f} µm."
        if self._config.on_failure == "map":
            kept = f"The focus map says nothing of this place. {kept}"
        return expected_um, "keep", kept

    def _place_um(self, event: MDAEvent) -> XY:
        """Where the field is, µm: as planned, otherwise as the stage says."""
        planned = xy_of(event)
        if all(map(math.isfinite, planned)):
            return planned
        try:
            return self._microscope.xy_um()
        except HardwareError:
            return math.nan, math.nan


def _sound(z_um: float | None) -> float | None:
    """NaN never becomes a move."""
    return None if z_um is None or not math.isfinite(z_um) else float(z_um)


def _uncertainty_um(record: Any) -> float | None:
    if record is None:
        return None
    named = "after_uncertainty_um" if isinstance(record, RefocusRecord) else "uncertainty_um"
    uncertainty: float | None = getattr(record, named)
    return uncertainty
