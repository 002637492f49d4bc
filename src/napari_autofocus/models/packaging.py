"""From taught networks to a model package: calibrate the decision, measure, write."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS, CalibrationSamples, fit_calibration
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
        height, width = (frame.second if isinstance(frame, KnownPair) else frame.image).shape[:2]
        found = field_features(
            estimate.patches,
            predictor.card.decision,
            field_shape=(height, width),
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


def package(
    path: Path,
    card: ModelCard,
    taught: Taught,
    *,
    calibration_frames: Iterable[Known],
    evaluation_frames: Iterable[Known],
    unseen_frames: Iterable[Known] = (),
    otherwise: Calibration | None = None,
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
    calibration_frames, evaluation_frames : iterable of KnownFrame or KnownPair
        Frames (or pairs of shots) of slides that were not trained on; no slide in both.
    unseen_frames : iterable of KnownFrame or KnownPair
        Of stains that were not trained on; their figures stand under ``unseen`` in the evaluation.
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
        calibration = yield from calibrate(predictor_of(draft), calibration_frames, otherwise=otherwise)
        decision = replace(card.decision, calibration=calibration)
        predictor = predictor_of(draft, decision)
        measured = yield from _measured(predictor, evaluation_frames)
        unseen = yield from _measured(predictor, unseen_frames)
        measured |= {"unseen": unseen} if unseen["fields"] else {}
    finally:
        draft.path.unlink(missing_ok=True)
    return with_card(draft, path, card.model_copy(update={"decision": decision, "evaluation": measured}))


def _measured(
    predictor: ModelPredictor | PairModelPredictor, frames: Iterable[Known]
) -> Generator[FrameSeen, None, dict[str, Any]]:
    judging = evaluate(predictor, frames, insist=True)
    found = yield from relay(judging, lambda step: FrameSeen("evaluating", step.done, result=step.result))
    return dict(found.to_json())
