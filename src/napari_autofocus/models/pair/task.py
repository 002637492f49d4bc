"""What two shots learn: the defocus of the second from the difference image, whatever camera and file lie between.

Rai Dastidar's network fails on JPEG files; ours is shown them. Drift and flicker between the shots are shown too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_autofocus.focus.registration import moved
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.difference import difference_image
from napari_autofocus.models.disturbed.disturbances import as_jpeg
from napari_autofocus.models.tasks import WHOLE, DefocusTask, Holding, turned

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ShownShots:
    """How pairs of patches are varied when they are shown.

    Parameters
    ----------
    jpeg : float
        Share of the pairs that pass through JPEG files first.
    quality : tuple of int
        Range of their quality.
    drift_px : float
        Standard deviation of a drift between the shots, px.
    flicker : float
        Standard deviation of the second shot's brightness against the first's.
    gain_jitter : float
        The difference is made stronger by a random factor within 1 ± this, each channel by its own.
    crop_px : int or None
        Side of the part of a stored patch that is shown; None for all of it.
    """

    jpeg: float = 0.3
    quality: tuple[int, int] = (40, 95)
    drift_px: float = 0.15
    flicker: float = 0.004
    gain_jitter: float = 0.2
    crop_px: int | None = None


class PairTask(DefocusTask):
    """Stage two from two shots: patches of six channels (two of grey images) become differences of three (one).

    Parameters
    ----------
    network, data, dof_um, seed, holding
        As for :class:`~napari_autofocus.models.tasks.DefocusTask`.
    shown : ShownShots
        How pairs are varied.
    """

    def __init__(
        self,
        network: DefocusNetwork,
        data: Dataset,
        *,
        dof_um: float,
        seed: int = 0,
        holding: Holding | None = None,
        shown: ShownShots | None = None,
    ) -> None:
        super().__init__(network, data, dof_um=dof_um, seed=seed, holding=holding)
        self.shown = shown or ShownShots()

    def batch(self, number: int, size: int, part: slice = WHOLE) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        chosen, seeds = rng.choice(self.training, size), rng.integers(2**62, size=size)
        images = [
            self._shown(int(index), np.random.default_rng(int(seed)))
            for index, seed in zip(chosen[part], seeds[part], strict=True)
        ]
        return self._as_tensors(images, chosen[part])

    def _as_tensors(self, images: list[Float32], chosen: npt.NDArray[np.intp]) -> dict[str, Tensor]:
        labels = self.data.labels[chosen]
        return {
            "patches": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
            "defocus_um": torch.from_numpy(labels["defocus_um"].copy()),
            "signed": torch.from_numpy(labels["signed"].copy()),
        }

    def _tensors(self, images: npt.NDArray[np.float32], chosen: npt.NDArray[np.intp]) -> dict[str, Tensor]:
        """For validation: both shots as they were stored."""
        half = images.shape[-1] // 2
        cut = self._cut(images.shape[1])
        plain = [difference_image(both[cut][..., :half], both[cut][..., half:], 1.0) for both in images]
        return self._as_tensors(plain, chosen)

    def _cut(self, side: int, rng: np.random.Generator | None = None) -> tuple[slice, slice]:
        """Where the shown part of a patch lies: in the middle, or anywhere."""
        room = side - (self.shown.crop_px or side)
        y, x = (room // 2, room // 2) if rng is None else (int(value) for value in rng.integers(0, room + 1, 2))
        return slice(y, y + side - room), slice(x, x + side - room)

    def _shown(self, index: int, rng: np.random.Generator) -> Float32:
        """A difference image (Y, X, C) as another camera, stage or file might have given it."""
        shown = self.shown
        both = self.data.patch(index)
        both = both[self._cut(both.shape[0], rng)]
        half = both.shape[-1] // 2
        first, second = both[..., :half], both[..., half:]
        if rng.random() < shown.jpeg:
            quality = int(rng.integers(*shown.quality, endpoint=True))
            first, second = (as_jpeg(image, quality) for image in (first, second))
        second = second * np.float32(1 + rng.normal(0, shown.flicker))
        if shown.drift_px:
            second = moved(second, *rng.normal(0, shown.drift_px, 2))
        difference = difference_image(np.ascontiguousarray(first), second, 1.0)
        gains = rng.uniform(1 - shown.gain_jitter, 1 + shown.gain_jitter, half).astype(np.float32)
        return np.asarray(turned(difference * gains, int(rng.integers(8))), np.float32)
