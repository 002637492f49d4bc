"""What a survey of focus points is told, and what it tells while it runs.

What it leaves is in ``surveying/record.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint, Surface

Place = tuple[float, float]
"""Stage position (x, y) of a field's centre, µm."""
SurveyPhase = Literal["find", "shot", "second", "again", "nearby", "plane", "point", "surface"]

FOLLOW_SHARE = 0.3
"""The drive stays where it is while the surface is nearer than this share of the model's range, unless set (ours)."""


@dataclass(frozen=True, eq=False)
class SurveyConfig:
    """How focus points are found by a model, one shot a point. All numbers are ours.

    Parameters
    ----------
    optics : ImageOptics or None
        How frames are taken; a model refuses unknown optics unless ``insist``.
    insist : bool
        Use the model for optics that it was not made for; the record then carries a warning.
    region : np.ndarray, shape (Y, X), bool, or None
        Only patches inside count.
    focus_direction : int
        +1 or −1, used where the drive does not know; 0 to find it out at the first point by ``probe_um``.
    probe_um : float or None
        Length of the small move that finds out an unknown direction, µm; 0 forbids it; None: as a refocus does.
    sweep : SweepConfig or None
        What helps at the first point, where the drive may stand too far off for the model; None: no sweep.
    follow_um : float or None
        The drive follows the surface once it has come so far from it, µm; None for 0.3 of the model's range.
    second_shot_um : float or None
        Where a frame leaves the model unsure, one more is taken so far away from it, µm, sample and objective apart; 0
        forbids it; None: as a refocus does.
    nearby : int
        Places around an empty one that are looked at instead; 0 for none.
    nearby_um : float or None
        How far from the empty place they lie, µm; None for the longer side of a field.
    mirrored : tuple of bool or None
        Whether the columns of an image grow against x of the stage, and its rows against y. A point then lies where
        the content is that was read, which matters on a tilted slide; None: not known, the field's centre stands.
    contradicts_dof : float
        A point so many depths of field off the surface of its neighbours is shot again, and farther off where that
        surface is not known as well.
    most_failed : float
        Share of the points with content that may fail; beyond it the survey is refused.
    surface : {'auto', 'plane', 'spline', 'rbf'}
        What is laid through the points for the steps that show it.
    surface_every : int
        It is fitted again after so many points, once there are many after a quarter more, and at the end.
    timeout_s : float
        Time for the whole run by the microscope's clock, s (the way back is not cut short).
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    optics: ImageOptics | None = None
    insist: bool = False
    region: npt.NDArray[np.bool_] | None = None
    focus_direction: int = 0
    probe_um: float | None = None
    sweep: SweepConfig | None = None
    follow_um: float | None = None
    second_shot_um: float | None = None
    nearby: int = 4
    nearby_um: float | None = None
    mirrored: tuple[bool, bool] | None = None
    contradicts_dof: float = 2.0
    most_failed: float = 0.5
    surface: Surface = "auto"
    surface_every: int = 16
    timeout_s: float = math.inf
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        if not (isinstance(self.nearby, int) and 0 <= self.nearby <= 16):
            raise InputError(f"A survey looks at 0 to 16 places around an empty one; found {self.nearby}.")
        for name in ("probe_um", "second_shot_um"):
            given = getattr(self, name)
            if given is not None and not 0 <= given < math.inf:
                raise InputError(f"{name} of a survey must be zero or a positive number; found {given}.")
        for name in ("follow_um", "nearby_um"):
            given = getattr(self, name)
            if given is not None and not 0 < given < math.inf:
                raise InputError(f"{name} of a survey must be a positive number of µm; found {given}.")
        if not self.contradicts_dof > 0:
            raise InputError(f"contradicts_dof of a survey must be positive; found {self.contradicts_dof}.")
        check_pace(self)


@dataclass(frozen=True)
class SweepSurveyConfig:
    """How focus points are found by a z-stack each, as it is done without a model.

    Parameters
    ----------
    planes : int
        Planes of a stack.
    step_um : float
        Their distance, µm.
    dof_um : float or None
        Depth of field of the objective, µm, which helps to tell a spike from a peak.
    focus_direction : int
        +1 or −1, used where the drive does not know; it only says in which order planes are taken.
    extensions : int
        How often a stack whose peak lies at its edge is taken again around that edge.
    patch_px, least_content : int
        Side of the patches that tell about content, px, and how many of them must change with focus.
    most_failed, surface, surface_every, timeout_s, same_place_um
        As in :class:`SurveyConfig`.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    planes: int = 21
    step_um: float = 1.0
    dof_um: float | None = None
    focus_direction: int = 0
    extensions: int = 2
    patch_px: int = 128
    least_content: int = 1
    most_failed: float = 0.5
    surface: Surface = "auto"
    surface_every: int = 16
    timeout_s: float = math.inf
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if self.planes < 5:
            raise InputError(f"A z-stack that tells focus takes 5 planes or more; found {self.planes}.")
        if self.extensions < 0 or self.least_content < 1 or self.patch_px < 16:
            raise InputError(
                "A survey by z-stacks takes extensions of 0 or more, patches of 16 px or more and one of them at least"
                f" with content; found {self.extensions}, {self.patch_px} and {self.least_content}."
            )
        if not 0 < self.step_um < math.inf:
            raise InputError(f"step_um of a survey must be a positive number; found {self.step_um}.")
        if self.dof_um is not None and not 0 < self.dof_um < math.inf:
            raise InputError(f"dof_um of a survey must be a positive number; found {self.dof_um}.")
        if self.focus_direction not in (-1, 0, 1):
            raise InputError(f"The focus direction is +1, -1, or 0 for unknown; found {self.focus_direction}.")
        check_pace(self)


