"""From training data to a model package: teach both stages, calibrate the decision, measure, write.

Where the data and the known frames come from is not known here: from the simulation for the models that ship
(``workflows/shipped_models.py``), from a user's own z-stacks otherwise (``workflows/own_models.py``).
"""

from __future__ import annotations

import datetime
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.focus.calibration import FEWEST_FIELDS, CalibrationSamples, fit_calibration
from napari_autofocus.focus.estimate import Calibration
from napari_autofocus.focus.uncertainty import FieldFeatures, field_features
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.evaluation import FieldResult, KnownFrame, evaluate
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.networks import load_networks, rescaled
from napari_autofocus.models.package import ModelCard, ModelPackage, TrainingRecord
from napari_autofocus.models.package.writing import with_card, write_package
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.tasks import DefocusTask, Holding, ImportanceTask
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, train

Stage = Literal["importance", "defocus"]


@dataclass(frozen=True)
class TeachingPlan:
    """What both stages are made of, and how they are taught.

    Parameters
    ----------
    importance, defocus : ImportanceSettings, DefocusSettings
        The networks.
    importance_training, defocus_training : TrainingSettings
        How each is taught; the seeds in them also draw its first weights.
    mirrored : bool
        Exchange the sides of focus of the base: see :func:`sides_exchanged`.
    """

    importance: ImportanceSettings = field(default_factory=ImportanceSettings)
    defocus: DefocusSettings = field(default_factory=DefocusSettings)
    importance_training: TrainingSettings = field(default_factory=TrainingSettings)
    defocus_training: TrainingSettings = field(default_factory=TrainingSettings)
    mirrored: bool = False


@dataclass(frozen=True)
class StageProgress:
    """Which stage is being taught, and where it stands."""

    stage: Stage
    progress: TrainingProgress


@dataclass(frozen=True)
class FrameSeen:
    """Progress: so many frames have been looked at, in order to calibrate or to measure.

    Parameters
    ----------
    total : int or None
        Of how many, where that is known.
    result : FieldResult or None
        What was said about the frame, when measuring.
    """

    purpose: Literal["calibrating", "evaluating"]
    done: int
    total: int | None = None
    result: FieldResult | None = None


@dataclass(frozen=True, eq=False)
class Taught:
    """Both stages, ready to be packaged, and how they came about."""

    plan: TeachingPlan
    importance: Trained
    defocus: Trained

    def record(self, details: dict[str, Any]) -> TrainingRecord:
        """What stands in the package about the training."""
        return TrainingRecord(
            seed=self.plan.defocus_training.seed,
            minutes=(self.importance.seconds + self.defocus.seconds) / 60,
            finished=datetime.datetime.now(tz=datetime.UTC).date(),
            code_version=__version__,
            patches_seen=self.defocus.samples,
            details=details
            | {"plan": _plain(asdict(self.plan)), "torch": str(torch.__version__)}
            | {"retreats": self.importance.retreats + self.defocus.retreats},
        )

    def history(self) -> dict[str, Any]:
        """Figures of every validation of both stages."""
        return {"importance": self.importance.history, "defocus": self.defocus.history}


def teach(
    plan: TeachingPlan,
    data: Dataset,
    work: Path,
    *,
    dof_um: float,
    base: ModelPackage | None = None,
    keep_importance: bool = False,
    holding: Holding | None = None,
) -> Generator[StageProgress, None, Taught]:
    """Teach both stages, one after the other.

    Parameters
    ----------
    plan : TeachingPlan
        What and how.
    data : Dataset
        To learn from; slides are held back for validation.
    work : Path
        Folder of the checkpoints; a run that was stopped goes on from them.
    dof_um : float
        Depth of field, µm.
    base : ModelPackage, optional
        Begin with its networks instead of new ones; what the plan says of their making then does not count.
    keep_importance : bool
        Leave the first stage as it is, in the base.
    holding : Holding, optional
        Which slides are held back, otherwise one in twenty.

    Yields
    ------
    StageProgress
        Closing the generator stops the run; checkpoints are kept.

    Returns
    -------
    Taught
    """
    defocus, importance = first_networks(plan, base)
    if keep_importance:
        seen = Trained(importance, 0, 0.0, [])
    else:
        looking = ImportanceTask(importance, data, seed=plan.importance_training.seed, holding=holding)
        seen = yield from _stage("importance", looking, plan.importance_training, work)
    judging = DefocusTask(defocus, data, dof_um=dof_um, seed=plan.defocus_training.seed, holding=holding)
    judged = yield from _stage("defocus", judging, plan.defocus_training, work)
    return Taught(plan, seen, judged)


