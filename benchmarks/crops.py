"""Small patches to compare networks on: cut once from stored training data, the same for every network.

A crop is the part of a stored patch with the most contrast, so that it holds some of the patch's content; its label is
the patch's. Networks are taught on these from first weights of one seed, with the recipe's optimiser.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.tasks import DefocusTask, Holding
from napari_autofocus.models.training import TrainingSettings, train

FloatArray = npt.NDArray[np.float64]

DATA = Path("build/models/brightfield-20x/data")
DOF_UM = 1.0
_OFFSETS_PX = 16
_STATISTICS_BATCHES = 24


@dataclass(frozen=True)
class Budget:
    """How long every network learns, and on what.

    Parameters
    ----------
    samples : int
        Patches shown in all.
    patches : int
        Different patches that they are drawn from.
    validation : int
        Patches of other slides to measure on.
    crop : int
        Side of a patch, px.
    batch : int
        Patches a step.
    learning_rate : float
        The highest, of AdamW.
    seed : int
        Of the first weights, the patches and the batches.
    """

    samples: int = 9600
    patches: int = 16_000
    validation: int = 2048
    crop: int = 64
    batch: int = 32
    learning_rate: float = 1e-3
    seed: int = 0

    @property
    def training(self) -> TrainingSettings:
        """The recipe's schedule, shortened; weights are averaged over fewer steps."""
        return TrainingSettings(
            samples=self.samples,
            batch=self.batch,
            learning_rate=self.learning_rate,
            warmup=0.05,
            averaging=0.98,
            validate_every=self.samples,
            seed=self.seed,
        )


class Crops(Dataset):
    """Some patches of a dataset, cropped and held in memory.

    Parameters
    ----------
    data : Dataset
        What they are drawn from.
    budget : Budget
        How many, and how large.
    stain : str or None
        Learn from patches of this stain only; measuring is on all of them.
    work : Path
        Folder in which crops are kept for the next run.
    """

    def __init__(self, data: Dataset, budget: Budget, stain: str | None, work: Path) -> None:
        signed = np.asarray(data.labels["signed"], bool)
        held = Holding().held(data.slides)
        own = signed & ~held & ((data.stains == stain) if stain else True)
        rng = np.random.default_rng([budget.seed, 64])
        learned = np.sort(rng.permutation(np.flatnonzero(own))[: budget.patches])
        watched = np.sort(rng.permutation(np.flatnonzero(signed & held))[: budget.validation])
        chosen = np.concatenate([learned, watched])
        self.labels = data.labels[chosen]
        self.slides, self.stains, self.densities = data.slides[chosen], data.stains[chosen], data.densities[chosen]
        name = f"{stain or 'mixed'}-{budget.crop}-{budget.patches}-{budget.validation}-{budget.seed}.npy"
        self.pixels = _kept(work / name, data, chosen, budget.crop)

    def patch(self, index: int) -> npt.NDArray[np.float32]:
        """One patch, shape (Y, X, C), in [0, 1]."""
        return np.asarray(self.pixels[index], np.float32) / np.float32(255)


def _kept(path: Path, data: Dataset, chosen: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.uint8]:
    if path.is_file():
        return np.asarray(np.load(path, mmap_mode="r"))
    crops = np.stack([np.round(255 * most_contrast(data.patch(int(index)), size)) for index in chosen]).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, crops)
    part.rename(path)
    return crops


def most_contrast(patch: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """The square part of a patch (Y, X, C) that differs most from the patch's mean."""
    if size >= patch.shape[0]:
        return patch
    grey = patch.mean(2)
    grid = PatchGrid(grey.shape, size, _OFFSETS_PX)
    contrast = grid.block_sum(np.square(grey - grey.mean()))
    return patch[grid.slices(int(np.argmax(contrast)))]


class CropTask(DefocusTask):
    """Stage two on crops."""

    def settled(self, network: DefocusNetwork, batch: int) -> DefocusNetwork:
        """The network with the mean and variance of every normalisation taken anew, over training patches.

        A short training ends before running statistics have arrived, the later the slower a network's own momentum is.
        """
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        momenta = [layer.momentum for layer in norms]
        for layer in norms:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches
        with torch.no_grad():
            for number in range(_STATISTICS_BATCHES):
                network.train()
                network.logits(self.batch(1_000_000 + number, 2 * batch)["patches"])
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        return network.eval()


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a network had learnt at the end.

    Parameters
    ----------
    network : DefocusNetwork
        The average of its weights.
    answers_um, truth_um : np.ndarray, shape (patches,)
        On patches of slides that it did not learn from.
    slides, stains : np.ndarray, shape (patches,)
        Of these patches.
    """

    network: DefocusNetwork
    answers_um: FloatArray
    truth_um: FloatArray
    slides: npt.NDArray[np.str_]
    stains: npt.NDArray[np.str_]

    def figures(self, among: npt.NDArray[np.bool_] | None = None) -> dict[str, float | int]:
        """Errors on all of these patches or some; the standard error is that of the mean over slides."""
        kept = np.ones(self.truth_um.size, bool) if among is None else among
        truth, answers, slides = self.truth_um[kept], self.answers_um[kept], self.slides[kept]
        error = np.abs(answers - truth)
        of_slides = [error[slides == slide].mean() for slide in np.unique(slides)]
        clear = np.abs(truth) > DOF_UM / 2
        return {
            "patches": int(truth.size),
            "slides": len(of_slides),
            "mae_um": round(float(error.mean()), 4),
            "standard_error_um": round(float(np.std(of_slides) / np.sqrt(len(of_slides))), 4),
            "median_um": round(float(np.median(error)), 4),
            "within_dof": round(float((error <= DOF_UM).mean()), 4),
            "direction_success": round(float((np.sign(answers[clear]) == np.sign(truth[clear])).mean()), 4),
        }


def teach_on_crops(settings: DefocusSettings, crops: Crops, budget: Budget, checkpoint: Path) -> Lesson:
    """Teach one network; a run that was stopped goes on."""
    torch.manual_seed(budget.seed)
    task = CropTask(
        DefocusNetwork(settings), crops, dof_um=DOF_UM, seed=budget.seed, holding=Holding(most=budget.validation)
    )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    network = task.settled(_taught(task, budget, checkpoint), budget.batch)
    shown = task.validation
    answers = []
    with torch.inference_mode():
        for part in np.array_split(shown, max(1, shown.size // 256)):
            images = np.stack([crops.patch(int(index)) for index in part])
            answers.append(network(torch.from_numpy(images).permute(0, 3, 1, 2))[:, 0].numpy())
    truth = np.asarray(crops.labels["defocus_um"][shown], np.float64)
    return Lesson(network, np.float64(np.concatenate(answers)), truth, crops.slides[shown], crops.stains[shown])


def _taught(task: CropTask, budget: Budget, checkpoint: Path) -> DefocusNetwork:
    began = time.monotonic()
    run = train(task, budget.training, checkpoint)
    while True:
        try:
            step = next(run)
        except StopIteration as finished:
            network: DefocusNetwork = finished.value.network
            return network
        minutes = (time.monotonic() - began) / 60
        print(f"\r{checkpoint.stem}: {step.samples} of {step.total}, {minutes:.1f} min ", end="", file=sys.stderr)
