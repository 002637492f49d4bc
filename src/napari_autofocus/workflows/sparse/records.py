"""What is asked of fields that hold less and less, and what every method answers: settings and frozen results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.io.frames import Frame

OURS = "patches chosen by importance"
HILL_CLIMBING = "hill climbing"
EVERY_PATCH = "same network, mean of all patches"
WHOLE_IMAGE = "same network, whole image resized"
RIVALS = (EVERY_PATCH, WHOLE_IMAGE, HILL_CLIMBING)


@dataclass(frozen=True)
class Slide:
    """One slide of the series: a stain at a density."""

    density: str
    stain: str


SLIDES = (
    Slide("dense", "he"),
    Slide("sparse", "cytology"),
    Slide("extremely-sparse", "cytology"),
    Slide("empty", "cytology"),
)


@dataclass(frozen=True)
class SparsitySettings:
    """Which fields are shown.

    Parameters
    ----------
    defocus_um : float
        True defocus of every field, µm.
    seed : int
        Another seed, other slides.
    shape : tuple of int
        Height and width of a field, px.
    objective : str
        As :meth:`Objective.parse` reads it.
    slides : tuple of Slide
        In the order shown.
    """

    defocus_um: float = 6.0
    seed: int = 7
    shape: tuple[int, int] = (1024, 1224)
    objective: str = "20x/0.75"
    slides: tuple[Slide, ...] = SLIDES

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"The seed of the slides must not be negative; found {self.seed}.")


@dataclass(frozen=True)
class Answer:
    """What one method says of a field, or where it ends.

    Parameters
    ----------
    name : str
        The method.
    answer_um : float or None
        Defocus that it found, µm; None where it refuses.
    error_um : float or None
        Answer minus truth, µm; None where it refuses, or where there is nothing to be right about.
    frames : int
        Frames exposed for it.
    outcome : str
        Verdict of an estimate, outcome of a search, or ``answered`` by a network that knows no refusal.
    note : str
        The same in a sentence.
    """

    name: str
    answer_um: float | None
    error_um: float | None
    frames: int
    outcome: str
    note: str


@dataclass(frozen=True, eq=False)
class SparsityField:
    """One field with its truth and every answer.

    Parameters
    ----------
    density, stain : str
        Of the slide.
    content_share : float
        Share of the field's area that carries stain.
    x_um, y_um : float
        Place on the slide, µm.
    frame : Frame
        The image and its optics.
    true_um : float
        True defocus, µm, positive where sample and objective are too close.
    dof_um : float
        Depth of field, µm.
    estimate : FocusEstimate
        What the model says.
    rivals : tuple of Answer
        Other methods on the same field; fewer than :data:`RIVALS` while they are at work.
    """

    density: str
    stain: str
    content_share: float
    x_um: float
    y_um: float
    frame: Frame = field(repr=False)
    true_um: float
    dof_um: float
    estimate: FocusEstimate
    rivals: tuple[Answer, ...] = ()

    @property
    def has_content(self) -> bool:
        """Whether there is anything that could be in focus."""
        return self.content_share > 0

    @property
    def ours(self) -> Answer:
        """The model's own answer beside those of its rivals."""
        said = self.estimate.defocus_um if self.estimate.trusted else None
        return Answer(OURS, said, self.error_of(said), 1, self.estimate.verdict, " ".join(self.estimate.reasons))

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer, the model's first."""
        return (self.ours, *self.rivals)

    def error_of(self, answer_um: float | None) -> float | None:
        """Answer minus truth, µm; None where there is no answer, or nothing to be right about."""
        return None if answer_um is None or not self.has_content else answer_um - self.true_um

    def to_json(self) -> dict[str, Any]:
        """The field in types that JSON knows, without its pixels."""
        kept = ("density", "stain", "content_share", "x_um", "y_um", "true_um", "dof_um")
        return {
            **{name: getattr(self, name) for name in kept},
            "estimate": self.estimate.to_json(),
            "answers": [asdict(each) for each in self.answers],
        }


@dataclass(frozen=True, eq=False)
class SparsityStep:
    """Progress: what is being done for which field (counted from 0), and the field as far as it is known."""

    index: int
    fields: int
    text: str
    field: SparsityField | None = None
