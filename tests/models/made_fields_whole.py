"""Whole fields to learn from that need no optics: quiet glass with a few textured patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from made_fields import SIZE, STRIDE, held_name

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.field_dataset import FieldDataset, FieldPlane, write_field_shard
from napari_autofocus.models.samples import FieldSample

SHAPE = (128, 128)
GRID = PatchGrid(SHAPE, SIZE, STRIDE)
GLASS = (200, 205, 210)


def textured(seed: int, content: Sequence[int]) -> np.ndarray:
    """Glass with a little noise, and patches of strong contrast: uint8 (Y, X, 3)."""
    rng = np.random.default_rng(seed)
    frame = np.array(GLASS) + rng.normal(0, 2, (*SHAPE, 3))
    for index in content:
        frame[GRID.slices(index)] -= rng.uniform(0, 120, (SIZE, SIZE, 1))
    return np.clip(frame, 0, 255).astype(np.uint8)


def whole_field(
    slide: str,
    seed: int,
    content: Sequence[int] = (0, 16, 32),
    planes_um: Sequence[float] = (-4.0, 0.0, 3.0),
    **changes: object,
) -> FieldSample:
    """A field with content in some patches, at these defocus values."""
    importance = np.zeros(GRID.shape, np.float32)
    importance.flat[list(content)] = 0.9
    defocus = np.array(planes_um, np.float32)[:, None, None] * np.ones(GRID.shape, np.float32)
    frames = tuple(textured(100 * seed + plane, content) for plane in range(len(planes_um)))
    told = {"signed": True, "stain": "he", "density": "sparse", **changes}
    return FieldSample(frames, GRID, defocus, importance, slide=slide, **told)  # type: ignore[arg-type]


def whole_fields(folder: Path, **changes: object) -> FieldDataset:
    """Two slides to learn from and two that are held back."""
    names = [held_name(held, number) for held in (False, True) for number in (0, 1)]
    write_field_shard(folder / "shard-0000", [whole_field(name, n, **changes) for n, name in enumerate(names)])
    return FieldDataset(folder)


def plane_of(content: Sequence[int] = (0, 16, 32), defocus_um: float = 3.0, seed: int = 0) -> FieldPlane:
    """One plane in memory."""
    sample = whole_field("a", seed, content, (defocus_um,))
    frame = sample.frames[0].astype(np.float32) / 255
    return FieldPlane(frame, GRID, sample.defocus_um[0], sample.importance, signed=True)
