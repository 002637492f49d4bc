"""Stage two, the Defocus Prediction Network: one patch in, how far out of focus it is and how sure that is.

The network gives each patch a distribution over defocus, not one number: where two values fit alike (the two sides of
focus under even optics), it can say so. That is our own choice; Liao et al. regress one number. The sign convention is
that of :mod:`napari_autofocus.focus.estimate`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_autofocus.errors import InputError
from napari_autofocus.models.backbones import build_backbone


@dataclass(frozen=True)
class DefocusSettings:
    """What a Defocus Prediction Network is made of.

    Parameters
    ----------
    backbone : str
        A name of :data:`napari_autofocus.models.backbones.BACKBONES`.
    channels : int
        3 for colour, 1 for monochrome.
    reach_um : float
        Defocus values within ± this can be told, µm; somewhat more than the range the model is for.
    bin_um : float
        Width of the distribution's bins, µm.
    window_um : float
        A patch's defocus is the mean of its distribution within this distance of the highest mode, µm.
    dropout : float
        Share of the last features left out in training.
    width : float
        Factor on the channels of every layer of a MobileNet.
    normalisation : {'patch', 'faint', 'channel'}
        What is taken off a patch first: the mean of each colour and the contrast of all (one shot), the same where
        light is scarce (fluorescence, phase), or each channel's own mean and standard deviation (the difference of two
        shots, as Rai Dastidar does).
    """

    backbone: str = "mobilenet_v3_small"
    channels: int = 3
    reach_um: float = 12.5
    bin_um: float = 0.25
    window_um: float = 1.5
    dropout: float = 0.1
    width: float = 1.0
    normalisation: Literal["patch", "faint", "channel"] = "patch"

    def __post_init__(self) -> None:
        if self.normalisation not in NORMALISATIONS:
            raise InputError(
                f"Patches are normalised as one of {', '.join(NORMALISATIONS)}; found {self.normalisation!r}."
            )
        if not 0 < self.bin_um <= self.window_um < self.reach_um:
            raise InputError(
                "Bins must be narrower than the window, and the window than the reach; found"
                f" {self.bin_um}, {self.window_um} and {self.reach_um} µm."
            )

    @property
    def bins(self) -> int:
        """Number of bins; odd, so that one lies at focus."""
        return 2 * round(self.reach_um / self.bin_um) + 1

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in a model package."""
        return asdict(self)


