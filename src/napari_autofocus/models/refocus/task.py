"""What virtual refocusing learns: pairs of shots as a camera gives them, the image in focus, and what is uncertain.

Li et al. minimise the mean square error. Ours is minimised in dB: the mean of its logarithm, so that the small errors
near focus count as much as the large ones far off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_autofocus.errors import InputError
from napari_autofocus.focus.registration import moved
from napari_autofocus.models.learning.records import Gains, Validation
from napari_autofocus.models.refocus.samples import FULL_SCALE, RefocusDataset
from napari_autofocus.models.tasks import WHOLE, Holding, turned
from napari_autofocus.models.tsva import TsvaNetwork, ordered

Float32 = npt.NDArray[np.float32]

_VALIDATION_BATCH = 32
_NOTHING = 1e-7
"""Added to a mean square error before its logarithm."""
_NOTHING_DB = 70.0
"""The same in dB: the loss counts from there, since what cannot be below zero can be seen to explode."""


@dataclass(frozen=True)
class ShownPairs:
    """How samples are varied when they are shown.

    Parameters
    ----------
    crop_px : int
        Side of what is shown of a stored place, px.
    full_well_e, read_noise_e : tuple of float
        Range of the cameras that noiseless samples are taken with, electrons.
    gain_jitter : float
        Both shots and the truth are brightened together by a random factor within 1 ± this.
    drift_px : float
        Standard deviation of what registration leaves between the two shots, px.
    focused : float
        Share in which both shots are the image in focus: it must come back as it is.
    misplaced : float
        Share in which the second shot is of a place ``misplaced_px`` aside: the network learns not to use it.
    misplaced_px : tuple of float
        Range of that distance, px.
    """

    crop_px: int = 128
    full_well_e: tuple[float, float] = (30_000.0, 150_000.0)
    read_noise_e: tuple[float, float] = (3.0, 9.0)
    gain_jitter: float = 0.1
    drift_px: float = 0.1
    focused: float = 0.05
    misplaced: float = 0.05
    misplaced_px: tuple[float, float] = (1.5, 12.0)


class RefocusTask:
    """The image in focus from two shots.

    Parameters
    ----------
    network : TsvaNetwork
        To teach.
    data : RefocusDataset
        To learn from.
    seed : int
        Of the batches.
    holding : Holding
        What to validate on.
    shown : ShownPairs
        How samples are varied.
    doubt : float
        Weight of the uncertainty's own loss: minus its log-likelihood, which does not change the image.
    """

    def __init__(
        self,
        network: TsvaNetwork,
        data: RefocusDataset,
        *,
        seed: int = 0,
        holding: Holding | None = None,
        shown: ShownPairs | None = None,
        doubt: float = 0.3,
    ) -> None:
        self.network, self.data, self.seed, self.doubt = network, data, seed, doubt
        self.shown = shown or ShownPairs()
        self.training, self.validation = (holding or Holding(most=128)).divided(data.slides)
        if self.training.size == 0 or self.validation.size == 0:
            raise InputError(
                f"{len(data)} places of {np.unique(data.slides).size} slides are too few to train and to validate on:"
                " add slides."
            )
        if data.channels != network.settings.channels:
            raise InputError(
                f"A network of {network.settings.channels} channels cannot learn from images of {data.channels}."
            )

    def batch(self, number: int, size: int, part: slice = WHOLE) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        chosen = rng.choice(self.training, size)
        pairs = rng.integers(self.data.pairs, size=size)
        seeds = rng.integers(2**62, size=size)
        shown = [
            self._shown(int(index), int(pair), np.random.default_rng(int(seed)))
            for index, pair, seed in zip(chosen[part], pairs[part], seeds[part], strict=True)
        ]
        return _tensors([truth for truth, _ in shown], [shots for _, shots in shown])

    def _shown(self, index: int, pair: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
        """One sample: truth (Y, X, C) and both shots (Y, X, 2C), as a camera might have taken them."""
        shown, way, side = self.shown, self.shown, self.data.side_px
        turn, chance = int(rng.integers(8)), rng.random()
        room = side - shown.crop_px
        y, x = (int(value) for value in rng.integers(0, room + 1, 2))
        truth, both = self.data.place(index, pair)
        first, second = (truth, truth) if chance < shown.focused else (both[0], both[1])
        second_y, second_x = y, x
        if shown.focused <= chance < shown.focused + shown.misplaced and room:
            angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(*way.misplaced_px)
            second_y = int(np.clip(round(y + distance * math.sin(angle)), 0, room))
            second_x = int(np.clip(round(x + distance * math.cos(angle)), 0, room))
        gain = float(rng.uniform(1 - shown.gain_jitter, min(1 + shown.gain_jitter, 1.12)))
        images = [
            np.asarray(turned(_cut(image, at, shown.crop_px), turn), np.float32) * np.float32(gain / FULL_SCALE)
            for image, at in ((truth, (y, x)), (first, (y, x)), (second, (second_y, second_x)))
        ]
        if shown.drift_px:
            images[2] = moved(images[2], *rng.normal(0, shown.drift_px, 2))
        if not self.data.noisy[index]:
            images[1:] = self._taken(images[1:], rng)
        return np.minimum(images[0], 1), np.concatenate(images[1:], axis=2)

    def _taken(self, images: list[Float32], rng: np.random.Generator) -> list[Float32]:
        """Shots through a random camera: shot and read noise, mostly in 8 bits."""
        well = float(np.exp(rng.uniform(*np.log(self.shown.full_well_e))))
        read, eight_bits = float(rng.uniform(*self.shown.read_noise_e)), rng.random() < 0.7
        return [photographed(image, well, read, eight_bits, rng) for image in images]

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        found = network(batch["shots"])
        channels = batch["truth"].shape[1]
        square = (found[:, :channels] - batch["truth"]).square()
        decibels = 10 * torch.log10(square.mean(dim=(1, 2, 3)) + _NOTHING)
        floor = TsvaNetwork.floor**2
        return _NOTHING_DB + decibels.mean() + self.doubt * self._doubt_loss(found[:, channels:], square, floor)

    @staticmethod
    def _doubt_loss(uncertainty: Tensor, square: Tensor, floor: float) -> Tensor:
        """Minus the log-likelihood of the errors around each pixel; the image itself does not learn from it."""
        around = functional.avg_pool2d(square.detach().mean(dim=1, keepdim=True), 5, stride=1, padding=2)
        variance = uncertainty.square()
        return ((variance / floor).log() + around / variance).mean()

    def validate(self, network: nn.Module) -> Validation:
        device = next(network.parameters()).device
        gains: list[float] = []
        halves: list[float] = []
        found_db: list[float] = []
        pairs = np.arange(self.validation.size) % self.data.pairs
        for start in range(0, self.validation.size, _VALIDATION_BATCH):
            own = slice(start, start + _VALIDATION_BATCH)
            indices = self.validation[own]
            shown = [
                self._plain(int(index), int(pair), np.random.default_rng([1, int(index)]))
                for index, pair in zip(indices, pairs[own], strict=True)
            ]
            batch = _tensors([truth for truth, _ in shown], [shots for _, shots in shown])
            truth, shots = batch["truth"].to(device), batch["shots"].to(device)
            answer = network(shots)[:, : truth.shape[1]]
            ours, theirs = psnr_db(answer, truth), psnr_db(ordered(shots)[0], truth)
            found_db += ours.tolist()
            gains += (ours - theirs).tolist()
            halves += self.data.half_um[indices, pairs[own]].tolist()
        gain, half = np.array(gains), np.array(halves)
        figures = {
            "score": float(10 ** (-gain.mean() / 20)),
            "gain_db": float(gain.mean()),
            "psnr_db": float(np.mean(found_db)),
        }
        for name, near in (("near", half < 1), ("middle", (half >= 1) & (half < 2)), ("far", half >= 2)):
            if near.any():
                figures[f"{name}_gain_db"] = float(gain[near].mean())
        return Validation(figures, Gains(half.astype(np.float32), gain.astype(np.float32)))

    def _plain(self, index: int, pair: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
        """A sample as it stands, in full, through the usual camera."""
        truth, both = self.data.place(index, pair)
        images = [np.asarray(image, np.float32) / np.float32(FULL_SCALE) for image in (truth, both[0], both[1])]
        if not self.data.noisy[index]:
            images[1:] = [photographed(image, 80_000.0, 5.0, True, rng) for image in images[1:]]
        return images[0], np.concatenate(images[1:], axis=2)


def photographed(
    light: Float32, full_well_e: float, read_noise_e: float, eight_bits: bool, rng: np.random.Generator
) -> Float32:
    """Light in [0, 1] as a camera records it: shot noise, read noise, steps of 8 bits, nothing above full scale."""
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(light * np.float32(full_well_e) + np.float32(read_noise_e**2)) / np.float32(full_well_e)
    taken = np.clip(light + noise, 0, 1)
    return np.asarray(np.round(taken * 255) / np.float32(255) if eight_bits else taken, np.float32)


def psnr_db(images: Tensor, truths: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image (N, C, Y, X) in [0, 1], dB, shape (N,)."""
    return -10 * torch.log10((images - truths).square().mean(dim=(1, 2, 3)) + _NOTHING / 1000)


def _cut(image: npt.NDArray[Any], at: tuple[int, int], side: int) -> npt.NDArray[Any]:
    return image[at[0] : at[0] + side, at[1] : at[1] + side]


def _tensors(truths: list[Float32], shots: list[Float32]) -> dict[str, Tensor]:
    """Channels last in memory, channels first in shape."""
    return {
        "truth": torch.from_numpy(np.stack(truths)).permute(0, 3, 1, 2),
        "shots": torch.from_numpy(np.stack(shots)).permute(0, 3, 1, 2),
    }
