"""A predictor on a folder of labelled stacks: which stacks count, and every plane of them as one frame."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.focus.shot_pairs import takes_two_shots
from napari_autofocus.models.disturbed.evaluation import (
    befallen,
    disturbance_notes,
    disturbances_told,
    frames_words,
)
from napari_autofocus.models.disturbed.frames import Disturbance
from napari_autofocus.models.evaluation import AnyPredictor, Evaluation, FieldDone, Known, evaluate
from napari_autofocus.models.labelled.pairs import count_pairs, known_pairs
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    Measurer,
    PlaneRead,
    ReadingSettings,
    StackSkipped,
    count_frames,
    known_frames,
    optics_of,
    read_dataset,
)
from napari_autofocus.optics import Objective
from napari_autofocus.steps import relay

REPORT = "evaluation.json"


@dataclass(frozen=True)
class EvaluationSettings:
    """How a data set is read and what is said of its optics.

    Parameters
    ----------
    reading : ReadingSettings
        How stacks are opened.
    lens : Objective or None
        The objective, in place of what the files say; its camera pixel does not count.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm, in place of what the files say.
    insist : bool
        Evaluate although the optics are unknown or unlike the model's.
    disturbances : tuple of Disturbance
        What befalls every frame before the model sees it.
    """

    reading: ReadingSettings = field(default_factory=ReadingSettings)
    lens: Objective | None = None
    pixel_size_um: float | None = None
    insist: bool = False
    disturbances: tuple[Disturbance, ...] = ()

    def __post_init__(self) -> None:
        if self.pixel_size_um is not None and not 0 < self.pixel_size_um < float("inf"):
            raise InputError(f"The pixel size must be a positive number of µm; found {self.pixel_size_um:g}.")


@dataclass(frozen=True)
class FrameJudged:
    """Progress: frame ``frame`` of ``frames`` is judged, counted from 1."""

    path: str
    frame: int
    frames: int


@dataclass(frozen=True, eq=False)
class DatasetEvaluation:
    """How good a predictor is on a data set, and what was left out of it.

    Parameters
    ----------
    evaluation : Evaluation
        Every answer beside its truth.
    dataset : LabelledDataset
        What was evaluated on.
    skipped : tuple of StackSkipped
        What was left out, when reading and when evaluating.
    disturbances : tuple of Disturbance
        What befell every frame before the model saw it.
    """

    evaluation: Evaluation
    dataset: LabelledDataset
    skipped: tuple[StackSkipped, ...]
    disturbances: tuple[Disturbance, ...] = ()

    @property
    def dz_um(self) -> tuple[float, float] | None:
        """Least and largest distance of two shots that were judged together, µm; None for a model of one shot."""
        distances = [result.dz_um for result in self.evaluation.results if result.dz_um is not None]
        return (min(distances), max(distances)) if distances else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the answers were given in spite of, such as other optics."""
        return self.evaluation.warnings

    @property
    def frames_are(self) -> str:
        """What a reader of the figures has to know of the frames, in a few words; nothing of frames as they came."""
        return frames_words("", self.disturbances)

    @property
    def unreadable(self) -> tuple[StackSkipped, ...]:
        """The stacks whose files are bad."""
        return tuple(stack for stack in self.skipped if stack.kind == "unreadable")

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus evaluate --json`` prints."""
        return {
            **self.evaluation.to_json(),
            "stacks": len(self.dataset.stacks),
            "labelled_by": self.dataset.how_labelled,
            **({"dz_um": list(self.dz_um)} if self.dz_um else {}),
            "skipped": [{"path": stack.path, "reason": stack.reason, "kind": stack.kind} for stack in self.skipped],
            "labels_without_stack": list(self.dataset.without_stack),
            **disturbances_told(self.disturbances),
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
        pairs = [f"Pairs of planes of one stack, {_apart(self.dz_um)} µm apart."] if self.dz_um is not None else []
        return [*data_notes(self.dataset, self.skipped), *pairs, *disturbance_notes(self.disturbances)]


def write_evaluation(folder: Path, figures: dict[str, Any], evaluation: Evaluation) -> Path:
    """Write figures as ``evaluation.json``, with every answer beside its truth under ``frames``.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    make_folder(folder)
    record = {**figures, "frames": [asdict(result) for result in evaluation.results]}
    target = folder / REPORT
    with replacing(target) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return target


def data_notes(dataset: LabelledDataset, skipped: Sequence[StackSkipped]) -> list[str]:
    """What a reader of any figures has to know of the data that they were measured on, a sentence each."""
    kinds = Counter(stack.kind for stack in skipped)
    by_brenner, stacks = dataset.how_labelled.get("Brenner", 0), len(dataset.stacks)
    unused, some = len(dataset.without_stack), ", ".join(dataset.without_stack[:3])
    said = [
        (by_brenner, f"Labelled by Brenner, because nobody else did: {by_brenner} of {stacks} stacks."),
        (kinds["untrusted"], f"Left out because their focus cannot be trusted: {kinds['untrusted']} stacks."),
        (kinds["unpaired"], f"Left out because their planes make no pairs: {kinds['unpaired']} stacks."),
        (unused, f"Rows of the labels that name no stack of the data set: {unused} ({some})."),
    ]
    return [sentence for counted, sentence in said if counted]


