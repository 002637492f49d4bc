"""What a calibration tells while it runs: which phase, how far, in words, and the frame just seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.models.labelled_stacks import LabelledStack, PlaneRead, StackSkipped
from napari_autofocus.workflows.calibration.proof import ProofStep

Phase = Literal["acquire", "label", "teach", "compare", "prove", "report"]
PHASES: dict[Phase, str] = {
    "acquire": "Take z-stacks",
    "label": "Find their focus",
    "teach": "Teach and cross-validate",
    "compare": "Compare with the model before",
    "prove": "Prove it live",
    "report": "Judge and report",
}
"""The phases in their order, as a user reads them."""

Step = TypeVar("Step")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class CalibrationStep:
    """Progress of a calibration.

    Parameters
    ----------
    phase : str
        One of :data:`PHASES`.
    done, total : float
        How much of the present work of this phase is done, of how much; ``total`` 0: not known.
    words : str
        What is being done.
    frame : Frame or None
        The frame just taken, to be shown.
    step : object
        The inner record: ``AcquireStep``, ``LabelledStack``, a step of teaching, ``ProofStep``.
    """

    phase: Phase
    done: float = 0.0
    total: float = 0.0
    words: str = ""
    frame: Frame | None = field(default=None, repr=False)
    step: Any = field(default=None, repr=False)


def reading_step(step: PlaneRead | LabelledStack | StackSkipped) -> CalibrationStep:
    """A step of labelling by Brenner."""
    if isinstance(step, PlaneRead):
        done = (step.stack - 1) * step.planes + step.plane
        words = f"Focus of stack {step.stack} of {step.stacks}, by Brenner"
        return CalibrationStep("label", done, step.stacks * step.planes, words, step=step)
    name = Path(step.path).name
    words = f"{name} is set aside: {step.reason}" if isinstance(step, StackSkipped) else f"{name} is labelled"
    return CalibrationStep("label", words=words, step=step)


_DOING = {
    "sweep": "a Brenner sweep",
    "refocus": "the model focuses",
    "proved": "done",
    "passed over": "no focus here, another place",
}


def proof_step(step: ProofStep) -> CalibrationStep:
    """A step of the live runs."""
    words = f"Live run {step.number} of {step.total}: {_DOING[step.doing]}"
    done = step.number - (step.doing != "proved")
    return CalibrationStep("prove", done, step.total, words, step.frame, step)
