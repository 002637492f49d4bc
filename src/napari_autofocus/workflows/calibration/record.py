"""What a calibration leaves in its folder, phase by phase: ``calibration.json``, written whole each time.

A calibration that was stopped or killed goes on from it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt
from napari_autofocus.workflows.calibration_plan import CalibrationPlan
from napari_autofocus.workflows.own.cross_validation import ErrorEstimate

RECORD = "calibration.json"
STACKS, TRAINING, MODEL = "stacks", "training", "model.zip"
"""In the folder of a calibration: its stacks, what training keeps, and the model."""
FORMAT = 1
Trust = Literal["trust", "care", "no"]
ProofEnd = Literal["in_focus", "missed", "declined"]


@dataclass(frozen=True)
class SetAside:
    """A stack, a place or a field that was left out, and why: a sentence."""

    what: str
    reason: str


@dataclass(frozen=True)
class Taught:
    """What teaching left beside the package.

    Parameters
    ----------
    name, fingerprint : str
        Of the model.
    stacks : int
        Stacks learned from and measured on.
    held_out : Evaluation
        Every answer on frames that its model had not learned from.
    estimate : ErrorEstimate or None
        What the model says of its own error; None where the stacks were not cross-validated.
    notes : tuple of str
        What a reader of the figures has to know.
    set_aside : tuple of SetAside
        Stacks that were not learned from.
    """

    name: str
    fingerprint: str
    stacks: int
    held_out: Evaluation
    estimate: ErrorEstimate | None
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True)
class Proof:
    """One live run against a Brenner sweep. Defocus is the drive's distance from the sweep's best, signed, µm.

    Parameters
    ----------
    number : int
        From 1.
    x_um, y_um : float
        Place on the slide.
    sweep_z_um, sweep_uncertainty_um : float
        Where the sweep found focus, and how well, µm.
    start_um, end_um : float
        Defocus before and after the run, µm.
    before_um : float or None
        What the model to begin with said of the first frame, µm; the drive never moved by it.
    said_um : float or None
        What the calibrated model said of the same frame, µm.
    outcome : str
        Of the refocus.
    ended : {'in_focus', 'missed', 'declined'}
        Within half a depth of field of the sweep's focus; said to be in focus and farther off; or no claim was made and
        the drive went back.
    frames, moves : int
        Exposed and commanded by the refocus.
    seconds : float
        By the microscope's clock.
    reason : str
        Why it declined; otherwise empty.
    """

    number: int
    x_um: float
    y_um: float
    sweep_z_um: float
    sweep_uncertainty_um: float
    start_um: float
    end_um: float
    before_um: float | None
    said_um: float | None
    outcome: str
    ended: ProofEnd
    frames: int
    moves: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class CalibrationVerdict:
    """Whether to trust a calibrated model.

    Parameters
    ----------
    trust : {'trust', 'care', 'no'}
        Trust it, with care, or not.
    sentence : str
        The verdict in one sentence.
    reasons : tuple of str
        What it rests on, a sentence each.
    """

    trust: Trust
    sentence: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Installed:
    """Where the model was put, and what stood there before: files; ``former`` None where nothing did."""

    target: str
    former: str | None


@dataclass(frozen=True)
class CalibrationRecord:
    """All that is known of one calibration; what is not reached yet is None or empty.

    Parameters
    ----------
    plan : CalibrationPlan
        What was asked for.
    name : str
        Of the model to be.
    microscope : dict
        Drive, its limits and focus direction, exposure, frame, and where stage and drive stood: plain values.
    versions : dict
        Of the program and what it rests on.
    begun : str
        When, UTC.
    taught : Taught or None
        After teaching.
    before : Evaluation or None
        The answers of the model to begin with on the same frames as ``taught.held_out``.
    proofs : tuple of Proof
        Live runs so far.
    passed_over : tuple of SetAside
        Places and fields that gave no stack or no proof.
    verdict : CalibrationVerdict or None
        In the end.
    finished : str
        When, UTC; empty before.
    installed : Installed or None
        Where the model was put; None where it is not to be trusted, and once that was undone.
    undone : bool
        Whether the model was put away again.
    """

    plan: CalibrationPlan
    name: str
    microscope: dict[str, Any]
    versions: dict[str, str]
    begun: str
    taught: Taught | None = None
    before: Evaluation | None = None
    proofs: tuple[Proof, ...] = ()
    passed_over: tuple[SetAside, ...] = ()
    verdict: CalibrationVerdict | None = None
    finished: str = ""
    installed: Installed | None = None
    undone: bool = False
    format: int = field(default=FORMAT)

    @property
    def middle(self) -> tuple[float, float]:
        """Around which place of the slide its fields are taken, µm."""
        return float(self.microscope["x_um"]), float(self.microscope["y_um"])

    @property
    def begun_at(self) -> tuple[float, float, float]:
        """Where stage and drive (x, y, z) stood when it was begun, µm."""
        return (*self.middle, float(self.microscope["z_um"]))

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """All that was left out, with its reason."""
        return (*(self.taught.set_aside if self.taught else ()), *self.passed_over)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Write ``calibration.json``, whole. Raises InputError if the folder cannot be written."""
        make_folder(folder)
        with replacing(folder / RECORD) as unfinished:
            unfinished.write_text(json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_record(folder: Path) -> CalibrationRecord | None:
    """What a folder holds of a calibration; None where it holds none.

    Raises
    ------
    InputError
        If the record cannot be read.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        return _record_of(read_plain_json(path.read_text(encoding="utf-8")))
    except (OSError, InputError, *UNUSABLE) as error:
        raise InputError(f"{path} is not the record of a calibration ({error}); name another folder.") from error


def _record_of(values: dict[str, Any]) -> CalibrationRecord:
    if values["format"] != FORMAT:
        raise InputError(f"its format is {values['format']}, this program reads {FORMAT}")
    return rebuilt(CalibrationRecord, values)


def taught_of(values: dict[str, Any]) -> Taught:
    """What teaching left, from plain values."""
    estimate = values["estimate"]
    return Taught(
        **{
            **_tuples(values, "notes"),
            "held_out": _evaluation_of(values["held_out"]),
            "estimate": None if estimate is None else ErrorEstimate(**_tuples(estimate, "reasons")),
            "set_aside": tuple(SetAside(**each) for each in values["set_aside"]),
        }
    )


def _evaluation_of(values: dict[str, Any]) -> Evaluation:
    return Evaluation(
        **{**_tuples(values, "warnings"), "results": tuple(result_of(each) for each in values["results"])}
    )


def result_of(values: dict[str, Any]) -> FieldResult:
    """One answer beside its truth, from plain values."""
    interval = values["interval90_um"]
    return FieldResult(**{**values, "interval90_um": None if interval is None else tuple(interval)})


def _tuples(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**values, **{name: tuple(values[name]) for name in names}}
