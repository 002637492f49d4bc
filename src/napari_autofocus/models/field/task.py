"""What both stages learn together: the error of whole fields, beside what each stage learns by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.selection import SelectionSettings, choose_patches
from napari_autofocus.focus.deciding.settings import DecisionSettings, Pooling
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.models.defocus import DefocusLoss
from napari_autofocus.models.field.network import FieldNetwork, FieldReading
from napari_autofocus.models.field.samples import ShownFields, batch_of, sample_of, turned_plane, with_few_left
from napari_autofocus.models.field_dataset import FieldDataset, FieldPlane
from napari_autofocus.models.learning.records import Pairs, Validation
from napari_autofocus.models.seeing.overview import overview_of
from napari_autofocus.models.tasks import WHOLE, Holding

LEFT = (1, 2, 4, 8)
"""So many patches of content are left of the fields that are validated on."""


@dataclass(frozen=True)
class FieldErrors:
    """What counts, besides the distributions of patches, whose loss has the weight 1.

    Parameters
    ----------
    field : float
        Weight of the error of whole fields, in bins of the distributions; 0 teaches each stage by itself.
    importance : float
        Weight of the cross-entropy of the importance with its label, which keeps the threshold's meaning.
    """

    field: float = 0.5
    importance: float = 1.0

    def __post_init__(self) -> None:
        if min(self.field, self.importance) < 0:
            raise InputError(f"Weights are not negative; found {self.field} and {self.importance}.")


class FieldTask:
    """Both stages at once, from whole fields.

    The error of a field is that of its patches, each against its own truth, weighed as the patches are: so that a tilt
    is no error. Even optics tell no side, their fields count by their patches only.

    Parameters
    ----------
    network : FieldNetwork
        To teach.
    data : FieldDataset
        To learn from.
    dof_um, range_um : float
        Depth of field and range of the model, µm.
    errors : FieldErrors
        What counts.
    shown : ShownFields
        How fields are shown.
    pooling : Pooling
        How patches become a field in validation, as it will be in use.
    seed : int
        Of the batches.
    holding : Holding
        What to validate on; ``most`` is the number of fields.

    Raises
    ------
    InputError
        If there are too few slides to learn from and to validate on, or their frames are not what the networks see.
    """

    def __init__(
        self,
        network: FieldNetwork,
        data: FieldDataset,
        *,
        dof_um: float,
        range_um: float,
        errors: FieldErrors | None = None,
        shown: ShownFields | None = None,
        pooling: Pooling = "weighted_median",
        seed: int = 0,
        holding: Holding | None = None,
    ) -> None:
        self.network, self.data, self.seed = network, data, seed
        self.errors, self.shown = errors or FieldErrors(), shown or ShownFields()
        self.decision = DecisionSettings(dof_um=dof_um, range_um=range_um, pooling=pooling)
        self.training, self.validation = (holding or Holding(most=64)).divided(data.slides)
        if self.training.size == 0 or self.validation.size == 0:
            raise InputError(f"{len(data)} fields are too few to train and to validate on: add slides.")
        looking = network.importance.settings
        if (looking.channels, looking.patch_px, looking.stride_px) != (data.channels, data.grid.size, data.grid.step):
            raise InputError(
                f"The networks see {looking.channels} channels in patches of {looking.patch_px} px every"
                f" {looking.stride_px} px; the fields have {data.channels}, {data.grid.size} and {data.grid.step}."
            )
        settings = network.defocus.settings
        self.criterion = DefocusLoss(settings, blur_um=settings.bin_um)

    @property
    def _reduction(self) -> int:
        return self.network.importance.settings.reduction

    # --- Learning -----------------------------------------------------------------------------------------------------

    def batch(self, number: int, size: int, part: slice = WHOLE) -> Mapping[str, Tensor]:
        """So many fields, each in one plane, with a few of its patches."""
        rng = np.random.default_rng([self.seed, number])
        chosen, planes = rng.choice(self.training, size), rng.integers(self.data.planes, size=size)
        turns, seeds = rng.integers(8, size=size), rng.integers(2**62, size=size)
        own = zip(chosen[part], planes[part], turns[part], seeds[part], strict=True)
        return batch_of([self._sample(int(i), int(plane), int(turn), int(seed)) for i, plane, turn, seed in own])

    def _sample(self, index: int, plane: int, turn: int, seed: int) -> dict[str, npt.NDArray[np.generic]]:
        rng = np.random.default_rng(seed)
        field = turned_plane(self.data.plane(index, plane), turn)
        if rng.random() < self.shown.sparse and field.usable.any():
            field = with_few_left(field, int(rng.integers(1, self.shown.most_left, endpoint=True)), rng)
        return sample_of(field, self.shown, self._reduction, rng)

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        assert isinstance(network, FieldNetwork)
        found = network(batch["overviews"], batch["patches"], batch["places"], batch["offered"])
        total = self._patches(found, batch) + self.errors.importance * _importance(found, batch)
        return total + self.errors.field * self._fields(found, batch) if self.errors.field else total

    def _patches(self, found: FieldReading, batch: Mapping[str, Tensor]) -> Tensor:
        """Loss of the patches of content."""
        usable = batch["usable"]
        if not usable.any():
            return found.logits.sum() * 0
        signed = batch["signed"][:, None].expand_as(usable)
        loss: Tensor = self.criterion.to(usable.device)(
            found.logits[usable], batch["defocus_um"][usable], signed[usable]
        )
        return loss

    def _fields(self, found: FieldReading, batch: Mapping[str, Tensor]) -> Tensor:
        """Loss of the fields with content whose side can be told."""
        off = (found.weights * (found.defocus_um - batch["defocus_um"])).sum(dim=1) / self.criterion.bin_um
        told = batch["usable"].any(dim=1) & batch["signed"]
        return nn.functional.smooth_l1_loss(off[told], torch.zeros_like(off[told]), reduction="sum") / told.numel()

    # --- Validating ---------------------------------------------------------------------------------------------------

    def validate(self, network: nn.Module) -> Validation:
        """Whole fields, and fields of which few patches are left, chosen and pooled as in use.

        A field of which nothing is read counts with all of its defocus.
        """
        assert isinstance(network, FieldNetwork)
        rows = [(left, field.field_um, self.answer(network, field)) for left, field in self._validated()]
        left, truth, found = np.array(rows, np.float64).T
        error = np.abs(np.nan_to_num(found) - truth)
        few, clear = left > 0, np.abs(truth) > self.decision.dof_um / 2
        figures = {
            "score": float(error.mean()),
            "whole_um": float(error[~few].mean()),
            "few_left_um": float(error[few].mean()),
            "unread": float(np.isnan(found).mean()),
            "direction": float((np.sign(found[clear]) == np.sign(truth[clear])).mean()) if clear.any() else 1.0,
        }
        return Validation(figures, Pairs(truth.astype(np.float32), np.nan_to_num(found).astype(np.float32)))

    def _validated(self) -> Iterator[tuple[int, FieldPlane]]:
        """Fields with how many patches are left of them, 0 for whole ones: one plane of each, both ways."""
        for index in self.validation:
            rng = np.random.default_rng([int(index), 9])
            field = self.data.plane(int(index), int(rng.integers(self.data.planes)))
            if field.signed and abs(field.field_um) <= self.decision.range_um:
                yield 0, field
                count = LEFT[int(index) % len(LEFT)]
                few = with_few_left(field, count, rng)
                if few.usable.any():
                    yield count, few

    def answer(self, network: FieldNetwork, field: FieldPlane) -> float:
        """Defocus of a field, µm, as a predictor of these networks would pool it; NaN if nothing is chosen."""
        device = next(network.parameters()).device
        overview = overview_of(field.frame, field.grid, self._reduction)
        overview = overview.reshape(*overview.shape[:2], -1)
        importance = network.importance(_first(overview[None]).to(device))[0, 0].cpu().numpy()
        chosen = choose_patches(importance, field.grid, SelectionSettings())
        if not chosen:
            return float("nan")
        cut = np.stack([field.frame[field.grid.slices(index)] for index in chosen])
        told = network.defocus(_first(cut).to(device)).cpu().numpy().tolist()
        patches = [
            PatchPrediction(0, 0, field.grid.size, float(importance.flat[index]), True, *answer)
            for index, answer in zip(chosen, told, strict=True)
        ]
        reading = Reading.of(patches, self.decision, field.grid.field_shape, None)
        return float("nan") if reading is None else reading.pooled(self.decision)[0]


def _importance(found: FieldReading, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the importance of each patch whose label is known."""
    known = torch.isfinite(batch["importance"])
    return nn.functional.binary_cross_entropy_with_logits(found.scores[known], batch["importance"][known])


def _first(images: npt.NDArray[np.float32]) -> Tensor:
    """Images (N, Y, X, C) channels first."""
    return torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, 1)
