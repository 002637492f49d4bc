"""The books of one acquisition with autofocus: what was found where, which frames carry it, what was left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from useq import MDAEvent

from napari_autofocus.workflows.mda.config import MapHeight, MdaFocusConfig
from napari_autofocus.workflows.mda.places import XY, Place, PlacesInFocus
from napari_autofocus.workflows.mda.record import FocusEvent, MdaEnd, MdaFocusRecord, SkippedFrames
from napari_autofocus.workflows.mda.sequences import beside_focus_um, place_of, planned_focus_um, xy_of


@dataclass(frozen=True)
class Target:
    """Where one frame is to be taken.

    Parameters
    ----------
    z_um : float or None
        Of the drive, µm; None where it stays where it is.
    focus_um : float
        Best focus that it is counted from, µm.
    beside_um : float
        How far from it, µm.
    """

    z_um: float | None
    focus_um: float
    beside_um: float


@dataclass
class MdaRun:
    """Everything that one run knows; a new one for every acquisition.

    Parameters
    ----------
    start_um : float
        Where the drive stood at the start, µm: the planned focus of places that state none.
    """

    config: MdaFocusConfig
    finder: str
    start_um: float
    started_s: float
    height: MapHeight | None = None
    events: list[FocusEvent] = field(default_factory=list)
    skipped: list[SkippedFrames] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    frames: int = 0
    stop_reason: str = ""

    def __post_init__(self) -> None:
        self.book = PlacesInFocus(carry_drift=self.config.carry_drift, height=self.height)
        self._last: dict[Place, FocusEvent] = {}
        self._newest: FocusEvent | None = None
        self._own_z: dict[Place, float] = {}
        self._rounds: dict[Place, int] = {}
        self._defocus_um: dict[Place, float | None] = {}

    # where things are

    def planned_um(self, event: MDAEvent) -> float:
        """Planned focus of an event's place, µm."""
        planned_um = planned_focus_um(event)
        if event.sequence is None and planned_um is not None:
            return self._own_z.setdefault(place_of(event), planned_um)
        return self.start_um if planned_um is None else planned_um

    def expected_um(self, event: MDAEvent) -> float:
        """Where an event's place should be in focus now, µm."""
        return self.book.expected_um(place_of(event), xy_of(event), self.planned_um(event))

    def target(self, event: MDAEvent) -> Target:
        """Where a frame is to be taken."""
        place, last = place_of(event), self._last.get(place_of(event))
        beside_um = beside_focus_um(event) + self._offset_um(event)
        if event.sequence is None and event.z_pos is not None:
            beside_um += event.z_pos - self.planned_um(event)
        if last is not None and last.policy in ("map", "neighbours") and last.used_um is not None:
            focus_um = last.used_um
        else:
            focus_um = self.book.expected_um(place, xy_of(event), self.planned_um(event))
        stays = event.z_pos is None and self._newest is None and beside_um == 0
        return Target(None if stays else focus_um + beside_um, focus_um, beside_um)

    def skip_reason(self, event: MDAEvent) -> str:
        """Why a frame is to be left out; empty if it is not."""
        if self.stop_reason:
            return self.stop_reason
        last = self._last.get(place_of(event))
        return last.reason if last is not None and last.policy == "skip" else ""

    def _offset_um(self, event: MDAEvent) -> float:
        return float(self.config.offsets_um.get(event.channel.config, 0.0)) if event.channel is not None else 0.0

    # when to focus

    def is_due(self, event: MDAEvent) -> bool:
        """Whether an autofocus that is planned here is to be carried out; asked once for each."""
        place = place_of(event)
        turn = self._rounds.get(place, -1) + 1
        self._rounds[place] = turn
        if self.config.first_only and turn > 0:
            return False
        if int(event.index.get("t", turn)) % self.config.every_n:
            return False
        last = self._last.get(place)
        if self.config.when == "plan" or last is None or not last.found:
            return True
        defocus_um = self._defocus_um.pop(place, None)
        return defocus_um is None or not abs(defocus_um) <= self.config.needed_um

    def looked(self, event: MDAEvent, defocus_um: float | None) -> None:
        """What the frame in focus of a place says of it, µm; None where it says nothing to trust."""
        self._defocus_um[place_of(event)] = defocus_um

    # what happened

    def note(self, event: MDAEvent, told: FocusEvent) -> None:
        """An attempt to focus has ended."""
        place = place_of(event)
        if told.found_um is not None:
            self.book.found(place, xy_of(event), told.planned_um, told.found_um)
        self.events.append(told)
        self._last[place] = self._newest = told

    def leave_out(self, index: Mapping[str, int], frames: int, reason: str) -> None:
        """Frames are not taken."""
        self.skipped.append(SkippedFrames({str(key): int(value) for key, value in index.items()}, frames, reason))

    def told_of(self, event: MDAEvent, target: Target) -> dict[str, Any]:
        """What the metadata of a frame, taken at that target, says of its focus."""
        last = self._last.get(place_of(event)) or self._newest
        told: dict[str, Any] = {
            "focus_um": target.focus_um,
            "beside_focus_um": target.beside_um,
            "correction_um": target.focus_um - self.planned_um(event),
            "finder": self.finder,
            "policy_on_failure": self.config.on_failure,
        }
        if last is None:
            return {**told, "outcome": "not_focused"}
        names = ("outcome", "verdict", "defocus_um", "residual_um", "uncertainty_um", "model", "fingerprint", "policy")
        told |= {name: getattr(last, name) for name in (*names, "reason")}
        return {**told, "focused_at": dict(last.index), "focus_event": last.number}

    def record(self, outcome: MdaEnd, seconds: float) -> MdaFocusRecord:
        """The run as it stands."""
        reasons = tuple(dict.fromkeys((*([self.stop_reason] if self.stop_reason else []), *self.reasons)))
        reasons = reasons or _UNTOLD.get(outcome, ())
        return MdaFocusRecord(
            outcome,
            reasons,
            self.config.on_failure,
            self.finder,
            tuple(self.events),
            tuple(self.skipped),
            self.frames,
            max(0.0, seconds - self.started_s),
        )


_UNTOLD: dict[str, tuple[str, ...]] = {
    "cancelled": ("It was cancelled before its last frame.",),
    "failed": ("It broke off with an error of the core, which the core's log tells.",),
}
"""Why it ended so, where nothing was noted."""


def plain_xy(xy_um: XY) -> tuple[float | None, float | None]:
    """A place with None for what nobody knows."""
    x_um, y_um = (None if math.isnan(each) else float(each) for each in xy_um)
    return x_um, y_um