AnySurveyConfig = SurveyConfig | SweepSurveyConfig
"""What every survey is told: when to give up, and how the surface is shown."""


def check_pace(config: AnySurveyConfig) -> None:
    """Raises InputError if what every survey is told makes no sense."""
    if not 0 <= config.most_failed <= 1:
        raise InputError(f"The share of points that may fail lies between 0 and 1; found {config.most_failed}.")
    if config.surface not in get_args(Surface):
        raise InputError(f"Unknown surface {config.surface!r}; use one of {', '.join(get_args(Surface))}.")
    if config.surface_every < 1:
        raise InputError(f"The surface is fitted after every point or more; found {config.surface_every}.")
    for name in ("timeout_s", "same_place_um"):
        if not getattr(config, name) > 0:
            raise InputError(f"{name} of a survey must be positive; found {getattr(config, name)}.")


@dataclass(frozen=True, eq=False)
class SurveyStep:
    """Progress: a frame has been taken, a point is settled, or the surface has been fitted again.

    Parameters
    ----------
    phase : str
        What the frame was for: ``find`` (the first focus), ``shot``, ``second`` (the first left the model unsure),
        ``again`` (the point contradicts its neighbours), ``nearby`` (the place is empty), ``plane`` (of a z-stack);
        ``point``: the point is settled, once more where it did not fit the surface in the end; ``surface``: the last
        step, with the surface through all points.
    number : int
        Of the place, from 0, in the order in which places were given.
    place : tuple of float
        Its stage position as planned, µm.
    frame : Frame or None
        The frame itself, to be shown.
    point : FocusPoint or None
        What became of the place.
    surface : FocusMap or None
        Where it was fitted again.
    estimate : FocusEstimate or None
        What the model said of the frame.
    done, total : int
        Points settled so far, those of an earlier survey included, and places in all.
    """

    phase: SurveyPhase
    number: int
    place: Place
    frame: Frame | None = field(default=None, repr=False)
    point: FocusPoint | None = None
    surface: FocusMap | None = field(default=None, repr=False)
    estimate: FocusEstimate | None = field(default=None, repr=False)
    done: int = 0
    total: int = 0
