"""Teaching both stages together, end to end, from networks that were taught one after the other.

What that is worth is measured by ``benchmarks/end_to_end.py``.
"""

from __future__ import annotations

from collections.abc import Generator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from napari_autofocus.focus.deciding.settings import Pooling
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.field.network import FieldNetwork, SoftChoice
from napari_autofocus.models.field.samples import ShownFields
from napari_autofocus.models.field.task import FieldErrors, FieldTask
from napari_autofocus.models.field_dataset import FieldDataset
from napari_autofocus.models.importance import ImportanceNetwork
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, train


@dataclass(frozen=True)
class TogetherPlan:
    """How both stages are taught together.

    Parameters
    ----------
    choice : SoftChoice
        How patches weigh.
    errors : FieldErrors
        What counts.
    shown : ShownFields
        How fields are shown.
    training : TrainingSettings
        Samples are fields; the learning rate is low, for what was learned before is to be kept.
    pooling : Pooling
        Of validation; the card of the model has to say the same.
    """

    choice: SoftChoice = field(default_factory=SoftChoice)
    errors: FieldErrors = field(default_factory=FieldErrors)
    shown: ShownFields = field(default_factory=ShownFields)
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            samples=8_000, batch=8, learning_rate=2e-4, warmup=0.05, hold=0.3, averaging=0.99, validate_every=2_000
        )
    )
    pooling: Pooling = "weighted_median"


def teach_together(
    plan: TogetherPlan,
    data: FieldDataset,
    work: Path,
    *,
    dof_um: float,
    range_um: float,
    defocus: DefocusNetwork,
    importance: ImportanceNetwork,
    holding: Holding | None = None,
    run: str = "together",
) -> Generator[TrainingProgress, None, tuple[Trained, Trained]]:
    """Teach both stages together, from copies of the networks given.

    Parameters
    ----------
    plan : TogetherPlan
        How.
    data : FieldDataset
        To learn from; slides are held back for validation.
    work : Path
        Folder of the checkpoint, named after the run; a run that was stopped goes on from it.
    dof_um, range_um : float
        Depth of field and range of the model, µm.
    defocus, importance : DefocusNetwork, ImportanceNetwork
        To begin with.
    holding : Holding, optional
        Which slides are held back, otherwise one in twenty.
    run : str
        Name of the checkpoint.

    Yields
    ------
    TrainingProgress
        Closing the generator stops the run; the checkpoint is kept.

    Returns
    -------
    tuple of Trained
        Importance and defocus, ready to be packaged; time and history stand with the second.
    """
    network = FieldNetwork(deepcopy(importance), deepcopy(defocus), dof_um=dof_um, choice=plan.choice)
    task = FieldTask(
        network,
        data,
        dof_um=dof_um,
        range_um=range_um,
        errors=plan.errors,
        shown=plan.shown,
        pooling=plan.pooling,
        seed=plan.training.seed,
        holding=holding,
    )
    found = yield from train(task, plan.training, work / f"{run}.safetensors")
    taught = found.network
    assert isinstance(taught, FieldNetwork)
    patches = found.samples * plan.shown.patches
    judged = Trained(taught.defocus.eval(), patches, found.seconds, found.history, found.retreats)
    return Trained(taught.importance.eval(), found.samples, 0.0, []), judged
