"""A predictor asked about simulated slides that fit it: anybody can check a model so, with no slides of their own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari_autofocus.models.dataset_evaluation import FrameJudged, write_evaluation
from napari_autofocus.models.disturbed.evaluation import (
    befallen,
    disturbance_notes,
    disturbances_told,
    frames_words,
)
from napari_autofocus.models.evaluation import Evaluation, Known, evaluate
from napari_autofocus.models.labelled_stacks import StackSkipped
from napari_autofocus.models.pair_predictor import PairModelPredictor
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.simulated.checks import CheckSettings, check_field, check_lens, check_stains
from napari_autofocus.optics import Objective
from napari_autofocus.steps import relay

CheckedPredictor = ModelPredictor | PairModelPredictor


@dataclass(frozen=True, eq=False)
class SimulatedEvaluation:
    """How good a predictor is on simulated slides.

    Parameters
    ----------
    evaluation : Evaluation
        Every answer beside its truth.
    settings : CheckSettings
        What was simulated.
    stains : tuple of str
        Of the slides, in turn.
    lens : Objective
        That they were seen through.
    """

    evaluation: Evaluation
    settings: CheckSettings
    stains: tuple[str, ...]
    lens: Objective

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the answers were given in spite of, such as other optics."""
        return self.evaluation.warnings

    @property
    def frames_are(self) -> str:
        """What a reader of the figures has to know of the frames, in a few words."""
        return frames_words("simulated", self.settings.disturbances)

    @property
    def unreadable(self) -> tuple[StackSkipped, ...]:
        """None: nothing is read."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus evaluate --simulated --json`` prints."""
        asked = self.settings
        return {
            **self.evaluation.to_json(),
            "simulated": {
                "seed": asked.seed,
                "slides_of_each_density": asked.fields,
                "draws": asked.draws,
                "densities": list(asked.densities),
                "stains": list(self.stains),
                "objective": self.lens.name,
                "pixel_um": self.lens.pixel_size_um,
            },
            **disturbances_told(asked.disturbances),
        }

    def write(self, folder: Path) -> Path:
        """Write ``evaluation.json``: the figures, and under ``frames`` every answer beside its truth.

        Raises
        ------
        InputError
            If the folder cannot be made or written.
        """
        return write_evaluation(folder, self.to_json(), self.evaluation)

    def notes(self) -> list[str]:
        """What a reader of the figures has to know of the data, a sentence each."""
        asked = self.settings
        slides, of = asked.fields * len(asked.densities), f"{', '.join(self.stains)}; seed {asked.seed}"
        return [
            f"Simulated: {_count(slides, 'slide')} ({of}), {_count(asked.draws, 'frame')} of each,"
            f" through {self.lens.name} at {self.lens.pixel_size_um:.4g} µm a pixel. Nothing of this was measured on a"
            " real microscope: check the model on your own z-stacks too.",
            *disturbance_notes(asked.disturbances),
        ]


FrameSource = Callable[[CheckSettings], Generator[FrameJudged, None, Evaluation]]
"""Asks a predictor about all frames of some settings, wherever there is room."""


def evaluate_simulated(
    predictor: CheckedPredictor, settings: CheckSettings | None = None, *, judge: FrameSource | None = None
) -> Generator[FrameJudged, None, SimulatedEvaluation]:
    """Compare what a predictor says of simulated frames with their truth.

    Parameters
    ----------
    predictor : ModelPredictor or PairModelPredictor
        Who is asked; its card says what to simulate.
    settings : CheckSettings, optional
        Which slides, how many frames.
    judge : callable, optional
        Asks the predictor, on several workers, say; by default it is asked here.

    Yields
    ------
    FrameJudged
        After each frame.

    Returns
    -------
    SimulatedEvaluation

    Raises
    ------
    InputError
        If nobody says which stain to simulate, or the model refuses the optics asked for.
    """
    settings = settings or CheckSettings()
    stains, lens = check_stains(predictor.card, settings), check_lens(predictor.card, settings)
    evaluation = yield from (judge or partial(judge_places, predictor))(settings)
    return SimulatedEvaluation(evaluation, settings, stains, lens)


def judge_places(predictor: CheckedPredictor, settings: CheckSettings) -> Generator[FrameJudged, None, Evaluation]:
    """Ask a predictor here, about one frame after the other."""
    steps = evaluate(predictor, _all_frames(predictor, settings), insist=settings.insist)
    return relay(steps, lambda step: FrameJudged(step.result.source, step.done, settings.frames))


def _all_frames(predictor: CheckedPredictor, settings: CheckSettings) -> Iterator[Known]:
    for density, number in settings.places:
        yield from known_frames(predictor, settings, density, number)


def known_frames(predictor: CheckedPredictor, settings: CheckSettings, density: str, number: int) -> Iterator[Known]:
    """The frames of one field as the predictor gets them."""
    yield from befallen(check_field(predictor.card, settings, density, number), settings.disturbances)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