class DefocusNetwork(nn.Module):
    """Patches in; their distributions over defocus (training) or ``prediction`` (evaluation) out.

    Parameters
    ----------
    settings : DefocusSettings, optional
        What it is made of.
    """

    def __init__(self, settings: DefocusSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DefocusSettings()
        self.normalise = NORMALISATIONS[self.settings.normalisation]()
        self.backbone = build_backbone(
            self.settings.backbone,
            outputs=self.settings.bins,
            channels=self.settings.channels,
            dropout=self.settings.dropout,
            width=self.settings.width,
        )
        self.readout = DefocusReadout(self.settings)

    def logits(self, patches: Tensor) -> Tensor:
        """Log-probabilities but for a constant, shape (N, bins), of patches (N, C, S, S) in [0, 1]."""
        found: Tensor = self.backbone(self.normalise(patches))
        return found

    def forward(self, patches: Tensor) -> Tensor:
        """Shape (N, 3): defocus_um, uncertainty_um (one standard deviation), probability that defocus is positive."""
        found: Tensor = self.readout(self.logits(patches))
        return found


class PatchNormalisation(nn.Module):
    """Takes the mean of each colour off a patch and divides by the root mean square of what is left.

    Exposure and the colour of the light drop out; a floor keeps pure noise from being blown up.
    """

    floor = 0.01

    def forward(self, patches: Tensor) -> Tensor:
        contrast = patches - patches.mean(dim=(2, 3), keepdim=True)
        strength = contrast.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return contrast / (strength + self.floor)


class FaintNormalisation(PatchNormalisation):
    """The same for frames that fill a small part of the camera's range: a lower floor."""

    floor = 0.0005


class ChannelNormalisation(nn.Module):
    """Brings each channel of a difference of two shots to zero mean and unit standard deviation; noise stays small."""

    floor = 0.002

    def forward(self, patches: Tensor) -> Tensor:
        contrast = patches - patches.mean(dim=(2, 3), keepdim=True)
        return contrast / (contrast.square().mean(dim=(2, 3), keepdim=True).sqrt() + self.floor)


NORMALISATIONS: dict[str, type[nn.Module]] = {
    "patch": PatchNormalisation,
    "faint": FaintNormalisation,
    "channel": ChannelNormalisation,
}
"""By the word in the settings."""


class DefocusReadout(nn.Module):
    """What a distribution over defocus says: place and width of its highest mode, weight of the positive side."""

    centres: Tensor
    box: Tensor

    def __init__(self, settings: DefocusSettings) -> None:
        super().__init__()
        half = settings.bins // 2
        self.window_um = settings.window_um
        self.width = 2 * round(settings.window_um / settings.bin_um / 2) + 1
        self.register_buffer("centres", torch.arange(-half, half + 1) * settings.bin_um, persistent=False)
        self.register_buffer("box", torch.ones(1, 1, self.width), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        probability = logits.softmax(dim=1)
        mode = self.centres[self._around(probability).argmax(dim=1)]
        near = ((self.centres - mode[:, None]).abs() <= self.window_um + 1e-6).to(probability.dtype) * probability
        weight = near.sum(dim=1)
        defocus = (near * self.centres).sum(dim=1) / weight
        variance = (near * (self.centres - defocus[:, None]).square()).sum(dim=1) / weight
        positive = (probability * (self.centres > 0)).sum(dim=1) + probability[:, self.centres.numel() // 2] / 2
        return torch.stack([defocus, variance.sqrt(), positive], dim=1)

    def _around(self, probability: Tensor) -> Tensor:
        """Probability within half a window of each bin, shape (N, bins)."""
        return functional.conv1d(probability[:, None], self.box, padding=self.width // 2)[:, 0]


class DefocusLoss(nn.Module):
    """How far distributions are from the truth: cross-entropy with a Gaussian around it, and the mean's distance.

    Under even optics the truth is two Gaussians, one on each side, and the mean says nothing.

    Parameters
    ----------
    settings : DefocusSettings
        Of the network.
    blur_um : float
        Standard deviation of the Gaussian, µm.
    mean_weight : float
        Weight of the mean's distance: smooth L1 in units of a bin.
    """

    centres: Tensor

    def __init__(self, settings: DefocusSettings, blur_um: float = 0.25, mean_weight: float = 0.15) -> None:
        super().__init__()
        half = settings.bins // 2
        self.bin_um, self.blur_um, self.mean_weight = settings.bin_um, blur_um, mean_weight
        self.register_buffer("centres", torch.arange(-half, half + 1) * settings.bin_um, persistent=False)

    def forward(self, logits: Tensor, defocus_um: Tensor, signed: Tensor) -> Tensor:
        """Mean loss of a batch: logits (N, bins), true defocus (N,) in µm, whether its sign can be told (N,) bool."""
        logarithm = logits.log_softmax(dim=1)
        target = self._around(defocus_um)
        target = torch.where(signed[:, None], target, (target + self._around(-defocus_um)) / 2)
        entropy = -(target * logarithm).sum(dim=1)
        mean = (logarithm.exp() * self.centres).sum(dim=1)
        apart = functional.smooth_l1_loss(mean / self.bin_um, defocus_um / self.bin_um, reduction="none")
        return (entropy + self.mean_weight * torch.where(signed, apart, 0.0)).mean()

    def _around(self, defocus_um: Tensor) -> Tensor:
        square = ((self.centres - defocus_um[:, None]) / self.blur_um).square()
        return (-square / 2).softmax(dim=1)
