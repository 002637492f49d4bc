"""What tuning found: a file that ``train --settings`` and recipes take, with how it came about.

Knows no torch and no Ray.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.models.learning.settings import Leg, TrainingSettings
from napari_autofocus.plain_json import read_plain_json

if TYPE_CHECKING:
    from napari_autofocus.models.teaching import TeachingPlan

_KIND = "tuned settings of napari-autofocus"
_FORMAT = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FoundLeg(_Strict):
    """Values up to a share of the run; see ``Leg`` in ``models/learning/settings.py``."""

    until: float
    learning_rate: float
    momentum: float
    weight_decay: float
    dropout: float

    def leg(self) -> Leg:
        """As a training takes it."""
        return Leg(**self.model_dump())


class MemberTold(_Strict):
    """One member of the population: what it began with, and how good it was after each generation.

    Parameters
    ----------
    scores_um : tuple of float or None
        Mean error on the slides that choose, µm; None where the member failed.
    taken : tuple of int
        Whose weights it began each generation with.
    failed : str or None
        Why it failed last.
    """

    member: int
    width: float
    born_with: FoundLeg
    scores_um: tuple[float | None, ...]
    taken: tuple[int, ...]
    failed: str | None = None


class Found(BaseModel):
    """The best settings, their course over a training, and how they were found.

    Parameters
    ----------
    backbone, width, channels
        Of the network that they were found with; the width was looked for too.
    course : tuple of FoundLeg
        What to learn with, over the whole of a training.
    batch : int
        Patches a step.
    base : str or None
        Name of the model that the networks began with.
    best : int
        Member whose course it is.
    score_um : float
        Its mean error on the slides that chose it, µm.
    measured : dict
        Its figures on slides that neither taught nor chose; empty where there were none to spare.
    samples : int
        Patches it was shown in all.
    seconds : float
        Spent teaching, by all members.
    population : tuple of MemberTold
        All of them.
    asked : dict
        How settings were looked for.
    notes : tuple of str
        What to know of the figures; a sentence each.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    kind: str = _KIND
    format: int = _FORMAT
    backbone: str
    width: float = Field(gt=0)
    channels: int = Field(ge=1)
    course: tuple[FoundLeg, ...] = Field(min_length=1)
    batch: int = Field(ge=1)
    base: str | None = None
    best: int
    score_um: float
    measured: dict[str, float] = {}
    samples: int
    seconds: float
    population: tuple[MemberTold, ...] = ()
    asked: dict[str, Any] = {}
    notes: tuple[str, ...] = ()

    def legs(self) -> tuple[Leg, ...]:
        """The course as a training takes it."""
        return tuple(leg.leg() for leg in self.course)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(json.loads(self.model_dump_json()))

    def taught_with(self, training: TrainingSettings) -> TrainingSettings:
        """A training that follows the course that was found; how long it is, and what it is of, stays."""
        last = asdict(self.legs()[-1])
        plain = {name: last[name] for name in ("learning_rate", "momentum", "weight_decay")}
        return replace(training, course=self.legs(), batch=self.batch, **plain)


def write_found(target: Path, found: Found) -> None:
    """Write the file, whole or not at all. Raises InputError where it cannot be written."""
    with replacing(target) as unfinished:
        unfinished.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")


def read_found(path: Path) -> Found:
    """Read the file.

    Raises
    ------
    InputError
        In one sentence, if it is no such file, or a value in it is outside its range.
    """
    try:
        value = read_plain_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as tuned settings ({error}); name a file that tune wrote.") from error
    if not isinstance(value, dict) or value.get("kind") != _KIND:
        raise InputError(f"{path} holds no tuned settings; name a file that the command tune wrote.")
    if value.get("format") != _FORMAT:
        raise InputError(f"{path} is of format {value.get('format')}, this version reads {_FORMAT}; tune again.")
    try:
        found = Found.model_validate_json(json.dumps(value), strict=True)
        found.taught_with(TrainingSettings())
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"{path} is wrong at {place}: {fault['msg']}; tune again.") from error
    except InputError as error:
        raise InputError(f"{path} cannot be followed: {error}") from error
    return found


def tuned(plan: TeachingPlan, found: Found) -> TeachingPlan:
    """A plan whose second stage is taught as was found: a user's, or a recipe's.

    Raises
    ------
    InputError
        If the settings were found with another backbone.
    """
    if plan.defocus.backbone != found.backbone:
        raise InputError(
            f"The settings were found with the backbone {found.backbone}, and this model has {plan.defocus.backbone};"
            " tune that one."
        )
    defocus = replace(plan.defocus, width=found.width, dropout=found.course[-1].dropout)
    return replace(plan, defocus=defocus, defocus_training=found.taught_with(plan.defocus_training))
