"""Packages of two shots whose networks are a few numbers set by hand, as in ``tiny_models``.

The defocus of the second shot is 20 µm · (red of the difference image): where the second is 0.1 redder, it is +2 µm.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_autofocus.models.package import ModelPackage, NetworkCard
from napari_autofocus.models.package.writing import write_package
from tiny_models import TinyDefocus, TinyImportance, TinySettings, tiny_card

PAIR = "tiny-pair-20x"


class TinyPairDefocus(TinyDefocus):
    """Patches of a difference image in; 20 µm · red, 0.1 µm and a clear side out."""

    def __init__(self, settings: TinySettings | None = None) -> None:
        super().__init__(settings)
        with torch.no_grad():
            self.slope.bias[:] = 0.0


def write_tiny_pair(path: Path, **changes: Any) -> ModelPackage:
    """Write a tiny package of two shots."""
    network = NetworkCard(architecture="TinyPairDefocus", settings={"channels": 3})
    told = {"name": PAIR, "kind": "two-shot", "dz_um": 2.0, "defocus_network": network, **changes}
    return write_package(path, tiny_card(**told), defocus=TinyPairDefocus(), importance=TinyImportance(), half=True)


@functools.cache
def _bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{PAIR}.zip"
        write_tiny_pair(path)
        return path.read_bytes()


def tiny_pair_file(folder: Path, name: str = PAIR) -> Path:
    """A tiny package of two shots in a folder, written once for all tests."""
    path = folder / f"{name}.zip"
    path.write_bytes(_bytes())
    return path


def pair_of(redder: float, shape: tuple[int, int] = (160, 192)) -> tuple[np.ndarray, np.ndarray]:
    """Two u8 shots of one dark field with content; the second is redder by this share of full light.

    Its content is sharper too, so that both are seen to be shots of one field at two places of the drive.
    """
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.uniform(-1, 1, (shape[0] // 8, shape[1] // 8)), np.ones((8, 8)))
    first = np.zeros((*shape, 3))
    first[..., 0] = 0.4
    first[..., 1:] = 0.2
    second = first.copy()
    second[..., 0] += redder
    first[..., 1:] += 0.10 * coarse[..., None]
    second[..., 1:] += 0.14 * np.abs(coarse[..., None]) * np.sign(coarse[..., None]) + 0.03 * coarse[..., None] ** 2
    return tuple(np.round(255 * shot).astype(np.uint8) for shot in (first, second))  # type: ignore[return-value]
