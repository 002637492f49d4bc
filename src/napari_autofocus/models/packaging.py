"""From taught networks to a model package: calibrate the decision, measure, write."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS, CalibrationSamples, fit_calibration
from napari_autofocus.focus.deciding.pooling import shares
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.response import ResponseCurve
from napari_autofocus.focus.deciding.response_fit import KnownReading, fit_response
from napari_autofocus.focus.deciding.uncertainty import FieldFeatures, field_features
from napari_autofocus.focus.estimate import Calibration, DecisionSettings
from napari_autofocus.models.evaluation import Known, KnownFrame, KnownPair, asked, evaluate
from napari_autofocus.models.package import ModelCard, ModelPackage
from napari_autofocus.models.package.writing import with_card, write_package
from napari_autofocus.models.pair_predictor import PairModelPredictor
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.teaching import FrameSeen, Taught
from napari_autofocus.steps import relay


def predictor_of(
    package: ModelPackage, decision: DecisionSettings | None = None
) -> ModelPredictor | PairModelPredictor:
    """A package as what asks it, by how many shots it takes."""
    of_kind = PairModelPredictor if package.card.kind == "two-shot" else ModelPredictor
    return of_kind(package, decision=decision)


def fitted_response(
    predictor: ModelPredictor | PairModelPredictor, frames: Iterable[Known]
) -> Generator[FrameSeen, None, ResponseCurve]:
    """Fit the curve from what a predictor reads to the defocus that it stands for, on frames it was not taught with.

    Raises
    ------
    InputError
        If too few of the frames show anything.
    """
    decision = replace(predictor.card.decision, response=None)
    plain, known = predictor_of(predictor.package, decision), list[KnownReading]()
    for number, frame in enumerate(frames, 1):
        estimate = asked(plain, frame, insist=True)
        reading = Reading.of(estimate.patches, decision, _shape(frame), None)
        if reading is not None:
            share = shares(reading.defocus_um, reading.weight, decision.pooling, decision.dof_um)
            known.append(KnownReading(reading.defocus_um, share, frame.true_um))
        yield FrameSeen("calibrating", number)
    return fit_response(known, decision.dof_um)


def _shape(frame: Known) -> tuple[int, int]:
    height, width = (frame.second if isinstance(frame, KnownPair) else frame.image).shape[:2]
    return height, width


def calibrate(
    predictor: ModelPredictor | PairModelPredictor, frames: Iterable[Known], *, otherwise: Calibration | None = None
) -> Generator[FrameSeen, None, Calibration]:
    """Fit how far a predictor's fields can be trusted, on frames it was not taught with.

    Frames seen through even optics teach when not to believe in a direction, and that only. Frames without content,
    and beyond the model's range, say nothing about it and are passed over. Where fewer than fifty are left,
    ``otherwise`` is what holds, if it is given.
    """
    features: list[FieldFeatures] = []
    mirrored: list[FieldFeatures] = []
    truths: list[float] = []
    for number, frame in enumerate(frames, 1):
        estimate = asked(predictor, frame, insist=True)
        found = field_features(
            estimate.patches,
            predictor.card.decision,
            field_shape=_shape(frame),
            pixel_size_um=predictor.card.optics.pixel_size_um,
        )
        if found is not None and isinstance(frame, KnownFrame) and not frame.signed:
            mirrored.append(found)
        elif found is not None and abs(frame.true_um) <= predictor.card.range_um:
            features.append(found)
            truths.append(frame.true_um)
        yield FrameSeen("calibrating", number)
    if otherwise is not None and len(features) < FEWEST_FIELDS:
        return otherwise
    return fit_calibration(CalibrationSamples.of(features, np.array(truths), mirrored))


@dataclass(frozen=True)
class KnownFrames:
    """What a model is calibrated with and measured on: frames (or pairs) of slides that were not trained on.

    No slide serves two purposes.

    Parameters
    ----------
    calibration, evaluation : iterable of KnownFrame or KnownPair
        To calibrate with, and to measure on.
    response : iterable of KnownFrame or KnownPair, optional
        To fit the response curve with, close together around focus; without them the model has none.
    unseen : iterable of KnownFrame or KnownPair
        Of stains that were not trained on; their figures stand under ``unseen`` in the evaluation.
    """

    calibration: Iterable[Known]
    evaluation: Iterable[Known]
    response: Iterable[Known] | None = None
    unseen: Iterable[Known] = ()


def package(
    path: Path, card: ModelCard, taught: Taught, frames: KnownFrames, *, otherwise: Calibration | None = None
) -> Generator[FrameSeen, None, ModelPackage]:
    """Write a model as one file: first with a calibration that claims little, then calibrated and measured.

    Parameters
    ----------
    path : Path
        File to write.
    card : ModelCard
        What is said about the model; calibration and evaluation are filled in here.
    taught : Taught
        Both stages.
    frames : KnownFrames
        To calibrate with and to measure on.
    otherwise : Calibration, optional
        What holds where there are too few frames to calibrate with; without it that is an error.

    Raises
    ------
    InputError
        If the file cannot be written, or there are too few frames to calibrate with.
    """
    draft = write_package(
        path.with_name(f".{path.name}.draft"),
        card,
        defocus=taught.defocus.network,
        importance=taught.importance.network,
        history=taught.history(),
    )
    try:
        finished = yield from _finished(draft, frames, otherwise)
    finally:
        draft.path.unlink(missing_ok=True)
    return with_card(draft, path, finished)


def recalibrate(
    package: ModelPackage, path: Path, frames: KnownFrames, details: Mapping[str, JsonValue]
) -> Generator[FrameSeen, None, ModelPackage]:
    """Calibrate and measure a model anew and write it; its networks stay as they are.

    Parameters
    ----------
    package : ModelPackage
        The model.
    path : Path
        File to write; may be the model's own.
    frames : KnownFrames
        To calibrate with and to measure on.
    details : mapping
        What the training record shall say of this, under ``recalibrated``.

    Raises
    ------
    InputError
        If the file cannot be written, or there are too few frames to calibrate with.
    """
    card = yield from _finished(package, frames)
    told = {**card.training.details, "recalibrated": dict(details)}
    training = card.training.model_copy(update={"details": told})
    return with_card(package, path, card.model_copy(update={"training": training}))


def _finished(
    draft: ModelPackage, frames: KnownFrames, otherwise: Calibration | None = None
) -> Generator[FrameSeen, None, ModelCard]:
    """The card with response curve, calibration and evaluation; nothing is written."""
    card, response = draft.card, None
    if frames.response is not None:
        response = yield from fitted_response(predictor_of(draft), frames.response)
    decision = replace(card.decision, response=response)
    calibration = yield from calibrate(predictor_of(draft, decision), frames.calibration, otherwise=otherwise)
    decision = replace(decision, calibration=calibration)
    predictor = predictor_of(draft, decision)
    measured = yield from _measured(predictor, frames.evaluation)
    unseen = yield from _measured(predictor, frames.unseen)
    measured |= {"unseen": unseen} if unseen["fields"] else {}
    return card.model_copy(update={"decision": decision, "evaluation": measured})


def _measured(
    predictor: ModelPredictor | PairModelPredictor, frames: Iterable[Known]
) -> Generator[FrameSeen, None, dict[str, Any]]:
    judging = evaluate(predictor, frames, insist=True)
    found = yield from relay(judging, lambda step: FrameSeen("evaluating", step.done, result=step.result))
    return dict(found.to_json())
