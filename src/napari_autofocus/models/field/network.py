"""Both stages as one network that can be followed from a field's error back to the importance of each of its patches.

In use, patches are chosen by a threshold and pooled by :mod:`napari_autofocus.focus`; here the threshold is soft and
the pooling a weighted mean, so that both have slopes. Nothing else differs: what is taught here is packaged as the two
networks it consists of. SparseFocus says that its stages are trained end to end and that its head is aware of sparsity,
not how; this is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.reading import SIGMA_FLOOR_DOF
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.importance import ImportanceNetwork


@dataclass(frozen=True)
class SoftChoice:
    """How patches weigh while both stages are taught together.

    Parameters
    ----------
    least_importance : float
        Importance at which half of a patch is chosen; in use nothing below is.
    softness : float
        Log-odds of importance over which a patch goes from left out to chosen.
    weighted : bool
        Whether chosen patches weigh by importance over variance, as the pooling ``weighted_mean`` does (the head that
        is aware of sparsity), or alike.
    """

    least_importance: float = SelectionSettings.least_importance
    softness: float = 0.5
    weighted: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.least_importance < 1 or self.softness <= 0:
            raise InputError(
                "The least importance lies between 0 and 1, and the softness above 0; found"
                f" {self.least_importance} and {self.softness}."
            )


class FieldReading(NamedTuple):
    """What both stages say of F fields with K patches each.

    Parameters
    ----------
    scores : Tensor, shape (F, rows, columns)
        Importance of every patch of the grid, before the logistic.
    logits : Tensor, shape (F, K, bins)
        Distributions of the patches that were read.
    defocus_um, weights : Tensor, shape (F, K)
        Of these patches; the weights of a field add up to 1.
    """

    scores: Tensor
    logits: Tensor
    defocus_um: Tensor
    weights: Tensor


class FieldNetwork(nn.Module):
    """Overviews and patches in; what patches say and how they weigh out.

    Normalisation keeps the statistics it came with: the patches of a batch come from few fields, whose statistics are
    not those of a frame in use.

    Parameters
    ----------
    importance, defocus : ImportanceNetwork, DefocusNetwork
        Both stages; they are taught, not copies.
    dof_um : float
        Depth of field, µm.
    choice : SoftChoice, optional
        How patches weigh.
    """

    def __init__(
        self,
        importance: ImportanceNetwork,
        defocus: DefocusNetwork,
        *,
        dof_um: float,
        choice: SoftChoice | None = None,
    ) -> None:
        super().__init__()
        if importance.settings.channels != defocus.settings.channels:
            raise InputError(
                f"Both stages see the same frame; found {importance.settings.channels} and"
                f" {defocus.settings.channels} channels."
            )
        self.importance, self.defocus = importance, defocus
        self.choice = choice or SoftChoice()
        self.floor_um = SIGMA_FLOOR_DOF * dof_um

    def train(self, mode: bool = True) -> FieldNetwork:
        """Teach weights, never the statistics of the normalisation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, overviews: Tensor, patches: Tensor, places: Tensor, offered: Tensor) -> FieldReading:
        """Read some patches of some fields.

        Parameters
        ----------
        overviews : Tensor, shape (F, C, y, x)
            In [0, 1].
        patches : Tensor, shape (F, K, C, S, S)
            In [0, 1].
        places : Tensor, shape (F, K), int64
            Which patch of the grid each is, counted row by row.
        offered : Tensor, shape (F, K), bool
            Which of them count; at least one a field.
        """
        scores = self.importance.logits(overviews)[:, 0]
        logits = self.defocus.logits(patches.flatten(0, 1))
        found = self.defocus.readout(logits).reshape(*places.shape, -1)
        of_patches = scores.flatten(1).gather(1, places)
        weights = self._weights(of_patches, found[..., 1], offered)
        return FieldReading(scores, logits.reshape(*places.shape, -1), found[..., 0], weights)

    def _weights(self, scores: Tensor, sigma_um: Tensor, offered: Tensor) -> Tensor:
        """Share of each patch in its field, by logarithms so that a field of poor patches has slopes too."""
        choice = self.choice
        threshold = math.log(choice.least_importance / (1 - choice.least_importance))
        logarithm = nn.functional.logsigmoid((scores - threshold) / choice.softness)
        if choice.weighted:
            logarithm = logarithm + nn.functional.logsigmoid(scores) - 2 * sigma_um.clamp(min=self.floor_um).log()
        return torch.where(offered, logarithm, -torch.inf).softmax(dim=1)
