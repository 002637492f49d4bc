"""Small folders of z-stacks to make a model of; blurred texture, no optics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.optics import PRESETS
from stacks import blurred_stack

FACTS: dict[str, Any] = {"objective": PRESETS["20x/0.75"], "pixel_size_um": 0.325}


def texture_stack(best_z_um: float = 4.0, *, colour: bool = True, seed: int = 0, **facts: Any) -> ZStack:
    """Nine planes of 192 x 192 px, 1 µm apart."""
    stack = replace(blurred_stack(best_z_um, planes=9, shape=(192, 192), seed=seed), **(FACTS | facts))
    return replace(stack, data=np.repeat(stack.data[..., None], 3, axis=-1)) if colour else stack


def write_stacks(folder: Path, count: int, **facts: Any) -> Path:
    """A folder of stacks without labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_stack(folder / f"s{number}.ome.tif", texture_stack(3.7 + 0.1 * number, seed=number, **facts))
    return folder
