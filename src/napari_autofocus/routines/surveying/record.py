"""What a survey leaves behind: every point with its outcome and reason; to JSON and back, to go on with it later."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from napari_autofocus.errors import InputError
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt
from napari_autofocus.routines.running.end import RunEnd
from napari_autofocus.routines.survey_config import Place
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, Surface, fit_focus_map

SAME_PLACE_UM = 1.0
"""Planned places nearer to each other than this are the same one when a survey is gone on with."""
WITH_FOCUS = ("found", "nearby", "edited")
"""Outcomes of points that carry a z."""
SETTLED = (*WITH_FOCUS, "empty")
"""Outcomes that a survey which goes on with another takes over."""
LOST = ("refused", "failed")
"""Outcomes of points that hold something, of which no focus is known."""


@dataclass(frozen=True)
class SurveyRecord:
    """One survey, however it ended.

    Parameters
    ----------
    method : str
        ``one-shot`` or ``z-stack``.
    outcome : str
        ``done``; ``done_in_part`` (some points with content have no focus, or no place shows anything); ``refused``
        (nothing moved, or too many points failed for a map to be more than a guess); ``cancelled``, ``timed_out`` or
        ``failed``.
    reasons : tuple of str
        Sentences with the numbers behind the outcome.
    places : tuple of (x, y)
        Every place that was planned, µm.
    numbers : tuple of int
        Of the place of each point.
    points : tuple of FocusPoint
        What became of each place that was visited, those of an earlier survey included.
    exposures, moves : int
        Frames exposed and moves of the drive in this run, first focus included.
    seconds : float
        Of this run, by the microscope's clock.
    start_um, end_um : float
        Drive position before and after, read back, µm.
    dof_um : float or None
        Depth of field, µm, where it is known.
    focus_direction : int
        +1 or −1 as used, 0 if it stayed unknown.
    model, fingerprint : str
        Name of the model, and the SHA-256 that tells it from any other; empty for z-stacks.
    warnings : tuple of str
        What the estimates warned of.
    taken_over : int
        Points that an earlier survey had settled.
    """

    method: str
    outcome: RunEnd
    reasons: tuple[str, ...]
    places: tuple[Place, ...]
    numbers: tuple[int, ...]
    points: tuple[FocusPoint, ...]
    exposures: int
    moves: int
    seconds: float
    start_um: float
    end_um: float
    dof_um: float | None = None
    focus_direction: int = 0
    model: str = ""
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    taken_over: int = 0

    @property
    def outcomes(self) -> dict[str, int]:
        """How many points there are of each outcome."""
        return dict(Counter(point.outcome for point in self.points))

    @property
    def left(self) -> tuple[int, ...]:
        """Numbers of the places that a survey which goes on with this one has to visit."""
        settled = {number for number, point in zip(self.numbers, self.points, strict=True) if point.outcome in SETTLED}
        return tuple(number for number in range(len(self.places)) if number not in settled)

    def focus_map(self, surface: Surface = "auto") -> FocusMap:
        """The surface through the points. Raises InputError if they are too few, or the survey was refused."""
        if self.outcome == "refused":
            raise InputError(f"The survey was refused, so there is no map of it: {' '.join(self.reasons)}")
        return fit_focus_map(self.points, surface=surface)

    def taken_at(self, place: Place) -> FocusPoint | None:
        """The settled point of a planned place, if there is one."""
        for number, point in zip(self.numbers, self.points, strict=True):
            if point.outcome in SETTLED and math.dist(self.places[number], place) <= SAME_PLACE_UM:
                return point
        return None

    def to_json(self) -> str:
        """The record as one JSON object."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> SurveyRecord:
        """The record that :meth:`to_json` wrote. Raises InputError if the text is not one."""
        try:
            record = rebuilt(cls, read_plain_json(text))
            if len(record.numbers) != len(record.points) or not all(
                0 <= n < len(record.places) for n in record.numbers
            ):
                raise ValueError("its points do not belong to its places")
        except UNUSABLE as error:
            raise InputError(f"This is not the record of a survey: {error}.") from error
        return record


def share_lost(points: Sequence[FocusPoint]) -> tuple[int, int]:
    """Points that hold something and have no focus, and points that hold something."""
    lost = sum(point.outcome in LOST for point in points)
    return lost, lost + sum(point.outcome in WITH_FOCUS for point in points)
