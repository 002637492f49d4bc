"""Shards to look for settings on: patches whose blur tells their defocus, of slides that teach, choose and measure."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.defocus import DefocusSettings
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import TeachingPlan
from napari_autofocus.models.training import TrainingSettings
from napari_autofocus.workflows.tune.data import HELD_SHARE
from napari_autofocus.workflows.tune.member import TuningJob
from napari_autofocus.workflows.tune.plan import TuningSettings
from napari_autofocus.workflows.tuning_found import Found, FoundLeg

SIZE = 32
PLAN = TeachingPlan(
    defocus=DefocusSettings(reach_um=12.5, bin_um=2.5, window_um=5.0, width=0.25),
    defocus_training=TrainingSettings(samples=64, batch=8, validate_every=64, learning_rate=3e-3, seed=4),
)


def slides_by_use() -> dict[str, str]:
    """A slide that teaches, one that chooses and one that measures, by their names."""
    names = np.array([f"slide-{number}" for number in range(400)])
    held = Holding(HELD_SHARE).held(names)
    odd = np.array([crc32(f"measure {name}".encode()) % 2 == 1 for name in names])
    chosen = {"teaching": ~held, "choosing": held & odd, "measuring": held & ~odd}
    return {use: str(names[own][0]) for use, own in chosen.items()}


def shards(folder: Path, *, spoiled: bool = False, channels: int = 3) -> Dataset:
    """A shard of three slides; spoiled ones have labels that are no numbers."""
    grid = PatchGrid((96, 96), SIZE, SIZE)
    fields = []
    for number, slide in enumerate(slides_by_use().values()):
        rng = np.random.default_rng(number)
        texture = rng.normal(128, 60, (96, 96))
        truth = np.array([-8.0, -4.0, 0.0, 4.0, 8.0], np.float32)
        frames = [gaussian_filter(texture, 0.3 + abs(z) / 4 + (z < 0)) for z in truth]
        fields.append(
            FieldSample(
                frames=tuple(np.clip(np.repeat(f[..., None], channels, 2), 0, 255).astype(np.uint8) for f in frames),
                grid=grid,
                defocus_um=np.broadcast_to(truth[:, None, None], (truth.size, *grid.shape)).astype(np.float32),
                importance=np.ones(grid.shape, np.float32),
                signed=True,
                slide=slide,
            )
        )
    write_shard(folder / "shard-0000", fields, Picking(patches_per_plane=9), np.random.default_rng(0))
    if spoiled:
        path = folder / "shard-0000" / "labels.npy"
        labels = np.load(path)
        labels["defocus_um"] = np.nan
        np.save(path, labels)
    return Dataset(folder)


def job(folder: Path, **changes: object) -> TuningJob:
    """A population of two that learn sixty-four patches each in two generations."""
    used = slides_by_use()
    settings = TuningSettings(**{"population": 2, "generations": 2, "samples": 64, **changes})  # type: ignore[arg-type]
    data = folder / "data"
    if not data.exists():
        shards(data)
    return TuningJob(data, folder / "work", PLAN, 1.0, settings, (used["choosing"],), (used["measuring"],))


def made_found(width: float = 0.75) -> Found:
    """Settings as tuning might find them."""
    return Found(
        backbone="mobilenet_v3_small",
        width=width,
        channels=3,
        course=(
            FoundLeg(until=0.5, learning_rate=2e-3, momentum=0.85, weight_decay=0.05, dropout=0.3),
            FoundLeg(until=1.0, learning_rate=1e-3, momentum=0.95, weight_decay=0.01, dropout=0.2),
        ),
        batch=32,
        best=2,
        score_um=0.4,
        samples=64,
        seconds=12.0,
    )
