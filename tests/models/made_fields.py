"""Fields to learn from that need no optics: small random frames with labels that say which patch is which."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.samples import FieldSample

SIZE, STRIDE = 32, 16


def held_name(held: bool, number: int) -> str:
    """The name of a slide that is held back for validation, or not, by the usual share of one in twenty."""
    from napari_autofocus.models.tasks import Holding

    names = np.array([f"slide-{n}" for n in range(2000)])
    return str(names[Holding().held(names) == held][number])


def random_frame(
    seed: int, shape: tuple[int, int] = (64, 80), dtype: Any = np.uint8, channels: int = 3
) -> npt.NDArray[Any]:
    """Every pixel by chance, so that no two patches are alike."""
    rng = np.random.default_rng(seed)
    full = (*shape, channels) if channels > 1 else shape
    return rng.integers(0, np.iinfo(dtype).max, full, endpoint=True).astype(dtype)


def made_field(
    slide: str = "a", *, planes: int = 3, seed: int = 0, shape: tuple[int, int] = (64, 80), **changes: Any
) -> FieldSample:
    """A field whose patch ``index`` in plane ``p`` is labelled ``100·p + index`` µm, unless told otherwise."""
    grid = PatchGrid(shape, SIZE, STRIDE)
    labels = np.arange(len(grid), dtype=np.float32).reshape(grid.shape)
    defaults: dict[str, Any] = {
        "frames": tuple(random_frame(1000 * seed + plane, shape) for plane in range(planes)),
        "defocus_um": np.stack([100 * plane + labels for plane in range(planes)]),
        "importance": np.ones(grid.shape, np.float32),
        "signed": True,
        "stain": "he",
        "density": "dense",
    }
    return FieldSample(grid=grid, slide=slide, **defaults | changes)


def made_dataset(folder: Path, fields: Iterable[FieldSample], **picking: Any) -> Dataset:
    """A dataset of one shard."""
    write_shard(folder / "shard-0000", fields, Picking(**picking), np.random.default_rng(0))
    return Dataset(folder)


def both_kinds(**changes: Any) -> list[FieldSample]:
    """Two slides to learn from and one that is held back."""
    names = held_name(False, 0), held_name(False, 1), held_name(True, 0)
    return [made_field(name, seed=number, **changes) for number, name in enumerate(names)]


def weights(network: nn.Module) -> dict[str, Tensor]:
    """All that a network has learned, copied."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
