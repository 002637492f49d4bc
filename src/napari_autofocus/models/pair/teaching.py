"""Teaching a model of two shots: stage two learns differences, stage one is taken as it is from a model of one shot.

Importance is judged by one frame, whatever is made of it afterwards.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch

from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.pair.task import PairTask, ShownShots
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import StageProgress, Taught, TeachingPlan, teach_stage
from napari_autofocus.models.training import Trained


def teach_pairs(
    plan: TeachingPlan,
    data: Dataset,
    work: Path,
    *,
    dof_um: float,
    importance: ImportanceNetwork,
    run: str = "",
    defocus: DefocusNetwork | None = None,
    shown: ShownShots | None = None,
    holding: Holding | None = None,
) -> Generator[StageProgress, None, Taught]:
    """Teach stage two of a model of two shots.

    Parameters
    ----------
    plan : TeachingPlan
        What and how; of stage one only its settings count.
    data : Dataset
        Patches of six channels (two of grey images), the first shot's before the second's.
    work : Path
        Folder of the checkpoint; a run that was stopped goes on from it.
    dof_um : float
        Depth of field, µm.
    importance : ImportanceNetwork
        Stage one, which is kept.
    run : str
        Name of the checkpoint; that of the stage unless given.
    defocus : DefocusNetwork, optional
        Begin with this one instead of a new one.
    shown : ShownShots, optional
        How pairs are varied.
    holding : Holding, optional
        Which slides are held back, otherwise one in twenty.

    Yields
    ------
    StageProgress
        Closing the generator stops the run; the checkpoint is kept.

    Returns
    -------
    Taught
    """
    if defocus is None:
        torch.manual_seed(plan.defocus_training.seed)
        defocus = DefocusNetwork(plan.defocus)
    seed = plan.defocus_training.seed
    task = PairTask(defocus, data, dof_um=dof_um, seed=seed, holding=holding, shown=shown)
    judged = yield from teach_stage("defocus", task, plan.defocus_training, work, run)
    return Taught(plan, Trained(importance, 0, 0.0, []), judged)


def importance_for(network: ImportanceNetwork, settings: ImportanceSettings) -> ImportanceNetwork:
    """The same weights for patches of another size, whose overview is reduced as much more or less."""
    wanted = replace(settings, channels=network.settings.channels, widths=network.settings.widths)
    other = ImportanceNetwork(wanted)
    other.load_state_dict(network.state_dict())
    return other.eval()
