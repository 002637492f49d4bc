"""The fields that ``end_to_end.py`` learns from, and the unseen frames that it measures on.

Slides to learn from have seeds from 300,000 on, those to validate on from 320,000 on; nothing else uses them. The
frames to measure on are those of ``single_shot_fields.py``, of which the first fields of each density are taken; of
dense and sparse ones all but a few patches of content are taken away too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from napari_autofocus.files import replacing
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.field.samples import with_few_left
from napari_autofocus.models.field_dataset import FieldDataset, FieldPlane, write_field_shard
from napari_autofocus.models.simulated.fields import SimulatedFields, patch_focus, simulate_fields
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.workflows.shipped.data import check_fields, shard_of, write_shards
from single_shot_fields import Field, draws_of, placed

FIELDS = SimulatedFields(planes=7)
"""Eight planes each: one in focus, the others one in each seventh of ±12 µm."""
TRAINING_SEED, VALIDATION_SEED = 300_000, 320_000
FIELDS_A_SHARD = 8
LEFT = (1, 2, 4, 8)
"""So many patches of content are left of a field, the whole field besides."""
LEAST_CONTENT = 0.05
"""Share of a patch that carries content, from which the patch may be left."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame to measure on, with the true defocus of the field, or of the patches that are left of it.

    Parameters
    ----------
    source : str
        Name of the frame.
    field : str
        Name of the field.
    case : str
        Its density, or how many patches are left.
    image : np.ndarray, shape (Y, X, 3), uint8
    true_um : float
    """

    source: str
    field: str
    case: str
    image: np.ndarray
    true_um: float


def fields_in(folder: Path, first_seed: int, count: int, processes: int) -> FieldDataset:
    """So many fields, simulated unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    check_fields("end to end", FIELDS, folder.parent / "fields.json")
    shards = -(-count // FIELDS_A_SHARD)
    for step in write_shards(partial(_write, first_seed), folder, shards, processes):
        print(f"\r{folder.name}: {step.done} of {step.total} shards ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return FieldDataset(folder)


def _write(first_seed: int, folder: Path, number: int) -> None:
    cv2.setNumThreads(1)
    seeds = range(first_seed + number * FIELDS_A_SHARD, first_seed + (number + 1) * FIELDS_A_SHARD)
    write_field_shard(shard_of(folder, number), simulate_fields(FIELDS, seeds))


def name_of(field: Field) -> str:
    """Of a field to measure on."""
    return f"{field.density}-{field.number}"


def shots_of(field: Field, draws: int, folder: Path) -> Iterator[Shot]:
    """The frames of a field, rendered unless they are there; the first of them with few patches left too.

    The patches that are left follow from the field.
    """
    images, true_um, focus_um, content = _rendered(field, draws, folder)
    grid = PatchGrid(images.shape[1:3], FIELDS.patch_px, FIELDS.stride_px)
    name = name_of(field)
    for draw, (image, truth) in enumerate(zip(images, true_um, strict=True)):
        yield Shot(f"{name}-{draw}", name, field.density, image, float(truth))
        if draw > 0 or field.density == "extremely-sparse":
            continue
        light = image.astype(np.float32) / np.float32(255)
        importance = (content >= LEAST_CONTENT).astype(np.float32)
        plane = FieldPlane(light, grid, (truth - focus_um).astype(np.float32), importance, signed=True)
        for count in LEFT:
            few = with_few_left(plane, count, np.random.default_rng([field.seed, count]))
            if np.isfinite(few.field_um):
                kept = np.asarray(np.round(few.frame * 255), np.uint8)
                yield Shot(f"{name}-{draw}-{count}", name, f"{count} left", kept, few.field_um)


def _rendered(field: Field, draws: int, folder: Path) -> tuple[np.ndarray, ...]:
    """Frames, their true defocus, each patch's best focus against the field's, and its share of content."""
    path = folder / f"{name_of(field)}-{draws}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        scene, place = placed(field)
        found = list(draws_of(field, draws))
        grid = PatchGrid(found[0].image.shape[:2], FIELDS.patch_px, FIELDS.stride_px)
        share = grid.block_sum(has_content(scene.content_at(*place))) / grid.size**2
        focus = patch_focus(scene, place, grid) - scene.best_focus_um(*place)
        with replacing(path) as part, part.open("wb") as file:
            images, truths = np.stack([draw.image for draw in found]), np.array([draw.true_um for draw in found])
            np.savez(file, images=images, true_um=truths, focus_um=focus, content=share)
    with np.load(path) as stored:
        return tuple(stored[name] for name in ("images", "true_um", "focus_um", "content"))
