"""Model packages whose networks are a few numbers set by hand, so that every answer can be worked out on paper.

The importance of a patch is how dark it is, from 0 (white) to 1 (black); its defocus is 20 µm · (red - 0.5), with red
the mean of its first channel: a patch of 0.6 red is 2 µm out of focus.
"""

from __future__ import annotations

import datetime
import functools
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.estimate import DecisionSettings, ImageOptics
from napari_autofocus.models.package import CardOptics, ModelCard, ModelPackage, NetworkCard, TrainingRecord
from napari_autofocus.models.package.archive import write_archive
from napari_autofocus.models.package.members import OUR_BLOCK, RDF, checksum_of, sha256_of
from napari_autofocus.models.package.plain_yaml import write_yaml
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.optics import Objective

PATCH, STRIDE, REDUCTION = 32, 16, 8
OBJECTIVE = Objective.parse("20x/0.75", pixel_size_um=0.325)
OPTICS = ImageOptics(OBJECTIVE)

Members = dict[str, bytes]


@dataclass(frozen=True)
class TinySettings:
    """What both tiny networks are built from."""

    channels: int = 3

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class TinyDefocus(nn.Module):
    """Patches (N, C, S, S) in; 20 µm · (red - 0.5), 0.1 µm and a clear side out."""

    def __init__(self, settings: TinySettings | None = None) -> None:
        super().__init__()
        self.settings = settings or TinySettings()
        self.slope = nn.Linear(self.settings.channels, 1)
        with torch.no_grad():
            self.slope.weight[:] = torch.tensor([20.0] + [0.0] * (self.settings.channels - 1))
            self.slope.bias[:] = -10.0

    def forward(self, patches: Tensor) -> Tensor:
        defocus = self.slope(patches.mean(dim=(2, 3)))
        return torch.cat([defocus, 0.1 + 0 * defocus, (10 * defocus).sigmoid()], dim=1)


class TinyImportance(nn.Module):
    """Overview (1, C, y, x) in; darkness of each patch out."""

    def __init__(self, settings: TinySettings | None = None) -> None:
        super().__init__()
        self.settings = settings or TinySettings()
        side, step = PATCH // REDUCTION, STRIDE // REDUCTION
        self.light = nn.Conv2d(self.settings.channels, 1, side, stride=step)
        with torch.no_grad():
            self.light.weight.fill_(1 / (self.settings.channels * side**2))
            self.light.bias.fill_(0.0)

    def forward(self, overview: Tensor) -> Tensor:
        return (1 - self.light(overview)).clamp(0, 1)


def tiny_card(**changes: Any) -> ModelCard:
    """A card that fits the tiny networks."""
    channels = 1 if changes.pop("colour", "rgb") == "mono" else 3
    network = NetworkCard(architecture="TinyDefocus", settings={"channels": channels})
    return ModelCard(
        **{
            "name": "tiny-20x",
            "description": "Knows nothing of focus: it reads the red of a patch.",
            "optics": CardOptics.of(OBJECTIVE, "mono" if channels == 1 else "rgb"),
            "stains": ("he",),
            "patch_px": PATCH,
            "stride_px": STRIDE,
            "reduction": REDUCTION,
            "selection": SelectionSettings(most_patches=8),
            "decision": DecisionSettings(dof_um=1.0, range_um=10.0),
            "evaluation": {"mae_um": 0.125, "direction_success": 0.995},
            "training": TrainingRecord(
                seed=7, minutes=1.5, finished=datetime.date(2026, 1, 2), code_version="0.1.0", patches_seen=10
            ),
            "defocus_network": network,
            "importance_network": network.model_copy(update={"architecture": "TinyImportance"}),
            **changes,
        }
    )


def write_tiny(path: Path, *, half: bool = True, **changes: Any) -> ModelPackage:
    """Write a tiny package."""
    card = tiny_card(**changes)
    settings = TinySettings(card.optics.channels)
    return write_package(
        path, card, defocus=TinyDefocus(settings), importance=TinyImportance(settings), half=half, history={"loss": [1]}
    )


@functools.cache
def tiny_bytes(colour: str = "rgb") -> bytes:
    """The file of a tiny package, written once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny-20x.zip"
        write_tiny(path, colour=colour)
        return path.read_bytes()


def tiny_file(folder: Path, name: str = "tiny-20x", colour: str = "rgb") -> Path:
    """A tiny package in a folder."""
    path = folder / f"{name}.zip"
    path.write_bytes(tiny_bytes(colour))
    return path


def members_of(content: bytes) -> Members:
    """All members of a package by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(folder: Path, change: Callable[[Members], None]) -> Path:
    """A tiny package whose members somebody changed."""
    members = members_of(tiny_bytes())
    change(members)
    path = folder / "changed.zip"
    write_archive(path, members)
    return path


def rewrite_rdf(members: Members, change: Callable[[dict[str, Any]], None]) -> None:
    """Change ``rdf.yaml``, and nothing else."""
    rdf = yaml.safe_load(members[RDF])
    change(rdf)
    members[RDF] = write_yaml(rdf)


def forge(members: Members, change: Callable[[dict[str, Any]], None] = lambda block: None) -> None:
    """Change our block and make all hashes and the checksum right again, as somebody with bad intent would."""

    def seal(rdf: dict[str, Any]) -> None:
        block = rdf["config"][OUR_BLOCK]
        block["files"] = {name: sha256_of(content) for name, content in members.items() if name != RDF}
        change(block)
        block["checksum"] = checksum_of(json.loads(json.dumps(block)))

    rewrite_rdf(members, seal)


def flat_frame(red: float = 0.6, shape: tuple[int, int] = (160, 192)) -> np.ndarray:
    """A u8 frame of one colour, dark enough to be important throughout; ``red`` in [0, 1]."""
    frame = np.zeros((*shape, 3), np.uint8)
    frame[..., 0] = round(255 * red)
    return frame


def named_file(
    folder: Path,
    name: str,
    colour: str = "rgb",
    stains: tuple[str, ...] = ("he",),
    *,
    range_um: float = 10.0,
    dof_um: float = 1.0,
    **optics: float,
) -> Path:
    """A tiny package of another name, taught on other stains, for other optics where they are given."""
    members = members_of(tiny_bytes(colour))

    def change(block: dict[str, Any]) -> None:
        block.update(name=name, stains=list(stains))
        block["decision"].update(range_um=range_um, dof_um=dof_um)
        block["optics"].update(optics)

    forge(members, change)
    path = folder / f"{name}.zip"
    write_archive(path, members)
    return path
