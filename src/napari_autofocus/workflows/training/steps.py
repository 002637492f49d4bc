"""What a training in a process of its own tells: plain records, a line of JSON each. No torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from napari_autofocus.errors import InputError

Doing = Literal["starting", "reading", "storing", "calibrating", "evaluating"]


@dataclass(frozen=True)
class Answer:
    """What was said of one frame: true and estimated defocus, µm (None: nothing), and whether that was refused."""

    true_um: float
    found_um: float | None
    refused: bool = False


@dataclass(frozen=True)
class Working:
    """Progress of what is not teaching: ``done`` of ``total`` (0: not known), in which fold (0: in none)."""

    doing: Doing
    done: int = 0
    total: int = 0
    name: str = ""
    fold: int = 0
    folds: int = 0
    answer: Answer | None = None


@dataclass(frozen=True)
class Learning:
    """A point of the learning curve.

    Parameters
    ----------
    stage : {'importance', 'defocus', 'refocus'}
        What is taught.
    loss, learning_rate : float
        Running mean, and rate of the last step.
    seconds, seconds_left : float
        Spent in this stage, and still to spend.
    score : float or None
        Of the last validation: of stage two the mean absolute error, µm; of stage one, of the importance; of virtual
        refocusing the gain over the sharper shot, dB.
    direction : float or None
        Of the last validation: share of right directions.
    validated : bool
        Whether that validation is new.
    pairs : tuple of (float, float)
        True and found defocus of the last validation, µm; of virtual refocusing half the distance of two shots, µm, and
        the gain, dB; where it is new.
    retreats : int
        How often it diverged and went back to its best state.
    fold, folds : int
        Of a cross-validation, counted from 1; 0 in none.
    """

    stage: Literal["importance", "defocus", "refocus"]
    loss: float
    learning_rate: float
    seconds: float
    seconds_left: float
    score: float | None = None
    direction: float | None = None
    validated: bool = False
    pairs: tuple[tuple[float, float], ...] = ()
    retreats: int = 0
    fold: int = 0
    folds: int = 0

    @property
    def part(self) -> tuple[int, str]:
        """Which network of which fold is taught."""
        return self.fold, self.stage

    def to_line(self) -> str:
        """A line of the learning curve on disk, without the pairs."""
        return line_of(replace(self, pairs=()))


@dataclass(frozen=True)
class OpticsKnown:
    """The depth of field that the stacks were taken with, µm."""

    dof_um: float


@dataclass(frozen=True)
class DatasetSeen:
    """What a data set holds, before anything is taught.

    Parameters
    ----------
    stacks : int
        Whose focus is known.
    labelled_by : dict
        Number of them by who says so.
    left_out : tuple of str
        Why each of the others is left out, a sentence each.
    summary : str
        Optics and range, in words.
    refusal : str
        Why nothing can be taught of it, a sentence; empty where it can.
    devices : tuple of str
        That torch can train on here.
    """

    stacks: int
    labelled_by: dict[str, int]
    left_out: tuple[str, ...] = ()
    summary: str = ""
    refusal: str = ""
    devices: tuple[str, ...] = ("cpu",)


@dataclass(frozen=True)
class TrainingMade:
    """A model that was made, and how good it is on frames that were held out.

    Parameters
    ----------
    model, report : str
        Files; the report's is empty where it could not be written.
    mae_um : float or None
        Mean absolute error, µm; None where it answered nothing.
    low_um, high_um : float or None
        90 % interval of it, where it was cross-validated.
    direction : float or None
        Share of right directions beyond half a depth of field.
    refused : float
        Share of frames that were refused.
    frames, stacks : int
        Held out.
    works : bool or None
        What the cross-validation says; None without one.
    reasons, notes : tuple of str
        Why it does not work, and what to know of the figures; a sentence each.
    """

    model: str
    report: str
    name: str
    dof_um: float
    range_um: float
    mae_um: float | None
    low_um: float | None
    high_um: float | None
    direction: float | None
    refused: float
    frames: int
    stacks: int
    works: bool | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Gain:
    """What was recovered from pairs of one half distance, µm: PSNR, dB, of the sharper shots, and of the results."""

    half_um: float
    pairs: int
    sharper_db: float
    recovered_db: float
    base_db: float | None = None


@dataclass(frozen=True)
class RefocuserMade:
    """A virtual refocuser that was made, and what it is worth on stacks that were held out.

    Parameters
    ----------
    model, report : str
        Files; the report's is empty where it could not be written.
    name : str
        Of the model.
    base : str
        Name of the model that it began with; empty where it began anew.
    dof_um : float
        Depth of field, µm.
    half_um : tuple of float
        Least and largest half distance of two shots, µm.
    gain_db, base_gain_db : float or None
        PSNR over the sharper shot's, and what the base gains on the same pairs.
    doubtful : float or None
        Share of the images that the model doubts.
    stacks : int
        Held out.
    gains : tuple of Gain
        By half distance.
    pairs : tuple of (float, float)
        Half distance, µm, and gain, dB, of each pair that was measured.
    notes : tuple of str
        What to know of the figures; a sentence each.
    """

    model: str
    report: str
    name: str
    base: str
    dof_um: float
    half_um: tuple[float, float]
    gain_db: float | None
    base_gain_db: float | None
    doubtful: float | None
    stacks: int
    gains: tuple[Gain, ...] = ()
    pairs: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pausing:
    """It was heard that the work is to stop; it ends with its next step."""


@dataclass(frozen=True)
class Paused:
    """The work has stopped, and can be taken up again."""


@dataclass(frozen=True)
class Refused:
    """It cannot be done; why, in a sentence."""

    sentence: str


TrainingStep = Working | Learning | OpticsKnown | Pausing
TrainingEnd = DatasetSeen | TrainingMade | RefocuserMade | Paused | Refused
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Working, Learning, OpticsKnown, Pausing),
        *(DatasetSeen, TrainingMade, RefocuserMade, Paused, Refused),
    )
}


def line_of(record: TrainingStep | TrainingEnd) -> str:
    """A record as one line of JSON."""
    return json.dumps({"kind": type(record).__name__, **asdict(record)})


def record_of(line: str) -> TrainingStep | TrainingEnd:
    """A line of JSON as the record it was.

    Raises
    ------
    InputError
        If it is no such line.
    """
    try:
        value = json.loads(line)
        kind = _KINDS[value.pop("kind")]
        record: TrainingStep | TrainingEnd = kind(**{name: _restored(name, item) for name, item in value.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"The training process said what nobody understands: {line[:80]!r}; begin anew.") from error
    return record


def learning_from(line: str) -> Learning | None:
    """A line of the learning curve; None where it is damaged."""
    try:
        record = record_of(line)
    except InputError:
        return None
    return record if isinstance(record, Learning) else None


def _restored(name: str, value: Any) -> Any:
    """JSON knows no tuples."""
    if name == "answer" and value is not None:
        return Answer(**value)
    if name == "answers":
        return tuple(Answer(**each) for each in value)
    if name == "gains":
        return tuple(Gain(**each) for each in value)
    if name == "pairs":
        return tuple((float(true), float(found)) for true, found in value)
    return tuple(value) if isinstance(value, list) else value
