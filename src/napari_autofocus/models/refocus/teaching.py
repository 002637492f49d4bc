"""Teaching a virtual refocusing network from stored places, and asking it without a package."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_autofocus.models.refocus.evaluation import Recover, as_light
from napari_autofocus.models.refocus.samples import RefocusDataset
from napari_autofocus.models.refocus.task import RefocusTask, ShownPairs
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.training import Trained, TrainingProgress, TrainingSettings, train
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings


def teach_refocus(
    network: TsvaSettings | TsvaNetwork,
    settings: TrainingSettings,
    data: Path,
    checkpoint: Path,
    *,
    holding: Holding | None = None,
    shown: ShownPairs | None = None,
) -> Generator[TrainingProgress, None, Trained]:
    """Teach a network, or go on from its checkpoint.

    Parameters
    ----------
    network : TsvaSettings or TsvaNetwork
        What is taught: from weights that the seed of the settings draws, or from those that a network has.
    settings : TrainingSettings
        How.
    data : Path
        Folder of the training data.
    checkpoint : Path
        Where the training is kept.
    holding : Holding, optional
        Which slides are held back, otherwise one in twenty.
    shown : ShownPairs, optional
        How samples are varied.

    Yields
    ------
    TrainingProgress
        Closing the generator stops; the checkpoint is kept.
    """
    torch.manual_seed(settings.seed)
    taught = TsvaNetwork(network) if isinstance(network, TsvaSettings) else network
    task = RefocusTask(taught, RefocusDataset(data), seed=settings.seed, holding=holding, shown=shown)
    return (yield from train(task, settings, checkpoint))


def recovering(network: torch.nn.Module) -> Recover:
    """A network as a function of two shots; their sides must be whole strides."""
    plain = network.cpu().eval()

    def recover(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
        lit = [torch.from_numpy(as_light(shot)).permute(2, 0, 1) for shot in (first, second)]
        with torch.inference_mode():
            answer = plain(torch.cat(lit)[None])[0, : lit[0].shape[0]]
        return np.asarray(answer.permute(1, 2, 0).numpy())

    return recover


def torch_version() -> str:
    """For the record of a training."""
    return str(torch.__version__)
