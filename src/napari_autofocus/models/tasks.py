"""What the two stages learn, from the same data: how to draw batches, what to minimise, how to check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusLoss, DefocusNetwork
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.importance import ImportanceNetwork
from napari_autofocus.models.learning.records import Pairs, Validation

WHOLE = slice(None)
"""All samples of a batch; several processes that train together make a part each."""
_VALIDATION_BATCH = 256
_MOST_PAIRS = 768


@dataclass(frozen=True)
class Holding:
    """Which slides are held back for validation.

    Parameters
    ----------
    share : float
        Of the slides; every patch of a slide goes the same way.
    most : int
        Validation patches (or overviews) at most.
    slides : tuple of str or None
        Hold back these, whatever the share. With an empty tuple everything is learned from, and the figures are those
        of samples that were learned from.
    """

    share: float = 0.05
    most: int = 4096
    slides: tuple[str, ...] | None = None

    def held(self, slides: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
        """Whether each of these slides is held back: by its name alone, the same on every machine."""
        if self.slides is not None:
            return np.isin(slides, self.slides)
        names, place = np.unique(slides, return_inverse=True)
        chosen = np.array([crc32(str(name).encode()) / 2**32 < self.share for name in names], bool)
        return chosen[place] if names.size else np.zeros(0, bool)

    def divided(self, slides: npt.NDArray[np.str_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Numbers of the samples to learn from, and of those to validate on (at most ``most``, in any order)."""
        held = self.held(slides)
        training = np.flatnonzero(~held)
        watched = training if self.slides == () else np.flatnonzero(held)
        return training, np.random.default_rng(0).permutation(watched)[: self.most]


class DefocusTask:
    """Stage two: the defocus of patches.

    Parameters
    ----------
    network : DefocusNetwork
        To teach.
    data : Dataset
        To learn from.
    dof_um : float
        Depth of field, µm: directions count beyond half of it.
    seed : int
        Of the batches.
    holding : Holding
        What to validate on.
    disturbances : Disturbances
        How patches are varied when they are shown.
    balance : float
        How evenly the densities are shown: 0 as often as they occur, 1 each as often as the others.
    """

    def __init__(
        self,
        network: DefocusNetwork,
        data: Dataset,
        *,
        dof_um: float,
        seed: int = 0,
        holding: Holding | None = None,
        disturbances: Disturbances | None = None,
        balance: float = 0.0,
    ) -> None:
        self.network, self.data, self.dof_um, self.seed = network, data, dof_um, seed
        self.disturbances = disturbances or Disturbances()
        self.training, self.validation = (holding or Holding()).divided(data.slides)
        if self.training.size == 0 or self.validation.size == 0:
            raise InputError(
                f"{len(data)} patches of {np.unique(data.slides).size} slides are too few to train and to validate on:"
                " add slides."
            )
        self.chances = _chances(data.densities[self.training], balance) if balance else None
        self.criterion = DefocusLoss(network.settings, blur_um=network.settings.bin_um)

    def batch(self, number: int, size: int, part: slice = WHOLE) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        chosen, turns = rng.choice(self.training, size, p=self.chances), rng.integers(8, size=size)
        channels, jitter = self.data.patch(chosen[0]).shape[-1], self.disturbances.gain_jitter
        gains = rng.uniform(1 - jitter, 1 + jitter, (size, 1, 1, channels)).astype(np.float32)
        seeds = rng.integers(2**62, size=size)
        own = zip(chosen[part], turns[part], seeds[part], strict=True)
        images = np.stack([self._disturbed(int(i), int(turn), int(seed)) for i, turn, seed in own])
        return self._tensors(images * gains[part], chosen[part])

    def _disturbed(self, index: int, turn: int, seed: int) -> npt.NDArray[Any]:
        patch = np.asarray(turned(self.data.patch(index), turn), np.float32)
        return self.disturbances.befall(patch, np.random.default_rng(seed)) if self.disturbances.any else patch

    def _tensors(self, images: npt.NDArray[Any], chosen: npt.NDArray[np.intp]) -> dict[str, Tensor]:
        """Channels last in memory, channels first in shape."""
        labels = self.data.labels[chosen]
        return {
            "patches": torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2),
            "defocus_um": torch.from_numpy(labels["defocus_um"].copy()),
            "signed": torch.from_numpy(labels["signed"].copy()),
        }

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        assert isinstance(network, DefocusNetwork)
        criterion = self.criterion.to(batch["patches"].device)
        found: Tensor = criterion(network.logits(batch["patches"]), batch["defocus_um"], batch["signed"])
        return found

    def validate(self, network: nn.Module) -> Validation:
        device = next(network.parameters()).device
        answers = []
        for start in range(0, self.validation.size, _VALIDATION_BATCH):
            chosen = self.validation[start : start + _VALIDATION_BATCH]
            images = np.stack([self.data.patch(i) for i in chosen])
            answers.append(network(self._tensors(images, chosen)["patches"].to(device)).cpu().numpy())
        found, labels = np.concatenate(answers), self.data.labels[self.validation]
        shown = np.flatnonzero(labels["signed"])[:_MOST_PAIRS]
        pairs = Pairs(labels["defocus_um"][shown], found[shown, 0])
        return Validation(self._figures(found, labels), pairs)

    def _figures(self, found: npt.NDArray[np.float32], labels: npt.NDArray[np.void]) -> dict[str, float]:
        truth, signed = labels["defocus_um"], labels["signed"]
        error = np.abs(found[:, 0] - truth)
        clear = signed & (np.abs(truth) > self.dof_um / 2)
        figures = {"score": float(error[signed].mean()), "median_um": float(np.median(error[signed]))}
        if clear.any():
            figures["direction"] = float((np.sign(found[clear, 0]) == np.sign(truth[clear])).mean())
        groups = {"far": np.abs(truth) > 6, "near": np.abs(truth) < 3}
        densities = self.data.densities[self.validation]
        groups |= {str(density): densities == density for density in np.unique(densities) if density}
        for name, group in groups.items():
            if (own := signed & group).any():
                figures[f"{name}_um"] = float(error[own].mean())
        if (~signed).any():
            undecided = (found[~signed, 2] > 0.05) & (found[~signed, 2] < 0.95)
            figures["even_undecided"] = float(undecided.mean())
        return figures


