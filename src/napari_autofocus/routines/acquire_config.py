"""What an acquisition of z-stacks is told, what it tells while it runs, and who takes its planes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.running.end import RunEnd

Place = tuple[float, float]
"""Stage position (x, y) of a field's centre, µm; NaN where there is no XY stage."""
Centre = Literal["find", "here"]
Phase = Literal["find", "plane", "field"]
FieldState = Literal["written", "empty", "no_focus", "out_of_reach", "failed"]


@dataclass(frozen=True)
class AcquireConfig:
    """How z-stacks are taken.

    Parameters
    ----------
    range_um : float
        Planes reach from −range to +range around the centre, µm.
    step_um : float
        Distance of the planes, µm.
    alternate_starts : bool
        Shift the planes of successive fields by −1/3, 0 and +1/3 step, for a denser set of defocus values (Liao et al.,
        Biomed. Opt. Express 13, 314, 2021).
    centre : {'find', 'here'}
        Around which z: that of each field's own focus, or where the drive stands at the start.
    skip_empty : bool
        Leave out fields in which nothing changes with focus, instead of keeping stacks of glass.
    least_content : int
        Patches that must change with focus for a field to count as having content.
    patch_px : int
        Side of those patches, px; less in a smaller field.
    timeout_s : float
        Time for the whole run by the microscope's clock, s; infinite unless given.
    same_place_um : float
        Readings of the drive that differ by no more than this count as the same place, µm.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    range_um: float = 10.0
    step_um: float = 0.5
    alternate_starts: bool = True
    centre: Centre = "find"
    skip_empty: bool = True
    least_content: int = 1
    patch_px: int = 128
    timeout_s: float = math.inf
    same_place_um: float = 0.2

    def __post_init__(self) -> None:
        if not (0 < self.step_um <= self.range_um < math.inf):
            raise InputError(
                f"The range must be finite and at least one positive step; found a range of ±{self.range_um:g} µm and a"
                f" step of {self.step_um:g} µm."
            )
        if self.centre not in get_args(Centre):
            raise InputError(f"Stacks are centred on {' or '.join(get_args(Centre))}; found {self.centre!r}.")
        if self.least_content < 1 or self.patch_px < 8:
            raise InputError(
                "Content takes at least one patch of at least 8 px;"
                f" found {self.least_content} patches of {self.patch_px} px."
            )
        for name in ("timeout_s", "same_place_um"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} of an acquisition must be positive; found {getattr(self, name)}.")

    @property
    def planes(self) -> int:
        """Number of planes of a stack."""
        return 2 * int(self.range_um / self.step_um + 1e-9) + 1

    def z_um(self, number: int, centre_um: float) -> npt.NDArray[np.float64]:
        """Where the drive is sent for the planes of position ``number`` (from 0), rising, µm."""
        start_um = (number % 3 - 1) * self.step_um / 3 if self.alternate_starts else 0.0
        steps = np.arange(self.planes) - self.planes // 2
        return np.asarray(np.round(centre_um + steps * self.step_um + start_um, 4), np.float64)


@dataclass(frozen=True, eq=False)
class FieldPlan:
    """A field whose stack is about to be taken.

    Parameters
    ----------
    number : int
        Of the position, from 0.
    place : tuple of float
        Stage position that was asked for, µm.
    z_um : np.ndarray, shape (Z,)
        Where the drive will be sent, rising, µm.
    centre_um : float
        What the planes are laid around, µm.
    """

    number: int
    place: Place
    z_um: npt.NDArray[np.float64]
    centre_um: float


class FieldSink(Protocol):
    """Takes the planes of one field, one at a time, in whatever order the drive comes by."""

    def add(self, plane: int, frame: Frame) -> None:
        """Take plane ``plane`` (from 0, by rising z). Raises InputError where it cannot be kept: the run ends."""

    def keep(self) -> str:
        """Every plane is there: make the stack valid; its name is returned. Raises InputError where it cannot."""

    def drop(self) -> None:
        """Nothing of this field shall remain. Also called after a failure of the other two, and then must not fail."""


StackWriter = Callable[[FieldPlan], FieldSink]
"""Makes the sink of each field; raises InputError where it cannot be written, which ends the run."""


@dataclass(frozen=True)
class FieldResult:
    """What became of one position.

    Parameters
    ----------
    number : int
        Of the position, from 0.
    x_um, y_um : float
        Stage position, µm.
    state : str
        ``written``; or why there is no stack: ``empty`` (nothing there), ``no_focus`` (content, but no focus found),
        ``out_of_reach`` (beyond the limits of a drive), ``failed`` (the camera failed twice).
    reason : str
        A sentence with the numbers.
    name : str
        What the writer calls the stack; empty unless written.
    centre_um, best_z_um : float or None
        What the planes were laid around, and where they are sharpest, µm; None where that is not known.
    verdict : str
        On the focus curve of the field; empty where there is none.
    """

    number: int
    x_um: float
    y_um: float
    state: FieldState
    reason: str
    name: str = ""
    centre_um: float | None = None
    best_z_um: float | None = None
    verdict: str = ""


@dataclass(frozen=True, eq=False)
class AcquireStep:
    """Progress: a frame has been taken, or a field is done.

    Parameters
    ----------
    phase : {'find', 'plane', 'field'}
        A frame that looks for focus, a plane of a stack, or a field that ended (with ``result``).
    number : int
        Of the position, from 0.
    place : tuple of float
        Its stage position, µm.
    frame : Frame or None
        The frame itself, to be shown.
    plane, planes : int
        Planes taken of this stack so far, and in all.
    written, wanted : int
        Stacks written by this run so far, and asked for.
    sharpness : float or None
        Of a plane: mean Brenner gradient of the field, counts².
    result : FieldResult or None
        What became of the field.
    """

    phase: Phase
    number: int
    place: Place
    frame: Frame | None = field(default=None, repr=False)
    plane: int = 0
    planes: int = 0
    written: int = 0
    wanted: int = 0
    sharpness: float | None = None
    result: FieldResult | None = None


@dataclass(frozen=True)
class AcquireRecord:
    """What a run of acquisitions leaves behind.

    Parameters
    ----------
    outcome : str
        ``done``; ``done_in_part`` (the positions did not suffice for as many stacks as were wanted); or what ended it.
    reasons : tuple of str
        Sentences.
    fields : tuple of FieldResult
        What became of each position that was visited.
    frames, moves : int
        Frames exposed, and moves of the focus drive, those that looked for focus included.
    seconds : float
        By the microscope's clock.
    start_um, end_um : float
        Focus drive before and after, µm.
    """

    outcome: RunEnd
    reasons: tuple[str, ...]
    fields: tuple[FieldResult, ...]
    frames: int
    moves: int
    seconds: float
    start_um: float
    end_um: float

    @property
    def written(self) -> tuple[FieldResult, ...]:
        """The fields that have a stack."""
        return tuple(each for each in self.fields if each.state == "written")

    @property
    def skipped(self) -> tuple[FieldResult, ...]:
        """The fields that have none, each with its reason."""
        return tuple(each for each in self.fields if each.state != "written")