def _stage(
    stage: Stage, task: ImportanceTask | DefocusTask, settings: TrainingSettings, work: Path
) -> Generator[StageProgress, None, Trained]:
    training = train(task, settings, work / f"{stage}.safetensors")
    try:
        while True:
            yield StageProgress(stage, next(training))
    except StopIteration as finished:
        found: Trained = finished.value
        return found
    finally:
        training.close()


def check_device(name: str) -> None:
    """Raise InputError where torch cannot train on such a device."""
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"torch cannot use the device {name!r} here ({reason}); use cpu, or another.") from error


def first_networks(plan: TeachingPlan, base: ModelPackage | None = None) -> tuple[DefocusNetwork, ImportanceNetwork]:
    """Both stages before they are taught: those of a package, or as planned with weights drawn from its seeds.

    The package's bins stand for the lengths that are planned (:func:`~napari_autofocus.models.networks.rescaled`).

    Raises
    ------
    InputError
        If the package's networks cannot be built, or have other bins than planned.
    """
    if base is not None:
        defocus, importance = networks_of(base)
        return rescaled(defocus, plan.defocus, mirrored=plan.mirrored), importance
    torch.manual_seed(plan.importance_training.seed)
    looking = ImportanceNetwork(plan.importance)
    torch.manual_seed(plan.defocus_training.seed)
    return DefocusNetwork(plan.defocus), looking


def networks_of(base: ModelPackage) -> tuple[DefocusNetwork, ImportanceNetwork]:
    """The networks of a single shot that a package holds. Raises InputError if it holds others."""
    defocus, importance = load_networks(base)
    if isinstance(defocus, DefocusNetwork) and isinstance(importance, ImportanceNetwork):
        return defocus, importance
    raise InputError(f"The model {base.card.name} has not the networks of a single shot; choose another base.")


def sides_exchanged(plan: TeachingPlan, base: ModelPackage, data: Dataset) -> bool:
    """Whether a base is nearer to the truth with the sides of focus exchanged, as where aberration has the other sign.

    Both have to be taught all the same; the nearer one gets there sooner.
    """
    network = rescaled(networks_of(base)[0], plan.defocus).eval()
    some = np.random.default_rng(0).permutation(np.flatnonzero(data.labels["signed"]))[:_ASKED_FIRST]
    if some.size == 0:
        return False
    patches = np.stack([data.patch(int(index)) for index in some])
    with torch.inference_mode():
        found = network(torch.from_numpy(patches).permute(0, 3, 1, 2))[:, 0].numpy()
    truth = data.labels["defocus_um"][some]
    return bool(np.abs(-found - truth).mean() < np.abs(found - truth).mean())


_ASKED_FIRST = 256


def calibrate(
    predictor: ModelPredictor, frames: Iterable[KnownFrame], *, otherwise: Calibration | None = None
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
        estimate = predictor.estimate(frame.image, optics=frame.optics, insist=True)
        found = field_features(
            estimate.patches,
            predictor.card.decision,
            field_shape=(frame.image.shape[0], frame.image.shape[1]),
            pixel_size_um=predictor.card.optics.pixel_size_um,
        )
        if found is not None and not frame.signed:
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
    calibration_frames: Iterable[KnownFrame],
    evaluation_frames: Iterable[KnownFrame],
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
    calibration_frames, evaluation_frames : iterable of KnownFrame
        Frames of slides that were not trained on; no slide in both.
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
        calibration = yield from calibrate(ModelPredictor(draft), calibration_frames, otherwise=otherwise)
        decision = replace(card.decision, calibration=calibration)
        measured = yield from _measured(ModelPredictor(draft, decision=decision), evaluation_frames)
    finally:
        draft.path.unlink(missing_ok=True)
    return with_card(draft, path, card.model_copy(update={"decision": decision, "evaluation": measured}))


def _measured(predictor: ModelPredictor, frames: Iterable[KnownFrame]) -> Generator[FrameSeen, None, dict[str, Any]]:
    judging = evaluate(predictor, frames, insist=True)
    while True:
        try:
            step = next(judging)
        except StopIteration as finished:
            return dict(finished.value.to_json())
        yield FrameSeen("evaluating", step.done, result=step.result)


def _plain(value: Any) -> Any:
    """Settings in types that JSON knows."""
    if hasattr(value, "to_json"):
        return _plain(value.to_json())
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
