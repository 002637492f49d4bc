"""What napari calls to open a file. Knows the layer tuples of npe2, and neither Qt nor a viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io.napari_layers import METADATA_KEY, LayerData, is_saved_image, read_image
from napari_autofocus.io.stacks import open_stack

__all__ = ["METADATA_KEY", "LayerData", "napari_get_reader", "read_stack", "to_layer"]

Reader = Callable[[str], list[LayerData]]


def napari_get_reader(path: str | Sequence[str]) -> Reader | None:
    """A reader for a z-stack whose z is known, or a layer that we saved; None for anything else, left to other readers.

    Parameters
    ----------
    path : str or sequence of str
        A file or folder; of several at once none is taken.
    """
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    if is_saved_image(Path(path)):
        return read_saved
    try:
        open_stack(path)
    except InputError:
        return None
    return read_stack


def read_stack(path: str | Sequence[str]) -> list[LayerData]:
    """The stack as one lazy image layer in µm. Raises InputError with the reason if it cannot be opened."""
    return [to_layer(open_stack(path if isinstance(path, str) else path[0]))]


def read_saved(path: str | Sequence[str]) -> list[LayerData]:
    """A single image that our writer made of a layer. Raises InputError with the reason if it cannot be opened."""
    return [read_image(Path(path if isinstance(path, str) else path[0]))]


def to_layer(stack: ZStack) -> LayerData:
    """A stack as napari's layer tuple, planes still unread.

    The layer stands at the stack's z in µm. Of an irregular stack the scale is the median step, and the true positions
    are in ``metadata["napari_autofocus"]["z_um"]``; there too are pixel size (None if unknown), focus direction,
    objective and source.
    """
    pixel_um = stack.pixel_size_um
    unit = "um" if pixel_um else "pixel"
    step_um = round(stack.step_um, 9)  # free of the noise of subtracting floats
    about = {
        "z_um": stack.z_um.tolist(),
        "pixel_size_um": pixel_um,
        "focus_direction": stack.focus_direction,
        "objective": stack.objective.name if stack.objective else None,
        "source": stack.source,
    }
    attributes = {
        "name": Path(stack.source).name or "z-stack",
        "scale": (step_um, pixel_um or 1.0, pixel_um or 1.0),
        "translate": (float(stack.z_um[0]), 0.0, 0.0),
        "units": ("um", unit, unit),
        "axis_labels": ("z", "y", "x"),
        "rgb": len(stack.data.shape) == 4,
        "metadata": {METADATA_KEY: about},
    }
    return _dask(stack), attributes, "image"


def _dask(stack: ZStack) -> Any:
    """The planes as a dask array of one chunk each: napari reads the plane that it shows."""
    import dask.array as da  # slow to import, and only napari needs it

    data = stack.data
    meta = np.empty((0,) * len(data.shape), data.dtype)
    return da.from_array(data, chunks=(1, *data.shape[1:]), name=False, asarray=False, meta=meta)
