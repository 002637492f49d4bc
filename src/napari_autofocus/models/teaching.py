"""From training data to networks that can be packaged (``packaging.py``): teach both stages.

Where the data and the known frames come from is not known here: from the simulation for the models that ship
(``workflows/shipped/models.py``), from a user's own z-stacks otherwise (``workflows/own_models.py``).
"""

from __future__ import annotations

import datetime
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.evaluation import FieldResult
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.networks import load_networks, rescaled
from napari_autofocus.models.package import ModelPackage, TrainingRecord
from napari_autofocus.models.tasks import DefocusTask, Holding, ImportanceTask
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, train
from napari_autofocus.steps import relay

Stage = Literal["importance", "defocus", "refocus"]


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
    disturbances : Disturbances
        How patches are varied when they are shown.
    balance : float
        How evenly the densities are shown: 0 as often as they occur, 1 each as often as the others.
    """

    importance: ImportanceSettings = field(default_factory=ImportanceSettings)
    defocus: DefocusSettings = field(default_factory=DefocusSettings)
    importance_training: TrainingSettings = field(default_factory=TrainingSettings)
    defocus_training: TrainingSettings = field(default_factory=TrainingSettings)
    mirrored: bool = False
    disturbances: Disturbances = field(default_factory=Disturbances)
    balance: float = 0.0


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
        seen = yield from teach_stage("importance", looking, plan.importance_training, work)
    judging = DefocusTask(
        defocus,
        data,
        dof_um=dof_um,
        seed=plan.defocus_training.seed,
        holding=holding,
        disturbances=plan.disturbances,
        balance=plan.balance,
    )
    judged = yield from teach_stage("defocus", judging, plan.defocus_training, work)
    return Taught(plan, seen, judged)


def teach_stage(
    stage: Stage, task: ImportanceTask | DefocusTask, settings: TrainingSettings, work: Path, run: str = ""
) -> Generator[StageProgress, None, Trained]:
    """Teach one stage; a run that was stopped goes on from its checkpoint, named like the stage unless ``run`` is."""
    training = train(task, settings, work / f"{run or stage}.safetensors")
    return relay(training, lambda step: StageProgress(stage, step))


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
    Where its stage one is for colour and grey images are planned for, a new one is drawn.

    Raises
    ------
    InputError
        If the package's networks cannot be built, or have other bins than planned.
    """
    torch.manual_seed(plan.importance_training.seed)
    looking = ImportanceNetwork(plan.importance)
    if base is not None:
        defocus, importance = networks_of(base)
        serves = importance.settings.channels == plan.importance.channels
        return rescaled(defocus, plan.defocus, mirrored=plan.mirrored), importance if serves else looking
    torch.manual_seed(plan.defocus_training.seed)
    return DefocusNetwork(plan.defocus), looking


def networks_of(base: ModelPackage) -> tuple[DefocusNetwork, ImportanceNetwork]:
    """The networks of both stages that a package holds. Raises InputError if it holds others."""
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


def _plain(value: Any) -> Any:
    """Settings in types that JSON knows."""
    if hasattr(value, "to_json"):
        return _plain(value.to_json())
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
