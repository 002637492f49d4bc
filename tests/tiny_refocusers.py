"""Packages of small virtual refocusers with seeded weights that change the image, and shots to give them."""

from __future__ import annotations

import datetime
import functools
import tempfile
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
import torch

from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import CardOptics, TrainingRecord, VirtualCard
from napari_autofocus.models.package.reading import Package
from napari_autofocus.models.package.writing import write_virtual_package
from napari_autofocus.models.refocuser import TileDone, VirtualImage, VirtualRefocuser
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings
from napari_autofocus.optics import Objective

LENS = Objective.parse("20x/0.75", pixel_size_um=0.325)


def tiny_network(channels: int = 3, *, changing: bool = True) -> TsvaNetwork:
    """A narrow network; ``changing``: with a last layer that adds a few per cent to the image."""
    torch.manual_seed(3)
    network = TsvaNetwork(TsvaSettings(channels=channels, width=4, levels=1))
    if changing:
        with torch.no_grad():
            network.last.weight[: channels * 4].normal_(0, 0.1)
    return network.eval()


class NetworkEngine:
    """A network as what runs a refocuser, without a file."""

    def __init__(self, network: TsvaNetwork) -> None:
        self.network = network

    def recover(self, shots: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(self.network(torch.from_numpy(np.ascontiguousarray(shots))).numpy())


def tiny_virtual_card(network: TsvaNetwork) -> VirtualCard:
    """The card of a tiny network."""
    return VirtualCard(
        name="tiny-virtual",
        description="Knows nothing of focus.",
        optics=CardOptics.of(LENS, "rgb" if network.settings.channels == 3 else "mono"),
        stains=("he",),
        dof_um=1.0,
        half_um=(0.3, 3.3),
        error_um=1.0,
        network=network_card(network),
        training=TrainingRecord(
            seed=3, minutes=0.0, finished=datetime.date(2026, 1, 2), code_version="0.1.0", patches_seen=0
        ),
    )


@functools.cache
def _content() -> bytes:
    network = tiny_network()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny-virtual.zip"
        write_virtual_package(path, tiny_virtual_card(network), network=network)
        return path.read_bytes()


def tiny_refocuser_file(folder: Path) -> Path:
    """A tiny package in a folder."""
    path = folder / "tiny-virtual.zip"
    path.write_bytes(_content())
    return path


def tiny_refocuser(channels: int = 3, *, changing: bool = True) -> VirtualRefocuser:
    """A tiny network as a refocuser; no file is written."""
    network = tiny_network(channels, changing=changing)
    return VirtualRefocuser(Package(Path("tiny-virtual.zip"), tiny_virtual_card(network), {}), NetworkEngine(network))


def recovered(work: Generator[TileDone, None, VirtualImage]) -> VirtualImage:
    """What a refocusing ends in."""
    while True:
        try:
            next(work)
        except StopIteration as finished:
            result: VirtualImage = finished.value
            return result


def texture(height: int = 160, width: int = 192, seed: int = 0) -> np.ndarray:
    """Dark spots of some pixels on a bright ground, (Y, X, 3), float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    spots = cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 2.5)
    spots = (spots - spots.min()) / np.ptp(spots)
    return np.stack([0.9 - 0.7 * spots * share for share in (0.6, 1.0, 0.4)], axis=2).astype(np.float32)


def shots_of(truth: np.ndarray, first: float = 2.0, second: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Two shots out of focus by these radii, px."""
    blurred = (cv2.GaussianBlur(truth, (0, 0), radius) if radius else truth for radius in (first, second))
    return tuple(np.asarray(each, np.float32) for each in blurred)  # type: ignore[return-value]


def psnr(image: np.ndarray, other: np.ndarray) -> float:
    """PSNR of light in [0, 1], dB."""
    return float(-10 * np.log10(np.mean(np.square(np.float64(image) - np.float64(other))) + 1e-15))


def as_u8(light: np.ndarray) -> np.ndarray:
    """Light in [0, 1] as 8 bits."""
    return np.rint(light * 255).astype(np.uint8)