def _apart(dz_um: tuple[float, float] | None) -> str:
    low, high = dz_um or (0.0, 0.0)
    return f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"


Judged = tuple[Evaluation, list[StackSkipped]]
"""Every answer beside its truth, in the order of the stacks, and the stacks whose planes turned out to be bad."""
Judge = Callable[[LabelledDataset, EvaluationSettings], Generator[FrameJudged, None, Judged]]
"""Asks a predictor about all frames of a data set, wherever there is room."""


def evaluate_dataset(
    predictor: AnyPredictor,
    folder: Path,
    settings: EvaluationSettings | None = None,
    *,
    measure: Measurer | None = None,
    judge: Judge | None = None,
) -> Generator[PlaneRead | StackSkipped | LabelledStack | FrameJudged, None, DatasetEvaluation]:
    """Compare a predictor with the labels of a folder of stacks; each plane within the model's range is one frame.

    For a model of two shots it is the second one, and the plane nearest to the model's Δ below it is the first.

    Parameters
    ----------
    predictor : FocusPredictor or PairPredictor
        Who is asked.
    folder : Path
        The data set.
    settings : EvaluationSettings, optional
        How to read it.
    measure : Measurer, optional
        Measures stacks without label, on several workers, say.
    judge : Judge, optional
        Asks the predictor, on several workers, say; by default it is asked here.

    Yields
    ------
    PlaneRead, LabelledStack, StackSkipped or FrameJudged
        As work proceeds.

    Returns
    -------
    DatasetEvaluation

    Raises
    ------
    InputError
        If there is no usable frame, a table of labels is bad, or the optics are unknown or refused.
    """
    settings = settings or EvaluationSettings()
    dataset = yield from read_dataset(folder, settings.reading, measure=measure)
    if not settings.insist:
        require_optics(dataset, settings)
    evaluation, bad = yield from (judge or judge_with(predictor))(dataset, settings)
    skipped = [*dataset.skipped, *bad]
    if not evaluation.results:
        raise InputError(_nothing_left(folder, dataset, skipped, predictor.card.range_um))
    return DatasetEvaluation(evaluation, dataset, tuple(skipped), settings.disturbances)


def count_known(predictor: AnyPredictor, dataset: LabelledDataset) -> int:
    """How many frames, or pairs of them, a predictor will be asked about, if none turns out to be bad."""
    if takes_two_shots(predictor):
        return count_pairs(dataset, predictor.card.range_um, predictor.card.dz_um)
    return count_frames(dataset, predictor.card.range_um)


def judge_with(predictor: AnyPredictor) -> Judge:
    """A judge that asks a predictor here, about one frame after the other."""

    def judge(dataset: LabelledDataset, settings: EvaluationSettings) -> Generator[FrameJudged, None, Judged]:
        range_um, bad = predictor.card.range_um, list[StackSkipped]()
        said: dict[str, Any] = {"lens": settings.lens, "pixel_size_um": settings.pixel_size_um, "on_skip": bad.append}
        frames: Iterator[Known]
        if takes_two_shots(predictor):
            frames = known_pairs(dataset, range_um, predictor.card.dz_um, **said)
        else:
            frames = known_frames(dataset, range_um, **said)
        frames = befallen(frames, settings.disturbances)
        evaluation = yield from _judged(
            evaluate(predictor, frames, insist=settings.insist), count_known(predictor, dataset)
        )
        return evaluation, bad

    return judge


def _judged(steps: Generator[FieldDone, None, Evaluation], total: int) -> Generator[FrameJudged, None, Evaluation]:
    return relay(steps, lambda step: FrameJudged(step.result.source, step.done, total))


def require_optics(dataset: LabelledDataset, settings: EvaluationSettings) -> None:
    """Raise InputError where a stack neither states its optics nor anybody does."""
    for each in dataset.stacks:
        if optics_of(each.stack, lens=settings.lens, pixel_size_um=settings.pixel_size_um).objective is None:
            raise InputError(
                f"{each.path} does not state its objective and pixel size, and a model serves the optics it was made"
                " for only; give --objective (as in 20x/0.75) and --pixel-um, or --insist."
            )


def _nothing_left(folder: Path, dataset: LabelledDataset, skipped: list[StackSkipped], range_um: float) -> str:
    if skipped:
        count, reason = len(skipped), skipped[0].reason
        return f"{folder} holds no stack to evaluate on; {count} were left out, the first because: {reason}"
    planes = len(dataset.stacks)
    return f"{folder}: none of the planes of its {planes} stacks lies within {range_um:g} µm of best focus; widen them."