class ImportanceTask:
    """Stage one: the content importance of the patches of a defocused frame.

    Parameters
    ----------
    network : ImportanceNetwork
        To teach.
    data : Dataset
        To learn from.
    seed : int
        Of the batches.
    holding : Holding
        What to validate on.
    gain_jitter : float
        Overviews are brightened by a random factor within 1 ± this, each colour by a fifth as much more.
    """

    def __init__(
        self,
        network: ImportanceNetwork,
        data: Dataset,
        *,
        seed: int = 0,
        holding: Holding | None = None,
        gain_jitter: float = 0.15,
    ) -> None:
        self.network, self.data, self.seed, self.gain_jitter = network, data, seed, gain_jitter
        self.training, self.validation = (holding or Holding(most=1024)).divided(data.overview_slides)
        if self.training.size == 0 or self.validation.size == 0:
            raise InputError(
                f"{data.overview_slides.size} overviews are too few to train and to validate on: add slides."
            )

    def batch(self, number: int, size: int, part: slice = WHOLE) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        chosen, turns = rng.choice(self.training, size), rng.integers(8, size=size)
        pairs = [self.data.overview(i) for i in chosen[part]]
        if pairs[0][1].shape[0] != pairs[0][1].shape[1]:
            turns -= turns % 2  # a quarter turn would change the shape
        images = np.stack([turned(image, int(k)) for (image, _), k in zip(pairs, turns[part], strict=True)])
        labels = np.stack([turned(label, int(k)) for (_, label), k in zip(pairs, turns[part], strict=True)])
        gains = rng.uniform(1 - self.gain_jitter, 1 + self.gain_jitter, (size, 1, 1, 1))
        tints = rng.uniform(1 - self.gain_jitter / 5, 1 + self.gain_jitter / 5, (size, 1, 1, images.shape[-1]))
        lit = np.minimum(images * (gains * tints)[part].astype(np.float32), 1)
        return {"overviews": torch.from_numpy(lit).permute(0, 3, 1, 2), "importance": torch.from_numpy(labels)[:, None]}

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        assert isinstance(network, ImportanceNetwork)
        return nn.functional.binary_cross_entropy_with_logits(network.logits(batch["overviews"]), batch["importance"])

    def validate(self, network: nn.Module) -> Validation:
        device = next(network.parameters()).device
        pairs = [self.data.overview(i) for i in self.validation]
        images = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2)
        truth = np.stack([label for _, label in pairs])
        found = np.concatenate([network(part.to(device)).cpu().numpy()[:, 0] for part in torch.split(images, 128)])
        clear, none = truth >= 0.5, truth < 0.2
        error = np.abs(found - truth)
        figures = {
            "score": float(error.mean()),
            "missed": float((found[clear] < 0.3).mean()) if clear.any() else 0.0,
            "false": float((found[none] >= 0.3).mean()) if none.any() else 0.0,
        }
        return Validation(figures)


def _chances(densities: npt.NDArray[np.str_], balance: float) -> npt.NDArray[np.float64]:
    """How likely each patch is shown, so that rare densities are not forgotten."""
    _, place, count = np.unique(densities, return_inverse=True, return_counts=True)
    chances = (1.0 / count[place]) ** balance
    return np.asarray(chances / chances.sum(), np.float64)


def turned(image: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """An image (Y, X[, C]) in one of the eight ways a square can lie: optics are round, so all are equally true."""
    quarter = np.rot90(image, turn % 4)
    return np.ascontiguousarray(quarter[:, ::-1] if turn >= 4 else quarter)
