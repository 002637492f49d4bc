"""MobileNetV3-small with a spectral branch.

Liao et al. compare MobileNetV3-small "with FFT modules"; what these are is not known to us. Ours: beside the
convolutions, the patch's log power spectrum, averaged over overlapping tiles (Welch 1967), goes through two layers and
is added to the pooled features, as blur shows in the spectrum wherever the content lies. The Fourier transform of a
tile is two products with fixed cosines and sines, so that every runtime can compute it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_autofocus.models.backbones.layers import initialise
from napari_autofocus.models.backbones.mobilenet_v3 import SMALL, SMALL_HIDDEN, MobileNetV3
from napari_autofocus.models.backbones.registry import BackboneOptions, register

__all__ = ["PowerSpectrum", "SpectralMobileNetV3", "mobilenet_v3_small_fft"]

TILE = 32
"""Side of a tile, px; tiles overlap by half."""
FLOOR = 1e-4
"""Added to powers before the logarithm; white noise of unit variance has power 1."""
HIDDEN = 64


class PowerSpectrum(nn.Module):
    """Log power of each spatial frequency in each channel, the mean over tiles of an image of any size."""

    across: Tensor
    down: Tensor

    def __init__(self) -> None:
        super().__init__()
        cosine, sine = _waves()
        ours = cosine[: TILE // 2 + 1], sine[: TILE // 2 + 1]  # the others mirror them
        self.frequencies = len(ours[0]) * TILE
        across = torch.stack(ours, dim=1).reshape(-1, 1, 1, TILE)  # cosine and sine of each frequency in turns
        real, imaginary = torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)
        down = torch.cat([real, imaginary]).repeat(len(ours[0]), 1, 1)[..., None]
        self.register_buffer("across", across, persistent=False)
        self.register_buffer("down", down, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, channels * frequencies, 1, 1) of images (N, channels, H, W) of at least 32 x 32 px."""
        count, channels, height, width = x.shape
        planes = x.reshape(count * channels, 1, height, width)
        rows = nn.functional.conv2d(planes, self.across, stride=(1, TILE // 2))
        waves = nn.functional.conv2d(rows, self.down, stride=(TILE // 2, 1), groups=TILE // 2 + 1)
        parts = waves.square().mean((2, 3)).reshape(count * channels, TILE // 2 + 1, 2, TILE)
        return (parts.sum(2) + FLOOR).log().reshape(count, channels * self.frequencies, 1, 1)


def _waves() -> tuple[Tensor, Tensor]:
    """Cosines and sines (frequency, place) of a tile's side under a Hann window of unit energy."""
    place = torch.arange(TILE, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * (place + 0.5) / TILE)
    window /= window.square().sum().sqrt()
    angle = 2 * math.pi / TILE * place[:, None] * place[None]
    return (window * angle.cos()).float(), (window * angle.sin()).float()


class SpectralMobileNetV3(MobileNetV3):
    """MobileNetV3-small whose pooled features get what the spectrum says.

    Parameters
    ----------
    options : BackboneOptions
    """

    own_parts = ("spectrum",)
    """Not of the published network: :func:`load_imagenet_weights` leaves them as they are."""

    def __init__(self, options: BackboneOptions) -> None:
        super().__init__(SMALL, SMALL_HIDDEN, options)
        pooled = self.classifier[0]
        assert isinstance(pooled, nn.Linear)
        power = PowerSpectrum()
        powers = options.channels * power.frequencies
        self.spectrum = nn.Sequential(
            power,
            nn.BatchNorm2d(powers),
            nn.Conv2d(powers, HIDDEN, 1),
            nn.Hardswish(),
            nn.Conv2d(HIDDEN, pooled.in_features, 1),
        )
        initialise(self.spectrum)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, outputs) of images (N, channels, H, W)."""
        features = self.features(x).mean((2, 3)) + self.spectrum(x).flatten(1)
        y: Tensor = self.classifier(features)
        return y


@register("mobilenet_v3_small_fft")
def mobilenet_v3_small_fft(options: BackboneOptions) -> nn.Module:
    """MobileNetV3-small with a spectral branch: 144,000 more parameters in colour."""
    return SpectralMobileNetV3(options)
